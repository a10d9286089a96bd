import numpy as np
import pytest

from avw.model.memory.free_space import FreeSpace, walking_cost
from avw.model.planning.source_paths import expected_paths

CELL, HALF = 0.1, 30


def space(*walls: tuple[slice, slice]) -> FreeSpace:
    """An open map, 6.1 m wide, with the agent in the middle of its central cell, which is the origin."""
    obstacle_HW = np.zeros((2 * HALF + 1, 2 * HALF + 1), bool)
    for wall in walls:
        obstacle_HW[wall] = True
    corner = -(HALF + 0.5) * CELL
    return FreeSpace(~obstacle_HW, obstacle_HW, (corner, corner), CELL, np.zeros(4))


AHEAD = (slice(40, 41), slice(15, 46))
"""1 m ahead, from 1.5 m to the right to 1.5 m to the left."""


def paths(room: FreeSpace, places, sources, p=None) -> np.ndarray | None:
    """Places and sources are (forward, left) metres."""
    chances = np.full(len(sources), 1.0 / len(sources)) if p is None else np.array(p)
    return expected_paths(room, walking_cost(room), np.array(places, float), np.array(sources, float), chances)


def test_a_path_leads_around_a_wall():
    behind, beside = paths(space(AHEAD), [(0.5, 0.0), (0.5, 2.5)], [(2.0, 0.0)])
    assert 3.4 < behind < 4.8  # 1.5 m through the wall
    assert 2.8 < beside < 3.6  # no wall between
    assert paths(space(), [(0.5, 0.0)], [(2.0, 0.0)])[0] == pytest.approx(1.5)


def test_the_paths_to_all_likely_places_count():
    sources = [(0.0, -2.0), (2.0, 1.0)]
    (both,) = paths(space(AHEAD), [(0.0, 0.0)], sources)
    first, second = (paths(space(AHEAD), [(0.0, 0.0)], [source])[0] for source in sources)
    assert first != pytest.approx(second, rel=0.1)
    assert both == pytest.approx((first + second) / 2)
    assert paths(space(AHEAD), [(0.0, 0.0)], sources, [0.9, 0.1])[0] == pytest.approx(0.9 * first + 0.1 * second)


def test_a_source_beyond_the_map_is_farther_than_its_edge():
    near, far = (paths(space(), [(0.0, 0.0)], [(metres, 0.0)])[0] for metres in (2.9, 12.9))
    assert near == pytest.approx(2.9)
    assert far == pytest.approx(near + 10.0)


def test_a_source_inside_an_obstacle_is_approached_beside_it():
    (metres,) = paths(space((slice(48, 53), slice(28, 33))), [(0.0, 0.0)], [(2.0, 0.0)])
    assert 1.4 < metres < 2.8


def test_a_source_that_is_walled_off_has_no_path():
    around = [
        (slice(40, 51), slice(24, 25)),
        (slice(40, 51), slice(36, 37)),
        (slice(40, 41), slice(24, 37)),
        (slice(50, 51), slice(24, 37)),
    ]
    assert paths(space(*around), [(0.0, 0.0)], [(1.5, 0.0)]) is None
