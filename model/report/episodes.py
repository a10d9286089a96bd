"""The section on the data: what the dataset holds, and an episode of each kind with its sound."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from avw.avw4k.viewing.media import depth_colours, levels, sheet, sound
from avw.avw4k.viewing.plans import Plan, blank_plan, floor_plan
from avw.model.report.player import player

if TYPE_CHECKING:
    from avw.avw4k.reading.dataset import Dataset, EpisodeRef

MODES = {
    "approach": "walks towards the source, and stops beside it",
    "leave": "walks away from the source",
    "unrelated": "walks about the house, whatever sounds",
}
LEVEL_COLUMNS = 320


def data_section(dataset: Dataset) -> str:
    """Facts and, for each motion mode, one test episode (another split's where the test houses have none)."""
    chosen = _one_of_each(dataset)
    shown = "".join(_episode(dataset, ref) for ref in chosen)
    return (
        '<section id="data"><h2>What it learned from</h2>'
        '<p class="about">Trajectories in furnished houses with a ringing telephone somewhere in them: every 0.15 s a '
        "picture, a depth image and the sound at both ears. Wear headphones: the telephone moves around the head as "
        "the agent turns, and fades behind doors.</p>"
        f"{_facts(dataset)}{shown}</section>"
    )


def dataset_facts(dataset: Dataset) -> dict[str, Any]:
    """Counts for the page's header and the table."""
    spec = dataset.spec
    episodes = dataset.episodes()
    by_split = {name: [ref for ref in episodes if ref.split == name] for name in ("train", "val", "test")}
    steps = sum(ref.steps for ref in episodes)
    return {
        "scenes": {name: len({ref.scene for ref in refs}) for name, refs in by_split.items()},
        "episodes": {name: len(refs) for name, refs in by_split.items()},
        "steps": steps,
        "hours": steps * 0.15 / 3600,
        "size": spec.simulator.size,
        "acoustics": spec.simulator.acoustics,
        "complete": dataset.complete,
    }


def _facts(dataset: Dataset) -> str:
    facts = dataset_facts(dataset)
    heads = "".join(f"<th>{name}</th>" for name in facts["episodes"])
    houses = "".join(f"<td>{count}</td>" for count in facts["scenes"].values())
    trajectories = "".join(f"<td>{count:,}</td>" for count in facts["episodes"].values())
    incomplete = "" if facts["complete"] else " The dataset is not complete yet: more is still to be generated."
    return (
        f'<div class="card"><div class="scroll"><table><tr><th></th>{heads}</tr>'
        f"<tr><td>houses</td>{houses}</tr><tr><td>trajectories</td>{trajectories}</tr></table></div>"
        f'<p class="note" style="margin:12px 0 0">{facts["steps"]:,} steps ({facts["hours"]:.1f} h simulated) at '
        f"{facts['size']} × {facts['size']} pixels and 2 × 16 kHz; sound by the engine “{escape(facts['acoustics'])}”. "
        f"No house is in two splits.{incomplete}</p></div>"
    )


def _one_of_each(dataset: Dataset) -> list[EpisodeRef]:
    """An episode of each mode, of test houses first, each in another house where there are enough."""
    order = {"test": 0, "val": 1, "train": 2}
    refs = sorted(dataset.episodes(), key=lambda ref: (order[ref.split], ref.index))
    chosen: list[EpisodeRef] = []
    for mode in MODES:
        of_mode = [ref for ref in refs if ref.mode == mode]
        fresh = [ref for ref in of_mode if ref.scene not in {other.scene for other in chosen}]
        if of_mode:
            chosen.append((fresh or of_mode)[0])
    return chosen


def _episode(dataset: Dataset, ref: EpisodeRef) -> str:
    arrays = dataset.read(ref, ("rgb", "depth", "audio", "position", "yaw", "geodesic"))
    rgb_THWC = arrays["rgb"]
    depth_THW = arrays["depth"].astype(np.float32) / 1000.0
    audio_ES = np.moveaxis(arrays["audio"].astype(np.float32), 1, 0).reshape(2, -1) * dataset.audio_scale
    source_3 = np.asarray(dataset.source(ref).position_3)
    plan = floor_plan(ref.scene) or blank_plan(np.vstack([arrays["position"], source_3[None]]))
    distance = arrays["geodesic"]
    card = player(
        sheets=[("what it sees", sheet(rgb_THWC)), ("how far off things are", sheet(depth_colours(depth_THW)))],
        frames=len(rgb_THWC),
        size=rgb_THWC.shape[1],
        audio=sound(audio_ES),
        loudness=levels(audio_ES, min(LEVEL_COLUMNS, len(rgb_THWC) * 2)),
        chart_map=map_data(plan, arrays["position"], arrays["yaw"], source_3),
        label=f"episode {ref.index}",
    )
    return (
        f'<div class="card"><h3>{escape(ref.mode.capitalize())}</h3><p class="note" style="margin:0">The agent '
        f"{MODES[ref.mode]}: {distance[0]:.1f} m of walking from it at the start, {distance[-1]:.1f} m at the end. "
        f"{escape(ref.scene)} ({ref.split}), episode {ref.index}. Sound scaled to full loudness for listening.</p>"
        f"{card}</div>"
    )


def map_data(plan: Plan, position_T3: np.ndarray, yaw_T: np.ndarray, source_3: np.ndarray) -> dict[str, Any]:
    """What the player draws on a plan; coordinates in its pixels, yaw in radians."""
    path = [
        [*(round(v, 1) for v in plan.pixels(position[0], position[2])), round(float(yaw), 3)]
        for position, yaw in zip(position_T3, yaw_T, strict=True)
    ]
    return {
        "picture": plan.picture or _paper(),
        "width": plan.width,
        "height": plan.height,
        "path": path,
        "source": [round(v, 1) for v in plan.pixels(float(source_3[0]), float(source_3[2]))],
    }


def _paper() -> str:
    from avw.avw4k.viewing.media import picture

    return picture(np.full((8, 8, 3), (238, 241, 245), np.uint8))
