"""Statistics that take reading shards: how loud it is, how much louder on one side, how rewards are spread.

A hundred episodes, evenly spread over the dataset, say enough; all are read where there are fewer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from avw.avw4k.plan.spec import MODES
from avw.avw4k.reading.dataset import Dataset

EPISODES = 96
FLOOR_DBFS = -80.0  # quieter steps count as silent, and have no level difference
PERCENTILES = (5, 50, 95)


def measured_statistics(dataset: Dataset, episodes: int = EPISODES) -> dict[str, Any]:
    """{"episodes": how many were read, "modes": {"all" or mode: percentiles 5, 50, 95 and histograms}}.

    level: RMS of a step over both ears, dB below full scale (dBFS) · ild: 20 log10(RMS left / RMS right), dB
    reward: of a step that does not end in success · silent: share of steps below -80 dBFS in either ear
    """
    refs = dataset.episodes()
    if not refs:
        return {"episodes": 0, "modes": {}}
    chosen = [refs[i] for i in np.unique(np.linspace(0, len(refs) - 1, min(episodes, len(refs))).round().astype(int))]
    values: dict[str, dict[str, list[np.ndarray]]] = {
        name: {"level": [], "ild": [], "reward": [], "silent": []} for name in ("all", *MODES)
    }
    for ref in chosen:
        rows = dataset.read(ref, ["audio", "rewards"])
        full_scale = rows["audio"].astype(np.float32) / 32767.0
        power_TE = np.square(full_scale).mean(axis=2, dtype=np.float64)
        level_TE = 10 * np.log10(np.maximum(power_TE, 1e-20))
        heard_T = level_TE.min(axis=1) > FLOOR_DBFS
        found = {
            "level": 10 * np.log10(np.maximum(power_TE.mean(axis=1), 1e-20)),
            "ild": (level_TE[:, 0] - level_TE[:, 1])[heard_T],
            "reward": rows["rewards"][rows["rewards"] < 1.0].astype(np.float64),
            "silent": (~heard_T).astype(np.float64),
        }
        for name in ("all", ref.mode):
            for key, array in found.items():
                values[name][key].append(array)
    return {"episodes": len(chosen), "modes": {name: _summary(kept) for name, kept in values.items() if kept["level"]}}


def _summary(kept: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    joined = {name: np.concatenate(arrays) for name, arrays in kept.items()}
    summary: dict[str, Any] = {"silent": float(joined["silent"].mean())}
    for name, (low, high, bins) in {"level": (-80, 0, 40), "ild": (-15, 15, 30), "reward": (-0.2, 0.2, 40)}.items():
        array = joined[name]
        counts, _ = np.histogram(np.clip(array, low, high), np.linspace(low, high, bins + 1))
        points = np.percentile(array, PERCENTILES).round(4).tolist() if len(array) else [None] * len(PERCENTILES)
        summary[name] = {"percentiles": points, "low": low, "high": high, "counts": counts.tolist()}
    return summary


def measured_text(values: dict[str, Any]) -> str:
    """The same as a table for a person."""
    modes = values["modes"]
    if "problem" in values:
        return f"  sound and rewards could not be measured: {values['problem']}"
    lines = [f"  measured in {values['episodes']} episodes: median (5 to 95 %)"]
    for title, key, digits in (("level, dBFS", "level", 1), ("left - right, dB", "ild", 1), ("reward", "reward", 3)):
        cells = [_cell(modes[name][key]["percentiles"], digits) for name in modes]
        lines.append(f"  {title:<18}" + "".join(f"{cell:>26}" for cell in cells))
    lines.append(f"  {'silent steps':<18}" + "".join(f"{modes[name]['silent']:>26.1%}" for name in modes))
    head = f"  {'':<18}" + "".join(f"{name:>26}" for name in modes)
    return "\n".join([lines[0], head, *lines[1:]])


def _cell(points: list[float | None], digits: int) -> str:
    if points[1] is None:
        return "-"
    low, middle, high = (f"{point:.{digits}f}" for point in points)
    return f"{middle} ({low} to {high})"
