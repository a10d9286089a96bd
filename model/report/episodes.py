"""The section on the dataset: what it holds, and one episode of each motion mode with its sound."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from avw.avw4k.viewing.clip import compact_episode_clip
from avw.avw4k.viewing.embedded import player
from avw.sim_bridge.types import STEP_SECONDS

if TYPE_CHECKING:
    from avw.avw4k.reading.dataset import Dataset, EpisodeRef

MODES = {
    "approach": "walks to the source and stops beside it",
    "leave": "walks away from the source",
    "unrelated": "walks through the scene, independently of the source",
}


def data_section(dataset: Dataset) -> str:
    """Counts, and for each motion mode one test episode (of another split if the test scenes have none)."""
    chosen = _one_per_mode(dataset)
    shown = "".join(_episode(dataset, ref) for ref in chosen)
    return (
        '<section id="data"><h2>Dataset</h2>'
        f'<p class="about">Trajectories in scenes with one sound source. One step lasts {STEP_SECONDS:g} s and has a '
        "camera image, a depth image and the sound at both ears. The sound is binaural: use headphones to hear its "
        "direction change as the agent turns.</p>"
        f"{_counts(dataset)}{shown}</section>"
    )


def dataset_facts(dataset: Dataset) -> dict[str, Any]:
    """Counts for the header and the table."""
    spec = dataset.spec
    episodes = dataset.episodes()
    by_split = {name: [ref for ref in episodes if ref.split == name] for name in ("train", "val", "test")}
    steps = sum(ref.steps for ref in episodes)
    return {
        "scenes": {name: len({ref.scene for ref in refs}) for name, refs in by_split.items()},
        "episodes": {name: len(refs) for name, refs in by_split.items()},
        "steps": steps,
        "hours": steps * STEP_SECONDS / 3600,
        "size": spec.simulator.size,
        "acoustics": spec.simulator.acoustics,
        "complete": dataset.complete,
    }


def _counts(dataset: Dataset) -> str:
    facts = dataset_facts(dataset)
    heads = "".join(f"<th>{name}</th>" for name in facts["episodes"])
    scenes = "".join(f"<td>{count}</td>" for count in facts["scenes"].values())
    trajectories = "".join(f"<td>{count:,}</td>" for count in facts["episodes"].values())
    incomplete = "" if facts["complete"] else " The dataset is incomplete: some episodes are not generated yet."
    return (
        f'<div class="card"><div class="scroll"><table><tr><th></th>{heads}</tr>'
        f"<tr><td>scenes</td>{scenes}</tr><tr><td>trajectories</td>{trajectories}</tr></table></div>"
        f'<p class="note" style="margin:12px 0 0">{facts["steps"]:,} steps ({facts["hours"]:.1f} h of simulated time) '
        f"with images of {facts['size']} × {facts['size']} pixels and two audio channels at 16 kHz; acoustic engine: "
        f"{escape(facts['acoustics'])}. No scene is in two splits.{incomplete}</p></div>"
    )


def _one_per_mode(dataset: Dataset) -> list[EpisodeRef]:
    """An episode of each mode; test episodes first, and from different scenes where there are enough."""
    order = {"test": 0, "val": 1, "train": 2}
    refs = sorted(dataset.episodes(), key=lambda ref: (order[ref.split], ref.index))
    chosen: list[EpisodeRef] = []
    for mode in MODES:
        of_mode = [ref for ref in refs if ref.mode == mode]
        other_scene = [ref for ref in of_mode if ref.scene not in {other.scene for other in chosen}]
        if of_mode:
            chosen.append((other_scene or of_mode)[0])
    return chosen


def _episode(dataset: Dataset, ref: EpisodeRef) -> str:
    distance = dataset.read(ref, ("geodesic",))["geodesic"]
    clip = compact_episode_clip(dataset, ref)
    return (
        f'<div class="card"><h3>{escape(ref.mode.capitalize())}</h3><p class="note" style="margin:0">The agent '
        f"{MODES[ref.mode]}. Geodesic distance to the source: {distance[0]:.1f} m at the start, {distance[-1]:.1f} m "
        f"at the end. {escape(ref.scene)} ({ref.split}), episode {ref.index}. The sound is amplified to full scale.</p>"
        f"{player(clip, f'episode {ref.index}')}</div>"
    )
