import math

import pytest
import torch
from torch import Tensor

from avw.model.sound_memory import SoundHistory
from avw.model.sound_recall import PERIODS, SoundRecall, rhythm_of

M, A, D = 64, 5, 12


def repeating(period: int, *, noise: float = 0.0, known: int = M, seed: int = 0) -> tuple[SoundHistory, Tensor]:
    """A history of steps of a sound that repeats after `period` tokens, and the tokens of that sound from the oldest
    token on, far into the future."""
    generator = torch.Generator().manual_seed(seed)
    once = torch.randn(period, D, generator=generator)
    tokens = once.repeat(2 * M * A // period + 2, 1)[: 2 * M * A]
    heard = tokens[: M * A] + noise * torch.randn(M * A, D, generator=generator)
    age = torch.arange(float(M))
    age[known:] = -1.0
    history = SoundHistory(heard.view(M, A, D).flip(0)[None], torch.zeros(1, M, 3), age[None])
    return history, tokens


@pytest.mark.parametrize("period", [10, 17, 33, 35, 64, 150])
def test_finds_the_period_of_a_sound_that_repeats(period: int):
    history, _ = repeating(period, noise=0.5)
    rhythm = rhythm_of(history)
    assert rhythm.period_B.tolist() == [period]
    assert 0.5 < float(rhythm.strength_B) <= 1.0


def test_noise_has_no_rhythm():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(8, M, A, D, generator=generator)
    history = SoundHistory(noise, torch.zeros(8, M, 3), torch.arange(float(M)).expand(8, M))
    assert float(rhythm_of(history).strength_B.max()) < 0.2


@pytest.mark.parametrize("offset", [1, 4, 6, 7, 8, 16, 33])
@pytest.mark.parametrize("period", [17, 33, 35])
def test_recalls_the_sound_of_the_same_phase(offset: int, period: int):
    history, tokens = repeating(period)
    recalled = SoundRecall()(rhythm_of(history), torch.zeros(1, 1, 3), torch.tensor([[float(offset)]]))
    first = (M - 1 + offset) * A
    torch.testing.assert_close(recalled.audio_PAD[0], tokens[first : first + A])
    assert recalled.features_PF[0, 0] == 1.0


def test_a_step_in_the_past_is_recalled_as_it_was():
    history, _ = repeating(35, noise=1.0)
    past = history.past_BM3.clone()
    past[0, :, 0] = -torch.arange(float(M)) * 100.0  # so far apart that only the nearest step has a weight
    history = SoundHistory(history.audio_BMAD, past, history.age_BM)
    recalled = SoundRecall()(rhythm_of(history), torch.tensor([[[-300.0, 0.0, 0.0]]]), torch.tensor([[-3.0]]))
    torch.testing.assert_close(recalled.audio_PAD[0], history.audio_BMAD[0, 3])


def test_near_poses_count_more():
    history, _ = repeating(35, noise=1.0)
    phase = [6, 13, 20, 27, 34, 41, 48, 55]  # ages of the steps at the phase of the next one
    assert len(phase) == PERIODS
    past = torch.full((1, M, 3), 50.0)
    past[0, 20] = torch.tensor([1.0, 2.0, math.pi / 2])
    there = torch.tensor([[[1.0, 2.0, math.pi / 2 - 2 * math.pi]]])  # the same heading
    history = SoundHistory(history.audio_BMAD, past, history.age_BM)
    recalled = SoundRecall()(rhythm_of(history), there, torch.ones(1, 1))
    torch.testing.assert_close(recalled.audio_PAD[0], history.audio_BMAD[0, 20])
    # With all poses equally far, it is the mean.
    history = SoundHistory(history.audio_BMAD, torch.zeros(1, M, 3), history.age_BM)
    recalled = SoundRecall()(rhythm_of(history), there, torch.ones(1, 1))
    torch.testing.assert_close(recalled.audio_PAD[0], history.audio_BMAD[0, phase].mean(0))


@pytest.mark.parametrize("known", [1, 5])
def test_before_the_phase_was_heard_it_is_the_sound_of_now(known: int):
    history, _ = repeating(35, known=known)
    rhythm = rhythm_of(history)
    recalled = SoundRecall()(rhythm, torch.zeros(1, 1, 3), torch.tensor([[40.0]]))
    torch.testing.assert_close(recalled.audio_PAD[0], history.audio_BMAD[0, 0])
    assert recalled.features_PF[0, :3].tolist() == [0.0, 0.0, 0.0]


def test_steps_before_the_first_observation_are_not_used():
    history, _ = repeating(35, known=20)
    damaged = history.audio_BMAD.clone()
    damaged[0, 20:] = 1e6
    motion, offset = torch.zeros(1, 2, 3), torch.tensor([[1.0, 9.0]])
    recalled = [
        SoundRecall()(rhythm_of(SoundHistory(audio, history.past_BM3, history.age_BM)), motion, offset).audio_PAD
        for audio in (history.audio_BMAD, damaged)
    ]
    torch.testing.assert_close(*recalled)


def test_contexts_do_not_depend_on_each_other():
    histories = [repeating(period, seed=period)[0] for period in (17, 35)]
    together = SoundHistory(*(torch.cat(parts) for parts in zip(*(_parts(h) for h in histories), strict=True)))
    motion, offset = torch.zeros(2, 3, 3), torch.tensor([[1.0, 5.0, 30.0]]).expand(2, 3)
    both = SoundRecall()(rhythm_of(together), motion, offset).audio_PAD.view(2, 3, A, D)
    for one, history in zip(both, histories, strict=True):
        alone = SoundRecall()(rhythm_of(history), motion[:1], offset[:1]).audio_PAD
        torch.testing.assert_close(one, alone)


def _parts(history: SoundHistory) -> tuple[Tensor, Tensor, Tensor]:
    return history.audio_BMAD, history.past_BM3, history.age_BM
