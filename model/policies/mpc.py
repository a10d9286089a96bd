"""Reachable-set model-predictive control: predict the distance to the source from every place that the agent can reach,
walk towards the best place, and decide again after a few actions. Where the prediction is uncertain, the agent goes
where the sound comes from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from avw.model.context import Observer
from avw.model.memory.free_space import FreeSpace, ReachablePoses, enclosed, reachable, reachable_poses, walking_cost
from avw.model.memory.poses import compose, places_on
from avw.model.memory.spatial_memory import SpatialMemory
from avw.model.planning.arrival import Arrival
from avw.model.planning.decision import Decision
from avw.model.planning.distance_field import DistanceField, FieldConfig
from avw.model.planning.hearing import Hearing
from avw.model.planning.last_heard import LastHeard
from avw.model.planning.outlook import Outlook, outlook
from avw.model.planning.source_paths import expected_paths
from avw.model.planning.walking import Walker
from avw.model.world_model import WorldModel
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import Action, Observation

ROUND = 36  # turns of 10°
STAYED = 1.0  # metres around a place in which the agent counts as staying there
ARRIVED = 0.3  # metres to the goal at which the next decision is made


@dataclass(frozen=True, kw_only=True, slots=True)
class MpcConfig:
    """Weights were chosen on the validation houses of rooms-v1, `paths` and `stop` on procedural-4000 to 4071.

    nearest, farthest: metres of path to the candidates · spacing: factor on the distances between them
    execute: actions between two decisions, at least and at most: as many as metres to the source are expected
    denoising_steps: network passes per imagined future; None: as many as the model was trained for; 0 predicts the
        reward from the context alone, without imagining images or sound (the control policy `reward-only`)
    paths: share of D(x) that is not the field but the expected length of the paths through the map to the source
    path_cost: metres of distance per metre of path
    hear, explore, keep, revisit: weights, per metre of uncertainty, of the direction that the sound comes from, of
        unseen surroundings, of the goal chosen before, and of places where the agent was. An uncertain prediction is
        followed less, and the agent follows the sound and searches instead
    hear_metres: places that are nearer count less for the direction of the sound, which is coarse
    keep_metres, revisit_metres: radii of the last two
    scan: whether the agent looks around at the start: a turn of the head tells front from back
    stop: the agent stops where P(success), over the last decisions, is higher. A step too many inside the success
        distance costs no SPL, and a STOP too early ends the episode, so it is high
    stay, stop_after_stay: after so many actions within 1 m of a place, this P(success) suffices there
    stop_memory: share of its weight that the evidence of a decision keeps per decision
    """

    nearest: float = 0.6
    farthest: float = 6.0
    spacing: float = 1.5
    execute: tuple[int, int] = (2, 8)
    denoising_steps: int | None = None
    field: FieldConfig = dataclasses.field(default_factory=FieldConfig)
    paths: float = 0.5
    path_cost: float = 0.2
    hear: float = 2.0
    explore: float = 0.7
    keep: float = 0.3
    revisit: float = 0.1
    hear_metres: float = 3.0
    keep_metres: float = 0.7
    revisit_metres: float = 0.6
    scan: bool = True
    stop: float = 0.9
    stop_memory: float = 0.5
    stay: int = 100
    stop_after_stay: float = 0.5


class MpcPolicy:
    """Chooses where to go from the predictions of AV-CDiT, and walks there through its memory of depth images."""

    def __init__(self, model: Path | str | WorldModel, config: MpcConfig | None = None, device: str = "cpu") -> None:
        """model: a loaded model (anything with the methods of `WorldModel`), or the folder of a run to load."""
        self.model = WorldModel.load(Path(model), device) if isinstance(model, str | Path) else model
        self.config = config or MpcConfig()
        self.name = "reward-only" if self.config.denoising_steps == 0 else "mpc"
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.seed, self.decisions = seed, 0
        self.observer = Observer(self.model.needs)
        # Every policy of this kind needs a map, also with a model that reads no memory.
        self.memory = self.observer.memory or SpatialMemory(self.model.hfov)
        self.walker = Walker(self.memory)
        self.hearing = Hearing()
        self.last_heard = LastHeard()
        self.field = DistanceField(self.config.field)
        self.arrival = Arrival(self.config.stop_memory)
        self.goal_2: np.ndarray | None = None
        self.decision: Decision | None = None  # the last one, for recordings
        self.last_action: Action | None = None
        self._left = 0  # actions until the next decision
        self._turns = ROUND if self.config.scan else 0  # that are left of looking around

    def act(self, observation: Observation) -> Action:
        self.observer.observe(observation, self.last_action)
        if self.observer.memory is None:
            self.memory.observe(observation, self.last_action)
        self.walker.arrived(self.last_action)
        if self.model.hears:
            if self.last_action is not None and not self.walker.blocked:
                self.hearing.moved(self.last_action)
            self.hearing.hear(observation.audio_ES)
            if self.last_heard.hear(observation.audio_ES):
                self.remember()
        if self._turns == 0 and (self._left == 0 or self.walker.blocked or self._at_goal()) and self.plan():
            return Action.STOP
        if self._turns > 0:
            self._turns -= 1
            self.last_action = Action.TURN_LEFT
        else:
            self._left -= 1
            self.last_action = self.walker.next_action()
        return self.last_action

    def _at_goal(self) -> bool:
        return self.goal_2 is not None and _metres(self.goal_2, self.walker.position_2) < ARRIVED

    def plan(self) -> bool:
        """Choose the next goal x among the reachable places, or return True to stop here.

            score(x) = -D(x) - path_cost · |path to x| + sigma · (hear · heard(x) + explore · unseen(x)
                       + keep · near(x, last goal) - revisit · log(1 + visits(x)))

        D: the field of expected distances over all decisions · sigma: standard deviation of the distance from here
        heard: evidence that the sound comes from the direction of x
        """
        c = self.config
        self.decisions += 1
        self._left = 0
        space, cost_HW = self.map()
        poses = reachable_poses(space, nearest=c.nearest, farthest=c.farthest, spacing=c.spacing, cost_HW=cost_HW)
        here_2 = self.walker.position_2
        place_K2 = compose(self.memory.pose_4, poses.motion_K3)[:, :2]
        silent = self.last_heard.silent
        predicted = self.recall(space, cost_HW, place_K2) if silent else self.predict(poses)
        self.field.add(np.concatenate([place_K2, here_2[None]]), predicted.distance_K, predicted.variance_K)
        if self.arrived(predicted):
            return True
        self._left = int(np.clip(round(predicted.distance_K[-1]), *c.execute))
        if not len(poses):
            self.turn_around(space, cost_HW)
            return False
        distance_K = self.field.at(place_K2)
        paths_K = self.paths(space, cost_HW, place_K2, predicted)
        if paths_K is not None:
            distance_K = (1.0 - c.paths) * distance_K + c.paths * paths_K
        sigma = float(np.sqrt(predicted.variance_K[-1]))
        search_K = c.hear * self.heard(poses.motion_K3)
        search_K += c.explore * unseen(space, place_K2) - c.revisit * np.log1p(self.visits(place_K2))
        if self.goal_2 is not None:
            search_K += c.keep * np.exp(-0.5 * np.square(place_K2 - self.goal_2).sum(1) / c.keep_metres**2)
        score_K = -distance_K - c.path_cost * poses.metres_K + sigma * search_K
        self.decision = Decision(space, poses, place_K2, distance_K, score_K)
        best = int(score_K.argmax())
        self.goal_2 = place_K2[best]
        self.walker.follow(space, cost_HW, poses.paths[best])
        return False

    def turn_around(self, space: FreeSpace, cost_HW: np.ndarray) -> None:
        """Walk towards what is behind: the agent is walled in."""
        here_2 = self.walker.position_2
        self.goal_2 = None
        self.walker.follow(space, cost_HW, np.stack([here_2, here_2 - 0.5 * _ahead(self.memory.pose_4[3])]))

    def map(self) -> tuple[FreeSpace, np.ndarray]:
        """The map and the cost of walking in it. If there is no way out, gaps that look too narrow are open."""
        space = self.walker.space()
        cost_HW = walking_cost(space)
        return space, walking_cost(space, squeeze=True) if enclosed(space, cost_HW) else cost_HW

    def predict(self, poses: ReachablePoses) -> Outlook:
        """What the model predicts for the candidates and for the current pose."""
        seed = int(keyed_rng(self.seed, "mpc", self.decisions).integers(2**31))
        return outlook(
            self.model, self.observer.context(), poses.motion_K3, poses.steps_K,
            denoising_steps=self.config.denoising_steps, seed=seed,
        )  # fmt: skip

    def remember(self) -> None:
        """Keep what the model believes about the source: it may not be heard again."""
        nowhere_03, none_0 = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
        predicted = outlook(self.model, self.observer.context(), nowhere_03, none_0, denoising_steps=0, seed=0)
        if predicted.source_G2 is not None and predicted.p_G is not None:
            self.last_heard.remember(places_on(self.memory.pose_4, predicted.source_G2), predicted.p_G)

    def recall(self, space: FreeSpace, cost_HW: np.ndarray, place_K2: np.ndarray) -> Outlook:
        """What to expect at the candidates and at the current pose from what was heard last."""
        self.last_heard.choose(reachable(space, cost_HW, self.last_heard.places_G2))
        return self.last_heard.outlook(np.vstack([place_K2, self.walker.position_2]), self.memory.pose_4)

    def paths(
        self, space: FreeSpace, cost_HW: np.ndarray, place_K2: np.ndarray, predicted: Outlook
    ) -> np.ndarray | None:
        """Expected metres from each place to the source, along paths through the map; None if nothing is known."""
        if predicted.source_G2 is None or predicted.p_G is None or not self.config.paths:
            return None
        source_G2 = places_on(self.memory.pose_4, predicted.source_G2)
        return expected_paths(space, cost_HW, place_K2, source_G2, predicted.p_G)

    def arrived(self, predicted: Outlook) -> bool:
        """Whether the source is near enough to stop, by the evidence of the last decisions. A model that was trained
        for a short time is never certain: where the agent has stayed for long, less certainty suffices."""
        c = self.config
        after_scan = self.walker.trail[ROUND:]  # without the turn at the start
        stayed = steps_near(after_scan, self.walker.position_2[None], STAYED)[0]
        success = self.arrival.add(float(predicted.success_K[-1]))
        return success > (c.stop if stayed < c.stay else c.stop_after_stay)

    def heard(self, motion_K3: np.ndarray) -> np.ndarray:
        """float64 (K,), 0 to 1: evidence that the sound comes from where the motions lead. 0 for a model without sound,
        whose planner does not listen either."""
        if not self.model.hears:
            return np.zeros(len(motion_K3))
        forward_K, left_K, _ = motion_K3.T.astype(np.float64)
        near_K = np.minimum(np.hypot(forward_K, left_K) / self.config.hear_metres, 1.0)
        return np.asarray(near_K * self.hearing.support(np.arctan2(left_K, forward_K)))

    def visits(self, place_K2: np.ndarray) -> np.ndarray:
        """int (K,): past steps within `revisit_metres` of each place."""
        return steps_near(self.walker.trail, place_K2, self.config.revisit_metres)


def steps_near(trail: list[np.ndarray], place_K2: np.ndarray, radius: float) -> np.ndarray:
    """int (K,): how many places of a trail lie within `radius` metres of each place."""
    trail_T2 = np.reshape(trail, (-1, 2))
    return np.asarray((np.linalg.norm(place_K2[:, None] - trail_T2[None], axis=-1) < radius).sum(1))


def unseen(space: FreeSpace, place_K2: np.ndarray, radius: float = 0.8) -> np.ndarray:
    """float64 (K,): the share of unknown cells in a square around each place."""
    unknown_HW = ~(space.free_HW | space.obstacle_HW)
    share_HW = uniform_filter(unknown_HW.astype(np.float64), 2 * round(radius / space.cell) + 1, mode="nearest")
    row_K, column_K = space.nodes(place_K2[:, 0], place_K2[:, 1])
    last = np.array(share_HW.shape) - 1
    return np.asarray(share_HW[row_K.clip(0, last[0]), column_K.clip(0, last[1])])


def _metres(first_2: np.ndarray, second_2: np.ndarray) -> float:
    return float(np.linalg.norm(first_2 - second_2))


def _ahead(heading: float) -> np.ndarray:
    return np.array([np.cos(heading), np.sin(heading)])
