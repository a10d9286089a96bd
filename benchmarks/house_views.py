"""Images of houses: views that show many objects, and contact sheets of many houses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avw.sim_bridge.navigation.open_free_space import NavGrid
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.camera import CameraConfig
from avw.sim_bridge.rendering.lighting import bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import RenderConfig, Renderer
from avw.sim_bridge.rendering.top_down import floor_plan_image
from avw.sim_bridge.scenes.scene import Room, Scene
from avw.sim_bridge.types import CAMERA_HEIGHT

PAPER, INK = (250, 250, 248), (70, 72, 78)
_TRIES = 5  # views tried per room, of which the best is kept
_PREVIEW = 40  # width and height in pixels of the images with which views are compared


@dataclass(frozen=True, slots=True)
class _Candidate:
    score: float
    room: int
    camera_3: np.ndarray
    yaw: float


def house_pictures(scene: Scene, navgrid: NavGrid, size: int, views: int, hfov: float = 80.0) -> list[Image.Image]:
    """The floor plan and `views` first-person images from different rooms, each `size` x `size` pixels."""
    ray_scene = RayScene(scene)
    light = bake_light(ray_scene)
    plan_HWC, _, _ = floor_plan_image(ray_scene, 40.0, light=light)
    preview = Renderer(ray_scene, light=light, camera=CameraConfig(width=_PREVIEW, height=_PREVIEW, hfov=hfov))
    camera = CameraConfig(width=size, height=size, hfov=hfov)
    renderer = Renderer(ray_scene, light=light, camera=camera, config=RenderConfig(samples=9))
    chosen = _best_views(scene, navgrid, preview)[:views]
    pictures = [_fitted(Image.fromarray(plan_HWC), size)]
    pictures += [Image.fromarray(renderer.render(c.camera_3, c.yaw)[0]) for c in chosen]
    while len(pictures) < views + 1:
        pictures.append(Image.new("RGB", (size, size), PAPER))
    return pictures


def _fitted(picture: Image.Image, size: int) -> Image.Image:
    scale = min(size / picture.width, size / picture.height)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (size, size), PAPER)
    square.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return square


def _best_views(scene: Scene, navgrid: NavGrid, preview: Renderer) -> list[_Candidate]:
    """One view per room, sorted by score: views with many different objects first."""
    rng = keyed_rng("contact sheet", scene.scene_id)
    best = []
    for index, room in enumerate(scene.rooms):
        tries = [t for t in (_try_view(scene, navgrid, preview, index, room, rng) for _ in range(_TRIES)) if t]
        if tries:
            best.append(max(tries, key=lambda t: t.score))
    return sorted(best, key=lambda t: -t.score)


def _try_view(
    scene: Scene, navgrid: NavGrid, preview: Renderer, index: int, room: Room, rng: np.random.Generator
) -> _Candidate | None:
    """A view from a free point near the edge of the room across its middle, scored by the objects that it shows."""
    x, z = (room.min_x + room.max_x) / 2, (room.min_z + room.max_z) / 2
    reach = 0.5 * np.array([room.max_x - room.min_x, room.max_z - room.min_z]) - 0.4
    for _ in range(12):
        side = rng.uniform(-1.0, 1.0, 2)
        side /= np.abs(side).max()
        place_3 = np.array([x + side[0] * reach[0], navgrid.floor_y, z + side[1] * reach[1]])
        if navgrid.clearance(place_3) >= 0.25:
            break
    else:
        return None
    yaw = math.atan2(place_3[0] - x, place_3[2] - z) + float(rng.uniform(-0.35, 0.35))
    camera_3 = place_3 + np.array([0.0, CAMERA_HEIGHT, 0.0])
    seen = preview.view(camera_3, yaw)
    object_F = scene.surface_F if scene.object_F is None else scene.object_F
    objects, counts = np.unique(object_F[seen.face_HW[seen.face_HW >= 0]], return_counts=True)
    things = counts[objects > 0] / _PREVIEW**2
    # Prefer many objects of which none fills the image, and some depth.
    score = float(np.sqrt(np.minimum(things, 0.12)).sum() - 4.0 * np.maximum(things - 0.3, 0.0).sum())
    return _Candidate(score * min(1.0, float(np.median(seen.depth_HW)) / 2.0), index, camera_3, yaw)


def sheet(rows: list[tuple[str, list[Image.Image]]], columns: int, gap: int = 6) -> Image.Image:
    """Captioned strips of images, with `columns` strips side by side."""
    size = rows[0][1][0].width
    strip, line = len(rows[0][1]) * size, 18
    lines = math.ceil(len(rows) / columns)
    out = Image.new("RGB", (columns * (strip + gap) + gap, lines * (size + line + gap) + gap), PAPER)
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(12)
    for number, (caption, pictures) in enumerate(rows):
        x, y = gap + number % columns * (strip + gap), gap + number // columns * (size + line + gap)
        draw.text((x + 2, y + 2), caption, fill=INK, font=font)
        for k, picture in enumerate(pictures):
            out.paste(picture, (x + k * size, y + line))
    return out
