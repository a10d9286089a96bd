"""Latents of every frame of a split: computed once, stored in memory-mapped files, and gathered into batches.

Shapes: B contexts · K targets per context · T context frames · F frames of the split · H W C latent image ·
A Da latent audio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avw.avw4k.reading.windows import FrameCache, WindowBatch, Windows
from avw.model.rotation import Rotation
from avw.model.tokenizers.audio import AudioTokenizer
from avw.model.tokenizers.image import ImageTokenizer


@dataclass(frozen=True, slots=True)
class Batch:
    """The tensors of a training step, on its device. prior: see `Rotation.prior`; None if the model has no prior."""

    vision_BTHWC: Tensor
    audio_BTAD: Tensor
    past_BT3: Tensor
    target_vision_PHWC: Tensor
    target_audio_PAD: Tensor
    prior_PHWC: Tensor | None
    motion_BK3: Tensor
    offset_BK: Tensor
    progress_BK: Tensor
    distance_BK: Tensor


class Latents:
    """Latents of all frames of `windows`, original and mirrored.

    The mirror image of an episode (image flipped, ears swapped, left and right exchanged) is an episode in the mirrored
    scene. Physics is symmetric under reflection, so this doubles the data.
    """

    def __init__(
        self,
        windows: Windows,
        image: ImageTokenizer,
        audio: AudioTokenizer,
        folder: Path,
        *,
        key: str,
        progress: Callable[[int], object] = lambda frames: None,
    ) -> None:
        self.windows, self.image = windows, image
        cache, F = FrameCache(folder), windows.frames
        loaded = [array for name in ("rgb", "vision", "audio") if (array := cache.load(name, key)) is not None]
        if len(loaded) == 3:
            self.rgb_FHWC, self.vision_2FHWC, self.audio_2FAD = loaded
            progress(F)
            return
        size = windows.dataset.spec.simulator.size
        rgb = cache.create("rgb", (F, size, size, 3), np.uint8)
        vision = cache.create("vision", (2, F, *image.latent_shape), np.float16)
        audio_array = cache.create("audio", (2, F, *audio.latent_shape), np.float16)
        scale = windows.dataset.audio_scale
        for ref, first in zip(windows.episodes, windows.first_n.tolist(), strict=True):
            row = windows.dataset.read(ref, ["rgb", "audio"])
            frames = torch.from_numpy(row["rgb"])
            sound = torch.from_numpy(row["audio"].astype(np.float32) * scale)
            chosen = slice(first, first + len(frames))
            rgb[chosen] = row["rgb"]
            with torch.inference_mode():
                for mirrored in (0, 1):
                    vision[mirrored, chosen] = image.encode(frames.flip(2) if mirrored else frames).half().numpy()
                    audio_array[mirrored, chosen] = audio.encode(sound.flip(1) if mirrored else sound).half().numpy()
            progress(len(frames))
        self.rgb_FHWC = cache.finish("rgb", rgb, key)
        self.vision_2FHWC = cache.finish("vision", vision, key)
        self.audio_2FAD = cache.finish("audio", audio_array, key)

    def batch(
        self, window: WindowBatch, mirrored_B: np.ndarray, rotation: Rotation | None, device: torch.device
    ) -> Batch:
        """Gather a batch. mirrored_B: bool, which contexts are replaced by their mirror image."""
        m_B = mirrored_B.astype(np.int64)
        K = window.target_BK.shape[1]

        def gather(array: np.ndarray, frames: np.ndarray) -> Tensor:
            return torch.from_numpy(array[m_B[:, None], frames]).to(device).float()

        sign_B3 = np.where(mirrored_B[:, None], [1.0, -1.0, -1.0], [1.0, 1.0, 1.0]).astype(np.float32)
        motion_BK3 = torch.from_numpy(window.motion_BK3 * sign_B3[:, None]).to(device)
        prior = None
        if rotation is not None:
            last = torch.from_numpy(self.rgb_FHWC[window.context_BT[:, -1]])
            last = torch.where(torch.from_numpy(mirrored_B)[:, None, None, None], last.flip(2), last).to(device)
            with torch.no_grad():
                prior = rotation.prior(self.image, last.repeat_interleave(K, 0), motion_BK3[..., 2].flatten())
        return Batch(
            vision_BTHWC=gather(self.vision_2FHWC, window.context_BT),
            audio_BTAD=gather(self.audio_2FAD, window.context_BT),
            past_BT3=torch.from_numpy(window.past_BT3 * sign_B3[:, None]).to(device),
            target_vision_PHWC=gather(self.vision_2FHWC, window.target_BK).flatten(0, 1),
            target_audio_PAD=gather(self.audio_2FAD, window.target_BK).flatten(0, 1),
            prior_PHWC=prior,
            motion_BK3=motion_BK3,
            offset_BK=torch.from_numpy(window.offset_BK).to(device).float(),
            progress_BK=torch.from_numpy(window.progress_BK).to(device),
            distance_BK=torch.from_numpy(window.distance_BK).to(device),
        )
