"""The renderer of colour, depth and face images: Embree traces packets of 4 x 4 rays, and Numba kernels shade them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.camera import CameraConfig, axes, ray_tables
from avw.sim_bridge.rendering.embree import COHERENT, query_arguments
from avw.sim_bridge.rendering.kernel import render_tiles
from avw.sim_bridge.rendering.lighting import BakedLight, bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.shading import ShadingTables

_ARGUMENTS = query_arguments(COHERENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderConfig:
    """Quality of the colour images.

    samples: rays per pixel for its colour, a square number; depth and faces are always those of the pixel's centre
    anisotropy: maximum number of texture reads along the longer side of a pixel's footprint; 0: nearest texel,
    unfiltered
    texture_side: larger textures are reduced to this many texels per side
    lit: False shows the textures unchanged, without lamps, emission or tone curve, as Habitat-Sim shows scans
    """

    samples: int = 1
    anisotropy: int = 4
    texture_side: int = 2048
    lit: bool = True

    def __post_init__(self) -> None:
        if self.samples < 1 or round(self.samples**0.5) ** 2 != self.samples:
            raise UsageError(f"{self.samples} samples per pixel: expected a square number (1, 4, 9, 16, ...)")
        if not 0 <= self.anisotropy <= 64 or self.texture_side < 1:
            raise UsageError(
                f"anisotropy {self.anisotropy}, texture_side {self.texture_side}: expected an anisotropy of 0 to 64 "
                "and a texture_side of at least 1"
            )


@dataclass(frozen=True, slots=True)
class View:
    """The images of one camera pose.

    rgb_HWC: uint8 sRGB · depth_HW: float32 metres, 0 = no hit
    face_HW: int32, the triangle at the pixel's centre, -1 = no hit; exact, never filtered
    """

    rgb_HWC: np.ndarray
    depth_HW: np.ndarray
    face_HW: np.ndarray


class Renderer:
    """Renders one scene with one camera.

    size: width and height in pixels · hfov: horizontal field of view in degrees · light: baked here unless given
    camera: another camera, which replaces `size` and `hfov` · config: quality of the colour images
    """

    def __init__(
        self,
        ray_scene: RayScene,
        size: int = 128,
        hfov: float = 90.0,
        light: BakedLight | None = None,
        *,
        camera: CameraConfig | None = None,
        config: RenderConfig | None = None,
    ):
        self.camera = camera or CameraConfig(width=size, height=size, hfov=hfov)
        self.config = config or RenderConfig()
        self.scene = ray_scene.scene
        self._tree = ray_scene.tree
        baked = (light or bake_light(ray_scene)) if self.config.lit else None
        self._shading = ShadingTables(self.scene, baked, self.config.texture_side)
        self._fine = round(self.config.samples**0.5)
        self._centre = ray_tables(self.camera)
        self._sampled = ray_tables(self.camera, self._fine)

    def render(self, camera_3: np.ndarray, yaw: float, pitch: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Render from `camera_3` (metres), turned left by `yaw` and up by `pitch` (radians).

        Returns rgb_HWC uint8 and depth_HW float32: metres along the view axis (equirectangular: along the ray), 0 where
        nothing was hit.
        """
        view = self.view(camera_3, yaw, pitch)
        return view.rgb_HWC, view.depth_HW

    def render_batch(self, cameras_B3: np.ndarray, yaw_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """rgb_BHWC and depth_BHW of B cameras with pitch 0: the same bytes as B calls of `render`."""
        views = [self.view(camera_3, float(yaw)) for camera_3, yaw in zip(cameras_B3, yaw_B, strict=True)]
        shape = (len(views), self.camera.height, self.camera.width)
        rgb_BHWC, depth_BHW = np.empty((*shape, 3), dtype=np.uint8), np.empty(shape, dtype=np.float32)
        for b, view in enumerate(views):
            rgb_BHWC[b], depth_BHW[b] = view.rgb_HWC, view.depth_HW
        return rgb_BHWC, depth_BHW

    def view(self, camera_3: np.ndarray, yaw: float, pitch: float = 0.0) -> View:
        """Like `render`, with the triangle at the centre of each pixel."""
        return self._view(camera_3, yaw, pitch, self._fine)

    def depth(self, camera_3: np.ndarray, yaw: float, pitch: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Only depth_HW and face_HW, the same as those of `view`; faster, because no colours are computed."""
        view = self._view(camera_3, yaw, pitch, 0)
        return view.depth_HW, view.face_HW

    def _view(self, camera_3: np.ndarray, yaw: float, pitch: float, fine: int) -> View:
        shape = (self.camera.height, self.camera.width)
        rgb_HWC = np.empty((*shape, 3), dtype=np.uint8)
        depth_HW, face_HW = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.int32)
        place = (np.asarray(camera_3, dtype=np.float32), axes(yaw, pitch), self.camera.projection == "orthographic")
        query = (self._tree.handle, _ARGUMENTS.ctypes.data)
        paint = (self._shading.arrays, self.config.anisotropy, self._shading.display)
        render_tiles(query, place, self._centre, self._sampled, fine, paint, rgb_HWC, depth_HW, face_HW)
        return View(rgb_HWC, depth_HW, face_HW)
