"""Which scenes of the scanned collections are on the disk, which are complete, and what to type to get the rest.

Only the beginnings of files are read, so that a whole collection takes a moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.collections.collections import COLLECTIONS, collection_split
from avw.sim_bridge.scenes.collections.scene_files import SceneFiles, decodable
from avw.sim_bridge.scenes.collections.scene_folder import SceneFolder
from avw.sim_bridge.scenes.collections.splits import known_scenes
from avw.sim_bridge.scenes.meshes.mesh_guard import guard


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneState:
    """One scene on the disk.

    split: the official one, "" for none · semantics, navmesh: whether they are there
    problem: why the scene cannot be opened, "" if it can · notes: what will be missing in it
    """

    scene: str
    split: str
    semantics: bool
    navmesh: bool
    problem: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionState:
    """One collection on the disk.

    folders: where it was found · published: number of scenes that were published
    missing: names of published scenes that are not there, if their names are known
    terms: licence terms of data made from the scenes · obtain: what to type to get them
    """

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


def collection_state(name: str, folder: SceneFolder) -> CollectionState:
    """What is on the disk of a collection, and how to get the rest."""
    meshes = folder.meshes(name)
    return CollectionState(
        name=name,
        title=COLLECTIONS[name].title,
        folders=tuple(str(path) for path in folder.folders(name)),
        scenes=tuple(_scene_state(f"{name}/{scene}", folder) for scene in meshes),
        published=COLLECTIONS[name].scenes,
        missing=tuple(scene for scene in known_scenes(name) if scene not in meshes),
        terms=COLLECTIONS[name].terms,
        obtain=folder.how_to_obtain(name),
    )


def check_files(files: SceneFiles) -> tuple[str, ...]:
    """Look at the beginning of each file of a scene; returns sentences about what will be missing in it.

    Raises SceneError for a file that is damaged or of another format.
    """
    warnings = guard(decodable(files.mesh)).warnings
    for beside in (files.semantic_mesh, files.semantic_text):
        if beside is None or beside == files.mesh:
            continue
        if beside.suffix in (".ply", ".glb"):
            guard(beside)
        elif beside.stat().st_size == 0:
            raise SceneError(f"{beside} is empty (0 bytes), so its download failed; download it again")
    return warnings


def _scene_state(scene_id: str, folder: SceneFolder) -> SceneState:
    try:
        files = folder.files(scene_id)
    except SceneError as error:
        return SceneState(
            scene=scene_id,
            split=collection_split(scene_id) or "",
            semantics=False,
            navmesh=False,
            problem=str(error),
            notes=(),
        )
    problem = ""
    notes: list[str] = []
    try:
        notes += check_files(files)
    except SceneError as error:
        problem = str(error)
    if (files.semantic_mesh is None) != (files.semantic_text is None):
        there, other = files.semantic_mesh or files.semantic_text, "list" if files.semantic_mesh else "mesh"
        notes.append(f"{there} is there without its {other} of objects, so materials follow names only; download both")
    return SceneState(
        scene=files.scene_id,
        split=collection_split(files.scene_id) or "",
        semantics=files.semantic_mesh is not None and files.semantic_text is not None,
        navmesh=files.navmesh is not None and files.navmesh.stat().st_size > 0,
        problem=problem,
        notes=tuple(notes),
    )
