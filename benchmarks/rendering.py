"""Speed, smoothness and memory of rendering: `python -m benchmarks.rendering [--quick] [--json]`.

Frames are compared with the same rays in embreex as shipped (single rays, no colours), and with our own ray packets
without colours, which is the upper limit. Everything runs on one core. The run makes its scene of a million triangles.
"""

from __future__ import annotations

import gc
import importlib.util
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import click
import numpy as np

from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.camera import CameraConfig
from avw.sim_bridge.rendering.lighting import BakedLight, bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import RenderConfig, Renderer
from avw.sim_bridge.rendering.shading import ShadingTables
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.types import Pose
from benchmarks.fine_mesh import divided
from benchmarks.resident_memory import resident_bytes
from benchmarks.rows import Row, alternate, present
from benchmarks.walks import random_pose

T = TypeVar("T")
HFOV = 90.0  # degrees
PAN_RADIANS = 0.002  # between frames of a slow pan: 0.13 of a pixel in the middle of 128 pixels


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scene that is ready to render, with rows for the cost of loading it."""

    scene: Scene
    rays: RayScene
    light: BakedLight
    rows: list[Row]

    @property
    def place(self) -> str:
        return f"{self.scene.scene_id}, {len(self.scene.faces_F3):,} triangles"


@click.command()
@click.option("--scene", default="procedural-0007", show_default=True, help="A scene, as for `avw generate`.")
@click.option(
    "--triangles", default=1_000_000, show_default=True, help="Least number of triangles in the divided scene."
)
@click.option("--quick", is_flag=True, help="Fewer views and triangles: one minute instead of three.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def rendering(scene: str, triangles: int, quick: bool, as_json: bool) -> None:
    """Measure RGB-D frames per second on one core by triangles and resolution, shimmer, and the cost of loading."""
    views = 12 if quick else 40
    house = load_scene(scene)
    navgrid = free_space_of(house)
    rng = keyed_rng("benchmark", "rendering", scene)
    poses = [random_pose(navgrid, rng) for _ in range(views)]
    bake_light(RayScene(house))  # compiles
    rows: list[Row] = []
    sizes = (len(house.faces_F3), triangles // 4 if quick else triangles)
    for number, size in enumerate(sizes):
        loaded = _load(house, size)
        rows += _frames(loaded, poses)
        if number == 0:
            rows += _resolutions(loaded, poses[: views // 4])
            rows += [*_smoothness(loaded, poses[: views // 4]), _texture_shimmer()]
        rows += loaded.rows
        del loaded
        gc.collect()
    present("rendering", rows, as_json=as_json)


def _load(house: Scene, triangles: int) -> Loaded:
    scene = divided(house, triangles) if triangles > len(house.faces_F3) else house
    rays, tree_seconds, tree_bytes = _measured(lambda: RayScene(scene))
    light, light_seconds, _ = _measured(lambda: bake_light(rays))
    place = f"{scene.scene_id}, {len(scene.faces_F3):,} triangles"
    look, look_seconds, _ = _measured(lambda: ShadingTables(scene, light))
    look_bytes = sum(array.nbytes for array in look.arrays if array.base is not look.arrays[0])
    rows = [
        Row(name="once per scene: tree", ours=tree_seconds, unit="s of CPU", conditions=place),
        Row(name="once per scene: baked light", ours=light_seconds, unit="s of CPU", conditions=place),
        Row(name="once per camera: tables", ours=look_seconds, unit="s of CPU", conditions=place),
        Row(name="memory: tables, textures and light", ours=look_bytes / 1e6, unit="MB", conditions=place),
    ]
    if tree_bytes:  # small trees may fit into memory that the process has already
        rows.append(Row(name="memory: tree", ours=tree_bytes / 1e6, unit="MB of RSS", conditions=place))
    return Loaded(scene, rays, light, rows)


def _frames(loaded: Loaded, poses: list[Pose]) -> list[Row]:
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    shipped = EmbreeScene(robust=True)
    _ = TriangleMesh(shipped, loaded.scene.vertices_V3, loaded.scene.faces_F3)
    renderer = Renderer(loaded.rays, 128, HFOV, loaded.light)
    rays = [_rays(pose, 128) for pose in poses]
    seconds = alternate(
        {
            "frames": lambda: [renderer.render(pose.camera_3, pose.yaw) for pose in poses],
            "depth": lambda: [renderer.depth(pose.camera_3, pose.yaw) for pose in poses],
            "embreex": lambda: [shipped.run(origins_N3, dirs_N3, output=1) for origins_N3, dirs_N3 in rays],
        },
        rounds=5,
    )
    fps = {name: len(poses) / value for name, value in seconds.items()}
    conditions = f"128x128, {HFOV:.0f} degrees, {loaded.place}, one core"
    unit = "1/s of CPU"
    return [
        Row(name="RGB-D frames", ours=fps["frames"], peer=fps["embreex"], peer_name="embreex's rays, no colours",
            unit=unit, conditions=conditions),
        Row(name="RGB-D frames", ours=fps["frames"], peer=fps["depth"], peer_name="the limit: packets, no colours",
            unit=unit, conditions=conditions),
    ]  # fmt: skip


def _resolutions(loaded: Loaded, poses: list[Pose]) -> list[Row]:
    cameras = {f"{size}x{size}": CameraConfig(width=size, height=size, hfov=HFOV) for size in (64, 256, 512)}
    cameras["256x128 equirectangular"] = CameraConfig(width=256, height=128, projection="equirectangular")
    renderers = {name: Renderer(loaded.rays, light=loaded.light, camera=camera) for name, camera in cameras.items()}
    renderers["128x128, 4 samples per pixel"] = _filtered(loaded, RenderConfig(samples=4))
    tasks = {name: _all_views(renderer, poses) for name, renderer in renderers.items()}
    if importlib.util.find_spec("warp") is not None:
        from avw.sim_bridge.rendering.warp import WarpRenderer

        batch = np.array([pose.camera_3 for pose in poses]), np.array([pose.yaw for pose in poses])
        on_processor = WarpRenderer(loaded.rays, 128, HFOV, loaded.light, device="cpu")
        tasks["128x128, Warp on its CPU device"] = lambda: on_processor.render_batch(*batch)
    seconds = alternate(tasks, rounds=3)
    return [
        Row(name="RGB-D frames", ours=len(poses) / value, unit="1/s of CPU", conditions=f"{name}, {loaded.place}")
        for name, value in seconds.items()
    ]


def _smoothness(loaded: Loaded, poses: list[Pose]) -> list[Row]:
    """Error and shimmer of one ray per pixel, with and without filtering, relative to 64 unfiltered rays per pixel."""
    reference = _filtered(loaded, RenderConfig(samples=64, anisotropy=0))
    true_frames = _pans(reference, poses)
    found: dict[str, tuple[float, float]] = {}
    for name, config in {
        "filtered": RenderConfig(),
        "nearest": RenderConfig(anisotropy=0),
        "filtered, 4 samples": RenderConfig(samples=4),
    }.items():
        frames = _pans(_filtered(loaded, config), poses)
        error = float(((frames - true_frames) ** 2).mean())
        shimmer = float(((np.diff(frames, axis=1) - np.diff(true_frames, axis=1)) ** 2).mean())
        found[name] = 10 * math.log10(255**2 / error), math.sqrt(shimmer)
    conditions = f"128x128 against 64 unfiltered samples per pixel, {loaded.place}"
    rows = []
    for name in ("filtered", "filtered, 4 samples"):
        for what, unit, k in (("PSNR", "dB", 0), ("shimmer of a slow pan", "levels rms a frame", 1)):
            rows.append(
                Row(name=f"{what}, {name}", ours=found[name][k], peer=found["nearest"][k], peer_name="nearest texel",
                    unit=unit, conditions=conditions)
            )  # fmt: skip
    return rows


def _texture_shimmer() -> Row:
    """Shimmer in a hall with a wallpaper of 4 mm noise. There are no silhouettes, so only texture filtering matters."""
    hall = shoebox((20.0, 3.0, 20.0))
    noise_HWC = keyed_rng("benchmark", "paper").integers(0, 256, (128, 128, 3), dtype=np.uint8)
    x, y, z = np.moveaxis(hall.triangles_F33, 2, 0)
    papered = replace(
        hall,
        uv_F32=2.0 * np.stack([x + y, z + y], axis=2),
        surfaces=tuple(replace(surface, texture_HWC=noise_HWC) for surface in hall.surfaces),
    )
    rays = RayScene(papered)
    loaded = Loaded(papered, rays, bake_light(rays), [])
    poses = [Pose(0.3, 0.0, 0.2, 0.4 * n) for n in range(4)]
    true_frames = _pans(_filtered(loaded, RenderConfig(samples=64)), poses)
    shimmer = []
    for config in (RenderConfig(), RenderConfig(anisotropy=0)):
        frames = _pans(_filtered(loaded, config), poses)
        shimmer.append(math.sqrt(((np.diff(frames, axis=1) - np.diff(true_frames, axis=1)) ** 2).mean()))
    return Row(
        name="shimmer of a slow pan, textures alone",
        ours=shimmer[0],
        peer=shimmer[1],
        peer_name="nearest texel",
        unit="levels rms a frame",
        conditions="128x128 against 64 filtered samples per pixel, a hall papered with noise",
    )


def _filtered(loaded: Loaded, config: RenderConfig) -> Renderer:
    return Renderer(loaded.rays, 128, HFOV, loaded.light, config=config)


def _all_views(renderer: Renderer, poses: list[Pose]) -> Callable[[], object]:
    return lambda: [renderer.render(pose.camera_3, pose.yaw) for pose in poses]


def _pans(renderer: Renderer, poses: list[Pose]) -> np.ndarray:
    """Frames of a slow turn at each pose: (poses, 3, H, W, C)."""
    return np.array(
        [[renderer.render(pose.camera_3, pose.yaw + PAN_RADIANS * t)[0] for t in range(3)] for pose in poses],
        dtype=np.float64,
    )


def _measured(task: Callable[[], T]) -> tuple[T, float, int | None]:
    """The result of a task, its CPU seconds, and the growth of resident memory in bytes (None if not available)."""
    gc.collect()
    before, start = resident_bytes(), time.process_time()
    result = task()
    seconds, after = time.process_time() - start, resident_bytes()
    return result, seconds, None if before is None or after is None else max(0, after - before)


def _rays(pose: Pose, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rays of one view: origins and directions, float32 (N, 3)."""
    half = math.tan(math.radians(HFOV) / 2)
    at = ((np.arange(size) + 0.5) / size * 2 - 1) * half
    across_HW, down_HW = np.meshgrid(at, at)
    dirs = pose.forward_3 + across_HW[..., None] * pose.right_3 - down_HW[..., None] * np.array([0.0, 1.0, 0.0])
    dirs_N3 = np.ascontiguousarray(dirs.reshape(-1, 3), dtype=np.float32)
    return np.ascontiguousarray(np.broadcast_to(pose.camera_3, dirs_N3.shape), dtype=np.float32), dirs_N3


if __name__ == "__main__":
    rendering()
