"""The cache of encoded sounds: the latents of the tokenizer, each computed once, and not more than are kept."""

from __future__ import annotations

import numpy as np
import torch

from avw.model.interaural_delay import interaural_delays
from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.sound_cache import SoundCache


class Counting(AudioTokenizer):
    count = 0

    def encode(self, audio_NES: torch.Tensor) -> torch.Tensor:
        self.count += len(audio_NES)
        return super().encode(audio_NES)


def test_each_sound_is_encoded_once_and_alone() -> None:
    tokenizer = Counting(AudioTokenizerConfig())
    audio_NES = np.random.default_rng(0).normal(size=(5, 2, 2400)).astype(np.float32)
    cache = SoundCache(tokenizer)
    found, delays = cache.encode(audio_NES[[0, 1, 1, 2]])
    alone = [AudioTokenizer.encode(tokenizer, torch.from_numpy(audio_NES[i : i + 1]))[0] for i in (0, 1, 1, 2)]
    assert torch.equal(found, torch.stack(alone))
    expected = [interaural_delays(torch.from_numpy(audio_NES[i : i + 1]))[0] for i in (0, 1, 1, 2)]
    assert torch.equal(delays, torch.stack(expected))
    assert tokenizer.count == 3
    assert torch.equal(cache.encode(audio_NES[[2, 3]])[0][0], found[3])
    assert tokenizer.count == 4


def test_the_oldest_sounds_are_forgotten() -> None:
    tokenizer = Counting(AudioTokenizerConfig())
    audio_NES = np.random.default_rng(1).normal(size=(4, 2, 2400)).astype(np.float32)
    cache = SoundCache(tokenizer, most=2)
    cache.encode(audio_NES)
    cache.encode(audio_NES[2:])
    assert tokenizer.count == 4
    cache.encode(audio_NES[:1])
    assert tokenizer.count == 5
