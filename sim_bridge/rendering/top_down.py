"""A scene seen from straight above with its upper part cut off: the floor plan that maps are drawn on."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sim_bridge.errors import UsageError
from sim_bridge.rendering.lighting import BakedLight, bake_light
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.rendering.shading import Look, shade
from sim_bridge.scenes.scene import Scene

PAPER = (250, 250, 248)
WALL = (64, 67, 74)
CUT = (140, 134, 126)  # furniture taller than the cut
MARGIN = 0.3  # metres of paper around the scene
_WALL_WIDTH = 0.14  # metres; how far walls are drawn beyond the last visible floor
_OVERSAMPLING = 3
_MOST_PIXELS = 4096


def floor_plan_image(
    scene: Scene | RayScene,
    pixels_per_metre: float = 40.0,
    *,
    cut: float = 1.45,
    light: BakedLight | None = None,
) -> tuple[np.ndarray, tuple[float, float], float]:
    """Orthographic picture from above, of all that stands below `cut` metres over the floor.

    Returns rgb_HWC uint8, origin_xz and metres_per_pixel: the centre of pixel (row, column) shows the point
    x = origin_xz[0] + (column + 0.5) * metres_per_pixel, z = origin_xz[1] + (row + 0.5) * metres_per_pixel.
    Raises UsageError for a picture of no or too many pixels.
    """
    ray_scene = scene if isinstance(scene, RayScene) else RayScene(scene)
    vertices_V3 = ray_scene.scene.vertices_V3
    low_3 = vertices_V3.min(axis=0).astype(np.float64) - MARGIN
    high_3 = vertices_V3.max(axis=0).astype(np.float64) + MARGIN
    if not pixels_per_metre > 0:
        raise UsageError(f"a floor plan of {pixels_per_metre} pixels per metre: expected a positive number")
    size_2 = (high_3 - low_3)[[0, 2]] * pixels_per_metre
    if size_2.max() > _MOST_PIXELS:
        raise UsageError(
            f"a floor plan of {size_2[0]:.0f} x {size_2[1]:.0f} pixels: use fewer than {pixels_per_metre} per metre"
        )
    width, height = (max(1, int(np.ceil(s))) for s in size_2)
    fine = pixels_per_metre * _OVERSAMPLING
    columns, rows = np.arange(width * _OVERSAMPLING), np.arange(height * _OVERSAMPLING)
    x, z = np.meshgrid(low_3[0] + (columns + 0.5) / fine, low_3[2] + (rows + 0.5) / fine)
    floor_y = low_3[1] + MARGIN
    origins = np.stack([x.ravel(), np.full(x.size, floor_y + cut), z.ravel()], axis=1).astype(np.float32)
    # One length of this direction reaches the floor, so that the footprint of a pixel there is its true width.
    dirs = np.zeros_like(origins)
    dirs[:, 1] = -cut
    hit = ray_scene.trace(origins, dirs)
    rgb = np.empty((x.size, 3), dtype=np.uint8)
    shade(hit, dirs, 1.0 / fine, Look(ray_scene.scene, light or bake_light(ray_scene)), rgb, np.empty(x.size, "f4"))
    seen = hit["primID"] >= 0
    rgb[seen & (hit["Ng"][:, 1] < 0)] = CUT
    rgb = rgb.reshape(*x.shape, 3)
    seen = seen.reshape(x.shape)
    wall = ~seen & (ndimage.distance_transform_edt(~seen) <= _WALL_WIDTH * fine)
    rgb[~seen] = PAPER
    rgb[wall] = WALL
    blocks = rgb.reshape(height, _OVERSAMPLING, width, _OVERSAMPLING, 3).astype(np.float64)
    image = np.round(np.sqrt((blocks**2).mean(axis=(1, 3)))).astype(np.uint8)
    return image, (float(low_3[0]), float(low_3[2])), 1.0 / pixels_per_metre
