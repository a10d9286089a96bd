"""The cost of a policy is that of the policy, and not that of the simulator."""

import time

from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import Action
from benchmarks.policies import walked


class Busy:
    """Spends 10 ms of CPU time per action, and decides in every fifth action."""

    def reset(self, seed):
        self.actions = self.decisions = 0

    def act(self, observation):
        self.actions += 1
        self.decisions += self.actions % 5 == 1
        began = time.process_time()
        while time.process_time() - began < 0.01:
            pass
        return Action.TURN_LEFT if self.actions < 8 else Action.STOP  # the next episode begins


def test_the_time_of_the_policy_alone_is_counted():
    simulator = open_simulator("procedural-0213", SimulatorConfig(size=32, emitters=500))
    seconds, decided = walked(simulator, Busy(), 20, seed=0)
    assert seconds >= 0.2
    assert decided == 2 + 2 + 1  # 8, 8 and 4 actions
