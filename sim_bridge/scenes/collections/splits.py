"""The published training, validation and test splits of the collections, each with its source.

The lists are in `splits.json`. HM3D needs none, because its splits are folders and ranges of numbers: up to 00799 is
train, up to 00899 val, then test (Ramakrishnan et al. 2021, Habitat-Matterport 3D Dataset: 800, 100 and 100 scenes).
For Replica, SoundSpaces publishes episodes but no list.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

_SPLITS = ("train", "val", "test")
_SOUNDSPACES = "soundspaces"
_NOT_THERE, _NO_EPISODES = "not in SoundSpaces", "without episodes in SoundSpaces"


@lru_cache(maxsize=1)
def _lists() -> dict[str, dict[str, Any]]:
    lists: dict[str, dict[str, Any]] = json.loads(
        files(__package__).joinpath("splits.json").read_text(encoding="utf-8")
    )
    return lists


def known_scenes(collection: str) -> tuple[str, ...]:
    """Names of all published scenes of the collection, sorted; () if there is no published list."""
    listed = _lists().get(collection, {})
    if "all" in listed:
        return tuple(listed["all"].split())
    return tuple(sorted(name for split in _SPLITS for name in listed.get(split, "").split()))


def split_names(collection: str) -> tuple[str, ...]:
    """The splits that `split_scenes` accepts for the collection: "train", "soundspaces-val", ..."""
    own = tuple(split for split in _SPLITS if split in _lists().get(collection, {}))
    if _NOT_THERE not in _lists().get(collection, {}):
        return own
    return (*own, _SOUNDSPACES, *(f"{_SOUNDSPACES}-{split}" for split in own))


def split_scenes(collection: str, split: str) -> tuple[str, ...]:
    """Names of the scenes of a split, sorted. split: one of `split_names`; "soundspaces" is its three splits.

    SoundSpaces' splits of Matterport3D are the official ones without the scenes for which it has no sound.
    """
    listed = _lists()[collection]
    if split in _SPLITS:
        return tuple(listed[split].split())
    _, _, part = split.partition("-")
    parts = (part,) if part else tuple(s for s in _SPLITS if s in listed)
    missing = set(not_in_soundspaces(collection))
    return tuple(sorted(name for p in parts for name in listed[p].split() if name not in missing))


def split_of(collection: str, name: str) -> str | None:
    """The official split of a scene: "train", "val" or "test"; None if no list has it."""
    if collection == "hm3d":
        number = name.partition("-")[0]
        return _SPLITS[max(int(number) // 100 - 7, 0)] if number.isdecimal() and int(number) < 1000 else None
    listed = _lists().get(collection, {})
    return next((split for split in _SPLITS if name in listed.get(split, "").split()), None)


def not_in_soundspaces(collection: str) -> tuple[str, ...]:
    """Scenes of the collection that SoundSpaces does not have."""
    return tuple(_lists().get(collection, {}).get(_NOT_THERE, "").split())


def without_soundspaces_episodes(collection: str) -> tuple[str, ...]:
    """Scenes of SoundSpaces in which it has no navigation episode."""
    return tuple(_lists().get(collection, {}).get(_NO_EPISODES, "").split())
