"""The renderer in NVIDIA Warp: whole batches of images in one launch, on a GPU or, slowly, on the CPU.

Optional: `pip install 'avw[gpu]'`. The arithmetic is that of `kernel.py`, pixel by pixel, with the same tables; the ray
tree is Warp's own. Images agree with those of the Embree renderer up to rounding, but not to the bit.
"""

from typing import Any

import numpy as np

from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.rendering.camera import CameraConfig, axes, ray_tables
from avw.sim_bridge.rendering.kernel import BACKGROUND
from avw.sim_bridge.rendering.lighting import BakedLight, bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import RenderConfig
from avw.sim_bridge.rendering.shading import (
    DISPLAY,
    DISPLAY_SCALE,
    DIVISIONS,
    GLOW,
    GRADIENT,
    LIGHT,
    SURFACE,
    ShadingTables,
)

try:
    import warp as wp
except ImportError as missing:
    raise BackendError(
        "the GPU renderer needs NVIDIA Warp, which is not installed; type: pip install 'avw[gpu]'"
    ) from missing

# Standard output belongs to the caller, and images are not differentiated.
wp.config.log_level = wp.LOG_WARNING
wp.set_module_options({"enable_backward": False})

_SKY = wp.constant(wp.vec3(*BACKGROUND))
_CODE = wp.constant(wp.float32(1.0 / 255.0**2))  # texels store 255 times the square root of linear values
_GLOW = wp.constant(wp.float32(GLOW))
_SCALE = wp.constant(wp.float32(DISPLAY_SCALE))
_LAST = wp.constant(len(DISPLAY) - 1)
_GRADIENT, _LIGHT, _DIVISIONS, _SURFACE = (wp.constant(n) for n in (GRADIENT, LIGHT, DIVISIONS, SURFACE))


