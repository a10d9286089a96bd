"""The metrics of an evaluation: how each is computed for a batch of windows, pooled and rounded.

Every metric gives `Sums` per window, so that windows can be pooled, paired and resampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from avw.model.evaluation.futures import Future
from avw.model.metrics.audio import lsd_per_clip, multi_resolution_per_clip, spectral_ssim_per_clip
from avw.model.metrics.binaural import (
    coherence_error_per_clip,
    itd_error_per_clip,
    level_slope_error_per_clip,
    pan_error_per_clip,
)
from avw.model.metrics.bootstrap import Sums
from avw.model.metrics.depth import abs_rel, within_ratio
from avw.model.metrics.physical import ild_error_per_clip
from avw.model.metrics.vision import image_errors, psnr_from_mse

NEAR = 4.0  # metres: the distance error counts targets below


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """title: with its unit · better: +1 if higher is better, -1 if lower is · digits: of a table
    transform: of the pooled mean
    """

    title: str
    better: int
    digits: int = 3
    transform: Callable[[float], float] = float


def _psnr(title: str) -> Measure:
    return Measure(title=title, better=1, digits=2, transform=psnr_from_mse)


MEASURES: dict[str, Measure] = {
    "psnr": _psnr("PSNR, dB"),
    "psnr_seen": _psnr("PSNR of seen pixels, dB"),
    "psnr_unseen": _psnr("PSNR of unseen pixels, dB"),
    "ssim": Measure(title="SSIM", better=1),
    "ssim_seen": Measure(title="SSIM of seen pixels", better=1),
    "ssim_unseen": Measure(title="SSIM of unseen pixels", better=1),
    "depth_absrel": Measure(title="depth AbsRel", better=-1),
    "depth_absrel_seen": Measure(title="depth AbsRel, seen", better=-1),
    "depth_absrel_unseen": Measure(title="depth AbsRel, unseen", better=-1),
    "depth_within_125": Measure(title="depth δ < 1.25", better=1),
    "lsd": Measure(title="LSD, dB", better=-1, digits=2),
    "spectral_ssim": Measure(title="spectral SSIM", better=1),
    "mr_stft": Measure(title="multi-resolution STFT", better=-1),
    "ild_error": Measure(title="ILD error, dB", better=-1, digits=2),
    "itd_error": Measure(title="ITD error, µs", better=-1, digits=0),
    "pan_error": Measure(title="pan score error", better=-1),
    "coherence_error": Measure(title="interaural coherence error", better=-1),
    "level_slope_error": Measure(title="level slope error, dB/s", better=-1, digits=1),
    "reward_error": Measure(title="reward error, m", better=-1),
    "distance_error": Measure(title=f"distance error below {NEAR:g} m, m", better=-1),
}

ClipMetric = Callable[..., np.ndarray]
SOUND: dict[str, ClipMetric] = {
    "lsd": lsd_per_clip,
    "spectral_ssim": spectral_ssim_per_clip,
    "mr_stft": multi_resolution_per_clip,
    "ild_error": ild_error_per_clip,
    "itd_error": itd_error_per_clip,
    "pan_error": pan_error_per_clip,
    "coherence_error": coherence_error_per_clip,
    "level_slope_error": level_slope_error_per_clip,
}


def measured(future: Future, true: Future, seen_NHW: np.ndarray | None, *, full_scale: float) -> dict[str, Sums]:
    """Every metric of what a future contains. seen_NHW: bool, pixels that were seen before; None: not known."""
    sums: dict[str, Sums] = {}
    if future.rgb_NHWC is not None:
        sums |= _images(future.rgb_NHWC, _known(true.rgb_NHWC), seen_NHW)
    if future.depth_NHW is not None:
        sums |= _depths(future.depth_NHW, _known(true.depth_NHW), seen_NHW)
    if future.audio_NES is not None:
        pair = future.audio_NES, _known(true.audio_NES)
        sums |= {name: Sums.of(metric(*pair, full_scale=full_scale)) for name, metric in SOUND.items()}
    if future.progress_N is not None:
        sums["reward_error"] = Sums.of(np.abs(future.progress_N - _known(true.progress_N)))
    if future.distance_N is not None:
        distance_N = _known(true.distance_N)
        error_N = np.where(distance_N < NEAR, np.abs(future.distance_N - distance_N), np.nan)
        sums["distance_error"] = Sums.of(error_N)
    return sums


def figure(metric: str, sums: Sums) -> float | None:
    """The pooled value, rounded; None where there is none, or where it is infinite."""
    return rounded(MEASURES[metric].transform(sums.mean)) if math.isfinite(sums.mean) else None


def rounded(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def pooled(columns: Mapping[tuple[str, str], Sums]) -> dict[str, dict[str, float | None]]:
    """metric → method → value, in the order of `MEASURES`."""
    table: dict[str, dict[str, float | None]] = {}
    for metric in MEASURES:
        row = {method: figure(metric, sums) for (name, method), sums in columns.items() if name == metric}
        if row:
            table[metric] = row
    return table


def _images(rgb: np.ndarray, true: np.ndarray, seen: np.ndarray | None) -> dict[str, Sums]:
    regions = {"": np.ones(true.shape[:3], bool)}
    if seen is not None:
        regions |= {"_seen": seen, "_unseen": ~seen}
    errors = image_errors(rgb, true, list(regions.values()))
    sums: dict[str, Sums] = {}
    for region, (squared, similarity) in zip(regions, errors, strict=True):
        sums |= {f"psnr{region}": squared, f"ssim{region}": similarity}
    return sums


def _depths(depth: np.ndarray, true: np.ndarray, seen: np.ndarray | None) -> dict[str, Sums]:
    sums = {"depth_absrel": abs_rel(depth, true), "depth_within_125": within_ratio(depth, true)}
    if seen is not None:
        sums |= {"depth_absrel_seen": abs_rel(depth, true, seen), "depth_absrel_unseen": abs_rel(depth, true, ~seen)}
    return sums


def _known(array: np.ndarray | None) -> np.ndarray:
    assert array is not None
    return array
