"""Latents of the sounds of single steps, kept while an agent remembers them.

The sound memory of a plan has up to 64 steps, and all but the newest few were in the plan before.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

from avw.model.tokenizers.audio import AudioTokenizer

MOST = 512  # sounds; eight agents that take turns


class SoundCache:
    """Encodes sounds one by one, and each only once. The latent of a sound does not depend on what was encoded before,
    which a batch would not guarantee to the last bit."""

    def __init__(self, tokenizer: AudioTokenizer, most: int = MOST) -> None:
        self.tokenizer, self.most = tokenizer, most
        self._latents: OrderedDict[bytes, Tensor] = OrderedDict()

    def encode(self, audio_NES: np.ndarray) -> Tensor:
        """float32 (N, 2, 2400) in linear units -> float32 (N, A, D), on the device of the tokenizer."""
        device = self.tokenizer.window_W.device
        latents = []
        for audio_ES in np.ascontiguousarray(audio_NES, np.float32):
            key = audio_ES.tobytes()
            latent = self._latents.get(key)
            if latent is None:
                latent = self.tokenizer.encode(torch.from_numpy(audio_ES)[None].to(device))[0]
                self._latents[key] = latent
            self._latents.move_to_end(key)
            latents.append(latent)
        while len(self._latents) > self.most:
            self._latents.popitem(last=False)
        return torch.stack(latents)
