"""Rectangles that meet in T-junctions become a mesh without T-junctions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.houses.shell_mesh import ShellMesh
from avw.sim_bridge.scenes.materials.materials import material
from avw.sim_bridge.scenes.scene import Surface


def builder_with_paint() -> MeshBuilder:
    builder = MeshBuilder()
    grey = np.full((4, 4, 3), 128, dtype=np.uint8)
    builder.surface(Surface(name="paint", texture_HWC=grey, material=material("plaster_wall")))
    return builder


def unpaired_edges(vertices_V3: np.ndarray, faces_F3: np.ndarray) -> int:
    """Number of directed edges without an opposite edge, or that two faces share in the same direction."""
    _, index_V = np.unique(vertices_V3, axis=0, return_inverse=True)
    faces = index_V.ravel()[faces_F3].astype(np.int64)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    key = edges[:, 0] * (faces.max() + 1) + edges[:, 1]
    back = edges[:, 1] * (faces.max() + 1) + edges[:, 0]
    return int((~np.isin(key, back)).sum() + len(key) - len(np.unique(key)))


cuts = st.lists(st.integers(1, 79), min_size=0, max_size=4, unique=True).map(sorted)


@settings(max_examples=40, deadline=None)
@given(x_cuts=cuts, y_cuts=cuts, z_cuts=cuts)
def test_a_box_with_differently_divided_sides_is_closed(
    x_cuts: list[int], y_cuts: list[int], z_cuts: list[int]
) -> None:
    builder = builder_with_paint()
    shell = ShellMesh(builder)
    side = 4.0
    lines = [[0.0, *(side * c / 80 for c in some), side] for some in (x_cuts, y_cuts, z_cuts)]
    for low, high in zip(lines[0], lines[0][1:], strict=False):  # floor and ceiling in strips along z
        shell.rect([(low, 0, side), (high, 0, side), (high, 0, 0), (low, 0, 0)], "paint", "floor")
        shell.rect([(low, side, 0), (high, side, 0), (high, side, side), (low, side, side)], "paint", "ceiling")
    for low, high in zip(lines[1], lines[1][1:], strict=False):  # two walls in layers
        shell.rect([(0, low, 0), (side, low, 0), (side, high, 0), (0, high, 0)], "paint", "wall")
        shell.rect([(side, low, side), (0, low, side), (0, high, side), (side, high, side)], "paint", "wall")
    for low, high in zip(lines[2], lines[2][1:], strict=False):  # and two in upright strips
        shell.rect([(0, 0, high), (0, 0, low), (0, side, low), (0, side, high)], "paint", "wall")
        shell.rect([(side, 0, low), (side, 0, high), (side, side, high), (side, side, low)], "paint", "wall")
    shell.draw()
    built = builder.build()
    vertices_V3, faces_F3 = built["vertices_V3"], built["faces_F3"]
    assert unpaired_edges(vertices_V3, faces_F3) == 0
    corners = vertices_V3[faces_F3].astype(np.float64)
    # The faces point inwards, so the signed volume is negative.
    volume = np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume == pytest.approx(-(side**3), rel=1e-5)


def test_a_fitted_texture_covers_the_whole_rectangle_once() -> None:
    builder = builder_with_paint()
    shell = ShellMesh(builder)
    shell.rect([(0, 1, 0), (3.7, 1, 0), (3.7, 2.4, 0), (0, 2.4, 0)], "paint", "window", fit=True)
    shell.rect([(1, 0, 0), (2, 0, 0), (2, 1, 0), (1, 1, 0)], "paint", "wall")  # its corners divide the lower side
    shell.draw()
    built = builder.build()
    names = [surface.category for surface in built["surfaces"]]
    window_F = built["surface_F"] == names.index("window")
    corners, uv = built["vertices_V3"][built["faces_F3"][window_F]], built["uv_F32"][window_F]
    np.testing.assert_allclose(uv[..., 0], corners[..., 0] / 3.7, atol=1e-3)
    np.testing.assert_allclose(uv[..., 1], 1 - (corners[..., 1] - 1) / 1.4, atol=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 3, 11, 29])
def test_the_shell_of_a_house_is_watertight(seed: int) -> None:
    scene = generate_house(seed)
    category_F = np.array([surface.category for surface in scene.surfaces])[scene.surface_F]
    shell_F = np.isin(category_F, ["wall", "floor", "ceiling", "window"])
    assert unpaired_edges(scene.vertices_V3, scene.faces_F3[shell_F]) == 0
