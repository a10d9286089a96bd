"""The files of one scene: its mesh, and the navigation mesh and the semantics beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from avw.sim_bridge.paths import own_files
from avw.sim_bridge.scenes.collections.dataset_configs import Stage

MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply")
_SEMANTIC_ENDS = ("_semantic.ply", "_semantic.glb", ".semantic.glb")
_TEXT_ENDS = (".house", ".semantic.txt", "_semantic.txt", ".scn")


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneFiles:
    """Where the files of one scene are.

    scene_id: the scene in full, with its options · mesh: the file that is rendered
    options: what follows the question mark in the scene's name, see `mesh_options` · navmesh: Habitat's navigation mesh
    semantic_mesh, semantic_text: the mesh whose faces name their object, and the list of objects
    dataset_config: scene dataset configuration for Habitat · collection: "" for a mesh of the user's own
    stage, stage_source: what is known about the mesh, in Habitat's keys (`up`, `front`, ...), and the file that says so
    objects: number of objects that a scene instance adds to the mesh
    """

    scene_id: str
    mesh: Path
    options: str = ""
    navmesh: Path | None = None
    semantic_mesh: Path | None = None
    semantic_text: Path | None = None
    dataset_config: Path | None = None
    collection: str = ""
    stage: Mapping[str, Any] = field(default_factory=dict, compare=False)
    stage_source: str = ""
    objects: int = 0

    @property
    def hashed(self) -> tuple[Path, ...]:
        """The files that decide what the scene is: its digest covers them."""
        named = (decodable(self.mesh), self.semantic_mesh, self.semantic_text)
        return tuple(path for path in named if path is not None)

    def stamp(self) -> tuple[int, int]:
        """(newest modification time in ns, total bytes). It changes when a file of the scene changes."""
        mesh = decodable(self.mesh)
        beside = (mesh.with_suffix(".avw.json"), mesh.with_suffix(".stage_config.json"))
        named = (mesh, self.navmesh, self.semantic_mesh, self.semantic_text, self.dataset_config, *beside)
        states = [path.stat() for path in named if path is not None and path.is_file()]
        return max((state.st_mtime_ns for state in states), default=0), sum(state.st_size for state in states)


def decodable(mesh: Path) -> Path:
    """HM3D's mesh with JPEG textures if it is beside the one with Basis textures, which AVW cannot decode."""
    plain = mesh.with_name(mesh.name.replace(".basis.glb", ".glb"))
    return plain if plain.is_file() else mesh


def meshes_in(folder: Path) -> list[Path]:
    """The scenes among the files of a folder, sorted.

    Not a scene: the semantic mesh of a scan, the companion files of macOS (`._flat.glb`), and the Basis copy of a mesh
    that is also there with JPEG textures.
    """
    found = [path for path in own_files(folder.iterdir()) if path.suffix.lower() in MESH_SUFFIXES and not path.is_dir()]
    return [path for path in found if not path.name.endswith(_SEMANTIC_ENDS) and decodable(path) == path]


def with_companions(files: SceneFiles, stage: Stage | None = None) -> SceneFiles:
    """Add the navigation mesh and the semantics: those that `stage` names, else those beside the mesh."""
    mesh, stem = files.mesh, files.mesh.stem.removesuffix(".basis")
    by_face = mesh.name.endswith("_semantic.ply")  # Replica's mesh is both, and its list has one name in every scene
    texts = [mesh.parent / f"{stem}{end}" for end in _TEXT_ENDS]
    named = stage.asset if stage is not None else lambda key: None
    return replace(
        files,
        navmesh=named("nav_asset") or _first(mesh.with_suffix(".navmesh"), mesh.parent / f"{stem}.navmesh"),
        semantic_mesh=named("semantic_asset")
        or _first(mesh.parent / f"{stem}_semantic.ply", mesh.parent / f"{stem}.semantic.glb")
        or (mesh if by_face else None),
        semantic_text=named("semantic_descriptor_filename")
        or _first(*texts, *([mesh.parent / "info_semantic.json"] if by_face else [])),
    )


def _first(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
