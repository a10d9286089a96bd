"""The statistics of a dataset as SVG files, one chart per file."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.plan.spec import MODES
from avw.avw4k.viewing.charts import Bars, bar_chart, standalone
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors

COLOURS = {"approach": "#0f766e", "leave": "#c2410c", "unrelated": "#64748b"}


def write_plots(folder: Path, statistics: Mapping[str, Any], measured: Mapping[str, Any]) -> list[Path]:
    """Write the results of `dataset_statistics` and `measured_statistics`; returns the files."""
    modes = {name: statistics["modes"][name] for name in MODES if statistics["modes"][name]["episodes"]}
    heard = {name: measured["modes"][name] for name in MODES if name in measured["modes"]}
    trajectories = [float(group["episodes"]) for group in modes.values()]
    counted = Bars(name="trajectories", values=trajectories, colour=COLOURS["approach"])
    charts = {
        "modes": bar_chart([counted], list(modes), title="Trajectories per motion mode", x_label=""),
        "level": _histogram(heard, "level", title="Level of a step, share of steps", x_label="dBFS"),
        "ild": _histogram(heard, "ild", title="ILD, share of steps", x_label="ILD, dB"),
        "reward": _histogram(heard, "reward", title="Reward without success, share of steps", x_label="reward"),
    }
    if modes and all(group["actions"] for group in modes.values()):
        names = list(next(iter(modes.values()))["actions"])
        shares = {name: [group["actions"][action] for action in names] for name, group in modes.items()}
        labels = [name.replace("_", " ") for name in names]
        charts["actions"] = _bars(shares, labels, title="Share of each action", x_label="")
    edges = statistics["distance_edges"]
    labels = [f"{low:g}–{high:g}" for low, high in itertools.pairwise(edges)] + [f"{edges[-1]:g}+"]
    for key, title in (
        ("starts", "Geodesic distance at the start, share of trajectories"),
        ("frames", "Geodesic distance, share of frames"),
    ):
        if modes and all(group[key] for group in modes.values()):
            shares = {name: _shares(group[key]) for name, group in modes.items()}
            charts[key] = _bars(shares, labels, title=title, x_label="geodesic distance to the source, m")
    with readable_errors("cannot write the plots", folder):
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, svg in charts.items():
            paths.append(folder / f"{name}.svg")
            atomic_write(paths[-1], standalone(svg))
    return paths


def _bars(values: Mapping[str, Sequence[float]], labels: Sequence[str], *, title: str, x_label: str) -> str:
    groups = [Bars(name=name, values=list(heights), colour=COLOURS[name]) for name, heights in values.items()]
    return bar_chart(groups, labels, title=title, x_label=x_label)


def _histogram(modes: Mapping[str, Any], key: str, *, title: str, x_label: str) -> str:
    """Shares of the steps of each mode, on one axis."""
    groups, labels = [], [""]
    for name, found in modes.items():
        groups.append(Bars(name=name, values=_shares(found[key]["counts"]), colour=COLOURS[name]))
        edges = np.linspace(found[key]["low"], found[key]["high"], len(found[key]["counts"]) + 1)
        labels = [f"{low:g}" for low in edges[:-1].round(3)]
    return bar_chart(groups, labels, title=title, x_label=x_label)


def _shares(counts: Sequence[int]) -> list[float]:
    total = max(1, sum(counts))
    return [count / total for count in counts]
