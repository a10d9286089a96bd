"""A house subdivided into as many uneven triangles as a scan has, for measurements of rendering at scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avw.sim_bridge.scenes.scene import Scene

_BUMP = 0.004  # metres


def divided(scene: Scene, triangles: int) -> Scene:
    """`scene` with each triangle divided into four until there are at least `triangles`.

    The vertices are then moved by up to 4 mm, so that no two faces are coplanar.
    """
    vertices_V3, faces_F3 = scene.vertices_V3.astype(np.float64), scene.faces_F3.astype(np.int64)
    uv_F32, surface_F = scene.uv_F32, scene.surface_F
    while len(faces_F3) < triangles:
        # Edges in the order 0-1, 1-2, 2-0; the two faces of an edge share its middle.
        ends_F32 = np.stack([faces_F3, np.roll(faces_F3, -1, axis=1)], axis=2)
        key_F3 = ends_F32.min(axis=2) * len(vertices_V3) + ends_F32.max(axis=2)
        key_E, edge_F3 = np.unique(key_F3, return_inverse=True)
        middle_E3 = 0.5 * (vertices_V3[key_E // len(vertices_V3)] + vertices_V3[key_E % len(vertices_V3)])
        middle_F3 = edge_F3.reshape(-1, 3) + len(vertices_V3)
        vertices_V3 = np.concatenate([vertices_V3, middle_E3])
        faces_F3 = quarters(faces_F3, middle_F3)
        uv_F32 = quarters(uv_F32, 0.5 * (uv_F32 + np.roll(uv_F32, -1, axis=1)))
        surface_F = np.repeat(surface_F, 4)
    bump_V3 = np.sin(17 * np.roll(vertices_V3, 1, axis=1) + 3 * np.roll(vertices_V3, 2, axis=1))
    return replace(
        scene,
        scene_id=f"{scene.scene_id} divided",
        vertices_V3=(vertices_V3 + _BUMP * bump_V3).astype(np.float32),
        faces_F3=faces_F3.astype(np.int32),
        uv_F32=uv_F32.astype(np.float32),
        surface_F=surface_F,
        object_F=None,
    )


def quarters(corner_F3: np.ndarray, middle_F3: np.ndarray) -> np.ndarray:
    """Four faces for each face: three at its corners and one in the middle; middles are in the order 0-1, 1-2, 2-0."""
    (a, b, c), (ab, bc, ca) = (np.moveaxis(array, 1, 0) for array in (corner_F3, middle_F3))
    faces = [np.stack(face, axis=1) for face in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.stack(faces, axis=1).reshape(-1, *corner_F3.shape[1:])
