"""Digests of the files that a dataset is made from. They are part of its spec: another mesh is another dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from avw.avw4k.plan.spec import DatasetSpec
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.paths import local_path
from avw.sim_bridge.scenes.digest_cache import digests
from avw.sim_bridge.scenes.scene_ref import SceneRef, scene_digests

Assets = tuple[tuple[str, str], ...]


def known_assets(scenes: Sequence[SceneRef], others: Iterable[str]) -> Assets:
    """(name, SHA-256) of the files of `scenes` and `others` (sounds, a SOFA file, ...), in this order.

    The files of a scene are large: one that has not been hashed before is not read and not listed. `with_digests` adds
    it. A name in `others` that is not a file, such as "ring", is not listed either.
    """
    paths = {name: local_path(name) for name in others if local_path(name).is_file()}
    of_path = digests(paths.values())
    found = scene_digests(scenes, read=False)
    listed = [(scene.scene_id, found[scene.scene_id]) for scene in scenes if scene.scene_id in found]
    return (*listed, *((name, of_path[path]) for name, path in paths.items()))


def scene_assets(scenes: Sequence[SceneRef]) -> Assets:
    """(scene id, SHA-256) of the scenes that have files. Reads every file that has not been hashed before in full."""
    return tuple(scene_digests(scenes).items())


def with_digests(spec: DatasetSpec, scenes: Sequence[SceneRef]) -> DatasetSpec:
    """The spec with the digests of all `scenes`; files that have not been hashed before are read in full."""
    found = dict(scene_assets(scenes)) | dict(spec.assets)
    order = [name for name in spec.scenes if name in found]
    rest = [name for name, _ in spec.assets if name not in order]
    return dataclasses.replace(spec, assets=tuple((name, found[name]) for name in (*order, *rest)))


def as_stored(spec: DatasetSpec, stored: DatasetSpec) -> DatasetSpec:
    """The spec with the digests that `stored` has of those of its files that were not read here."""
    mine, used = dict(spec.assets), {*spec.scenes}
    if not any(name in used and name not in mine for name, _ in stored.assets):
        return spec
    merged = [(name, mine.pop(name, digest)) for name, digest in stored.assets if name in mine or name in used]
    return dataclasses.replace(spec, assets=(*merged, *mine.items()))


def refuse_changed(spec: DatasetSpec, scenes: Mapping[str, SceneRef]) -> None:
    """Raises UsageError for a scene whose files are not those that the spec was written for."""
    stored = dict(spec.assets)
    listed = [scene for name, scene in scenes.items() if name in stored]
    for name, digest in scene_digests(listed).items():
        if digest != stored[name]:
            raise UsageError(
                f"the files of scene {name} have changed since the dataset was begun (SHA-256 {digest[:12]}, the spec "
                f"says {stored[name][:12]}): restore them, or generate into another folder"
            )
