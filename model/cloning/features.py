"""What the cloned policy sees and hears of an observation: small images, and cues of both ears.

Shapes: N observations · F numbers per sound.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avw.model.interaural_delay import FEATURES as DELAYS
from avw.model.interaural_delay import interaural_delays
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES, Observation

SIDE = 32  # pixels of the images
FARTHEST = 6.0  # metres of depth that the largest byte stands for
BANDS_HZ = (200.0, 400.0, 700.0, 1200.0, 1900.0, 2900.0, 4200.0, 5500.0, 7000.0)
SOUND = DELAYS + 2 * (len(BANDS_HZ) - 1)
"""Numbers per sound: evidence for the delays between the ears, and the level of each ear in each band."""


def sight(observation: Observation) -> np.ndarray:
    """uint8 (SIDE, SIDE, 4): RGB, and depth up to FARTHEST; 0 = nothing hit, or nearer than 2 cm."""
    rgb = torch.from_numpy(np.ascontiguousarray(observation.rgb_HWC)).permute(2, 0, 1)[None].float()
    depth = torch.from_numpy(np.ascontiguousarray(observation.depth_HW))[None, None].float()
    depth = 255.0 * (depth / FARTHEST).clamp(0.0, 1.0)
    small = F.adaptive_avg_pool2d(torch.cat([rgb, depth], 1), SIDE)
    return np.asarray(small.round().to(torch.uint8)[0].permute(1, 2, 0).contiguous())


def sound(observation: Observation) -> np.ndarray:
    """float32 (SOUND,): see there. Levels are 0 at the direct sound of a clip at 1 m, 1 at 20 dB more."""
    audio_1ES = torch.from_numpy(np.ascontiguousarray(observation.audio_ES, np.float32))[None]
    window_S = torch.hann_window(STEP_SAMPLES)
    energy_EF = torch.fft.rfft(audio_1ES[0] * window_S).abs().square() / (0.375 * STEP_SAMPLES**2)
    hertz_F = torch.fft.rfftfreq(STEP_SAMPLES, 1.0 / SAMPLE_RATE)
    edges = torch.tensor(BANDS_HZ)
    band_F = torch.bucketize(hertz_F, edges, right=True) - 1
    levels = []
    for band in range(len(BANDS_HZ) - 1):
        levels.append(2.0 * energy_EF[:, band_F == band].sum(1))
    level_EB = 10.0 * torch.log10(torch.stack(levels, 1) + 1e-9)
    return np.asarray(torch.cat([interaural_delays(audio_1ES)[0], ((level_EB + 20.0) / 20.0).flatten()]))


def image_tensor(sight_N: Tensor) -> Tensor:
    """uint8 (..., SIDE, SIDE, 4) -> float32 (..., 4, SIDE, SIDE) in [-1, 1]."""
    return sight_N.float().movedim(-1, -3) / 127.5 - 1.0
