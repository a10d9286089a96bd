"""Read semantic meshes, which store the object of each face, and transfer the objects to the rendered mesh.

Matterport3D, Gibson and Replica store an object number with each face of a PLY. In HM3D every object has its own
colour. The PLY files are Z-up, whatever the up axis of the rendered mesh is (habitat-sim,
src/esp/assets/GenericSemanticMeshData.cpp).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.meshes.formats.colour_space import srgb_to_linear
from avw.sim_bridge.scenes.meshes.formats.gltf import GltfScene
from avw.sim_bridge.scenes.meshes.formats.gltf_primitives import Primitive
from avw.sim_bridge.scenes.meshes.formats.ply import read_ply
from avw.sim_bridge.scenes.meshes.mesh_guard import MAX_TRIANGLES, guard
from avw.sim_bridge.scenes.meshes.scan_labels import SceneLabels

NO_OBJECT = -1  # of faces that belong to no object
MAX_DISTANCE = 0.25  # metres, between a rendered face and the semantic face that it takes its object from
SPACING = 0.1  # metres, between the points that represent a semantic face
# Metres added to the distance per unit of difference of unit normals: separates the bottom of a cup from the table.
NORMAL_WEIGHT = 0.03
_RGB = np.array([65536, 256, 1])  # weights of red, green and blue in 0xRRGGBB
_MAX_POINTS = 30_000_000
_NEIGHBOURS = 8  # nearest points that are compared for a face
_BLOCK = 100_000  # faces processed at a time


def read_semantic_mesh(path: Path, labels: SceneLabels) -> tuple[np.ndarray, np.ndarray]:
    """Read a semantic mesh: corners in the frame of the file, float64 (G, 3, 3), and objects, int32 (G,).

    Raises SceneError for a mesh that cannot be read, or without objects.
    """
    guard(path)
    try:
        with np.errstate(all="ignore"):  # damaged files hold numbers of any size; the results are checked
            kept = list(_ply_parts(path) if path.suffix.lower() == ".ply" else _gltf_parts(path, labels))
    except Exception as error:  # damaged files cause many kinds of exceptions
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SceneError(
            f"{path} cannot be read as a semantic mesh ({reason}): its download was interrupted; download it again, or "
            "move it away to read the scene without semantics"
        ) from None
    if not kept:
        raise SceneError(f"{path} has no triangles, so it is not a semantic mesh; download it again, or move it away")
    return np.concatenate([corners for corners, _ in kept]), np.concatenate([objects for _, objects in kept])


def _ply_parts(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for part in read_ply(path).parts:
        if part.object_F is None:
            raise ValueError("its faces have no object_id")
        yield _corners(part.vertices_V3, part.faces_F3), part.object_F


def _gltf_parts(path: Path, labels: SceneLabels) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    scene = GltfScene(path)
    triangles = 0
    for placement, number, one in scene.placed():
        if not labels.colours:
            raise ValueError("its faces have no object_id")
        vertices_V3, matrices = scene.geometry(placement, number, one)
        triangles += len(one.faces_F3) * len(matrices)
        if triangles > MAX_TRIANGLES:
            raise ValueError(f"more than {MAX_TRIANGLES:,} triangles")
        object_G = _painted(scene, one, labels)
        for matrix_44 in matrices:
            yield _corners(vertices_V3 @ matrix_44[:3, :3].T + matrix_44[:3, 3], one.faces_F3), object_G


def _corners(vertices_V3: np.ndarray, faces_G3: np.ndarray) -> np.ndarray:
    if not np.isfinite(vertices_V3).all():
        raise ValueError("its vertices are not finite numbers")
    corners_G33: np.ndarray = vertices_V3[faces_G3]
    return corners_G33


def _painted(scene: GltfScene, one: Primitive, labels: SceneLabels) -> np.ndarray:
    """The object of each face, from its colour in the image (HM3D-Semantics 0.2) or at its corners (0.1)."""
    codes = np.array(sorted(labels.colours), dtype=np.int64)
    objects = np.array([labels.colours[int(code)] for code in codes], dtype=np.int32)
    found = scene.materials.whole_picture(one)
    if found is not None:
        texture_HWC, uv_G32 = found
        height, width = texture_HWC.shape[:2]
        middle_G2 = np.nan_to_num(uv_G32.astype(np.float64).mean(axis=1)) % 1.0
        column_G = np.minimum((middle_G2[:, 0] * width).astype(np.int64), width - 1)
        row_G = np.minimum((middle_G2[:, 1] * height).astype(np.int64), height - 1)
        rgb_G3 = texture_HWC[row_G, column_G]
    else:
        if "COLOR_0" not in one.attributes:
            raise ValueError("it has neither an image nor colours that AVW can decode")
        colours_V = scene.gltf.accessor(one.attributes["COLOR_0"])
        rgb_G3 = colours_V[one.faces_F3[:, 0], :3]
        # Vertex colours in glTF are linear and those in the list are sRGB; they are compared as linear bytes.
        if rgb_G3.dtype.kind == "f":
            rgb_G3 = np.round(np.clip(np.nan_to_num(rgb_G3), 0.0, 1.0) * 255.0)
        elif rgb_G3.dtype.itemsize == 2:
            rgb_G3 = np.round(rgb_G3 / 257.0)
        srgb_N3 = (codes[:, None] >> np.array([16, 8, 0]) & 255) / 255.0
        codes, first = np.unique(np.round(srgb_to_linear(srgb_N3) * 255.0).astype(np.int64) @ _RGB, return_index=True)
        objects = objects[first]
    codes_G = rgb_G3.astype(np.int64) @ _RGB
    place_G = np.minimum(np.searchsorted(codes, codes_G), len(codes) - 1)
    return np.where(codes[place_G] == codes_G, objects[place_G], NO_OBJECT).astype(np.int32)


def nearest_objects(triangles_F33: np.ndarray, semantic_G33: np.ndarray, object_G: np.ndarray) -> np.ndarray:
    """For each rendered face, the object of the nearest semantic face with a similar normal: int32 (F,).

    Both meshes are in metres in one frame. Faces farther than `MAX_DISTANCE` from all semantic faces get `NO_OBJECT`.
    Semantic faces are represented by points at most `SPACING` apart, so that large faces are found from any place.
    """
    from scipy.spatial import cKDTree

    if len(semantic_G33) == 0:
        return np.full(len(triangles_F33), NO_OBJECT, dtype=np.int32)
    points_N3, face_N = _points(semantic_G33)
    normal_G3 = _unit_normals(semantic_G33)
    tree = cKDTree(np.concatenate([points_N3, NORMAL_WEIGHT * normal_G3[face_N]], axis=1))
    corners_F33 = np.asarray(triangles_F33, dtype=np.float64)
    out_F = np.full(len(corners_F33), NO_OBJECT, dtype=np.int32)
    for first in range(0, len(corners_F33), _BLOCK):
        block_B33 = corners_F33[first : first + _BLOCK]
        middle_B3, normal_B3 = block_B33.mean(axis=1), _unit_normals(block_B33)
        query_B6 = np.concatenate([middle_B3, NORMAL_WEIGHT * normal_B3], axis=1)
        far_BK, near_BK = tree.query(query_B6, k=min(_NEIGHBOURS, len(points_N3)), distance_upper_bound=MAX_DISTANCE)
        far_BK, near_BK = far_BK.reshape(len(block_B33), -1), near_BK.reshape(len(block_B33), -1)
        found_BK = np.isfinite(far_BK)
        face_BK = face_N[np.where(found_BK, near_BK, near_BK[:, :1] % len(points_N3))]
        object_BK = object_G[face_BK]
        chosen_B = np.zeros(len(block_B33), dtype=np.int64)
        # For a picture on a wall, the nearest point belongs to either by chance; the nearest face is reliable.
        unclear = np.flatnonzero((object_BK != object_BK[:, :1]).any(axis=1) & found_BK[:, 0])
        if len(unclear):
            away_UK = _distances(middle_B3[unclear], semantic_G33[face_BK[unclear]])
            away_UK += NORMAL_WEIGHT * np.linalg.norm(normal_G3[face_BK[unclear]] - normal_B3[unclear, None], axis=2)
            chosen_B[unclear] = away_UK.argmin(axis=1)
        nearest_B = object_BK[np.arange(len(block_B33)), chosen_B]
        out_F[first : first + _BLOCK] = np.where(found_BK[:, 0], nearest_B, NO_OBJECT)
    return out_F


def _distances(points_U3: np.ndarray, triangles_UK33: np.ndarray) -> np.ndarray:
    """Distance (metres) from each point to each of its triangles: float64 (U, K)."""
    from trimesh.triangles import closest_point

    count = triangles_UK33.shape[1]
    repeated_N3 = np.repeat(points_U3, count, axis=0)
    nearest_N3 = closest_point(triangles_UK33.reshape(-1, 3, 3), repeated_N3)
    distance_N: np.ndarray = np.linalg.norm(nearest_N3 - repeated_N3, axis=1)
    return distance_N.reshape(-1, count)


def _points(triangles_G33: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points spread over the faces, and the index of the face of each point."""
    sides = triangles_G33 - np.roll(triangles_G33, 1, axis=1)
    longest_G = np.sqrt((sides**2).sum(axis=2).max(axis=1))
    spacing = SPACING
    while (np.ceil(longest_G / spacing) ** 2).sum() > _MAX_POINTS + len(longest_G):
        spacing *= 2.0
    parts_G = np.maximum(np.ceil(longest_G / spacing), 1.0).astype(np.int64)
    points, faces = [], []
    for parts in np.unique(parts_G):
        chosen = np.flatnonzero(parts_G == parts)
        weights_P3 = _middles(int(parts))
        points.append(np.einsum("pc,gcd->gpd", weights_P3, triangles_G33[chosen]).reshape(-1, 3))
        faces.append(np.repeat(chosen, len(weights_P3)))
    return np.concatenate(points), np.concatenate(faces)


def _middles(parts: int) -> np.ndarray:
    """Barycentric coordinates of the centres of parts**2 equal parts of a triangle, float64 (parts**2, 3)."""
    a, b = np.meshgrid(np.arange(parts), np.arange(parts), indexing="ij")
    up = np.stack([a, b], axis=-1)[a + b < parts] + 1.0 / 3.0
    down = np.stack([a, b], axis=-1)[a + b < parts - 1] + 2.0 / 3.0
    ab = np.concatenate([up, down]) / parts
    return np.concatenate([1.0 - ab.sum(axis=1, keepdims=True), ab], axis=1)


def _unit_normals(triangles_F33: np.ndarray) -> np.ndarray:
    normal_F3 = np.cross(triangles_F33[:, 1] - triangles_F33[:, 0], triangles_F33[:, 2] - triangles_F33[:, 0])
    return normal_F3 / np.maximum(np.linalg.norm(normal_F3, axis=1, keepdims=True), 1e-30)
