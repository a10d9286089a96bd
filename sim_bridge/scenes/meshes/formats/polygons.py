"""Polygons to triangles, and vertices that differ in more than their position."""

from __future__ import annotations

import numpy as np


def fans(size_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of polygons with `size_N` corners each, whose corners are numbered in a row.

    Returns the corners of each triangle, int64 (F, 3), and its polygon (F,). Triangles come first, then the first
    halves of all quads, then their second halves, then the fans of larger polygons. Polygons of fewer than three
    corners have no triangles.
    """
    size_N = np.asarray(size_N, dtype=np.int64)
    start_N = np.cumsum(size_N) - size_N
    corners: list[np.ndarray] = []
    polygons: list[np.ndarray] = []
    for size, order in ((3, ((0, 1, 2),)), (4, ((0, 1, 2), (2, 3, 0)))):
        chosen = np.flatnonzero(size_N == size)
        for triple in order:
            corners.append(start_N[chosen, None] + np.array(triple))
            polygons.append(chosen)
    large = np.flatnonzero(size_N > 4)
    if len(large):
        count = size_N[large] - 2
        polygon = np.repeat(large, count)
        step = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        first = start_N[polygon]
        corners.append(np.stack([first, first + step + 1, first + step + 2], axis=1))
        polygons.append(polygon)
    return np.concatenate(corners), np.concatenate(polygons)


def split_vertices(faces_F3: np.ndarray, vertices_V3: np.ndarray, uv_F32: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces and vertices such that corners with different texture coordinates are different vertices."""
    from trimesh.grouping import unique_rows
    from trimesh.visual.texture import unmerge_faces

    _, inverse = unique_rows(uv_F32.reshape(-1, 2))
    split_F3, place_V, _ = unmerge_faces(faces_F3, inverse.reshape(faces_F3.shape))
    return np.asarray(split_F3, dtype=np.int64), vertices_V3[place_V]
