"""Rays and images in scenes with known distances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.rendering.lighting import bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import Renderer
from avw.sim_bridge.rendering.top_down import MARGIN, PAPER, floor_plan_image
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.shoebox import shoebox
from tests.sim_bridge.boxes import box_scene, mesh_scene

ROOM = RayScene(shoebox((4.0, 3.0, 6.0)))


def test_distances_are_multiples_of_the_direction_length() -> None:
    origins = np.tile([[0.0, 1.5, 0.0]], (3, 1))
    dirs = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -2.0], [0.0, 0.5, 0.0]])
    face_N, distance_N, uv_N2 = ROOM.closest(origins, dirs)
    np.testing.assert_allclose(distance_N, [2.0, 1.5, 3.0], rtol=1e-6)
    corners = ROOM.scene.triangles_F33[face_N]
    weight_N3 = np.stack([1 - uv_N2.sum(axis=1), uv_N2[:, 0], uv_N2[:, 1]], axis=1)
    np.testing.assert_allclose(
        (weight_N3[:, :, None] * corners).sum(axis=1), origins + distance_N[:, None] * dirs, atol=1e-5
    )


def test_a_miss_has_infinite_distance() -> None:
    face_N, distance_N, _ = ROOM.closest(np.array([[9.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]))
    assert face_N[0] == -1
    assert distance_N[0] == np.inf


def test_occluded_respects_the_maximum_distance() -> None:
    origins = np.tile([[0.0, 1.5, 0.0]], (4, 1))
    dirs = np.tile([[1.0, 0.0, 0.0]], (4, 1))
    limits = np.array([1.0, 1.99, 2.01, 50.0])
    np.testing.assert_array_equal(ROOM.occluded(origins, dirs, limits), [False, False, True, True])
    assert limits[0] == 1.0, "the caller's array is not changed"
    assert not ROOM.occluded(origins, dirs, 1.9).any()
    assert ROOM.occluded(origins, dirs).all()
    assert ROOM.occluded(np.zeros((0, 3)), np.zeros((0, 3)), 1.0).shape == (0,)


@settings(max_examples=30, deadline=None)
@given(x=st.floats(-1.9, 1.9), y=st.floats(0.1, 2.9), z=st.floats(-2.9, 2.9), seed=st.integers(0, 1000))
def test_occlusion_agrees_with_the_closest_hit(x: float, y: float, z: float, seed: int) -> None:
    dirs = np.random.Generator(np.random.Philox(seed)).normal(size=(50, 3))
    origins = np.tile([[x, y, z]], (50, 1))
    _, distance_N, _ = ROOM.closest(origins, dirs)
    assert ROOM.occluded(origins, dirs, distance_N * 1.001).all()
    assert not ROOM.occluded(origins, dirs, distance_N * 0.999).any()


def test_coherent_rays_give_the_same_results() -> None:
    ray_scene = RayScene(generate_house(4))
    target_N3 = ray_scene.scene.triangles_F33.mean(axis=1)
    room = ray_scene.scene.rooms[0]
    ear = np.array([(room.min_x + room.max_x) / 2, 1.5, (room.min_z + room.max_z) / 2])
    origins, dirs = np.broadcast_to(ear, target_N3.shape), target_N3 - ear
    plain, coherent = (ray_scene.occluded(origins, dirs, 0.99, coherent=flag) for flag in (False, True))
    assert 0.5 < plain.mean() < 0.999
    assert (plain != coherent).mean() < 1e-3


def test_a_negative_maximum_distance_means_not_occluded() -> None:
    """A caller that subtracts a margin may pass a negative distance: nothing can lie within it."""
    assert not ROOM.occluded(np.array([[0.0, 1.5, 0.0]]), np.array([[1.0, 0.0, 0.0]]), -0.01).any()


def test_a_scene_without_faces_is_refused() -> None:
    with pytest.raises(SceneError, match="no triangles"):
        RayScene(mesh_scene(np.zeros((3, 3)), np.zeros((0, 3), dtype=np.int32)))


def test_depth_is_planar_and_exact() -> None:
    renderer = Renderer(ROOM, size=64, hfov=90.0)
    _, depth_HW = renderer.render(np.array([0.0, 1.5, 1.0]), 0.0)
    assert depth_HW.dtype == np.float32
    # The far wall is 4 m ahead; every pixel that sees it has this depth, however oblique its ray is.
    at = (np.arange(64) + 0.5) / 64 * 2 - 1
    x, y = np.meshgrid(at, -at)
    expected = np.minimum.reduce([np.full_like(x, 4.0), 2.0 / np.abs(x), 1.5 / np.abs(y)])
    np.testing.assert_allclose(depth_HW, expected, rtol=1e-5)


def test_left_and_right_turns_have_the_correct_sign() -> None:
    scene = box_scene(((-3.0, 0.0, -0.5), (-2.0, 2.0, 0.5)))  # one block, to the left (-X) of the origin
    renderer = Renderer(RayScene(scene), size=32)
    seen = {
        turn: (renderer.render(np.array([0.0, 1.0, 0.0]), math.radians(turn))[1] > 0).any(axis=0)
        for turn in (0, 60, 90, -90)
    }
    assert not seen[0].any()
    assert seen[90][15:17].all(), "after a quarter turn to the left it is straight ahead"
    assert seen[60].any()
    assert not seen[60][16:].any(), "after 60 degrees it is still on the left"
    assert not seen[-90].any()


def test_images_are_reproducible_and_complete() -> None:
    ray_scene = RayScene(generate_house(1))
    light = bake_light(ray_scene)
    room = ray_scene.scene.rooms[0]
    camera = np.array([(room.min_x + room.max_x) / 2, 1.25, (room.min_z + room.max_z) / 2])
    first, second = (Renderer(ray_scene, light=light).render(camera, 0.7) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert first[0].shape == (128, 128, 3)
    assert first[0].dtype == np.uint8
    assert (first[1] > 0).all(), "a house is closed, so every ray hits something"
    assert 40 < first[0].mean() < 225
    assert first[0].std() > 15


def test_a_wider_field_of_view_sees_more() -> None:
    wide = Renderer(ROOM, size=32, hfov=120.0).render(np.array([0.0, 1.5, 2.0]), 0.0)[1]
    narrow = Renderer(ROOM, size=32, hfov=30.0).render(np.array([0.0, 1.5, 2.0]), 0.0)[1]
    assert np.ptp(narrow) < 1e-4
    assert np.ptp(wide) > 1.0


@pytest.mark.parametrize(("size", "hfov"), [(0, 90.0), (64, 0.0), (64, 180.0)])
def test_invalid_image_sizes_are_refused(size: int, hfov: float) -> None:
    with pytest.raises(UsageError, match="expected"):
        Renderer(ROOM, size=size, hfov=hfov)


def test_floor_plan_maps_pixels_to_metres() -> None:
    image, origin_xz, metres_per_pixel = floor_plan_image(ROOM, 20.0)
    assert metres_per_pixel == pytest.approx(0.05)
    assert origin_xz == pytest.approx((-2.0 - MARGIN, -3.0 - MARGIN))
    assert image.shape[1] == pytest.approx((4.0 + 2 * MARGIN) * 20, abs=1)
    assert image.shape[0] == pytest.approx((6.0 + 2 * MARGIN) * 20, abs=1)
    assert tuple(image[0, 0]) == PAPER
    row, column = (int((0.0 - o) / metres_per_pixel) for o in reversed(origin_xz))
    assert tuple(image[row, column]) != PAPER


def test_invalid_floor_plan_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="pixels"):
        floor_plan_image(ROOM, 1e6)
    with pytest.raises(UsageError, match="positive"):
        floor_plan_image(ROOM, 0.0)
