"""Upper bounds of the planner: what it would do with a true reward, or with a true STOP.

They split the loss of `mpc` in three. What `oracle-reward` misses is due to the candidates and the walking; what
`oracle-stop` misses beyond that, to the predicted distances; and what `mpc` misses beyond that, to its rule for STOP.
Like the oracle they receive the simulator, and are not results.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avw.model.context import ContextNeeds
from avw.model.memory.free_space import ReachablePoses
from avw.model.planning.outlook import Outlook
from avw.model.policies.mpc import MpcConfig, MpcPolicy
from avw.model.world_model import WorldModel
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.types import moved

NO_WAY = 30.0  # metres, if no place can be reached


class OracleStopPolicy(MpcPolicy):
    """`mpc` that stops as soon as STOP succeeds. `simulator` has to be that of the episode."""

    simulator: Simulator

    def __init__(
        self,
        model: Path | str | WorldModel,
        config: MpcConfig | None = None,
        device: str = "cpu",
        *,
        success_distance: float = 1.0,
    ) -> None:
        super().__init__(model, config, device)
        self.name, self.success_distance = "oracle-stop", success_distance

    def arrived(self, predicted: Outlook) -> bool:
        return self.simulator.distance_to_source() < self.success_distance


class MapOnly:
    """In place of a model: what an `Observer` needs to keep a map and nothing else."""

    hears = False

    def __init__(self, hfov: float, size: int) -> None:
        self.hfov = hfov
        self.needs = ContextNeeds(ages=(0,), sound_memory=0, memory=True, hfov=hfov, size=size)


class OracleRewardPolicy(OracleStopPolicy):
    """The planner with the true distance from every candidate, and the true STOP. It needs no model."""

    def __init__(
        self, hfov: float, size: int, config: MpcConfig | None = None, *, success_distance: float = 1.0
    ) -> None:
        super().__init__(MapOnly(hfov, size), config, success_distance=success_distance)  # type: ignore[arg-type]
        self.name = "oracle-reward"

    def predict(self, poses: ReachablePoses) -> Outlook:
        here, motions = self.simulator.pose, [*poses.motion_K3[:, :2].tolist(), (0.0, 0.0)]
        places = [moved(here, forward, left).position_3 for forward, left in motions]
        distance_K = np.array([self.simulator.distance_to_source(place_3) for place_3 in places])
        # The map is a guess where nothing was seen. From a place that cannot be reached, the way leads over another.
        known_K = np.isfinite(distance_K)
        ground_K2 = np.array([[place_3[0], place_3[2]] for place_3 in places])
        for k in np.flatnonzero(~known_K):
            over_N = distance_K[known_K] + np.linalg.norm(ground_K2[known_K] - ground_K2[k], axis=1)
            distance_K[k] = over_N.min(initial=NO_WAY)
        return Outlook(distance_K, np.zeros(len(places)), (distance_K < self.success_distance).astype(np.float64))
