"""What a loaded scene shows: sizes, and the colours of its surfaces."""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.scenes.scene import Scene


def area(scene: Scene) -> float:
    """Area of all faces, m²."""
    corners = scene.triangles_F33.astype(np.float64)
    return float(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    )


def colours(scene: Scene) -> dict[str, list[int]]:
    """surface name -> its mean sRGB colour at the middles of its faces."""
    found: dict[str, list[np.ndarray]] = {}
    for face, surface in enumerate(scene.surface_F):
        texture_HWC = scene.surfaces[surface].texture_HWC
        u, v = scene.uv_F32[face].mean(axis=0) % 1.0
        row, column = int(v * texture_HWC.shape[0]), int(u * texture_HWC.shape[1])
        found.setdefault(scene.surfaces[surface].name, []).append(texture_HWC[row, column])
    return {name: np.mean(seen, axis=0).round().astype(int).tolist() for name, seen in found.items()}
