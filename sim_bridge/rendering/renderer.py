"""Colour and depth pictures: Embree finds what each pixel sees, one Numba kernel shades it."""

from __future__ import annotations

import math

import numpy as np

from sim_bridge.errors import UsageError
from sim_bridge.rendering.lighting import BakedLight, bake_light
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.rendering.shading import Look, aim, shade


class Renderer:
    """Renders one scene at one picture size.

    size: pixels, square · hfov: horizontal field of view in degrees · light: baked here unless given
    """

    def __init__(self, ray_scene: RayScene, size: int = 128, hfov: float = 90.0, light: BakedLight | None = None):
        self._ray_scene = ray_scene
        self._size = size
        self._look = Look(ray_scene.scene, light or bake_light(ray_scene))
        if size < 1 or not 1.0 <= hfov <= 170.0:
            raise UsageError(f"a picture of {size} pixels and {hfov} degrees: expected size >= 1 and 1 <= hfov <= 170")
        half = math.tan(math.radians(hfov) / 2)
        at = (np.arange(size) + 0.5) / size * 2 - 1
        self._pixel = 2 * half / size
        # z is -1 for every pixel, so that the distance along a ray is its planar depth.
        self._right_W = np.asarray(at * half, dtype=np.float32)
        self._origins_N3 = np.empty((size * size, 3), dtype=np.float32)
        self._dirs_N3 = np.empty((size * size, 3), dtype=np.float32)

    def render(self, camera_3: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        """The view from `camera_3` (metres), level, turned by `yaw` (radians).

        Returns rgb_HWC uint8 and depth_HW float32: metres along the view axis, 0 where nothing was hit.
        """
        self._origins_N3[:] = np.asarray(camera_3, dtype=np.float32)
        aim(self._right_W, np.float32(math.sin(yaw)), np.float32(math.cos(yaw)), self._dirs_N3)
        hit = self._ray_scene.trace(self._origins_N3, self._dirs_N3)
        rgb_HWC = np.empty((self._size, self._size, 3), dtype=np.uint8)
        depth_HW = np.empty((self._size, self._size), dtype=np.float32)
        shade(hit, self._dirs_N3, self._pixel, self._look, rgb_HWC.reshape(-1, 3), depth_HW.reshape(-1))
        return rgb_HWC, depth_HW
