"""The island that the agent walks on: a roof decides, but not that of a wardrobe."""

from __future__ import annotations

import numpy as np
import pytest

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.islands import choose_island


@pytest.mark.parametrize(
    ("sizes", "indoors", "expected"),
    [
        ((60.0, 400.0), (60.0, 0.0), 0),  # a house and the ground around it
        ((120.0, 3.0), (0.0, 3.0), 0),  # a flat without a ceiling, and the inside of a closed wardrobe
        ((5.0, 12.0), (5.0, 0.0), 0),  # a small room and its terrace
        ((50.0, 40.0), (10.0, 40.0), 1),
        ((30.0, 20.0), (0.0, 0.0), 0),
    ],
)
def test_which_island_is_chosen(sizes: tuple[float, ...], indoors: tuple[float, ...], expected: int) -> None:
    cell = 0.1
    island_N = np.repeat(np.arange(len(sizes)), [round(size / cell**2) for size in sizes])
    indoor_N = np.repeat(np.arange(len(sizes)), [round(size / cell**2) for size in indoors])
    chosen, under_a_roof = choose_island(island_N, indoor_N, len(sizes), cell, "a")
    assert chosen == expected
    assert under_a_roof == pytest.approx(tuple(sorted((size for size in indoors if size), reverse=True)))


def test_no_floor_is_an_error() -> None:
    with pytest.raises(SceneError, match="no free floor"):
        choose_island(np.zeros(0, dtype=int), np.zeros(0, dtype=int), 0, 0.1, "a")
