"""Every metric at one horizon, for the model, the baselines and other models, on the same windows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from avw.avw4k.reading.windows import WindowBatch
from avw.model.evaluation.baselines import Baselines
from avw.model.evaluation.futures import Future, Recorded
from avw.model.evaluation.measures import MEASURES, measured, rounded
from avw.model.evaluation.source import Source
from avw.model.metrics.bootstrap import Interval, Sums, clustered_difference, clustered_interval

Columns = dict[tuple[str, str], Sums]
RIVALS = ("reprojection", "persistence", "recall", "stitched")
"""Methods that the model is compared with, window by window."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """columns: (metric, method) → sums per window · coverage: mean share of the pixels that were seen before
    episodes_N, scenes_N: the clusters of the windows"""

    columns: Columns
    coverage: float
    episodes_N: Sequence[Hashable]
    scenes_N: Sequence[Hashable]

    @property
    def count(self) -> int:
        return len(self.episodes_N)


def measure_horizon(
    source: Source,
    baselines: Baselines,
    recorded: Recorded,
    window: WindowBatch,
    *,
    stitched: Sequence[Source] = (),
    batch: int = 32,
    progress: Callable[[int], object] = lambda windows: None,
) -> Horizon:
    """The metrics of windows with one target each.

    stitched: none, or the source of the images and that of the sound (and reward) of the method "stitched"
    """
    windows = source.windows
    full_scale = windows.dataset.spec.audio_full_scale
    parts: dict[tuple[str, str], list[Sums]] = {}
    coverage: list[float] = []
    t_N, offset_N1 = window.context_BT[:, -1], window.offset_BK
    for first in range(0, len(t_N), batch):
        chosen = slice(first, first + batch)
        part = windows.window(t_N[chosen], offset_N1[chosen])
        true = recorded_future(recorded, part)
        futures, seen_NHW = baselines.of(part, true)
        futures = {"model": source.predict(part), **futures}
        if stitched:
            futures["stitched"] = stitched_future(stitched, t_N[chosen], offset_N1[chosen])
        for method, future in futures.items():
            for metric, sums in measured(future, true, seen_NHW, full_scale=full_scale).items():
                parts.setdefault((metric, method), []).append(sums)
        coverage += seen_NHW.mean(axis=(1, 2)).tolist()
        progress(len(part.context_BT))
    refs = [windows.episodes[number] for number in windows.episode_F[t_N].tolist()]
    columns = {key: Sums.joined(sums) for key, sums in parts.items()}
    return Horizon(columns, float(np.mean(coverage)), [ref.index for ref in refs], [ref.scene for ref in refs])


def recorded_future(recorded: Recorded, window: WindowBatch) -> Future:
    """What happened at the targets of windows."""
    return replace(
        recorded.frames(window.target_BK.ravel()),
        progress_N=window.progress_BK.ravel(),
        distance_N=window.distance_BK.ravel(),
    )


def stitched_future(sources: Sequence[Source], t_B: np.ndarray, offset_BK: np.ndarray) -> Future:
    """Images and depth of the first source with sound and reward of the last one."""
    futures = [source.predict(source.windows.window(t_B, offset_BK)) for source in sources]
    images = futures[0].only("rgb_NHWC", "depth_NHW")
    return images.joined_with(futures[-1].only("audio_NES", "progress_N", "distance_N"))


def intervals(horizon: Horizon, method: str = "model") -> dict[str, list[float | None]]:
    """metric → [value, low, high] of a method; 95 %, over resampled episodes."""
    found = {}
    for metric, measure in MEASURES.items():
        if (sums := horizon.columns.get((metric, method))) is not None:
            interval = clustered_interval(sums, horizon.episodes_N, transform=measure.transform)
            if interval is not None:
                found[metric] = as_json(interval)
    return found


def paired(horizon: Horizon, clusters_N: Sequence[Hashable]) -> dict[str, dict[str, list[float | None]]]:
    """metric → rival → [mean, low, high] of model - rival over the same windows; 95 %, over resampled clusters."""
    table: dict[str, dict[str, list[float | None]]] = {}
    for metric, measure in MEASURES.items():
        ours = horizon.columns.get((metric, "model"))
        for rival in RIVALS:
            theirs = horizon.columns.get((metric, rival))
            if ours is None or theirs is None:
                continue
            interval = clustered_difference(ours, theirs, clusters_N, transform=measure.transform)
            if interval is not None:
                table.setdefault(metric, {})[rival] = as_json(interval)
    return table


def as_json(interval: Interval) -> list[float | None]:
    return [rounded(value) for value in (interval.mean, interval.low, interval.high)]


def summary(horizon: Horizon) -> dict[str, Any]:
    """The parts of evaluation.json about one horizon, by the name of the part."""
    return {
        "intervals": intervals(horizon),
        "paired": paired(horizon, horizon.episodes_N),
        "paired_by_scene": paired(horizon, horizon.scenes_N),
    }
