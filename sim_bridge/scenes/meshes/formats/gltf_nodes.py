"""Where the nodes of a glTF file place its meshes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from avw.sim_bridge.scenes.meshes.formats.contents import DamagedError
from avw.sim_bridge.scenes.meshes.formats.gltf_file import GltfFile, checked_list, checked_object, numbers, whole
from avw.sim_bridge.scenes.meshes.mesh_guard import MAX_PLACED

INSTANCING = "EXT_mesh_gpu_instancing"
_TOO_MANY = f"it places more than {MAX_PLACED:,} meshes: join them in a mesh editor"
_EYE = np.eye(4)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placement:
    """A mesh in the scene. node: index and name of its node · mesh: its index · matrices: one per instance"""

    node: int
    name: str
    mesh: int
    matrices: list[np.ndarray]


class NodeTree:
    """The nodes of the scene of a file. world: node -> its matrix, for all nodes of the scene

    hidden: number of nodes that KHR_node_visibility hides · other_scenes: number of scenes that are not shown
    """

    def __init__(self, gltf: GltfFile) -> None:
        self._gltf = gltf
        self.world: dict[int, np.ndarray] = {}
        self.hidden = 0
        scenes = gltf.items("scenes")
        self.other_scenes = max(len(scenes) - 1, 0)
        self.roots = self._roots()
        self.placements = list(self._walk())

    def _roots(self) -> list[Any]:
        if not self._gltf.items("scenes"):
            nodes = self._gltf.items("nodes")
            children = {c for n in nodes for c in checked_object(n, "a node").get("children", [])}
            return [index for index in range(len(nodes)) if index not in children]
        scene = self._gltf.item("scenes", self._gltf.tree.get("scene", 0))
        return checked_list(scene.get("nodes", []), "the nodes of a scene")

    def _walk(self) -> Iterator[Placement]:
        """Depth first, the last child first: the order of earlier versions, which decides the bytes of a scene."""
        names = _unique_names(self._gltf.items("nodes"))
        stack: list[tuple[Any, list[np.ndarray]]] = [(root, []) for root in self.roots]
        placed = 0
        while stack:
            index, above = stack.pop()
            node = self._gltf.item("nodes", index)
            if index in self.world:
                raise DamagedError(f"node {index} is in the scene twice")
            own = _matrix(node)
            path = above if np.abs(own - _EYE).max() <= 1e-8 else [*above, own]
            self.world[index] = world = _product(path)
            extensions = checked_object(node.get("extensions", {}), "extensions")
            if checked_object(extensions.get("KHR_node_visibility", {}), "visibility").get("visible", True) is False:
                self.hidden += 1
                continue
            stack += [(child, path) for child in checked_list(node.get("children", []), "children")]
            if "mesh" in node:
                self._gltf.item("meshes", node["mesh"])
                matrices = [world]
                if INSTANCING in extensions:
                    matrices = list(world @ self._instances(extensions[INSTANCING], MAX_PLACED - placed))
                placed += len(matrices)
                if placed > MAX_PLACED:
                    raise DamagedError(_TOO_MANY)
                yield Placement(node=index, name=names[index], mesh=node["mesh"], matrices=matrices)

    def _instances(self, extension: Any, most: int) -> np.ndarray:
        """The matrices of the instances of a node, float64 (N, 4, 4)."""
        attributes = checked_object(checked_object(extension, INSTANCING).get("attributes"), "attributes")
        kinds = {"TRANSLATION": 3, "ROTATION": 4, "SCALE": 3}
        given = {key: index for key, index in attributes.items() if key in kinds}
        if any(whole(self._gltf.item("accessors", index).get("count")) > most for index in given.values()):
            raise DamagedError(_TOO_MANY)
        values = {key: np.asarray(self._gltf.accessor(index), dtype=np.float64) for key, index in given.items()}
        if len({len(one) for one in values.values()}) != 1 or any(v.shape[1] != kinds[k] for k, v in values.items()):
            raise DamagedError("the attributes of its instances do not match")
        count = len(next(iter(values.values())))
        matrix_N44 = np.tile(np.eye(4), (count, 1, 1))
        if "ROTATION" in values:
            matrix_N44[:, :3, :3] = _rotations(values["ROTATION"])
        if "SCALE" in values:
            matrix_N44[:, :3, :3] *= values["SCALE"][:, None, :]
        if "TRANSLATION" in values:
            matrix_N44[:, :3, 3] = values["TRANSLATION"]
        if not np.isfinite(matrix_N44).all():
            raise DamagedError("the transform of an instance is not finite")
        return matrix_N44


def _rotations(turn_N4: np.ndarray) -> np.ndarray:
    """Rotation matrices (N, 3, 3) of quaternions (x, y, z, w); the identity for one of length 0."""
    length_N1 = np.linalg.norm(turn_N4, axis=1, keepdims=True)
    turn_N4 = np.where(length_N1 > 1e-12, turn_N4 / np.maximum(length_N1, 1e-12), [0.0, 0.0, 0.0, 1.0])
    x, y, z, w = turn_N4.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _matrix(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return numbers(node["matrix"], 16, "the matrix of a node").reshape(4, 4).T
    kinds = {"translation": 3, "rotation": 4, "scale": 3}
    return _trs(*(numbers(node[k], n, k) if k in node else None for k, n in kinds.items()))


def _trs(move_3: np.ndarray | None, turn_4: np.ndarray | None, scale_3: np.ndarray | None) -> np.ndarray:
    """Translation times rotation (a quaternion x, y, z, w) times scale."""
    from trimesh import transformations

    matrix_44 = np.eye(4)
    if move_3 is not None:
        matrix_44 = np.dot(matrix_44, transformations.translation_matrix(move_3))
    if turn_4 is not None:
        matrix_44 = np.dot(matrix_44, transformations.quaternion_matrix(turn_4[[3, 0, 1, 2]]))
    if scale_3 is not None:
        matrix_44 = np.dot(matrix_44, np.diag([*scale_3, 1.0]))
    if not np.isfinite(matrix_44).all():
        raise DamagedError("the transform of a node is not finite")
    return matrix_44


def _product(path: list[np.ndarray]) -> np.ndarray:
    if not path:
        return np.eye(4)
    matrix_44 = path[0]
    for one in path[1:]:
        matrix_44 = np.dot(matrix_44, one)
    return matrix_44


def _unique_names(nodes: list[Any]) -> dict[int, str]:
    """The names of the nodes; a name that several nodes have gets a number."""
    from trimesh.util import unique_name

    taken: dict[str, int] = {}
    counts: dict[Any, int] = {}
    for index, node in enumerate(nodes):
        name = checked_object(node, "a node").get("name", str(index))
        taken[unique_name(str(name)[:200], taken, counts=counts)] = index
    return {index: name for name, index in taken.items()}
