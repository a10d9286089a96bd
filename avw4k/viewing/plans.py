"""Floor plans as images, seen from above: x to the right, z downwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from avw.avw4k.viewing.media import picture
from avw.sim_bridge.errors import AvwError

if TYPE_CHECKING:
    from avw.sim_bridge.scenes.scene import Room
    from avw.sim_bridge.scenes.scene_ref import SceneRef

PIXELS_PER_METRE = 40.0


@dataclass(frozen=True, slots=True)
class Plan:
    """picture: data URI, "" if the scene could not be drawn · origin_xz: metres at the upper left corner
    rooms: of generated houses; other scenes do not say which rooms they have
    """

    picture: str
    width: int
    height: int
    origin_xz: tuple[float, float]
    metres_per_pixel: float
    rooms: tuple[Room, ...] = ()

    def pixels(self, x: float, z: float) -> tuple[float, float]:
        return (x - self.origin_xz[0]) / self.metres_per_pixel, (z - self.origin_xz[1]) / self.metres_per_pixel

    def names(self) -> list[tuple[str, float, float, float]]:
        """(name, x and y of its centre, width) of each room, in pixels."""
        named = []
        for room in self.rooms:
            x, y = self.pixels((room.min_x + room.max_x) / 2, (room.min_z + room.max_z) / 2)
            named.append(
                (room.kind, round(x, 1), round(y, 1), round((room.max_x - room.min_x) / self.metres_per_pixel, 1))
            )
        return named


def floor_plan(scene: str) -> Plan | None:
    """The scene from above; None if it is not on this machine (a scan whose files are elsewhere)."""
    from avw.sim_bridge.scenes.catalogue import scene_ref

    try:
        return _drawn(scene_ref(scene))
    except AvwError:
        return None


@lru_cache(maxsize=32)
def _drawn(scene: SceneRef) -> Plan:
    from avw.sim_bridge.rendering.top_down import floor_plan_image

    loaded = scene.load()
    rgb_HWC, origin_xz, metres_per_pixel = floor_plan_image(loaded, PIXELS_PER_METRE)
    height, width, _ = rgb_HWC.shape
    return Plan(picture(rgb_HWC, quality=82), width, height, origin_xz, metres_per_pixel, loaded.rooms)


def blank_plan(points_N3: np.ndarray) -> Plan:
    """An empty plan around some points, for a scene that cannot be drawn."""
    low_3, high_3 = points_N3.min(axis=0) - 1.0, points_N3.max(axis=0) + 1.0
    width, height = ((high_3 - low_3)[[0, 2]] * PIXELS_PER_METRE).astype(int) + 1
    return Plan("", int(width), int(height), (float(low_3[0]), float(low_3[2])), 1.0 / PIXELS_PER_METRE)
