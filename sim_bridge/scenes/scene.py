"""A scene: triangles, the material on each, the lights, and (for generated houses) the rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.scenes.materials.materials import Material


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """The appearance and the acoustic material of faces.

    texture_HWC: uint8 sRGB, repeated over the uv plane
    emission: light emitted by the face (0: none; 1: it looks like its texture in full light), for lamps, screens and
        windows by day
    category: what the face belongs to, as one or two lower-case words ("wall", "floor", "sofa", "tv"); "" if unknown
    """

    name: str
    texture_HWC: np.ndarray
    material: Material
    emission: float = 0.0
    category: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """A point light. position_3: metres · power_3: radiant intensity, linear RGB"""

    position_3: tuple[float, float, float]
    power_3: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """An axis-aligned room of a floor plan; x and z in metres."""

    kind: str
    min_x: float
    min_z: float
    max_x: float
    max_z: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Everything that rendering, acoustics and navigation need to know about a place.

    vertices_V3: float32, metres · faces_F3: int32 · surface_F: int32, index into `surfaces`
    uv_F32: float32 (F, 3, 2), texture coordinates per corner; one texture covers 0 to 1
    object_F: int32, the object that each face belongs to, or None if unknown. In generated houses 0 is the building and
        every piece of furniture has its own number. In scans it is the object number of the collection plus one, and 0
        for faces without a label.
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
