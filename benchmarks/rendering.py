"""How fast a frame is: `python -m benchmarks.rendering [--scene procedural-0003] [--size 128] [--json]`.

The limit beside it is Embree alone: the same rays against the same tree, without a colour. One core.
"""

from __future__ import annotations

import math

import click
import numpy as np

from benchmarks.rows import Row, alternate, present
from sim_bridge.navigation.navgrid import NavGrid
from sim_bridge.randomness import keyed_rng
from sim_bridge.rendering.lighting import bake_light
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.rendering.renderer import Renderer
from sim_bridge.scenes.catalogue import load_scene
from sim_bridge.types import Pose

HFOV = 90.0  # degrees


@click.command()
@click.option("--scene", default="procedural-0003", show_default=True, help="A scene, as for `avw generate`.")
@click.option("--size", default=128, show_default=True, help="Pixels along each side.")
@click.option("--views", default=40, show_default=True, help="Random views in a round.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def rendering(scene: str, size: int, views: int, as_json: bool) -> None:
    """Frames per second of RGB-D on one core, beside Embree's rays alone; and what a scene costs once."""
    loaded = load_scene(scene)
    navgrid = NavGrid.from_scene(loaded)
    ray_scene = RayScene(loaded)
    light = bake_light(ray_scene)
    renderer = Renderer(ray_scene, size, HFOV, light)
    rng = keyed_rng("benchmark", "rendering", loaded.scene_id)
    poses = [_random_pose(navgrid, rng) for _ in range(views)]
    rays = [_rays(pose, size) for pose in poses]

    def render() -> None:
        for pose in poses:
            renderer.render(pose.camera_3, pose.yaw)

    def trace() -> None:
        for origins_N3, dirs_N3 in rays:
            ray_scene.trace(origins_N3, dirs_N3)

    seconds = alternate({"render": render, "trace": trace})
    once = alternate(
        {
            "load": lambda: load_scene(scene),
            "tree": lambda: RayScene(loaded),
            "light": lambda: bake_light(ray_scene),
            "navgrid": lambda: NavGrid.from_scene(loaded),
        },
        rounds=3,
    )
    place = f"{loaded.scene_id}, {len(loaded.faces_F3)} triangles"
    frames = Row(
        name="RGB-D frames",
        ours=views / seconds["render"],
        peer=views / seconds["trace"],
        peer_name="Embree's rays alone",
        unit="1/s of CPU",
        conditions=f"{size}x{size}, {HFOV:.0f} degrees, {place}, one core",
    )
    opening = [
        Row(name=f"once per scene: {name}", ours=1000 * value, unit="ms of CPU", conditions=place)
        for name, value in once.items()
    ]
    present("rendering", [frames, *opening], as_json=as_json)


def _random_pose(navgrid: NavGrid, rng: np.random.Generator) -> Pose:
    x, y, z = (float(value) for value in navgrid.sample(rng))
    return Pose(x, y, z, float(rng.uniform(-math.pi, math.pi)))


def _rays(pose: Pose, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The rays of one view, float32 (N, 3) origins and directions."""
    half = math.tan(math.radians(HFOV) / 2)
    at = ((np.arange(size) + 0.5) / size * 2 - 1) * half
    across_HW, down_HW = np.meshgrid(at, at)
    dirs = pose.forward_3 + across_HW[..., None] * pose.right_3 - down_HW[..., None] * np.array([0.0, 1.0, 0.0])
    dirs_N3 = np.ascontiguousarray(dirs.reshape(-1, 3), dtype=np.float32)
    return np.ascontiguousarray(np.broadcast_to(pose.camera_3, dirs_N3.shape), dtype=np.float32), dirs_N3


if __name__ == "__main__":
    rendering()
