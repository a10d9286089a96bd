"""A scene: triangles, the material on each, the lights, and (for generated houses) the rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.scenes.materials.materials import Material


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """What a face looks like and what it is made of. texture_HWC: uint8 RGB, repeated over the uv plane.

    emission: how much light the face gives off by itself (0: none; 1: it looks like its texture in full light),
    for lamps, screens and windows by day.
    category: what the face belongs to, in one lower-case word or two ("wall", "floor", "sofa", "tv"); "": unknown.
    """

    name: str
    texture_HWC: np.ndarray
    material: Material
    emission: float = 0.0
    category: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """A point light. position_3: metres · power_3: linear RGB, radiant intensity."""

    position_3: tuple[float, float, float]
    power_3: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """An axis-aligned room on the floor plan: metres in x and z."""

    kind: str
    min_x: float
    min_z: float
    max_x: float
    max_z: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Everything that rendering, acoustics and navigation need to know of a place.

    vertices_V3: float32 metres · faces_F3: int32 · uv_F32: float32 (F, 3, 2), one per corner, 1 = one texture
    surface_F: int32, index into `surfaces`
    object_F: int32, which object each face belongs to: 0 is the building, every piece of furniture has its own
    number; of a scan, its collection's number plus one, and 0 what it does not label; None where nobody told
    """

    scene_id: str
    vertices_V3: np.ndarray
    faces_F3: np.ndarray
    uv_F32: np.ndarray
    surface_F: np.ndarray
    surfaces: tuple[Surface, ...]
    lights: tuple[Light, ...] = ()
    rooms: tuple[Room, ...] = ()
    object_F: np.ndarray | None = None

    @property
    def triangles_F33(self) -> np.ndarray:
        """float32 (F, 3, 3): the corners of every face."""
        return self.vertices_V3[self.faces_F3]
