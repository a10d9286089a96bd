"""The points of the 3-D view are where the surfaces are that the depth images show."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from avw.avw4k.viewing.point_cloud import CELL, MOST, point_cloud
from avw.sim_bridge.types import CAMERA_HEIGHT


def images(depth: float, frames: int = 1, side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rgb_THWC = np.zeros((frames, side, side, 3), np.uint8)
    rgb_THWC[:, :, : side // 2] = (250, 0, 0)  # the left half is red
    return rgb_THWC, np.full((frames, side, side), depth)


@pytest.mark.parametrize("yaw", [0.0, 0.5, np.pi / 2, -2.0])
def test_a_wall_ahead_is_a_plane_at_its_distance(yaw: float) -> None:
    position = np.array([1.0, 0.2, 2.0])
    cloud = point_cloud(*images(2.0), position[None], np.array([yaw]), 60.0)
    forward, right = np.array([-np.sin(yaw), 0, -np.cos(yaw)]), np.array([np.cos(yaw), 0, -np.sin(yaw)])
    away = cloud.point_N3 - position - [0, CAMERA_HEIGHT, 0]
    np.testing.assert_allclose(away @ forward, 2.0, atol=1e-9)
    half = 2.0 * np.tan(np.deg2rad(30))
    assert (away @ right).min() == pytest.approx(-half, abs=CELL)
    assert away[:, 1].min() == pytest.approx(-half, abs=CELL)
    red = cloud.rgb_N3[:, 0] > 100
    assert np.all((away @ right)[red] < 0)
    assert np.all((away @ right)[~red] > 0)


def test_missing_far_and_high_points_are_left_out() -> None:
    rgb_THWC, depth_THW = images(2.0)
    depth_THW[:, :, :32] = 0.0
    position, yaw = np.zeros((1, 3)), np.zeros(1)
    cloud = point_cloud(rgb_THWC, depth_THW, position, yaw, 90.0)
    assert cloud.point_N3[:, 0].min() > 0
    assert cloud.point_N3[:, 1].max() < 2.0
    assert len(point_cloud(*images(50.0), position, yaw, 90.0).point_N3) == 0


def test_points_are_few_and_each_has_the_first_frame_that_shows_it() -> None:
    frames = 400
    position_T3 = np.zeros((frames, 3))
    position_T3[:, 0] = np.linspace(0, 60, frames)
    cloud = point_cloud(*images(3.0, frames), position_T3, np.zeros(frames), 90.0)
    assert 1000 < len(cloud.point_N3) <= MOST
    assert len(np.unique(np.floor(cloud.point_N3 / CELL).astype(int), axis=0)) == len(cloud.point_N3)
    assert np.corrcoef(cloud.point_N3[:, 0], cloud.frame_N)[0, 1] > 0.95
    still = point_cloud(*images(3.0, 5), np.zeros((5, 3)), np.zeros(5), 90.0)
    assert set(still.frame_N.tolist()) == {0}


def test_the_page_gets_centimetres() -> None:
    cloud = point_cloud(*images(2.0), np.array([[1.0, 0.0, 2.0]]), np.zeros(1), 60.0)
    note = cloud.note()
    points = np.frombuffer(base64.b64decode(note["points"]), "<i2").reshape(-1, 3) / 100
    np.testing.assert_allclose(points, cloud.point_N3, atol=0.006)
    assert len(base64.b64decode(note["colours"])) == 3 * len(base64.b64decode(note["frames"])) // 2
