"""Geodesics against exact shortest paths: a visibility graph over the corners, rounded by the agent's radius."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.flat.grid import FlatGrid
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import AGENT_RADIUS
from tests.sim_bridge.boxes import box_scene, flat, room

FLAT = free_space_of(box_scene(*flat()))
# Obstacles between ankle and head in `flat()`: (min x, min z, max x, max z).
OBSTACLES = (
    (4.95, 0.0, 5.05, 3.5),
    (4.95, 4.5, 5.05, 8.0),
    (1.0, 1.0, 2.5, 2.0),
    (7.0, 5.0, 8.5, 6.0),
    (6.0, 2.0, 7.0, 2.2),
)


def _separation(a_N2: np.ndarray, b_N2: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Metres between segments and a box: 0 where they cross, else the smallest distance of a corner or an end."""
    low, high = np.array(box[:2]), np.array(box[2:])
    direction = b_N2 - a_N2
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([(low - a_N2) / direction, (high - a_N2) / direction])
    near, far = np.nanmax(t.min(axis=0), axis=1), np.nanmin(t.max(axis=0), axis=1)
    crosses = (near <= far) & (far >= 0) & (near <= 1)
    least = np.full(len(a_N2), np.inf)
    for end_N2 in (a_N2, b_N2):
        least = np.minimum(least, np.linalg.norm(end_N2 - np.clip(end_N2, low, high), axis=1))
    length = np.maximum((direction**2).sum(axis=1), 1e-12)
    for corner in ((x, z) for x in (box[0], box[2]) for z in (box[1], box[3])):
        share = np.clip(((np.array(corner) - a_N2) * direction).sum(axis=1) / length, 0, 1)
        least = np.minimum(least, np.linalg.norm(a_N2 + share[:, None] * direction - corner, axis=1))
    return np.where(crosses, 0.0, least)


def _exact(starts_N2: np.ndarray, goal_2: np.ndarray) -> np.ndarray:
    """Exact shortest distances around OBSTACLES grown by the agent's radius (round corners as 32-gons)."""
    nodes = [goal_2]
    for min_x, min_z, max_x, max_z in OBSTACLES:
        for x, z, toward in [(min_x, min_z, 180), (max_x, min_z, 270), (max_x, max_z, 0), (min_x, max_z, 90)]:
            for degrees in np.linspace(toward, toward + 90, 9):
                angle, reach = math.radians(degrees), AGENT_RADIUS * 1.0003
                nodes.append(np.array([x + reach * math.cos(angle), z + reach * math.sin(angle)]))
    nodes_M2 = np.array([n for n in nodes if 0.1 <= n[0] <= 9.9 and 0.1 <= n[1] <= 7.9])
    points = np.concatenate([nodes_M2, starts_N2])
    i, j = np.meshgrid(np.arange(len(points)), np.arange(len(nodes_M2)), indexing="ij")
    i, j = i.ravel(), j.ravel()
    i, j = i[i != j], j[i != j]
    free = np.ones(len(i), dtype=bool)
    for box in OBSTACLES:
        # The chord between neighbouring points of a rounded corner is up to half a millimetre inside the circle.
        free &= _separation(points[i], points[j], box) >= AGENT_RADIUS - 1e-3
    weight = np.linalg.norm(points[i] - points[j], axis=1)
    graph = csr_matrix((weight[free], (i[free], j[free])), shape=(len(points), len(points)))
    return dijkstra(graph, directed=False, indices=0)[len(nodes_M2) :]


def test_distances_agree_with_the_visibility_graph() -> None:
    rng = keyed_rng("test", "geodesic")
    errors = []
    for _ in range(4):
        goal_3 = FLAT.sample(rng)
        field = FLAT.build_geodesic(goal_3)
        starts_N3 = np.array([FLAT.sample(rng, clearance=0.11) for _ in range(60)])
        exact_N = _exact(starts_N3[:, [0, 2]], goal_3[[0, 2]])
        measured_N = np.array([field.distance(start_3) for start_3 in starts_N3])
        far = exact_N > 1.0
        errors.append(measured_N[far] / exact_N[far] - 1.0)
    error = np.concatenate(errors)
    assert np.abs(error).mean() < 0.004
    assert np.quantile(np.abs(error), 0.95) < 0.012
    assert error.min() > -0.01, "no path is shorter than the shortest"


def test_in_sight_of_the_goal_the_distance_is_the_straight_line() -> None:
    field = FLAT.build_geodesic(np.array([3.0, 0.0, 6.0]))
    for x, z in [(0.5, 7.5), (3.0, 3.0), (4.5, 5.03)]:
        assert field.distance(np.array([x, 0.0, z])) == pytest.approx(math.hypot(x - 3.0, z - 6.0), abs=1e-12)


def test_a_path_is_walkable_and_as_long_as_its_distance() -> None:
    rng = keyed_rng("test", "path")
    field = FLAT.build_geodesic(np.array([8.5, 0.0, 7.5]))
    for _ in range(100):
        start_3 = FLAT.sample(rng)
        path_N3 = field.path(start_3)
        assert np.array_equal(path_N3[0], start_3)
        assert np.array_equal(path_N3[-1], [8.5, 0.0, 7.5])
        length = np.linalg.norm(np.diff(path_N3, axis=0), axis=1).sum()
        assert length == pytest.approx(field.distance(start_3), abs=1e-9)
        assert isinstance(FLAT, FlatGrid)
        assert all(FLAT.sees(a_3, b_3) for a_3, b_3 in itertools.pairwise(path_N3))


def test_a_goal_just_off_the_floor_counts_its_offset() -> None:
    field = FLAT.build_geodesic(np.array([0.02, 0.0, 5.0]))
    assert field.offset == pytest.approx(0.08, abs=0.05)
    assert field.distance(np.array([2.02, 0.0, 5.0])) == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize("goal", [(20.0, 0.0, 3.0), (3.0, 2.0, 6.0)])
def test_an_unreachable_goal_is_an_error_with_a_fix(goal: tuple[float, float, float]) -> None:
    with pytest.raises(SceneError, match=r"the goal .* is not on the floor that the agent can reach.*within 0\.5 m"):
        FLAT.build_geodesic(np.array(goal))


def test_each_grid_keeps_its_own_geodesics() -> None:
    goal = (3.0, 0.0, 6.0)
    assert FLAT.geodesic(goal) is FLAT.geodesic(np.array(goal))
    other = free_space_of(box_scene(*room(8.0, 8.0)))
    assert other.geodesic(goal) is not FLAT.geodesic(goal)
