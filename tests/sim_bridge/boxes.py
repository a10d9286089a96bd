"""Small scenes made of boxes, in which every distance is known."""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.scenes.materials.materials import Material
from avw.sim_bridge.scenes.scene import Light, Scene, Surface

Box = tuple[tuple[float, float, float], tuple[float, float, float]]

PLAIN = Surface(
    name="plain",
    texture_HWC=np.full((4, 4, 3), 128, dtype=np.uint8),
    material=Material(
        name="plain", absorption_6=(0.2,) * 6, scattering_6=(0.5,) * 6, transmission_6=(0.0,) * 6, source="a test"
    ),
)
_CORNERS = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def box_scene(*boxes: Box, scene_id: str = "boxes") -> Scene:
    """One scene of axis-aligned boxes, each (low corner, high corner) in metres."""
    return mesh_scene(*_mesh_of(boxes), scene_id=scene_id)


def mesh_scene(vertices_V3: np.ndarray, faces_F3: np.ndarray, scene_id: str = "mesh") -> Scene:
    """A scene of these triangles with one plain material and one lamp."""
    return Scene(
        scene_id=scene_id,
        vertices_V3=np.asarray(vertices_V3, dtype=np.float32),
        faces_F3=np.asarray(faces_F3, dtype=np.int32),
        uv_F32=np.zeros((len(faces_F3), 3, 2), dtype=np.float32),
        surface_F=np.zeros(len(faces_F3), dtype=np.int32),
        surfaces=(PLAIN,),
        lights=(Light(position_3=(1.0, 2.4, 1.0), power_3=(4.0, 4.0, 4.0)),),
    )


def room(width: float, depth: float, height: float = 2.6) -> list[Box]:
    """Floor (top at y = 0), ceiling and four walls around x in [0, width] and z in [0, depth]."""
    return [
        ((-0.1, -0.1, -0.1), (width + 0.1, 0.0, depth + 0.1)),
        ((-0.1, height, -0.1), (width + 0.1, height + 0.1, depth + 0.1)),
        ((-0.1, 0.0, -0.1), (0.0, height, depth + 0.1)),
        ((width, 0.0, -0.1), (width + 0.1, height, depth + 0.1)),
        ((0.0, 0.0, -0.1), (width, height, 0.0)),
        ((0.0, 0.0, depth), (width, height, depth + 0.1)),
    ]


def flat() -> list[Box]:
    """Two rooms of 5 x 8 m, a doorway 1 m wide in the wall at x = 5, and some furniture."""
    return [
        *room(10.0, 8.0),
        ((4.95, 0.0, 0.0), (5.05, 2.6, 3.5)),
        ((4.95, 0.0, 4.5), (5.05, 2.6, 8.0)),
        ((4.95, 2.1, 3.5), (5.05, 2.6, 4.5)),
        ((1.0, 0.0, 1.0), (2.5, 0.8, 2.0)),
        ((7.0, 0.7, 5.0), (8.5, 0.8, 6.0)),
        ((6.0, 0.0, 2.0), (7.0, 1.0, 2.2)),
    ]


def _mesh_of(boxes: tuple[Box, ...]) -> tuple[np.ndarray, np.ndarray]:
    vertices, faces = [], []
    for low_3, high_3 in boxes:
        ends = np.array([low_3, high_3])
        corners_83 = np.array([[ends[i, 0], ends[j, 1], ends[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
        for a, b, c, d in _CORNERS:
            faces += [(a + 8 * len(vertices), b + 8 * len(vertices), c + 8 * len(vertices))]
            faces += [(a + 8 * len(vertices), c + 8 * len(vertices), d + 8 * len(vertices))]
        vertices.append(corners_83)
    return np.concatenate(vertices), np.array(faces)
