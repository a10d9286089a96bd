"""Who decides what to do next: the Policy protocol, and the policies that need neither ears nor a model.

A policy sees `Observation`s and remembers its own actions; nothing else of the world reaches it. The one exception is
the oracle, which is handed the simulator itself and serves as the upper bound.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from avw.model.planning.policy_file import is_policy_file, load_policy
from avw.model.planning.sight import blocked_ahead
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import Action, Observation

if TYPE_CHECKING:
    from avw.sim_bridge.simulators.protocol import Simulator

POLICIES = ("random", "forward", "greedy-audio", "mapping-audio", "reward-only", "mpc", "oracle")
PRIVILEGED = ("oracle",)
LEARNED = ("mpc", "reward-only")
MAX_STEPS = 500


class Policy(Protocol):
    """Decides one action per step from what it observes. Inherit from it for a policy of your own.

        class Mine(avw.Policy):
            def reset(self, seed): ...
            def act(self, observation): return avw.Action.FORWARD

    `avw.run_navigation` and `avw navigate --policy my.py:Mine` run it. Inheriting is optional: any object with these
    two methods is a policy.
    """

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Prepare for a new episode. All random decisions of the episode should depend on `seed` only."""

    @abstractmethod
    def act(self, observation: Observation) -> Action:
        """The next action. Called once per step, first with the observation at the start."""


class RandomPolicy:
    """Moves at random (forward, left, right with equal chance) and stops at a step drawn uniformly from the episode.

    Drawing STOP like the three other actions would end the mean episode after four steps, near its start: a policy
    that fails by never having moved. Here every length up to the limit is equally likely.
    """

    name = "random"

    def __init__(self, max_steps: int = MAX_STEPS):
        self.max_steps = max_steps
        self.reset(0)

    def reset(self, seed: int) -> None:
        self._rng = keyed_rng(seed, "policy", self.name)
        self._left = int(self._rng.integers(1, self.max_steps + 1))

    def act(self, observation: Observation) -> Action:
        self._left -= 1
        if self._left <= 0:
            return Action.STOP
        return Action(int(self._rng.integers(Action.FORWARD, Action.TURN_RIGHT + 1)))


class ForwardPolicy:
    """Walks straight on, turns away (to a side drawn at random) from what stands in the way, and stops at the end.

    It shows how far walking alone gets: it has eyes but no ears.
    """

    name = "forward"

    def __init__(self, max_steps: int = MAX_STEPS, hfov: float = 90.0):
        self.max_steps = max_steps
        self.hfov = hfov
        self.reset(0)

    def reset(self, seed: int) -> None:
        self._rng = keyed_rng(seed, "policy", self.name)
        self._step = 0
        self._turning: Action | None = None

    def act(self, observation: Observation) -> Action:
        self._step += 1
        if self._step >= self.max_steps:
            return Action.STOP
        if not blocked_ahead(observation.depth_HW, hfov=self.hfov):
            self._turning = None
            return Action.FORWARD
        if self._turning is None:
            self._turning = Action.TURN_LEFT if self._rng.random() < 0.5 else Action.TURN_RIGHT
        return self._turning


class OraclePolicy:
    """Follows the shortest path and stops as soon as it may: the only policy that sees the simulator."""

    name = "oracle"

    def __init__(self, simulator: Simulator, success_distance: float = 1.0):
        from avw.sim_bridge.task.follower import ShortestPathFollower

        self._follower = ShortestPathFollower(simulator, stop_distance=success_distance)

    def reset(self, seed: int) -> None:
        """Nothing to forget: the follower keeps no state."""

    def act(self, observation: Observation) -> Action:
        return self._follower.next_action()


def make_policy(
    name: str,
    *,
    model_dir: Path | None = None,
    device: str = "cpu",
    hfov: float = 90.0,
    max_steps: int = MAX_STEPS,
) -> Policy:
    """A policy by name, or from a user's file (FILE.py:NAME).

    model_dir: the trained run that `mpc` and `reward-only` plan with
    hfov: degrees, of the camera · max_steps: of an episode

    The oracle is not made here: whatever this function makes knows nothing of the simulator.
    Raises UsageError for an unknown name or a missing model.
    """
    if name == "random":
        return RandomPolicy(max_steps)
    if name == "forward":
        return ForwardPolicy(max_steps, hfov)
    if name == "greedy-audio":
        from avw.model.planning.greedy_audio import GreedyAudioPolicy

        return GreedyAudioPolicy(hfov=hfov)
    if name == "mapping-audio":
        from avw.model.planning.mapping_audio import MappingAudioPolicy

        return MappingAudioPolicy(hfov=hfov)
    if name in LEARNED:
        from avw.model.planning.mpc import MpcConfig, MpcPolicy

        if model_dir is None:
            raise UsageError(
                f"the policy {name} plans with a trained model: type avw navigate --policy {name} --model RUN"
            )
        return MpcPolicy(model_dir, MpcConfig(denoising_steps=1 if name == "mpc" else 0), device)
    if is_policy_file(name):
        return load_policy(name)
    if name == "oracle":
        raise UsageError("the oracle is given the simulator: construct OraclePolicy(simulator)")
    raise UsageError(f"unknown policy {name!r}: expected one of {', '.join(POLICIES)}, or FILE.py:CLASS")


def policy_seed(episode_seed: int) -> int:
    """The seed a policy gets for an episode: of its own, so that no policy shares draws with the world."""
    return int(keyed_rng(episode_seed, "policy").integers(2**31))


def as_action(value: object) -> Action:
    """A policy's answer as an Action. Raises UsageError if it is not a valid action."""
    try:
        return Action(int(np.asarray(value).item()))
    except (TypeError, ValueError) as error:
        raise UsageError(f"a policy must return one of {[a.name for a in Action]}, got {value!r}") from error
