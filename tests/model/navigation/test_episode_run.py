"""What is recorded about an episode."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from avw.model.navigation.episode_run import _reference
from avw.model.navigation.navigate_config import NavigateConfig
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.types import Pose


def test_where_the_follower_is_stuck_the_reference_is_the_path_without_turns() -> None:
    """The way in this house is 8.74 m, and the follower does not get through a gap."""
    simulator = SimpleNamespace(navgrid=free_space_of(generate_house(3050)))
    start = Pose(6.55743031310164, 2.736253304443523e-05, 13.153485827376075, 1.277716720962581)
    source = SimpleNamespace(floor_3=np.array([7.994255848796442, 0.0, 5.936155554028401]))
    config = NavigateConfig(policies=("oracle",), scenes=("procedural-3050",))
    assert _reference(simulator, start, source, config, 8.7353) == 1 + 59  # type: ignore[arg-type]
