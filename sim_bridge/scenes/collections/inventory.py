"""Which scenes of the scanned collections are on the disk, which are whole, and what to type for the rest.

Only the beginnings of files are read: a whole collection takes a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.collections.collections import (
    COLLECTIONS,
    SceneFiles,
    collection_folders,
    collection_meshes,
    decodable,
    how_to_obtain,
    scene_files,
    scene_root_path,
    scene_split,
)
from avw.sim_bridge.scenes.collections.dataset_configs import CONFIG
from avw.sim_bridge.scenes.collections.splits import known_scenes
from avw.sim_bridge.scenes.meshes.mesh_guard import guard


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneState:
    """split: the official one, "" for none · semantics, navmesh: whether they are there
    problem: why the scene cannot be opened, "" if it can · notes: what will be missing in it"""

    scene: str
    split: str
    semantics: bool
    navmesh: bool
    problem: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionState:
    """folders: where it was found · published: how many scenes there are in all
    missing: names of published scenes that are not there, where names are known · terms: of data made from them"""

    name: str
    title: str
    folders: tuple[str, ...]
    scenes: tuple[SceneState, ...]
    published: int
    missing: tuple[str, ...]
    terms: str
    obtain: str

    @property
    def usable(self) -> int:
        """Scenes that can be opened."""
        return sum(not scene.problem for scene in self.scenes)


def collection_state(name: str, scene_root: str | None = None) -> CollectionState:
    """What is there of a collection, and how to get it."""
    meshes = collection_meshes(name, scene_root)
    return CollectionState(
        name=name,
        title=COLLECTIONS[name].title,
        folders=tuple(str(folder) for folder in collection_folders(name, scene_root)),
        scenes=tuple(_scene_state(f"{name}/{scene}", scene_root) for scene in meshes),
        published=COLLECTIONS[name].scenes,
        missing=tuple(scene for scene in known_scenes(name) if scene not in meshes),
        terms=COLLECTIONS[name].terms,
        obtain=how_to_obtain(name, scene_root),
    )


def check_files(scene_id: str, scene_root: str | None = None) -> None:
    """Look at the beginning of each file of a scan or a mesh. Raises SceneError for one that is broken or none."""
    if not scene_id.startswith("procedural-"):
        _check(scene_files(scene_id, scene_root))


def other_datasets(scene_root: str | None = None) -> tuple[Path, ...]:
    """Scene dataset configurations under the root that belong to none of the collections."""
    root = scene_root_path(scene_root)
    own = {name for about in COLLECTIONS.values() for name in about.folders}
    found = [*root.glob(f"*{CONFIG}"), *root.glob(f"*/*{CONFIG}")] if root.is_dir() else []
    return tuple(sorted(path for path in found if path.parent.name not in own))


def _scene_state(scene_id: str, scene_root: str | None) -> SceneState:
    try:
        files = scene_files(scene_id, scene_root)
    except SceneError as error:
        return SceneState(
            scene=scene_id,
            split=scene_split(scene_id) or "",
            semantics=False,
            navmesh=False,
            problem=str(error),
            notes=(),
        )
    problem = ""
    notes: list[str] = []
    try:
        notes += _check(files)
    except SceneError as error:
        problem = str(error)
    if (files.semantic_mesh is None) != (files.semantic_text is None):
        there, other = files.semantic_mesh or files.semantic_text, "list" if files.semantic_mesh else "mesh"
        notes.append(f"{there} is there without its {other} of objects, so materials follow names only; download both")
    return SceneState(
        scene=files.scene_id,
        split=scene_split(files.scene_id) or "",
        semantics=files.semantic_mesh is not None and files.semantic_text is not None,
        navmesh=files.navmesh is not None and files.navmesh.stat().st_size > 0,
        problem=problem,
        notes=tuple(notes),
    )


def _check(files: SceneFiles) -> tuple[str, ...]:
    """Sentences about what will be missing."""
    warnings = guard(decodable(files.mesh)).warnings
    for beside in (files.semantic_mesh, files.semantic_text):
        if beside is None or beside == files.mesh:
            continue
        if beside.suffix in (".ply", ".glb"):
            guard(beside)
        elif beside.stat().st_size == 0:
            raise SceneError(f"{beside} is empty (0 bytes), so its download failed; fetch it again")
    return warnings
