"""Named sets of defaults for `avw generate`: the demo, the benchmark rooms-v1, and the paper's AVW-4k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avw.sim_bridge.errors import UsageError

if TYPE_CHECKING:
    from avw.sim_bridge.scenes.scene_ref import SceneRef

PROCEDURAL, MP3D = "procedural", "mp3d"


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetConfig:
    """scenes: the generated houses, as `--scenes` takes them, if the user names none
    mp3d: whether the preset has a list for `--scenes mp3d` · sources_per_scene: source positions per scene, in turn"""

    scenes: str
    trajectories: int
    steps: int
    sources_per_scene: int
    mp3d: bool = False


DEFAULT = PresetConfig(scenes=f"{PROCEDURAL}:12", trajectories=72, steps=160, sources_per_scene=6)
PRESETS = {
    "demo": PresetConfig(scenes=f"{PROCEDURAL}:18", trajectories=144, steps=100, sources_per_scene=8),
    # 720,000 steps, 30 hours, 76 scenes split 51/8/17, one fixed source per environment, as in the paper.
    "avw-4k": PresetConfig(scenes=f"{PROCEDURAL}:76", trajectories=4500, steps=160, sources_per_scene=1, mp3d=True),
    # Results are compared on it (docs/benchmark.md), so it never changes: another dataset gets another name.
    "rooms-v1": PresetConfig(scenes=f"{PROCEDURAL}:3000-3079", trajectories=320, steps=128, sources_per_scene=4),
}


def mp3d_scenes() -> dict[str, str]:
    """{scene id: split} of the preset avw-4k: 51 train, 8 val, 17 test, of SoundSpaces' 85 Matterport3D scenes.

    Scenes without a navigation episode in SoundSpaces are skipped. In order of their names, train is the first 51
    official training scenes and val the first 8 official validation scenes; test is the official test scenes, the other
    validation scenes, and the next 3 training scenes. So no official validation or test scene is used for training.
    """
    from avw.sim_bridge.scenes.collections.splits import split_scenes, without_soundspaces_episodes

    skipped = without_soundspaces_episodes(MP3D)
    train, val, test = (
        [name for name in split_scenes(MP3D, f"soundspaces-{split}") if name not in skipped]
        for split in ("train", "val", "test")
    )
    chosen = {"train": train[:51], "val": val[:8], "test": sorted([*test, *val[8:], *train[51:54]])}
    return {f"{MP3D}/{name}": split for split, names in chosen.items() for name in names}


def official_splits(names: tuple[str, ...]) -> tuple[str, ...]:
    """The official split of each scene of a collection; () if a scene has none, or if none is a training scene."""
    from avw.sim_bridge.scenes.collections.collections import collection_split

    splits = [collection_split(name) for name in names]
    known = tuple(split for split in splits if split is not None)
    usable = len(known) == len(names) and "train" in known and len(set(known)) > 1
    return known if usable else ()


def preset_scenes(preset: str | None, asked: Sequence[str] = ()) -> tuple[tuple[SceneRef, ...], tuple[str, ...]]:
    """(the scenes, the split of each; () if the seed draws the splits). Scans are in their official splits.

    asked: the texts after `--scenes`; the single words `procedural` and `mp3d` mean the preset's own scenes. Of these,
    a scan that is not on this machine is listed with its `problem`.
    Raises UsageError or SceneError for scenes that do not exist.
    """
    from avw.sim_bridge.scenes.catalogue import resolve_scenes, scene_refs

    chosen = PRESETS[preset] if preset else DEFAULT
    if not asked or tuple(asked) == (PROCEDURAL,):
        return resolve_scenes(chosen.scenes), ()
    if tuple(asked) == (MP3D,) and chosen.mp3d:
        listed = mp3d_scenes()
        return tuple(scene_refs(listed).values()), tuple(listed.values())
    if tuple(asked) == (MP3D,) and preset:
        raise UsageError(f"--preset {preset} has no list of Matterport3D scenes; type: --preset avw-4k --scenes mp3d")
    scenes = resolve_scenes(asked)
    return scenes, official_splits(tuple(scene.scene_id for scene in scenes))
