"""Scenes for validation: rooms coupled by a doorway, a screen or a wall in empty space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS, Material
from avw.sim_bridge.scenes.scene import Scene, Surface
from avw.sim_bridge.scenes.shoebox import shoebox, uniform_material

OPEN_AIR = (40.0, 30.0, 40.0)  # metres; a room whose walls absorb everything
MIDDLE = 15.0  # metres; half the height of that room


def coupled_rooms(
    size_3: tuple[float, float, float],
    absorption: float,
    scattering: float,
    *,
    wall_x: float = 0.0,
    door: tuple[float, float] = (0.9, 2.0),
    transmission: float = 0.0,
) -> Scene:
    """A shoebox with a wall at x = `wall_x` and a doorway in the middle of that wall.

    size_3, wall_x, door: metres · door: width and height of the doorway · transmission: of the wall
    """
    half, top = size_3[2] / 2, size_3[1]
    wide, high = door[0] / 2, door[1]
    panels = [
        ((wall_x, 0.0, -half), (wall_x, top, -wide)),
        ((wall_x, 0.0, wide), (wall_x, top, half)),
        ((wall_x, high, -wide), (wall_x, top, wide)),
    ]
    room = shoebox(size_3, absorption, scattering)
    return with_panels(room, panels, uniform_material(absorption, scattering, transmission))


def open_air(panels: list[tuple[tuple[float, float, float], tuple[float, float, float]]], material: Material) -> Scene:
    """Rectangles in empty space without reflections. panels: as in `with_panels`"""
    return with_panels(shoebox(OPEN_AIR, 1.0, 0.5), panels, material)


def octave_material(transmission_6: tuple[float, ...], absorption: float = 0.5) -> Material:
    """A material with a different transmission in every octave band."""
    return Material(
        name="partition",
        absorption_6=(absorption,) * len(OCTAVE_BANDS),
        scattering_6=(0.5,) * len(OCTAVE_BANDS),
        transmission_6=transmission_6,
        source="chosen by the caller",
    )


def with_panels(
    scene: Scene, panels: list[tuple[tuple[float, float, float], tuple[float, float, float]]], material: Material
) -> Scene:
    """Add thin rectangles of `material` to a scene.

    panels: pairs of corners with the same x, (x, low y, low z) and (x, high y, high z), in metres
    """
    vertices, faces = [scene.vertices_V3], [scene.faces_F3]
    for (x, low_y, low_z), (_, high_y, high_z) in panels:
        first = sum(map(len, vertices))
        corners = [(x, low_y, low_z), (x, high_y, low_z), (x, high_y, high_z), (x, low_y, high_z)]
        vertices.append(np.array(corners, dtype=np.float32))
        faces.append(np.array([[first, first + 1, first + 2], [first, first + 2, first + 3]], dtype=np.int32))
    added = 2 * len(panels)
    surface = Surface(name="panel", texture_HWC=scene.surfaces[0].texture_HWC, material=material)
    return replace(
        scene,
        scene_id=f"{scene.scene_id}-panels",
        vertices_V3=np.concatenate(vertices),
        faces_F3=np.concatenate(faces),
        uv_F32=np.concatenate([scene.uv_F32, np.zeros((added, 3, 2), dtype=np.float32)]),
        surface_F=np.concatenate([scene.surface_F, np.full(added, len(scene.surfaces), dtype=np.int32)]),
        surfaces=(*scene.surfaces, surface),
    )
