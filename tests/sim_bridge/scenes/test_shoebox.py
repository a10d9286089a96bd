"""The shoebox room: closed, of the requested size, with errors for impossible rooms."""

from __future__ import annotations

import numpy as np
import pytest

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.shoebox import shoebox


def test_it_is_closed_and_has_the_requested_size() -> None:
    scene = shoebox((6.0, 3.0, 5.0))
    assert np.ptp(scene.vertices_V3, axis=0).tolist() == [6.0, 3.0, 5.0]
    assert scene.vertices_V3[:, 1].min() == 0.0
    directions_N3 = np.random.Generator(np.random.Philox(key=3)).standard_normal((2_000, 3)).astype(np.float32)
    face_N, _, _ = RayScene(scene).closest(np.full((2_000, 3), 1.0, dtype=np.float32), directions_N3)
    assert (face_N >= 0).all()


def test_normals_point_into_the_room() -> None:
    corners = shoebox((6.0, 3.0, 5.0)).triangles_F33
    normal_F3 = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    to_centre_F3 = np.array([0.0, 1.5, 0.0]) - corners.mean(axis=1)
    assert (np.einsum("fi,fi->f", normal_F3, to_centre_F3) > 0).all()


def test_a_wall_divides_the_room() -> None:
    rays = RayScene(shoebox((6.0, 3.0, 5.0), wall_x=1.0))
    _, distance_N, _ = rays.closest(np.array([[-1.0, 1.5, 0.3]]), np.array([[1.0, 0.0, 0.0]]))
    assert distance_N[0] == pytest.approx(2.0, abs=1e-5)


@pytest.mark.parametrize("size", [(0.0, 3.0, 5.0), (6.0, float("nan"), 5.0), (6.0, 3.0)])
def test_impossible_sizes_are_errors(size: tuple[float, ...]) -> None:
    with pytest.raises(SceneError, match="three positive sizes"):
        shoebox(size)  # type: ignore[arg-type]


def test_impossible_absorptions_and_walls_are_errors() -> None:
    with pytest.raises(SceneError, match=r"0\.\.1"):
        shoebox((6.0, 3.0, 5.0), absorption=1.2)
    with pytest.raises(SceneError, match="takes 6 absorptions"):
        shoebox((6.0, 3.0, 5.0), absorption=(0.1, 0.2))
    with pytest.raises(SceneError, match="does not fit into a room"):
        shoebox((6.0, 3.0, 5.0), wall_x=3.0)


def test_a_wall_leaves_its_gap_open() -> None:
    rays = RayScene(shoebox((6.0, 3.0, 5.0), wall_x=0.0, gap=1.5))
    at_N3 = np.array([[-1.0, 1.5, z] for z in (-2.4, 0.9, 1.1, 2.4)])
    blocked_N = rays.occluded(at_N3, np.tile([1.0, 0.0, 0.0], (4, 1)), np.full(4, 2.0))
    assert blocked_N.tolist() == [True, True, False, False]
    with pytest.raises(SceneError, match="gap of 5"):
        shoebox((6.0, 3.0, 5.0), wall_x=0.0, gap=5.0)
