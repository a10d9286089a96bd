"""Measurements of a triangle mesh: how its faces are connected, and how it looks from inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.labels import face_areas
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.types import CAMERA_HEIGHT

WELD = 1e-4  # metres within which vertices count as one: exporters split them along texture seams
COPLANAR = 5e-4  # metres; faces nearer to each other than this flicker
_VIEWS = 48
_RAYS = 384  # per view
_TESTS = 200_000_000  # face tests in the search for coplanar faces; half a second


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """How the faces are connected, by vertex position and not by index.

    open_edges: share of the total edge length that belongs to one face only · pieces: connected parts
    largest_piece: share of the area in the largest part · duplicate_faces: faces that coincide with another face
    """

    open_edges: float
    pieces: int
    largest_piece: float
    duplicate_faces: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Views:
    """What random rays from above the free floor hit.

    escaping: share of rays in all directions that hit nothing · roofless: the same for rays that go steeply up
    inside_out: share of hits on the back of a face · coplanar: share of hits with another surface in the same place
    ceiling: median metres from the floor to what is overhead; inf where nothing is
    """

    escaping: float
    roofless: float
    inside_out: float
    coplanar: float
    ceiling: float


def topology(scene: Scene) -> Topology:
    """Measure how the faces of `scene` are connected. Time and memory grow as for sorting its edges."""
    place_V3 = np.round(scene.vertices_V3.astype(np.float64) / WELD).astype(np.int64)
    place_V3 -= place_V3.min(axis=0)
    _, welded_V = np.unique(_key(place_V3), return_inverse=True)
    faces_F3 = np.sort(welded_V[scene.faces_F3], axis=1)
    edges_E2 = np.concatenate([faces_F3[:, [0, 1]], faces_F3[:, [1, 2]], faces_F3[:, [0, 2]]])
    _, first_U, count_U = np.unique(_key(edges_E2), return_index=True, return_counts=True)
    position = scene.vertices_V3[_one_vertex_at(welded_V)].astype(np.float64)
    length_U = np.linalg.norm(position[edges_E2[first_U, 0]] - position[edges_E2[first_U, 1]], axis=1)
    _, faces_count = np.unique(_key(faces_F3), return_counts=True)
    vertices = int(welded_V.max()) + 1
    graph = coo_matrix(
        (np.ones(len(first_U), dtype=np.int8), (edges_E2[first_U, 0], edges_E2[first_U, 1])), shape=(vertices, vertices)
    )
    pieces, piece_V = connected_components(graph, directed=False)
    area = np.bincount(piece_V[faces_F3[:, 0]], weights=face_areas(scene.triangles_F33), minlength=pieces)
    return Topology(
        open_edges=float(length_U[count_U == 1].sum() / max(length_U.sum(), 1e-12)),
        pieces=int((area > 0).sum()),
        largest_piece=float(area.max() / max(area.sum(), 1e-12)),
        duplicate_faces=int((faces_count - 1).sum()),
    )


def views(ray_scene: RayScene, floor_N3: np.ndarray) -> Views:
    """Look around from camera height above floor points (metres). Deterministic."""
    scene = ray_scene.scene
    triangles_F33 = scene.triangles_F33.astype(np.float64)
    eyes_N3 = floor_N3[:_VIEWS] + np.array([0.0, CAMERA_HEIGHT, 0.0])
    dirs_R3 = _sphere(_RAYS)
    origins_N3 = np.repeat(eyes_N3, _RAYS, axis=0)
    dirs_N3 = np.tile(dirs_R3, (len(eyes_N3), 1))
    face_N, distance_N, _ = ray_scene.closest(origins_N3, dirs_N3)
    hit_N = face_N >= 0
    steep_N = dirs_N3[:, 1] > 0.8
    normal_N3 = _normals(triangles_F33[face_N[hit_N]])
    back_N = (normal_N3 * dirs_N3[hit_N]).sum(axis=1) > 0
    up_N3 = np.tile([0.0, 1.0, 0.0], (len(eyes_N3), 1))
    height_N = ray_scene.closest(eyes_N3, up_N3)[1] + CAMERA_HEIGHT
    return Views(
        escaping=float(1.0 - hit_N.mean()),
        roofless=float((~hit_N & steep_N).sum() / max(steep_N.sum(), 1)),
        inside_out=float(back_N.mean()) if hit_N.any() else 0.0,
        coplanar=_coplanar_share(
            scene, triangles_F33, face_N[hit_N], (origins_N3 + distance_N[:, None] * dirs_N3)[hit_N]
        ),
        ceiling=float(np.median(height_N)),
    )


def _coplanar_share(scene: Scene, triangles_F33: np.ndarray, face_N: np.ndarray, point_N3: np.ndarray) -> float:
    """Share of points at which a face of another surface is in the same plane and place."""
    many = min(len(face_N), max(64, _TESTS // max(len(triangles_F33), 1)), 4_000)
    if many == 0:
        return 0.0
    chosen = keyed_rng("lint", "coplanar").permutation(len(face_N))[:many]
    found_N = _covered(
        triangles_F33, _normals(triangles_F33), scene.surface_F, face_N[chosen], point_N3[chosen], COPLANAR
    )
    return float(found_N.mean())


def _normals(triangles_F33: np.ndarray) -> np.ndarray:
    edge_a, edge_b = triangles_F33[:, 1] - triangles_F33[:, 0], triangles_F33[:, 2] - triangles_F33[:, 0]
    normal_F3 = np.cross(edge_a, edge_b)
    return normal_F3 / np.maximum(np.linalg.norm(normal_F3, axis=1, keepdims=True), 1e-30)


@njit(cache=True, nogil=True)
def _covered(triangles_F33, normal_F3, surface_F, face_N, point_N3, tolerance):
    """Whether a face of another surface is within `tolerance` metres of each point, in the plane of its face."""
    found_N = np.zeros(len(face_N), dtype=np.bool_)
    for index in range(len(face_N)):
        own = face_N[index]
        x, y, z = point_N3[index, 0], point_N3[index, 1], point_N3[index, 2]
        for face in range(len(triangles_F33)):
            nx, ny, nz = normal_F3[face, 0], normal_F3[face, 1], normal_F3[face, 2]
            ax, ay, az = triangles_F33[face, 0, 0], triangles_F33[face, 0, 1], triangles_F33[face, 0, 2]
            if abs((x - ax) * nx + (y - ay) * ny + (z - az) * nz) > tolerance:
                continue
            if surface_F[face] == surface_F[own]:
                continue
            if abs(nx * normal_F3[own, 0] + ny * normal_F3[own, 1] + nz * normal_F3[own, 2]) < 0.999:
                continue
            inside = True
            for corner in range(3):
                after = corner + 1 if corner < 2 else 0
                ux = triangles_F33[face, after, 0] - triangles_F33[face, corner, 0]
                uy = triangles_F33[face, after, 1] - triangles_F33[face, corner, 1]
                uz = triangles_F33[face, after, 2] - triangles_F33[face, corner, 2]
                px, py = x - triangles_F33[face, corner, 0], y - triangles_F33[face, corner, 1]
                pz = z - triangles_F33[face, corner, 2]
                turn = (uy * pz - uz * py) * nx + (uz * px - ux * pz) * ny + (ux * py - uy * px) * nz
                # Faces that only share an edge touch there: stay a little inside.
                if turn < 0.002 * np.sqrt(ux * ux + uy * uy + uz * uz):
                    inside = False
                    break
            if inside:
                found_N[index] = True
                break
    return found_N


def _sphere(count: int) -> np.ndarray:
    """Evenly spread directions (a Fibonacci lattice), float64 (count, 3)."""
    index = np.arange(count) + 0.5
    height = 1.0 - 2.0 * index / count
    angle = np.pi * (1.0 + np.sqrt(5.0)) * index
    ring = np.sqrt(1.0 - height**2)
    return np.stack([ring * np.cos(angle), height, ring * np.sin(angle)], axis=1)


def _key(rows_NK: np.ndarray) -> np.ndarray:
    """uint64 (N,): equal for equal rows. Hashed, not packed, so any range of numbers works."""
    key_N = np.zeros(len(rows_NK), dtype=np.uint64)
    for column in rows_NK.T:
        key_N ^= (
            column.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15) + (key_N << np.uint64(6)) + (key_N >> np.uint64(2))
        )
        key_N *= np.uint64(0xBF58476D1CE4E5B9)
        key_N ^= key_N >> np.uint64(27)
    return key_N


def _one_vertex_at(welded_V: np.ndarray) -> np.ndarray:
    """The index of one vertex at each welded position."""
    out = np.zeros(int(welded_V.max()) + 1, dtype=np.int64)
    out[welded_V] = np.arange(len(welded_V))
    return out
