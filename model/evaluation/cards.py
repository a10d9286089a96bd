"""The reliability cards of the metrics of sound, on the true sound of the split that is evaluated.

Shapes: N clips or sequences · T steps · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from avw.avw4k.reading.windows import Windows
from avw.model.evaluation.futures import Recorded
from avw.model.evaluation.measures import MEASURES, SOUND
from avw.model.evaluation.sequences import longest_episode, offsets_of, waveform
from avw.model.metrics.physical import MIN_STEPS, av_errors, av_peak
from avw.model.metrics.reliability import Measure, card_as_json, reliability_card
from avw.sim_bridge.types import STEP_SAMPLES


def measure_reliability(
    windows: Windows, recorded: Recorded, *, clips: int, sequences: int, length: int
) -> dict[str, Any]:
    """The "reliability" part of evaluation.json: metric → kind of damage → response. See `metrics.reliability`."""
    frames = windows.at(1, clips).context_BT[:, -1]
    true_NES = recorded.frames(frames).audio_NES
    assert true_NES is not None
    full_scale = windows.dataset.spec.audio_full_scale
    cards = {metric: reliability_card(_clip_measure(metric, true_NES, full_scale), true_NES) for metric in SOUND}
    length = min(length, longest_episode(windows))
    if length >= MIN_STEPS:
        starts = windows.at(length, sequences).context_BT[:, -1]
        futures = [recorded.frames((t + offsets_of(length))[0]) for t in starts]
        rgb = [future.rgb_NHWC for future in futures if future.rgb_NHWC is not None]
        sound_NES = np.stack([waveform(future.audio_NES) for future in futures if future.audio_NES is not None])
        for number, metric in enumerate(("av_lag_error_seconds", "av_corr_error")):
            cards[metric] = reliability_card(_sequence_measure(number, rgb, sound_NES), sound_NES)
    return card_as_json(cards)


def _clip_measure(metric: str, true_NES: np.ndarray, full_scale: float) -> Measure:
    sign = -MEASURES[metric].better  # a card counts errors
    return lambda damaged: sign * SOUND[metric](damaged, true_NES, full_scale=full_scale)


def _sequence_measure(number: int, rgb: list[np.ndarray], true_NES: np.ndarray) -> Measure:
    true = [av_peak(*pair) for pair in zip(rgb, (_steps(sound) for sound in true_NES), strict=True)]

    def measure(damaged_NES: np.ndarray) -> np.ndarray:
        peaks = [av_peak(frames, _steps(sound)) for frames, sound in zip(rgb, damaged_NES, strict=True)]
        return np.array([av_errors(peak, other)[number] for peak, other in zip(peaks, true, strict=True)])

    return measure


def _steps(sound_ES: np.ndarray) -> np.ndarray:
    """(T, E, S): a sound, cut into steps."""
    return np.moveaxis(sound_ES.reshape(len(sound_ES), -1, STEP_SAMPLES), 0, 1)
