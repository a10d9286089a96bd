"""The triangles of the primitives of a glTF file: all modes, skins and morph targets in their default pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from avw.sim_bridge.scenes.meshes.formats.contents import DamagedError
from avw.sim_bridge.scenes.meshes.formats.gltf_file import GltfFile, checked_list, checked_object

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_LINES = (0, 1, 2, 3)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Primitive:
    """vertices_V3: float64, in the frame of the mesh · faces_F3: int64 · material: its index, or None

    attributes: name -> accessor, as in the file
    """

    vertices_V3: np.ndarray
    faces_F3: np.ndarray
    material: int | None
    attributes: dict[str, Any]


def primitives(gltf: GltfFile, mesh: int) -> list[Primitive | None]:
    """The primitives of a mesh in the order of the file; None for points and lines."""
    listed = checked_list(gltf.item("meshes", mesh).get("primitives"), "the primitives of a mesh")
    return [_primitive(gltf, checked_object(entry, "a primitive")) for entry in listed]


def _primitive(gltf: GltfFile, entry: dict[str, Any]) -> Primitive | None:
    mode = entry.get("mode", _TRIANGLES)
    if mode in _LINES:
        return None
    if mode not in (_TRIANGLES, _STRIP, _FAN):
        raise DamagedError(f"a primitive has mode {mode!r:.20}, which does not exist")
    attributes = checked_object(entry.get("attributes"), "the attributes of a primitive")
    vertices_V3 = np.asarray(gltf.accessor(attributes.get("POSITION")), dtype=np.float64)
    if vertices_V3.shape[1] != 3:
        raise DamagedError("the positions of a primitive are not 3D points")
    if "indices" in entry:
        index_N = gltf.accessor(entry["indices"])
        if index_N.shape[1] != 1 or index_N.dtype.kind != "u":
            raise DamagedError("the indices of a primitive are not whole numbers")
        index_N = index_N[:, 0].astype(np.int64)
    else:
        index_N = np.arange(len(vertices_V3))
    faces_F3 = _faces(index_N, mode)
    if len(faces_F3) and faces_F3.max() >= len(vertices_V3):
        raise DamagedError("some faces refer to vertices that do not exist")
    material = entry.get("material")
    if material is not None:
        gltf.item("materials", material)
    return Primitive(vertices_V3=vertices_V3, faces_F3=faces_F3, material=material, attributes=attributes)


def _faces(index_N: np.ndarray, mode: int) -> np.ndarray:
    if mode == _TRIANGLES:
        if len(index_N) % 3:
            raise DamagedError(f"a primitive of triangles has {len(index_N):,} indices, not a multiple of 3")
        return index_N.reshape(-1, 3)
    if len(index_N) < 3:
        return np.zeros((0, 3), dtype=np.int64)
    if mode == _FAN:
        first = np.full(len(index_N) - 2, index_N[0])
        return np.stack([first, index_N[1:-1], index_N[2:]], axis=1)
    faces_F3 = np.stack([index_N[:-2], index_N[1:-1], index_N[2:]], axis=1)
    faces_F3[1::2] = faces_F3[1::2][:, [1, 0, 2]]  # every other triangle of a strip runs the other way
    return faces_F3


def posed(
    gltf: GltfFile, mesh: int, number: int, node: dict[str, Any], one: Primitive, world: dict[int, np.ndarray]
) -> tuple[np.ndarray, bool]:
    """The vertices of a primitive in the default pose, float64 (V, 3), and whether a skin placed them in the scene.

    number: of the primitive in its mesh · world: node -> matrix
    """
    vertices_V3 = _morphed(gltf, mesh, number, node, one.vertices_V3)
    if "skin" not in node or "JOINTS_0" not in one.attributes:
        return vertices_V3, False
    return _skinned(gltf, node["skin"], one, vertices_V3, world), True


def _morphed(gltf: GltfFile, mesh: int, number: int, node: dict[str, Any], vertices_V3: np.ndarray) -> np.ndarray:
    entry = gltf.item("meshes", mesh)
    targets = checked_list(entry["primitives"][number].get("targets", []), "morph targets")
    weights = checked_list(node.get("weights", entry.get("weights", [])), "weights")
    if not all(type(weight) in (int, float) for weight in weights):
        raise DamagedError("the weights of its morph targets are not numbers")
    for weight, target in zip(weights, targets, strict=False):
        if weight and "POSITION" in checked_object(target, "a morph target"):
            shift_V3 = np.asarray(gltf.accessor(target["POSITION"]), dtype=np.float64)
            if shift_V3.shape != vertices_V3.shape:
                raise DamagedError("a morph target does not match its mesh")
            vertices_V3 = vertices_V3 + weight * shift_V3
    return vertices_V3


def _skinned(
    gltf: GltfFile, index: Any, one: Primitive, vertices_V3: np.ndarray, world: dict[int, np.ndarray]
) -> np.ndarray:
    """Vertices moved by the joints of a skin. The node of a skinned mesh does not place it; the joints do."""
    skin = gltf.item("skins", index)
    joints = checked_list(skin.get("joints"), "joints")
    if not all(type(joint) is int and joint in world for joint in joints) or not joints:
        raise DamagedError("a joint of a skin is not in the scene")
    inverse_J44 = np.tile(np.eye(4), (len(joints), 1, 1))
    if "inverseBindMatrices" in skin:
        given = np.asarray(gltf.accessor(skin["inverseBindMatrices"]), dtype=np.float64)
        if given.shape[1] != 16 or len(given) < len(joints):
            raise DamagedError("the matrices of a skin do not match its joints")
        inverse_J44 = given[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
    matrix_J44 = np.stack([world[joint] for joint in joints]) @ inverse_J44
    out_V3, total_V = np.zeros_like(vertices_V3), np.zeros(len(vertices_V3))
    ones_V4 = np.concatenate([vertices_V3, np.ones((len(vertices_V3), 1))], axis=1)
    for number in range(8):
        if f"JOINTS_{number}" not in one.attributes:
            break
        joint_V4 = gltf.accessor(one.attributes[f"JOINTS_{number}"]).astype(np.int64)
        weight_V4 = np.asarray(gltf.accessor(one.attributes.get(f"WEIGHTS_{number}")), dtype=np.float64)
        if joint_V4.shape != weight_V4.shape or len(joint_V4) != len(vertices_V3) or joint_V4.max() >= len(joints):
            raise DamagedError("the joints and weights of a mesh do not match its skin")
        if not (weight_V4 >= 0).all():
            raise DamagedError("the weights of a skin are negative or not numbers")
        for k in range(joint_V4.shape[1]):
            matrix_V34 = matrix_J44[joint_V4[:, k], :3]
            out_V3 += weight_V4[:, k, None] * np.einsum("vij,vj->vi", matrix_V34, ones_V4)
            total_V += weight_V4[:, k]
    return out_V3 / np.where(total_V > 0, total_V, 1.0)[:, None]
