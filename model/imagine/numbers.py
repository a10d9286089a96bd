"""Numbers of an imagined future, beside those of the truth where there is one. All values are for JSON.

Shapes: N steps · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from avw.model.imagination import Imagination
from avw.model.imagine.truth import Future
from avw.model.metrics.audio import lsd_per_clip
from avw.model.metrics.physical import ild_db, ild_error_per_clip, level_db
from avw.model.metrics.vision import psnr_from_mse
from avw.sim_bridge.types import Action


def imagined_numbers(imagined: Imagination, truth: Future | None, *, full_scale: float) -> dict[str, Any]:
    """One list per number, one entry per step; null where a number is not defined.

    psnr_seen, psnr_unseen: over the pixels that the memory shows, and over the others · coverage: share of the former
    depth_absrel: mean of |imagined - true| / true depth · ild: level left minus right, dB
    level: dB relative to full scale, both ears
    """
    numbers: dict[str, Any] = {
        "reward": _listed(imagined.reward),
        "progress": _listed(imagined.progress),
        "distance": _listed(imagined.distance),
        "success": _listed(imagined.success),
        "motion": np.round(imagined.motion, 4).tolist(),
        "ild": _listed(ild_db(imagined.audio)),
        "level": _listed(_level(imagined.audio, full_scale)),
    }
    if imagined.coverage is not None:
        numbers["coverage"] = _listed(imagined.coverage.mean(axis=(1, 2)))
    if truth is not None:
        numbers |= _beside_truth(imagined, truth, full_scale)
    return numbers


def true_numbers(truth: Future, *, success_distance: float, full_scale: float) -> dict[str, Any]:
    """The same numbers of what happens. success: whether the agent is within the success distance."""
    return {
        "recorded": truth.recorded,
        "reward": _listed(truth.reward_N),
        "progress": _listed(truth.progress_N),
        "distance": _listed(truth.distance_N),
        "success": [bool(distance < success_distance) for distance in truth.distance_N.tolist()],
        "ild": _listed(ild_db(truth.audio_NES)),
        "level": _listed(_level(truth.audio_NES, full_scale)),
    }


def _beside_truth(imagined: Imagination, truth: Future, full_scale: float) -> dict[str, Any]:
    error_NHW = np.square(imagined.rgb.astype(np.float32) - truth.rgb_NHWC.astype(np.float32)).mean(axis=-1)
    numbers: dict[str, Any] = {"psnr": _psnr(error_NHW, np.ones(error_NHW.shape, bool))}
    if imagined.coverage is not None:
        numbers["psnr_seen"] = _psnr(error_NHW, imagined.coverage)
        numbers["psnr_unseen"] = _psnr(error_NHW, ~imagined.coverage)
    if imagined.depth is not None:
        valid = truth.depth_NHW > 0
        relative = np.abs(imagined.depth - truth.depth_NHW) / np.where(valid, truth.depth_NHW, 1.0)
        numbers["depth_absrel"] = [
            _number(r[v].mean()) if v.any() else None for r, v in zip(relative, valid, strict=True)
        ]
    numbers["lsd"] = _listed(lsd_per_clip(imagined.audio, truth.audio_NES, full_scale=full_scale))
    numbers["ild_error"] = _listed(ild_error_per_clip(imagined.audio, truth.audio_NES, full_scale=full_scale))
    return numbers


def change(one: Imagination, other: Imagination, *, full_scale: float) -> dict[str, Any]:
    """How different two imagined futures are. grey_levels: mean absolute difference of the images, 0 to 255
    lsd: of the sounds, dB · ild: difference of the level differences, other minus one, dB"""
    grey = np.abs(one.rgb.astype(np.float32) - other.rgb.astype(np.float32)).mean(axis=(1, 2, 3))
    return {
        "grey_levels": _listed(grey),
        "lsd": _listed(lsd_per_clip(other.audio, one.audio, full_scale=full_scale)),
        "ild": _listed(ild_db(other.audio) - ild_db(one.audio)),
    }


def pooled_psnr(values: Sequence[float | None]) -> float | None:
    """The PSNR of the squared error pooled over steps. None where no step has one."""
    errors = [10 ** (-value / 10) for value in values if value is not None]
    return _number(-10 * math.log10(np.mean(errors))) if errors and np.mean(errors) > 0 else None


def mean(values: Sequence[float | None]) -> float | None:
    """The mean over the steps that have a value."""
    known = [value for value in values if value is not None]
    return _number(float(np.mean(known))) if known else None


def names(actions: Sequence[Action]) -> list[str]:
    """The actions by name, for JSON."""
    return [action.name for action in actions]


def _psnr(error_NHW: np.ndarray, chosen_NHW: np.ndarray) -> list[float | None]:
    """Per step, over the chosen pixels; None without any. Equal pictures have 99 dB, because JSON has no infinity."""
    found = [
        error[chosen].mean(dtype=np.float64) if chosen.any() else None
        for error, chosen in zip(error_NHW, chosen_NHW, strict=True)
    ]
    return [None if error is None else _number(min(99.0, psnr_from_mse(float(error)))) for error in found]


def _level(audio_NES: np.ndarray, full_scale: float) -> np.ndarray:
    power_N = (10 ** (level_db(audio_NES, full_scale=full_scale) / 10)).mean(axis=1)
    return 10 * np.log10(np.maximum(power_N, 1e-12))


def _listed(values: object) -> list[float | None]:
    return [_number(value) for value in np.asarray(values, np.float64).reshape(-1).tolist()]


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
