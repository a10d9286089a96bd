"""The parts of evaluation.json that need single predictions, from any source of predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from avw.model.evaluation.baselines import Baselines
from avw.model.evaluation.cards import measure_reliability
from avw.model.evaluation.config import EvaluationConfig
from avw.model.evaluation.futures import Recorded
from avw.model.evaluation.horizons import measure_horizon, summary
from avw.model.evaluation.measures import pooled
from avw.model.evaluation.rewards import measure_ranking
from avw.model.evaluation.sequences import measure_sequences
from avw.model.evaluation.source import Source

PARTS = ("horizons", "ranking", "sequences", "counterfactuals", "rollouts", "reliability")
"""What `avw evaluate --parts` can name. The horizons are always measured."""

Progress = Callable[[int], object]
OnPart = Callable[[str], object]


def measure_source(
    source: Source,
    config: EvaluationConfig,
    horizons: Sequence[int],
    *,
    parts: Sequence[str] = PARTS,
    stitched: Sequence[Source] = (),
    progress: Progress = lambda windows: None,
    on_part: OnPart = lambda name: None,
) -> dict[str, Any]:
    """The parts of evaluation.json that need single predictions: horizons, sequences, ranking and reliability.

    on_part: called with the name of a part before it is measured
    """
    windows, recorded = source.windows, Recorded(source.windows)
    on_part("horizons")
    baselines = Baselines(source, recorded)
    result: dict[str, Any] = {"windows": {}, "horizons": {}, "coverage": {}, "intervals": {}, "paired": {}}
    result |= {"paired_by_scene": {}, "clusters": {}, "sequences": {}, "perceptual": {}, "unavailable": {}}
    for horizon in horizons:
        window = windows.at(horizon, config.count)
        found = measure_horizon(
            source, baselines, recorded, window, stitched=stitched, batch=config.batch, progress=progress
        )
        name = str(horizon)
        result["windows"][name] = found.count
        result["horizons"][name] = pooled(found.columns)
        result["coverage"][name] = round(found.coverage, 4)
        result["clusters"][name] = {"episodes": len(set(found.episodes_N)), "scenes": len(set(found.scenes_N))}
        for part, values in summary(found).items():
            result[part][name] = values
    if "sequences" in parts:
        on_part("sequences")
        sequences, perceptual, unavailable = measure_sequences(
            source, recorded, count=config.sequences, length=config.length, stitched=stitched
        )
        result |= {"sequences": sequences, "perceptual": perceptual}
        result["unavailable"] |= unavailable
    measured: dict[str, dict[str, Any] | str] = {}
    if "ranking" in parts:
        on_part("ranking")
        measured["ranking"] = measure_ranking(source, config.states, batch=config.batch)
    if "reliability" in parts:
        on_part("reliability")
        measured["reliability"] = measure_reliability(
            windows, recorded, clips=config.clips, sequences=config.sequences, length=config.length
        )
    return with_parts(result, measured)


def with_parts(result: dict[str, Any], measured: dict[str, dict[str, Any] | str]) -> dict[str, Any]:
    """The result with other parts. A part that is a text is not available: it becomes None, and the text its reason."""
    for name, part in measured.items():
        result[name] = None if isinstance(part, str) else part
        if isinstance(part, str):
            result["unavailable"][name] = part
    return result
