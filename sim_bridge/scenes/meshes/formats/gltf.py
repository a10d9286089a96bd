"""Read glTF 2.0 files (.glb, .gltf).

Read here and not by a library, because the reader must be able to tell what it did not read: trimesh, which AVW uses
for export, skips fans, sparse values, instances, normalised integers, texture transforms and pictures that it cannot
decode without a word. What a file declares and is not shown is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.meshes.formats.colour_space import linear_to_srgb, srgb_bytes
from avw.sim_bridge.scenes.meshes.formats.contents import (
    DamagedError,
    Look,
    MeshContents,
    Part,
    damage_named,
    face_means,
)
from avw.sim_bridge.scenes.meshes.formats.gltf_file import GltfFile, checked_list, checked_object
from avw.sim_bridge.scenes.meshes.formats.gltf_materials import Materials
from avw.sim_bridge.scenes.meshes.formats.gltf_nodes import NodeTree, Placement
from avw.sim_bridge.scenes.meshes.formats.gltf_primitives import Primitive, posed, primitives
from avw.sim_bridge.scenes.meshes.glb_export import EXTRAS
from avw.sim_bridge.scenes.meshes.mesh_guard import MAX_TRIANGLES

_ROUNDING = 1e-3  # vertex colours up to this far outside 0..1 are rounding errors of a program


class GltfScene:
    """The placed primitives of an open file. contents: what is filled while reading"""

    def __init__(self, file: Path) -> None:
        self.gltf = GltfFile(file)
        self.contents = MeshContents()
        self.materials = Materials(self.gltf, self.contents.warnings, self.contents.notes)
        self.nodes = NodeTree(self.gltf)
        self._primitives: dict[int, list[Primitive | None]] = {}
        self._names = self._mesh_names()

    def placed(self) -> Iterator[tuple[Placement, int, Primitive]]:
        """Every primitive of every placed mesh, with its number in the mesh."""
        for placement in self.nodes.placements:
            for number, one in enumerate(self.primitives(placement.mesh)):
                if one is not None and len(one.faces_F3):
                    yield placement, number, one

    def primitives(self, mesh: int) -> list[Primitive | None]:
        """The primitives of a mesh; None for points and lines."""
        if mesh not in self._primitives:
            self._primitives[mesh] = primitives(self.gltf, mesh)
        return self._primitives[mesh]

    def geometry(self, placement: Placement, number: int, one: Primitive) -> tuple[np.ndarray, list[np.ndarray]]:
        """Vertices in the default pose, float64 (V, 3), and the matrices that place them."""
        node = self.gltf.item("nodes", placement.node)
        vertices_V3, skinned = posed(self.gltf, placement.mesh, number, node, one, self.nodes.world)
        return vertices_V3, [np.eye(4)] if skinned else placement.matrices

    def labels(self, placement: Placement, number: int) -> tuple[str, ...]:
        """The names of the node and of the mesh."""
        name = self._names[placement.mesh][number]
        return (placement.name, name) if placement.name != name else (name,)

    def _mesh_names(self) -> list[list[str]]:
        """A name for every primitive; one that several have gets a number."""
        from trimesh.util import unique_name

        taken: dict[str, None] = {}
        counts: dict[Any, int] = {}
        names: list[list[str]] = []
        for mesh in self.gltf.items("meshes"):
            names.append([])
            for _ in checked_list(checked_object(mesh, "a mesh").get("primitives"), "primitives"):
                name = unique_name(str(mesh.get("name", "GLTF"))[:200], taken, counts=counts)
                taken[name] = None
                names[-1].append(name)
        return names


def read_gltf(file: Path) -> MeshContents:
    """The parts of a glTF file. Raises SceneError for a file that is damaged."""
    with damage_named(file):
        return _read(file)


def _read(file: Path) -> MeshContents:
    scene = GltfScene(file)
    contents = scene.contents
    triangles = 0
    for placement, number, one in scene.placed():
        vertices_V3, matrices = scene.geometry(placement, number, one)
        triangles += len(one.faces_F3) * len(matrices)
        if triangles > MAX_TRIANGLES:
            raise SceneError(f"{file} places more than {MAX_TRIANGLES:,} triangles: simplify it first")
        look, uv_F32 = scene.materials.look(one)
        tint_F3 = _tint(scene, one)
        colour_F3 = None
        if look is None and tint_F3 is not None and (tint_F3 == tint_F3[0]).all():
            look, tint_F3 = (
                Look(key=tuple(tint_F3[0]), name="", texture_HWC=srgb_bytes(tint_F3[:1]).reshape(1, 1, 3)),
                None,
            )
        elif look is None and tint_F3 is not None:
            colour_F3, tint_F3 = np.round(linear_to_srgb(tint_F3) * 255.0).astype(np.int64), None
        for matrix_44 in matrices:
            contents.parts.append(
                Part(
                    labels=scene.labels(placement, number),
                    vertices_V3=vertices_V3,
                    faces_F3=one.faces_F3,
                    matrix_44=matrix_44,
                    look=look,
                    uv_F32=uv_F32,
                    colour_F3=colour_F3,
                    tint_F3=tint_F3,
                )
            )
    _compare(scene)
    contents.extras = _extras(scene.gltf)
    return contents


def _tint(scene: GltfScene, one: Primitive) -> np.ndarray | None:
    """The linear vertex colours of a primitive as means over its faces, or None."""
    if "COLOR_0" not in one.attributes:
        return None
    gltf = scene.gltf
    colours_VC = np.asarray(gltf.accessor(one.attributes["COLOR_0"]), dtype=np.float64)
    entry = gltf.item("accessors", one.attributes["COLOR_0"])
    if colours_VC.shape[1] not in (3, 4) or len(colours_VC) != len(one.vertices_V3):
        raise DamagedError("the vertex colours of a mesh do not match its vertices")
    if entry["componentType"] != 5126 and entry.get("normalized") is not True:
        colours_VC = colours_VC / (65_535.0 if entry["componentType"] == 5123 else 255.0)
        _warn_once(scene, "vertex colours are whole numbers that are not marked as normalised: read as if they were")
    colours_VC = np.nan_to_num(colours_VC[:, :3])
    if colours_VC.size and (colours_VC.min() < -_ROUNDING or colours_VC.max() > 1.0 + _ROUNDING):
        _warn_once(scene, "vertex colours are outside 0 to 1: limited to it")
    return np.clip(face_means(colours_VC, one.faces_F3), 0.0, 1.0)


def _warn_once(scene: GltfScene, sentence: str) -> None:
    if sentence not in scene.contents.warnings:
        scene.contents.warnings.append(sentence)


def _compare(scene: GltfScene) -> None:
    """Add sentences about what the file declares and the scene does not show."""
    gltf, warn = scene.gltf, scene.contents.warnings.append
    placed = {placement.mesh for placement in scene.nodes.placements}
    skipped = sum(one is None for mesh in placed for one in scene.primitives(mesh))
    if skipped:
        warn(f"{skipped} primitives are points or lines, which have no surface: skipped")
    unplaced = len(gltf.items("meshes")) - len(placed)
    if scene.nodes.hidden:
        warn(f"{scene.nodes.hidden} nodes are hidden in the file (KHR_node_visibility): skipped with all below them")
    if not gltf.items("scenes") and placed:
        warn("the file has no scene: all of its nodes are shown")
    elif scene.nodes.other_scenes:
        warn(f"the file has {scene.nodes.other_scenes + 1} scenes: only its default scene is shown")
    if unplaced > 0 and not scene.nodes.hidden:
        warn(f"{unplaced} of {len(gltf.items('meshes'))} meshes are in the file but not in its scene: skipped")
    lights = gltf.tree.get("extensions", {}).get("KHR_lights_punctual", {}).get("lights", [])
    if lights:
        scene.contents.notes.append(f"the {len(lights)} lamps of the file are not used: AVW places lamps of its own")


def _extras(gltf: GltfFile) -> dict[str, Any]:
    """What `export_glb` stores in the extras of the scene."""
    if not gltf.items("scenes"):
        return {}
    extras = gltf.item("scenes", gltf.tree.get("scene", 0)).get("extras")
    own = extras.get(EXTRAS) if isinstance(extras, dict) else None
    return own if isinstance(own, dict) else {}
