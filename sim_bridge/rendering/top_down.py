"""Floor plans: a scene rendered from above with its upper part cut off, as the background of maps."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.camera import CameraConfig
from avw.sim_bridge.rendering.lighting import BakedLight
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import Renderer
from avw.sim_bridge.scenes.scene import Scene

PAPER = (250, 250, 248)
WALL = (64, 67, 74)
CUT = (140, 134, 126)  # furniture that is taller than the cut
MARGIN = 0.3  # metres of empty paper around the scene
_WALL_WIDTH = 0.14  # metres: walls are drawn this far beyond the visible floor
_OVERSAMPLING = 3
_MAX_PIXELS = 4096


def floor_plan_image(
    scene: Scene | RayScene,
    pixels_per_metre: float = 40.0,
    *,
    cut: float = 1.45,
    light: BakedLight | None = None,
) -> tuple[np.ndarray, tuple[float, float], float]:
    """Orthographic image from above of everything lower than `cut` metres above the lowest point of the scene.

    light: baked here unless given. Returns rgb_HWC uint8, origin_xz and metres_per_pixel: the centre of pixel (row,
    column) shows the point x = origin_xz[0] + (column + 0.5) * metres_per_pixel,
    z = origin_xz[1] + (row + 0.5) * metres_per_pixel.
    Raises UsageError if the image would have no pixels or too many.
    """
    ray_scene = scene if isinstance(scene, RayScene) else RayScene(scene)
    vertices_V3 = ray_scene.scene.vertices_V3
    low_3 = vertices_V3.min(axis=0).astype(np.float64) - MARGIN
    high_3 = vertices_V3.max(axis=0).astype(np.float64) + MARGIN
    if not pixels_per_metre > 0:
        raise UsageError(f"a floor plan of {pixels_per_metre} pixels per metre: expected a positive number")
    size_2 = (high_3 - low_3)[[0, 2]] * pixels_per_metre
    if size_2.max() > _MAX_PIXELS:
        raise UsageError(
            f"a floor plan of {size_2[0]:.0f} x {size_2[1]:.0f} pixels: use fewer than {pixels_per_metre} per metre"
        )
    width, height = (max(1, int(np.ceil(s))) for s in size_2)
    fine = pixels_per_metre * _OVERSAMPLING
    camera = CameraConfig(
        projection="orthographic",
        width=width * _OVERSAMPLING,
        height=height * _OVERSAMPLING,
        extent=width / pixels_per_metre,
    )
    middle_3 = low_3 + np.array([width / pixels_per_metre / 2, MARGIN + cut, height / pixels_per_metre / 2])
    renderer = Renderer(ray_scene, light=light, camera=camera)
    view = renderer.view(middle_3, yaw=0.0, pitch=-math.pi / 2)  # rows run along +z
    rgb, seen = view.rgb_HWC, view.face_HW >= 0
    corners_F33 = ray_scene.scene.triangles_F33
    up_F = np.cross(corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0])[:, 1]
    rgb[seen & (up_F[view.face_HW] < 0)] = CUT
    wall = ~seen & (ndimage.distance_transform_edt(~seen) <= _WALL_WIDTH * fine)
    rgb[~seen] = PAPER
    rgb[wall] = WALL
    blocks = rgb.reshape(height, _OVERSAMPLING, width, _OVERSAMPLING, 3).astype(np.float64)
    image = np.round(np.sqrt((blocks**2).mean(axis=(1, 3)))).astype(np.uint8)
    return image, (float(low_3[0]), float(low_3[2])), 1.0 / pixels_per_metre
