"""Named sets of defaults for `avw generate`: the paper's AVW-4k, on generated houses or Matterport3D, and the demo."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sim_bridge.errors import UsageError

MP3D_LIST = Path(__file__).with_name("mp3d_scenes.json")
"""76 of SoundSpaces' 85 Matterport3D scenes with their split, and where the official splits were read."""
PROCEDURAL, MP3D = "procedural", "mp3d"


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetConfig:
    """houses: generated ones, where the user asks for no other scenes · mp3d: whether `--scenes mp3d` is listed too
    sources_per_scene: places that sound in a scene, in turn"""

    houses: int
    trajectories: int
    steps: int
    sources_per_scene: int
    mp3d: bool = False


DEFAULT = PresetConfig(houses=12, trajectories=72, steps=160, sources_per_scene=6)
PRESETS = {
    "demo": PresetConfig(houses=18, trajectories=144, steps=100, sources_per_scene=8),
    # 720,000 steps, 30 hours, 76 scenes split 51/8/17, one fixed source an environment, as in the paper.
    "avw-4k": PresetConfig(houses=76, trajectories=4500, steps=160, sources_per_scene=1, mp3d=True),
}


def mp3d_scenes() -> dict[str, str]:
    """{scene id: split} of the committed list: 51 train, 8 val, 17 test."""
    listed = json.loads(MP3D_LIST.read_text())
    return {f"{MP3D}/{line.split()[0]}": split for split in ("train", "val", "test") for line in listed[split]}


def preset_scenes(
    preset: str | None, asked: str | None, scene_root: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(scene ids, the split of each; () where the seed draws the splits).

    asked: what the user typed after --scenes; the bare words `procedural` and `mp3d` mean the preset's own.
    Raises UsageError or SceneError for scenes that are not there.
    """
    from sim_bridge.scenes.catalogue import expand_scenes

    chosen = PRESETS[preset] if preset else DEFAULT
    if asked is None or asked == PROCEDURAL:
        return tuple(expand_scenes(f"{PROCEDURAL}:{chosen.houses}", scene_root)), ()
    if asked == MP3D and chosen.mp3d:
        listed = mp3d_scenes()
        return tuple(listed), tuple(listed.values())
    if asked == MP3D and preset:
        raise UsageError(f"--preset {preset} has no list of Matterport3D scenes; type: --preset avw-4k --scenes mp3d")
    return tuple(expand_scenes(asked, scene_root)), ()
