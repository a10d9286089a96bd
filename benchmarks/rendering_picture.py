"""Make the image of docs/rendering.md: `python -m benchmarks.rendering_picture docs/images/rendering.png`."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from PIL import Image

from avw.sim_bridge.rendering.camera import CameraConfig
from avw.sim_bridge.rendering.ids import label_image, paint_ids
from avw.sim_bridge.rendering.lighting import bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import RenderConfig, Renderer
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.types import CAMERA_HEIGHT

SIZE = 256
MAX_DEPTH = 6.0  # metres; white in the depth image


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--scene", default="procedural-0007", show_default=True, help="A scene, as for `avw generate`.")
@click.option("--yaw", default=-50.0, show_default=True, help="Viewing direction, in degrees to the left.")
def picture(path: Path, scene: str, yaw: float) -> None:
    """Write colour, depth, categories and materials of one view, and a panorama from the same place, to PATH."""
    rays = RayScene(load_scene(scene))
    light = bake_light(rays)
    room = max(rays.scene.rooms, key=lambda r: (r.max_x - r.min_x) * (r.max_z - r.min_z))
    eye_3 = np.array([0.6 * room.min_x + 0.4 * room.max_x, CAMERA_HEIGHT, 0.4 * room.min_z + 0.6 * room.max_z])
    config = RenderConfig(samples=16)
    view = Renderer(rays, SIZE, 90.0, light, config=config).view(eye_3, np.radians(yaw))
    panorama = CameraConfig(width=4 * SIZE, height=2 * SIZE, projection="equirectangular")
    around = Renderer(rays, light=light, camera=panorama, config=config).view(eye_3, np.radians(yaw))
    depth_HW = np.round(255 * np.minimum(view.depth_HW / MAX_DEPTH, 1.0)).astype(np.uint8)
    labels = [paint_ids(label_image(view.face_HW, rays.scene, by=by)[0]) for by in ("category", "material")]
    top = np.hstack([view.rgb_HWC, np.repeat(depth_HW[..., None], 3, axis=2), *labels])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack([top, around.rgb_HWC[SIZE // 2 : -SIZE // 2]])).save(path, optimize=True)
    click.echo(str(path))


if __name__ == "__main__":
    picture()
