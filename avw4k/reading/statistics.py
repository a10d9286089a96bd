"""Statistics of a dataset: motion modes, actions and distances, counted from the manifest without opening shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from avw.avw4k.plan.motion import MotionConfig
from avw.avw4k.plan.spec import MODES
from avw.avw4k.reading.dataset import Dataset
from avw.sim_bridge.types import Action


def distance_edges(config: MotionConfig) -> np.ndarray:
    """Edges in metres of the bins of distances; the last bin is open."""
    return np.array([*(config.distance_bins or MotionConfig().distance_bins), np.inf])


def distance_counts(config: MotionConfig, distances: Iterable[float]) -> list[int]:
    """Number of distances (metres) in each bin of the spec."""
    counts, _ = np.histogram(np.fromiter(distances, dtype=np.float64), distance_edges(config))
    return [int(count) for count in counts]


def dataset_statistics(dataset: Dataset) -> dict[str, Any]:
    """For all episodes and for each mode: shares of actions, collisions, STOPs, histograms of distance to the source.

    asked_share: the mode's share in the spec · starts, frames: number of episodes by first distance, and of frames, in
    the bins between `distance_edges` (metres, last bin open; null for datasets of schema 1, which have no counts)
    """
    spec = dataset.spec
    rows = {row["index"]: row for record in dataset.records.values() for row in record.episodes}
    refs = dataset.episodes()
    edges = [float(edge) for edge in distance_edges(spec.motion)[:-1]]
    asked = dict(zip(MODES, spec.mode_shares, strict=True))
    groups: dict[str, Any] = {}
    for name in ("all", *MODES):
        found = [rows[ref.index] for ref in refs if name in ("all", ref.mode)]
        groups[name] = _group(found, spec.motion)
        groups[name]["share"] = len(found) / max(1, len(refs))
        groups[name]["asked_share"] = 1.0 if name == "all" else asked[name] / sum(spec.mode_shares)
    return {"distance_edges": edges, "modes": groups}


def _group(rows: list[dict[str, Any]], config: MotionConfig) -> dict[str, Any]:
    steps = sum(row["steps"] for row in rows)
    counted = [row for row in rows if "actions" in row]
    actions = np.array([row["actions"] for row in counted]).sum(axis=0) if counted else None
    frames = np.array([row["distances"] for row in counted]).sum(axis=0) if counted else None
    return {
        "episodes": len(rows),
        "steps": steps,
        "successes": sum(bool(row["success"]) for row in rows),
        "stops": None if actions is None else int(actions[Action.STOP]),
        "bumps": sum(row["collisions"] for row in rows) / max(1, steps),
        "metres": sum(row["path_metres"] for row in rows) / max(1, len(rows)),
        "actions": None if actions is None else {a.name.lower(): int(actions[a]) / max(1, steps) for a in Action},
        "starts": distance_counts(config, (row["geodesic_start"] for row in rows)),
        "frames": None if frames is None else [int(count) for count in frames],
    }


def statistics_text(values: dict[str, Any]) -> str:
    """The statistics as a table."""
    modes, edges = values["modes"], values["distance_edges"]
    lines = [f"  {'':<22}" + "".join(f"{name:>12}" for name in modes)]

    def line(name: str, cells: Iterable[str]) -> None:
        lines.append(f"  {name:<22}" + "".join(f"{cell:>12}" for cell in cells))

    groups = list(modes.values())
    line("trajectories", (str(group["episodes"]) for group in groups))
    line("share (requested)", (f"{group['share']:.0%} ({group['asked_share']:.0%})" for group in groups))
    line("mean metres walked", (f"{group['metres']:.1f}" for group in groups))
    line("steps with collision", (f"{group['bumps']:.1%}" for group in groups))
    line("successful STOPs", (str(group["successes"]) for group in groups))
    if all(group["actions"] for group in groups if group["episodes"]):
        for action in Action:
            name = action.name.lower()
            line(name, (f"{group['actions'][name]:.1%}" if group["actions"] else "-" for group in groups))
    for title, key in (("start", "starts"), ("frames", "frames")):
        if any(group[key] is None for group in groups if group["episodes"]):
            continue
        for number, low in enumerate(edges):
            high = f"to {edges[number + 1]:g} m" if number + 1 < len(edges) else "m or more"
            line(f"{title} {low:g} {high}", (_share(group[key], number) for group in groups))
    return "\n".join(lines)


def _share(counts: list[int] | None, number: int) -> str:
    return f"{counts[number] / sum(counts):.0%}" if counts and sum(counts) else "-"
