"""Perceptual metrics that need another package and trained weights: LPIPS, DreamSim, FID, FAD and ViSQOL.

They are optional: `pip install 'avw[metrics]'`. The package of ViSQOL contains its weights; the others download theirs
when they are first used. Where a package or its weights are missing, the value is None and the reason is reported.

Shape legend: N images · H W image · C channels · M sequences of sound · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avw.sim_bridge.types import SAMPLE_RATE

if TYPE_CHECKING:
    from torch import Tensor

VISQOL_RATE = 48_000  # of its audio mode
VISQOL_SEQUENCES = 8  # each takes a second or more per ear
BATCH = 32


@dataclass(frozen=True, slots=True)
class Futures:
    """Predicted and true futures. rgb: uint8 (N, H, W, 3) · audio: float32 (M, 2, S), of a second or more."""

    predicted_rgb_NHWC: np.ndarray
    true_rgb_NHWC: np.ndarray
    predicted_audio_MES: np.ndarray
    true_audio_MES: np.ndarray


def perceptual(futures: Futures, wanted: Iterable[str] | None = None) -> tuple[dict[str, float | None], dict[str, str]]:
    """(metric → value or None, metric → why it is not available). wanted: names in `PERCEPTUAL`; default all"""
    values: dict[str, float | None] = {}
    unavailable: dict[str, str] = {}
    for name in PERCEPTUAL if wanted is None else wanted:
        try:
            with redirect_stdout(io.StringIO()):  # some of them print
                value = PERCEPTUAL[name](futures)
        except ImportError as error:
            reason = f"the package {error.name} is not installed; type: pip install 'avw[metrics]'"
        except Exception as error:  # of another library: each has its own errors for missing weights and short sounds
            reason = f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"
        else:
            reason = "" if np.isfinite(value) else "the result is not a finite number"
            values[name] = round(value, 4) if np.isfinite(value) else None
        if reason:
            values[name], unavailable[name] = None, reason
    return values, unavailable


def _lpips(futures: Futures) -> float:
    """Learned distance of images (Zhang et al. 2018), AlexNet. Lower is better."""
    import lpips
    import torch

    network = lpips.LPIPS(net="alex", verbose=False).eval()
    distances = []
    with torch.inference_mode():
        for a, b in _batches(futures.predicted_rgb_NHWC, futures.true_rgb_NHWC):
            # Images of at least 64 pixels: AlexNet pools by 32.
            pair = (_enlarged(torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1, 64) for x in (a, b))
            distances.append(network(*pair).flatten())
    return float(torch.cat(distances).mean())


def _dreamsim(futures: Futures) -> float:
    """Learned distance of images, tuned to human judgements (Fu et al. 2023), DINO. Lower is better."""
    import torch
    from dreamsim import dreamsim
    from PIL import Image

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dreamsim"
    network, prepared = dreamsim(pretrained=True, device="cpu", dreamsim_type="dino_vitb16", cache_dir=str(cache))
    distances = []
    with torch.inference_mode():
        for a, b in zip(futures.predicted_rgb_NHWC, futures.true_rgb_NHWC, strict=True):
            distances.append(float(network(*(prepared(Image.fromarray(x)) for x in (a, b)))))
    return float(np.mean(distances))


def _fid(futures: Futures) -> float:
    """Fréchet distance of Inception features (Heusel et al. 2017). Lower is better; biased upwards for few images."""
    import torch
    from pytorch_fid.fid_score import calculate_frechet_distance
    from pytorch_fid.inception import InceptionV3

    network = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
    moments = []
    with torch.inference_mode():
        for images in (futures.predicted_rgb_NHWC, futures.true_rgb_NHWC):
            parts = [
                network(torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255)[0].flatten(1)
                for (x,) in _batches(images)
            ]
            features = torch.cat(parts).double().numpy()
            moments += [features.mean(axis=0), np.cov(features, rowvar=False)]
    return float(calculate_frechet_distance(*moments))


def _fad(futures: Futures) -> float:
    """Fréchet distance of VGGish features of the sound of both ears (Kilgour et al. 2019). Lower is better."""
    from frechet_audio_distance import FrechetAudioDistance

    network = FrechetAudioDistance(model_name="vggish", sample_rate=SAMPLE_RATE)
    moments: list[np.ndarray] = []
    for audio_MES in (futures.true_audio_MES, futures.predicted_audio_MES):
        clips = list(audio_MES.reshape(-1, audio_MES.shape[-1]).astype(np.float64))
        moments += network.calculate_embd_statistics(network.get_embeddings(clips, sr=SAMPLE_RATE))
    return float(network.calculate_frechet_distance(*moments))


def _visqol(futures: Futures) -> float:
    """ViSQOL in audio mode (Chinen et al. 2020): predicted mean opinion score from 1 to 5, mean over ears and the first
    sequences. Higher is better."""
    from scipy.signal import resample_poly
    from visqol import VisqolApi

    network = VisqolApi()
    network.create(mode="audio")
    scores: list[float] = []
    for predicted_ES, true_ES in zip(futures.predicted_audio_MES, futures.true_audio_MES, strict=True):
        if len(scores) >= 2 * VISQOL_SEQUENCES:
            break
        peak = float(np.abs(true_ES).max())
        if peak == 0.0:
            continue
        for ear in (0, 1):
            # At full scale: the level of the scenes is in arbitrary units.
            pair = (resample_poly(x[ear].astype(np.float64) / (2 * peak), 3, 1) for x in (true_ES, predicted_ES))
            scores.append(network.measure_from_arrays(*pair, VISQOL_RATE).moslqo)
    return float(np.mean(scores)) if scores else float("nan")


PERCEPTUAL: dict[str, Callable[[Futures], float]] = {
    "lpips": _lpips,
    "dreamsim": _dreamsim,
    "fid": _fid,
    "fad": _fad,
    "visqol": _visqol,
}


def _batches(*arrays: np.ndarray) -> Iterable[tuple[np.ndarray, ...]]:
    for first in range(0, len(arrays[0]), BATCH):
        yield tuple(np.ascontiguousarray(array[first : first + BATCH]) for array in arrays)


def _enlarged(image_NCHW: Tensor, least: int) -> Tensor:
    from torch.nn import functional

    if min(image_NCHW.shape[-2:]) >= least:
        return image_NCHW
    return functional.interpolate(image_NCHW, size=(least, least), mode="bilinear", align_corners=False)
