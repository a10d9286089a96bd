"""Id images: the exact surface, material, category or object of each pixel, with a legend of their names."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.scene import Scene, Surface

_NAMES: dict[str, Callable[[Surface], str]] = {
    "surface": lambda surface: surface.name,
    "material": lambda surface: surface.material.name,
    "category": lambda surface: surface.category or "unknown",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """One entry of a legend. area: square metres of the scene with this label; the two sides of a sheet count once"""

    id: int
    name: str
    area: float


def label_image(face_HW: np.ndarray, scene: Scene, by: str = "surface") -> tuple[np.ndarray, tuple[Label, ...]]:
    """Convert a `View.face_HW` to ids: ids_HW int32 (-1 where nothing was hit), and the legend, indexed by id.

    by: "surface" keeps the order of `scene.surfaces`; "material" and "category" merge the surfaces that share one, in
    alphabetical order ("unknown" for surfaces without a category); "object" numbers the pieces of furniture, with 0 for
    the building. Ids are never filtered: a pixel has the id of the face that the ray through its centre hits.
    Raises UsageError for another value of `by`, and for "object" if the scene has no object ids.
    """
    if by == "object" and scene.object_F is None:
        raise UsageError(f"no ids by 'object': scene {scene.scene_id!r} does not distinguish objects; use 'surface'")
    if by not in (*_NAMES, "object"):
        raise UsageError(f"no ids by {by!r}: expected one of {', '.join((*_NAMES, 'object'))}")
    if by == "object" and scene.object_F is not None:
        id_F = scene.object_F.astype(np.int32)
        legend = [f"object {k}" for k in range(int(id_F.max()) + 1)]
    else:
        names = [_NAMES[by](surface) for surface in scene.surfaces]
        legend = names if by == "surface" else sorted(set(names))
        id_K = np.arange(len(names)) if by == "surface" else np.array([legend.index(name) for name in names])
        id_F = id_K[scene.surface_F].astype(np.int32)
    corners_F33 = scene.triangles_F33.astype(np.float64)
    cross_F3 = np.cross(corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0])
    area_K = np.bincount(id_F, 0.5 * np.linalg.norm(cross_F3, axis=1), len(legend))
    ids_HW = np.where(face_HW >= 0, id_F[face_HW], -1).astype(np.int32)
    return ids_HW, tuple(Label(id=k, name=name, area=float(area_K[k])) for k, name in enumerate(legend))


def paint_ids(ids_HW: np.ndarray) -> np.ndarray:
    """rgb_HWC uint8: one colour per id (hues a golden ratio apart), black where nothing was hit."""
    count = int(ids_HW.max(initial=-1)) + 1
    palette = [
        colorsys.hsv_to_rgb(k * 0.618034 % 1.0, (0.55, 0.8)[k // 2 % 2], (0.95, 0.7)[k % 2]) for k in range(count)
    ]
    return np.round(255 * np.array([*palette, (0.0, 0.0, 0.0)])).astype(np.uint8)[ids_HW]