class WarpRenderer:
    """The interface of `Renderer` on a Warp device: "cuda:0", "cpu", or None for the best one available.

    Raises BackendError for a device that Warp does not have, and UsageError for an orthographic camera.
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
        device: str | None = None,
    ):
        self.camera = camera or CameraConfig(width=size, height=size, hfov=hfov)
        self.config = config or RenderConfig()
        if self.camera.projection == "orthographic":
            raise UsageError(
                "the Warp renderer only supports pinhole and equirectangular cameras: use `Renderer` for orthographic "
                "ones"
            )
        try:
            self._device = wp.get_device(device)
        except (RuntimeError, ValueError) as problem:
            devices = ", ".join(str(known) for known in wp.get_devices())
            raise BackendError(f"Warp has no device {device!r} ({problem}): expected one of {devices}") from problem
        scene = ray_scene.scene
        shading = ShadingTables(
            scene, (light or bake_light(ray_scene)) if self.config.lit else None, self.config.texture_side
        )
        face_F16, bits_F16, surface_K2, glow_K, texel_N, light_M = shading.arrays
        self._mesh = wp.Mesh(
            points=self._array(scene.vertices_V3, wp.vec3), indices=self._array(scene.faces_F3.reshape(-1), wp.int32)
        )
        self._fine = round(self.config.samples**0.5)
        self._centre = [self._array(table, wp.float32) for table in ray_tables(self.camera)]
        self._sampled = [self._array(table, wp.float32) for table in ray_tables(self.camera, self._fine)]
        self._shading = [
            self._array(face_F16, wp.float32),
            self._array(bits_F16, wp.int32),
            self._array(surface_K2, wp.int32),
            self._array(glow_K, wp.float32),
            self._array(texel_N, wp.int32),
            self._array(light_M, wp.float32),
            self._array(shading.display, wp.uint8),
        ]

    def render(self, camera_3: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        """rgb_HWC and depth_HW of one camera with pitch 0; a batch is much faster per image."""
        rgb_BHWC, depth_BHW = self.render_batch(np.asarray(camera_3)[None], np.array([yaw]))
        return rgb_BHWC[0], depth_BHW[0]

    def render_batch(self, cameras_B3: np.ndarray, yaw_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """rgb_BHWC uint8 and depth_BHW float32 of B cameras with pitch 0, like `Renderer.render_batch`."""
        shape = (len(cameras_B3), self.camera.height, self.camera.width)
        axes_B33 = np.array([axes(float(yaw)) for yaw in yaw_B], dtype=np.float32).reshape(-1, 3, 3)
        depth_BHW = wp.zeros(shape, dtype=wp.float32, device=self._device)
        rgb_BHWC = wp.zeros((*shape, 3), dtype=wp.uint8, device=self._device)
        where = [self._array(np.asarray(cameras_B3, dtype=np.float32), wp.vec3), self._array(axes_B33, wp.mat33)]
        wp.launch(
            _render,
            dim=shape,
            inputs=[self._mesh.id, *where, *self._centre, *self._sampled, self._fine, self.config.anisotropy,
                    *self._shading, rgb_BHWC, depth_BHW],
            device=self._device,
        )  # fmt: skip
        return rgb_BHWC.numpy(), depth_BHW.numpy()

    def _array(self, values: np.ndarray, dtype: Any) -> Any:
        return wp.array(np.ascontiguousarray(values), dtype=dtype, device=self._device)


@wp.func
def _bilinear(texel_N: wp.array(dtype=wp.int32), base: int, side: int, tu: float, tv: float):
    x = (tu - wp.floor(tu)) * float(side) - 0.5
    y = (tv - wp.floor(tv)) * float(side) - 0.5
    xf = wp.floor(x)
    yf = wp.floor(y)
    fx = x - xf
    fy = y - yf
    mask = side - 1
    left = int(xf) & mask
    right = (int(xf) + 1) & mask
    upper = base + (int(yf) & mask) * side
    lower = base + ((int(yf) + 1) & mask) * side
    return (
        _code(texel_N[upper + left]) * ((1.0 - fx) * (1.0 - fy))
        + _code(texel_N[upper + right]) * (fx * (1.0 - fy))
        + _code(texel_N[lower + left]) * ((1.0 - fx) * fy)
        + _code(texel_N[lower + right]) * (fx * fy)
    )


@wp.func
def _code(texel: int):
    red = float(texel & 255)
    green = float((texel >> 8) & 255)
    blue = float((texel >> 16) & 255)
    return wp.vec3(red * red, green * green, blue * blue)


@wp.func
def _light(light_M: wp.array(dtype=wp.float32), first: int, n: int, bu: float, bv: float):
    gu = bu * float(n)
    gv = bv * float(n)
    i = wp.clamp(int(gu), 0, n - 1)
    j = wp.clamp(int(gv), 0, n - 1 - i)
    gu -= float(i)
    gv -= float(j)
    row = first + j * (n + 1) - ((j * (j - 1)) >> 1)
    above = row + n + 1 - j
    p = row + i
    q = row + i + 1
    r = above + i
    w = wp.vec3(1.0 - gu - gv, gu, gv)
    if gu + gv > 1.0 and i + j + 2 <= n:
        p = above + i + 1
        q = above + i
        r = row + i + 1
        w = wp.vec3(gu + gv - 1.0, 1.0 - gu, 1.0 - gv)
    return (
        wp.vec3(light_M[3 * p], light_M[3 * p + 1], light_M[3 * p + 2]) * w[0]
        + wp.vec3(light_M[3 * q], light_M[3 * q + 1], light_M[3 * q + 2]) * w[1]
        + wp.vec3(light_M[3 * r], light_M[3 * r + 1], light_M[3 * r + 2]) * w[2]
    )


@wp.func
def _texture(
    texel_N: wp.array(dtype=wp.int32), first: int, side: int, anisotropy: int,
    tu: float, tv: float, across: wp.vec2, down: wp.vec2,
):  # fmt: skip
    """The texture at (tu, tv), filtered over the footprint of a pixel, a parallelogram (in texels)."""
    if anisotropy == 0:
        x = int((tu - wp.floor(tu)) * float(side)) & (side - 1)
        y = int((tv - wp.floor(tv)) * float(side)) & (side - 1)
        return _code(texel_N[first + y * side + x])
    long = across
    longer = wp.length(across)
    shorter = wp.length(down)
    if shorter > longer:
        long = down
        longer, shorter = shorter, longer
    taps = wp.min(wp.floor(longer / (1.5 * wp.max(shorter, 1.0))) + 1.0, float(anisotropy))
    footprint = wp.clamp(wp.max(longer / taps, shorter), 1.0, float(side))
    level = int(side)
    base = int(first)
    while footprint >= 2.0 and level > 1:
        footprint *= 0.5
        base += level * level
        level = level >> 1
    blend = footprint - 1.0
    if level == 1:
        blend = 0.0
    step = long / (taps * float(side))
    colour = wp.vec3(0.0, 0.0, 0.0)
    for tap in range(int(taps)):
        at = float(tap) + 0.5 - 0.5 * taps
        u = tu + at * step[0]
        v = tv + at * step[1]
        colour += _bilinear(texel_N, base, level, u, v) * ((1.0 - blend) / taps)
        if blend > 0.0:
            colour += _bilinear(texel_N, base + level * level, level >> 1, u, v) * (blend / taps)
    return colour


@wp.func
def _ray(
    axes_33: wp.mat33, column_W4: wp.array2d(dtype=wp.float32), row_H4: wp.array2d(dtype=wp.float32), x: int, y: int
):
    along = row_H4[y, 0]
    return axes_33[0] * (along * column_W4[x, 0]) + axes_33[1] * row_H4[y, 1] + axes_33[2] * (along * column_W4[x, 1])


@wp.kernel
def _render(
    mesh: wp.uint64, camera_B3: wp.array(dtype=wp.vec3), axes_B33: wp.array(dtype=wp.mat33),
    column_W4: wp.array2d(dtype=wp.float32), row_H4: wp.array2d(dtype=wp.float32),
    fine_column_W4: wp.array2d(dtype=wp.float32), fine_row_H4: wp.array2d(dtype=wp.float32),
    fine: int, anisotropy: int,
    face_F16: wp.array2d(dtype=wp.float32), bits_F16: wp.array2d(dtype=wp.int32),
    surface_K2: wp.array2d(dtype=wp.int32), glow_K: wp.array(dtype=wp.float32),
    texel_N: wp.array(dtype=wp.int32), light_M: wp.array(dtype=wp.float32),
    display: wp.array(dtype=wp.uint8),
    rgb_BHWC: wp.array4d(dtype=wp.uint8), depth_BHW: wp.array3d(dtype=wp.float32),
):  # fmt: skip
    b, py, px = wp.tid()
    origin = camera_B3[b]
    a = axes_B33[b]
    ray = _ray(a, column_W4, row_H4, px, py)
    met = wp.mesh_query_ray(mesh, origin, wp.normalize(ray), 1.0e30)
    if met.result:
        depth_BHW[b, py, px] = met.t / wp.length(ray)
    total = wp.vec3(0.0, 0.0, 0.0)
    for j in range(fine):
        for i in range(fine):
            x = px * fine + i
            y = py * fine + j
            d = _ray(a, fine_column_W4, fine_row_H4, x, y)
            size = wp.length(d)
            hit = wp.mesh_query_ray(mesh, origin, d / size, 1.0e30)
            if hit.result:
                f = hit.face
                t = hit.t / size
                # Warp returns the weights of the first two corners, Embree those of the last two.
                bw = hit.u
                bu = hit.v
                bv = 1.0 - bw - bu
                xs = (a[0] * fine_column_W4[x, 2] + a[2] * fine_column_W4[x, 3]) * (t * fine_row_H4[y, 0])
                ys = (a[0] * fine_column_W4[x, 0] + a[2] * fine_column_W4[x, 1]) * (t * fine_row_H4[y, 2])
                ys += a[1] * (t * fine_row_H4[y, 3])
                facing = wp.dot(hit.normal, d)
                if facing != 0.0:
                    xs -= d * (wp.dot(hit.normal, xs) / facing)
                    ys -= d * (wp.dot(hit.normal, ys) / facing)
                g = wp.vec3(face_F16[f, _GRADIENT], face_F16[f, _GRADIENT + 1], face_F16[f, _GRADIENT + 2])
                h = wp.vec3(face_F16[f, _GRADIENT + 3], face_F16[f, _GRADIENT + 4], face_F16[f, _GRADIENT + 5])
                tu = bw * face_F16[f, 0] + bu * face_F16[f, 2] + bv * face_F16[f, 4]
                tv = bw * face_F16[f, 1] + bu * face_F16[f, 3] + bv * face_F16[f, 5]
                surface = bits_F16[f, _SURFACE]
                colour = _texture(
                    texel_N, surface_K2[surface, 0], surface_K2[surface, 1], anisotropy, tu, tv,
                    wp.vec2(wp.dot(g, xs), wp.dot(h, xs)), wp.vec2(wp.dot(g, ys), wp.dot(h, ys)),
                )  # fmt: skip
                glow = glow_K[surface]
                light = _light(light_M, bits_F16[f, _LIGHT], bits_F16[f, _DIVISIONS], bu, bv)
                own = _GLOW * glow
                light = light * (1.0 - glow) + wp.vec3(own, own, own)
                total += wp.cw_mul(colour * _CODE, light)
            else:
                total += _SKY
    scale = _SCALE / float(fine * fine)
    for c in range(3):
        rgb_BHWC[b, py, px, c] = display[wp.clamp(int(total[c] * scale + 0.5), 0, _LAST)]
