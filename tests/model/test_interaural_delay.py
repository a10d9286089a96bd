import pytest
import torch

from avw.model.interaural_delay import BANDS_HZ, FEATURES, LAGS, interaural_delays
from avw.sim_bridge.types import STEP_SAMPLES


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def arriving(later: int, at: int = 800) -> torch.Tensor:
    """(1, 2, S): a burst of noise that reaches the right ear `later` samples after the left ear."""
    burst = noise(600) * torch.exp(-torch.arange(600) / 150.0)
    ears = torch.zeros(2, STEP_SAMPLES)
    for ear, start in enumerate((at, at + later)):
        ears[ear, start : start + 600] = burst
    return ears[None]


def by_band(features_NC: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    parts = features_NC.split(LAGS + 1, 1)
    assert len(parts) == len(BANDS_HZ)
    return [(part[:, :LAGS], part[:, LAGS]) for part in parts]


@pytest.mark.parametrize("later", [-11, -4, 0, 1, 9])
def test_the_most_evidence_is_for_the_true_delay(later):
    for scores_NL, best_N in by_band(interaural_delays(arriving(later))):
        assert scores_NL.argmax() == LAGS // 2 - later
        assert best_N == scores_NL.max()


def test_swapping_the_ears_reverses_the_delays():
    sound = arriving(5) + 0.1 * torch.stack([noise(STEP_SAMPLES, 1), noise(STEP_SAMPLES, 2)])
    swapped = by_band(interaural_delays(sound.flip(1)))
    for (scores, best), (mirrored, mirrored_best) in zip(by_band(interaural_delays(sound)), swapped, strict=True):
        torch.testing.assert_close(scores.flip(1), mirrored, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(best, mirrored_best, atol=1e-4, rtol=1e-4)


def test_the_direct_sound_counts_more_than_louder_sound_after_it():
    """A source on the left, and a longer and louder reverberation whose energy does not rise, on the right."""
    decay = 1.5 * noise(1300, 3) * torch.exp(-torch.arange(1300) / 500.0)
    late = torch.zeros(1, 2, STEP_SAMPLES)
    late[0, 0, 1010:2310], late[0, 1, 1002:2302] = decay, decay
    direct = arriving(8, at=700) * 2.5
    assert late.square().sum() > direct.square().sum()
    scores, _ = by_band(interaural_delays(direct + late))[1]
    assert scores.argmax() == LAGS // 2 - 8


def test_the_level_does_not_matter_and_silence_says_nothing():
    sound = arriving(3)
    torch.testing.assert_close(interaural_delays(sound), interaural_delays(100 * sound), atol=1e-4, rtol=1e-4)
    assert torch.count_nonzero(interaural_delays(torch.zeros(2, 2, STEP_SAMPLES))) == 0
    assert interaural_delays(torch.zeros(2, 2, STEP_SAMPLES)).shape == (2, FEATURES)
