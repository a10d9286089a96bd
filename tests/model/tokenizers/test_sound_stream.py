"""The endless decoder: no clicks between steps, the levels of the latents, and nothing that changes afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.sound_stream import SoundStream
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES

STEPS = 16


def endless(steps: int) -> Tensor:
    """A continuous sound (2, S): three tones that get louder and softer, with noise; the right ear is softer."""
    time_S = np.arange(steps * STEP_SAMPLES) / SAMPLE_RATE
    tones_S = sum(np.sin(2 * np.pi * hertz * time_S + hertz) for hertz in (437.0, 1310.0, 2205.0))
    mono_S = 0.05 * tones_S * (1.2 + np.sin(2 * np.pi * 0.7 * time_S))
    mono_S += keyed_rng("endless").normal(0.0, 0.002, len(mono_S))
    return torch.from_numpy(np.stack([mono_S, 0.6 * mono_S])).float()


def split(sound_ES: Tensor) -> Tensor:
    return sound_ES.unflatten(1, (-1, STEP_SAMPLES)).transpose(0, 1).contiguous()


@pytest.fixture(scope="module")
def tokenizer() -> AudioTokenizer:
    torch.set_num_threads(1)
    return AudioTokenizer.fit(split(endless(60)), AudioTokenizerConfig(components=12))


@pytest.fixture(scope="module")
def latents(tokenizer: AudioTokenizer) -> Tensor:
    return tokenizer.encode(split(endless(STEPS)))


def streamed(tokenizer: AudioTokenizer, latents: Tensor) -> tuple[Tensor, Tensor]:
    stream = SoundStream(tokenizer)
    pairs = [stream.push(latent) for latent in latents]
    return torch.cat([sound for sound, _ in pairs], 1), torch.cat([step for _, step in pairs], 1)


def click(sound_ES: Tensor, border: int) -> float:
    """Energy of the first difference at the borders of steps, relative to that of the samples around them."""
    power_ES = np.diff(sound_ES.numpy(), axis=1) ** 2
    borders = range(STEP_SAMPLES + border, power_ES.shape[1] - STEP_SAMPLES, STEP_SAMPLES)
    at = np.mean([power_ES[:, k - 1 : k + 1].mean() for k in borders])
    return float(at / np.mean([power_ES[:, k - 200 : k + 200].mean() for k in borders]))


def test_there_are_no_clicks_where_parts_meet(tokenizer: AudioTokenizer, latents: Tensor):
    sound_ES, _ = streamed(tokenizer, latents)
    alone_ES = torch.cat(list(tokenizer.decode(latents)), 1)
    assert click(alone_ES, 0) > 3.0  # what the stream is for
    assert click(sound_ES, 0) < 1.5
    assert click(sound_ES, SoundStream(tokenizer).delay) < 1.5


def test_it_is_the_sound_of_the_sequence_a_little_later(tokenizer: AudioTokenizer, latents: Tensor):
    def levels(sound_ES: Tensor) -> Tensor:
        tokens = sound_ES[:, STEP_SAMPLES:].unflatten(1, (-1, 480))
        return 10 * torch.log10(tokens.square().mean(-1) + 1e-9)

    stream_ES, _ = streamed(tokenizer, latents)
    delay = SoundStream(tokenizer).delay
    whole_ES = tokenizer.decode_sequence(latents)
    late_ES = torch.cat([stream_ES[:, delay:], torch.zeros(2, delay)], 1)[:, :-STEP_SAMPLES]
    assert float((levels(late_ES) - levels(whole_ES[:, :-STEP_SAMPLES])).abs().mean()) < 0.3


def test_a_step_is_the_sound_that_is_given_out_without_the_delay(tokenizer: AudioTokenizer, latents: Tensor):
    stream = SoundStream(tokenizer)
    for latent in latents[:4]:
        sound_ES, step_ES = stream.push(latent)
        torch.testing.assert_close(sound_ES[:, stream.delay :], step_ES[:, : -stream.delay])


def test_silence_stays_silent_and_ends(tokenizer: AudioTokenizer, latents: Tensor):
    quiet = tokenizer.encode(torch.zeros(1, 2, STEP_SAMPLES))[0]
    stream = SoundStream(tokenizer)
    assert float(stream.push(quiet)[0].abs().max()) < 1e-3
    loud_ES, _ = stream.push(latents[3])
    assert bool(torch.isfinite(loud_ES).all())
    assert float(loud_ES.abs().max()) > 0.05
