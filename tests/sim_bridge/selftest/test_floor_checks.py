"""The checks of free space pass for AVW's grid, and fail for a grid with the error that they look for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.floor_checks import (
    FLOOR,
    free_floor_excludes_the_roof,
    free_floor_matches_the_room,
    shortest_walk_around_a_wall,
)


@pytest.mark.parametrize("check", FLOOR, ids=lambda check: check.__name__)
def test_avws_grid_passes(check: Callable) -> None:
    result = check(free_space_of)
    assert result.ok, f"{result.name}: expected {result.expected}, measured {result.measured}"


def _moved(scene: Scene, scale: float = 1.0, up: float = 0.0) -> Scene:
    vertices_V3 = scene.vertices_V3 * np.float32([scale, 1.0, scale]) + np.float32([0.0, up, 0.0])
    return dataclasses.replace(scene, vertices_V3=vertices_V3)


@pytest.mark.parametrize("scale", [0.93, 1.05])
def test_a_floor_of_another_size_is_noticed(scale: float) -> None:
    assert not free_floor_matches_the_room(lambda scene: free_space_of(_moved(scene, scale))).ok


def test_a_roof_is_noticed() -> None:
    assert not free_floor_excludes_the_roof(lambda scene: free_space_of(_moved(scene, up=3.0))).ok


def test_a_walk_through_the_wall_and_a_detour_are_noticed() -> None:
    assert not shortest_walk_around_a_wall(lambda scene: free_space_of(shoebox((6.0, 3.0, 5.0)))).ok
    assert not shortest_walk_around_a_wall(
        lambda scene: free_space_of(shoebox((6.0, 3.0, 5.0), wall_x=0.0, gap=1.1))
    ).ok


def test_the_expected_length_is_that_of_a_string_around_a_disc() -> None:
    """The closed form against the shortest string over sampled points of the disc."""
    radius, far_2 = 0.1, np.array([2.0, 2.0])
    angles = np.linspace(0.0, 2 * math.pi, 20_001)
    disc_N2 = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outward_N = np.linalg.norm(disc_N2 - far_2, axis=1)
    arc_N = radius * np.abs(angles - 1.5 * math.pi)  # to the point that is farthest from the wall
    seen_N = (disc_N2 * (far_2 - disc_N2)).sum(axis=1) >= 0.0  # the straight part does not cross the disc
    length = 2 * (outward_N + arc_N)[seen_N].min()
    text = shortest_walk_around_a_wall(free_space_of).expected
    assert float(text.split()[0]) == pytest.approx(length, abs=2e-3)
