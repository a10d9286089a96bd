"""Heights at which a scene has level surfaces: its candidate floors."""

from __future__ import annotations

import numpy as np

FLATNESS = 0.7  # |vertical part of the unit normal| from which a face can be stood on
LEVEL_BIN = 0.05  # metres, resolution of the search for floors
MIN_FLOOR_AREA = 1.0  # square metres of level surface that can be a floor


def floor_levels(triangles_F33: np.ndarray, *, facing_up: bool = True, limit: int = 4) -> list[tuple[float, float]]:
    """(height, square metres) of the heights with the most level faces, the largest area first.

    Desks and roofs may be among them. facing_up: count only faces whose normal points up, which holds for floors
    where a mesh is wound consistently.
    """
    edge_a = triangles_F33[:, 1] - triangles_F33[:, 0]
    edge_b = triangles_F33[:, 2] - triangles_F33[:, 0]
    normal = np.cross(edge_a.astype(np.float64), edge_b.astype(np.float64))
    double_area = np.linalg.norm(normal, axis=1)
    upward = normal[:, 1] if facing_up else np.abs(normal[:, 1])
    level = upward > FLATNESS * np.maximum(double_area, 1e-12)
    if not level.any():
        return []
    height = triangles_F33[level, :, 1].mean(axis=1, dtype=np.float64)
    area = 0.5 * double_area[level]
    # Bins are centred on multiples of LEVEL_BIN, so that a floor at exactly y = 0 does not fall into two of them.
    bins, inverse = np.unique(np.round(height / LEVEL_BIN).astype(np.int64), return_inverse=True)
    area_of_bin = np.bincount(inverse, weights=area)
    found: list[tuple[float, float]] = []
    taken: list[int] = []
    for index in np.argsort(-area_of_bin, kind="stable"):
        if area_of_bin[index] < MIN_FLOOR_AREA or len(found) == limit:
            break
        if any(abs(int(bins[index]) - other) <= 2 for other in taken):
            continue
        taken.append(int(bins[index]))
        inside = inverse == index
        found.append((float(np.average(height[inside], weights=area[inside])), float(area_of_bin[index])))
    return found
