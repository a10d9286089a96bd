"""Latents and delays of the sounds of single steps, kept while an agent remembers them.

The sound memory of a plan has up to 64 steps, and all but the newest few were in the plan before.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

from avw.model.interaural_delay import interaural_delays
from avw.model.tokenizers.protocol import SoundCoder

MOST = 512  # sounds; eight agents that take turns


class SoundCache:
    """Encodes sounds one by one, and each only once. The numbers of a sound do not depend on what was encoded before,
    which a batch would not guarantee to the last bit."""

    def __init__(self, tokenizer: SoundCoder, most: int = MOST) -> None:
        self.tokenizer, self.most = tokenizer, most
        self._known: OrderedDict[bytes, tuple[Tensor, Tensor]] = OrderedDict()

    def encode(self, audio_NES: np.ndarray) -> tuple[Tensor, Tensor]:
        """float32 (N, 2, 2400) in linear units -> latents (N, A, D) and delays between the ears (N, C), float32, on the
        device of the tokenizer."""
        device = next(self.tokenizer.buffers()).device
        found = []
        for audio_ES in np.ascontiguousarray(audio_NES, np.float32):
            key = audio_ES.tobytes()
            known = self._known.get(key)
            if known is None:
                sound_1ES = torch.from_numpy(audio_ES)[None].to(device)
                known = self.tokenizer.encode(sound_1ES)[0], interaural_delays(sound_1ES)[0]
                self._known[key] = known
            self._known.move_to_end(key)
            found.append(known)
        while len(self._known) > self.most:
            self._known.popitem(last=False)
        latents, delays = zip(*found, strict=True)
        return torch.stack(latents), torch.stack(delays)
