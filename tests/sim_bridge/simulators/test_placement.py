"""Sources in walls, in closed cabinets, out of doors: refused by name. Anywhere else: welcome."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.placement import check_source
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import sample_episode, sample_source
from tests.sim_bridge.boxes import box_scene, flat

SAFE = ((2.0, 0.0, 6.0), (3.0, 1.9, 7.0))  # a box that is closed all around, higher than the ears
SCENE = box_scene(*flat(), SAFE)
RAYS, GRID = RayScene(SCENE), free_space_of(SCENE)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((5.0, 1.5, 2.0), "source-in-wall"),
        ((2.5, 1.5, 6.5), "source-in-wall"),
        ((2.5, 2.65, 6.5), "source-in-wall"),  # in the slab of the ceiling
        ((3.0, -0.05, 4.0), "source-in-wall"),  # in the slab of the floor
        ((-0.6, 1.5, 4.0), "source-outside"),
        ((30.0, 1.5, 4.0), "source-outside"),
        ((3.0, 9.0, 4.0), "source-outside"),
        ((math.nan, 1.5, 4.0), "source-nowhere"),
    ],
)
def test_where_no_source_can_be(place: tuple[float, float, float], name: str) -> None:
    finding = check_source(RAYS, GRID, np.array(place))
    assert finding is not None
    assert finding.name == name
    assert f"{place[0]:.2f}" in finding.sentence()


@pytest.mark.parametrize(
    "place", [(3.0, 1.5, 4.0), (1.7, 0.9, 1.5), (7.7, 0.3, 5.5), (0.02, 1.5, 4.0), (5.0, 1.5, 4.0)]
)
def test_where_a_source_can_be(place: tuple[float, float, float]) -> None:
    """In a room; on top of a chest; under a table; close to a wall; in the doorway."""
    assert check_source(RAYS, GRID, np.array(place)) is None


def test_outdoors_seen_through_the_door_is_still_outdoors() -> None:
    boxes = flat()
    with_door = [box for box in boxes if box != boxes[5]] + [((0.0, 0.0, 8.0), (4.0, 2.6, 8.1))]
    scene = box_scene(*with_door)
    finding = check_source(RayScene(scene), free_space_of(scene), np.array([7.0, 1.5, 8.8]))
    assert finding is not None
    assert finding.name == "source-outside"


def test_without_a_ceiling_everywhere_is_outdoors_and_fine() -> None:
    boxes = flat()
    scene = box_scene(boxes[0], *boxes[2:])
    assert check_source(RayScene(scene), free_space_of(scene), np.array([3.0, 1.5, 4.0])) is None


@pytest.mark.parametrize("seed", range(2))
def test_every_sampled_source_stands_well(seed: int) -> None:
    house = generate_house(seed)
    rays, grid = RayScene(house), free_space_of(house)
    for index in range(60):
        source = sample_source(grid, keyed_rng("test", "placement", seed, index))
        assert check_source(rays, grid, np.array(source.position_3)) is None


def test_the_simulator_refuses_a_source_in_a_wall(tmp_path: Path) -> None:
    export_glb(SCENE, tmp_path / "flat.glb")
    simulator = open_simulator(str(tmp_path / "flat.glb"), SimulatorConfig(size=8, emitters=100))
    start, source = sample_episode(simulator, 0)
    with pytest.raises(UsageError, match=r"source-in-wall: .*\(5\.00, 1\.50, 2\.00\).*sample_source"):
        simulator.reset(start, replace(source, position_3=(5.0, 1.5, 2.0)))
    simulator.reset(start, source)
