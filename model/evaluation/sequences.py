"""Futures of many steps, each step predicted directly from the same context under the true actions: the lag between
image and sound, and the perceptual metrics, which need more than one step.

Shapes: N steps of a sequence · M sequences · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from avw.avw4k.reading.windows import Windows
from avw.model.evaluation.futures import Future, Recorded
from avw.model.evaluation.horizons import recorded_future, stitched_future
from avw.model.evaluation.measures import rounded
from avw.model.evaluation.source import Source
from avw.model.metrics.perceptual import Futures, perceptual
from avw.model.metrics.physical import MIN_STEPS, AvPeak, av_errors, av_peak


def longest_episode(windows: Windows) -> int:
    """Steps of the longest episode: a window of more steps does not exist."""
    return int(windows.lengths_E.max()) - 1


def offsets_of(length: int) -> np.ndarray:
    """(1, N): the steps of a sequence."""
    return np.arange(1, length + 1)[None]


def measure_sequences(
    source: Source, recorded: Recorded, *, count: int, length: int, stitched: Sequence[Source] = ()
) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """(the "sequences" part: AV-lag and AV-corr errors by method; the "perceptual" part; metric → why it is missing).

    All are empty where the episodes are too short for AV-lag. Two methods have one predicted modality beside the true
    other one. They say which of the two causes the errors of the model.
    """
    windows = source.windows
    length = min(length, longest_episode(windows))
    if length < MIN_STEPS:
        return {}, {}, {}
    errors: dict[str, list[tuple[float, float]]] = {}
    predicted: list[Future] = []
    truths: list[Future] = []
    for t in windows.at(length, count).context_BT[:, -1:]:
        window = windows.window(t, offsets_of(length))
        true = recorded_future(recorded, window)
        model = source.predict(window)
        futures = {
            "model": model,
            "model_with_true_sound": model.only("rgb_NHWC").joined_with(true),
            "model_with_true_images": model.only("audio_NES").joined_with(true),
            "oracle_tokenizer": source.round_trip(true),
        }
        if stitched:
            futures["stitched"] = stitched_future(stitched, t, offsets_of(length))
        peak = peak_of(true)
        for method, future in futures.items():
            errors.setdefault(method, []).append(av_errors(peak_of(future), peak))
        predicted.append(model)
        truths.append(true)
    synchrony = {
        method: {
            "av_lag_error_seconds": rounded(float(np.mean([lag for lag, _ in rows]))),
            "av_corr_error": rounded(float(np.mean([correlation for _, correlation in rows]))),
        }
        for method, rows in errors.items()
    }
    values, unavailable = perceptual(_joined(predicted, truths))
    return synchrony, values, unavailable


def peak_of(future: Future) -> AvPeak:
    """The lag between image and sound of one sequence."""
    assert future.rgb_NHWC is not None
    assert future.audio_NES is not None
    return av_peak(future.rgb_NHWC, future.audio_NES)


def sound_of(future: Future) -> np.ndarray:
    """The sound of a future that has one."""
    assert future.audio_NES is not None
    return future.audio_NES


def waveform(audio_NES: np.ndarray) -> np.ndarray:
    """(E, N · S): the steps of a sequence as one sound."""
    return np.ascontiguousarray(np.moveaxis(audio_NES, 0, 1)).reshape(audio_NES.shape[1], -1)


def _joined(predicted: Sequence[Future], true: Sequence[Future]) -> Futures:
    def frames(futures: Sequence[Future]) -> np.ndarray:
        return np.concatenate([future.rgb_NHWC for future in futures if future.rgb_NHWC is not None])

    def sounds(futures: Sequence[Future]) -> np.ndarray:
        return np.stack([waveform(future.audio_NES) for future in futures if future.audio_NES is not None])

    return Futures(frames(predicted), frames(true), sounds(predicted), sounds(true))
