"""The planner with a true reward and with a true STOP, in a small flat."""

import numpy as np
import pytest

from avw.model.policies.bounds import OracleRewardPolicy, OracleStopPolicy
from avw.model.policies.mpc import MpcConfig
from avw.model.policies.registry import make_privileged
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import AudioNavTask, sample_episode
from avw.sim_bridge.types import Action
from tests.model.planning.room_walk import KnowingModel, RoomWalk

FAST = MpcConfig(denoising_steps=0, spacing=2.5, farthest=4.0, scan=False)


def test_with_a_true_reward_the_planner_takes_almost_the_shortest_way(flats):
    simulator = open_simulator(flats[0], SimulatorConfig(size=32, emitters=500))
    task = AudioNavTask(simulator)
    start, source = sample_episode(simulator, 3, min_distance=2.0)
    observation = task.reset(start, source, 3)
    shortest = simulator.distance_to_source()
    policy = OracleRewardPolicy(90.0, 32, FAST)
    policy.simulator = simulator
    walked, before = 0.0, simulator.pose.position_3
    for _ in range(150):
        action = policy.act(observation)
        result = task.step(action)
        observation = result.observation
        walked += float(np.linalg.norm(simulator.pose.position_3 - before))
        before = simulator.pose.position_3
        if result.done:
            break
    simulator.close()
    assert result.success
    assert walked < shortest + 0.5


def test_a_true_stop_overrules_the_model():
    class Near:
        metres = 3.0

        def distance_to_source(self) -> float:
            return self.metres

    policy = OracleStopPolicy(KnowingModel(lambda place_2: 0.2), FAST)
    policy.simulator = simulator = Near()
    walk = RoomWalk()
    assert walk.run(policy, 3)[-1] != Action.STOP
    simulator.metres = 0.9
    assert walk.run(policy, 3)[-1] == Action.STOP


def test_the_bound_of_a_model_needs_one():
    with pytest.raises(UsageError, match="--model"):
        make_privileged("oracle-stop", None)  # type: ignore[arg-type]
