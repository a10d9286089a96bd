"""An empty rectangular room of one material, for which room acoustics has closed-form results."""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS, Material
from avw.sim_bridge.scenes.scene import Light, Room, Scene, Surface

# Corners of a unit box, bit 0 = x, bit 1 = y, bit 2 = z, and its six sides with normals into the room.
_SIDES = ((0, 2, 6, 4), (1, 5, 7, 3), (0, 4, 5, 1), (2, 3, 7, 6), (0, 1, 3, 2), (4, 6, 7, 5))


def uniform_material(
    absorption: float | tuple[float, ...], scattering: float = 0.5, transmission: float = 0.0
) -> Material:
    """A material with the same coefficients in every octave band; absorption may also be given per band (six values).

    Raises SceneError for coefficients outside 0..1 or a wrong number of bands.
    """
    bands = len(OCTAVE_BANDS)
    absorption_6 = tuple(absorption) if isinstance(absorption, tuple) else (float(absorption),) * bands
    coefficients = (*absorption_6, scattering, transmission)
    if len(absorption_6) != bands or not all(0.0 <= value <= 1.0 for value in coefficients):
        raise SceneError(
            f"a material takes {bands} absorptions, a scattering and a transmission in 0..1, got {coefficients}"
        )
    return Material(
        name="uniform",
        absorption_6=absorption_6,
        scattering_6=(float(scattering),) * bands,
        transmission_6=(float(transmission),) * bands,
        source="chosen by the caller",
    )


def shoebox(
    size_3: tuple[float, float, float],
    absorption: float | tuple[float, ...] = 0.2,
    scattering: float = 0.5,
    *,
    wall_x: float | None = None,
    gap: float = 0.0,
    transmission: float = 0.0,
) -> Scene:
    """A room of `size_3` metres, centred on the origin in x and z, with the floor at y = 0 and faces pointing inwards.

    absorption, scattering, transmission: as in `uniform_material`
    wall_x: x of a thin wall across the room, of the same material (metres); None for no wall
    gap: width of the opening at the +z end of that wall (metres)
    Raises SceneError for a size that is not positive, a wall outside the room or coefficients outside 0..1.
    """
    if len(size_3) != 3 or not all(np.isfinite(size_3)) or min(size_3) <= 0.0:
        raise SceneError(f"a shoebox needs three positive sizes in metres, not {size_3!r}")
    width, height, depth = size_3
    corner_83 = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)], dtype=np.float64)
    vertices = [(corner_83 - [0.5, 0.0, 0.5]) * [width, height, depth]]
    faces = [triangle for a, b, c, d in _SIDES for triangle in ((a, b, c), (a, c, d))]
    if wall_x is not None:
        if abs(wall_x) >= width / 2 or not 0.0 <= gap < depth:
            raise SceneError(f"wall_x = {wall_x} with a gap of {gap} m does not fit into a room of {width} x {depth} m")
        low, high, h = -depth / 2, depth / 2 - gap, height
        corners = [[wall_x, 0, low], [wall_x, h, low], [wall_x, h, high], [wall_x, 0, high]]
        vertices.append(np.array(corners, dtype=np.float64))
        faces += [(8, 9, 10), (8, 10, 11)]
    material = uniform_material(absorption, scattering, transmission)
    grey = np.full((8, 8, 3), 190, dtype=np.uint8)
    return Scene(
        scene_id=f"shoebox-{width:g}x{height:g}x{depth:g}",
        vertices_V3=np.concatenate(vertices).astype(np.float32),
        faces_F3=np.array(faces, dtype=np.int32),
        uv_F32=np.zeros((len(faces), 3, 2), dtype=np.float32),
        surface_F=np.zeros(len(faces), dtype=np.int32),
        surfaces=(Surface(name="uniform", texture_HWC=grey, material=material),),
        lights=(Light(position_3=(0.0, height * 0.9, 0.0), power_3=(8.0, 8.0, 8.0)),),
        rooms=(Room(kind="shoebox", min_x=-width / 2, min_z=-depth / 2, max_x=width / 2, max_z=depth / 2),),
    )
