"""The Policy protocol, every policy by its name, and the policies that use neither sound nor a model.

A policy receives `Observation`s and knows its own actions, and nothing else. The only exceptions are those of
`PRIVILEGED`, the oracle and the bounds, which receive the simulator.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from avw.model.planning.sight import blocked_ahead
from avw.model.policies.policy_file import is_policy_file, load_policy
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import Action, Observation

if TYPE_CHECKING:
    from avw.sim_bridge.simulators.protocol import Simulator

POLICIES = (
    "random", "forward", "greedy-audio", "mapping-audio", "cloned", "inverse-dynamics", "acoustic-field", "reward-only",
    "gated", "cem", "beam", "mpc", "oracle-stop", "oracle-observation", "oracle-reward", "oracle",
)  # fmt: skip
PRIVILEGED = ("oracle", "oracle-reward", "oracle-observation", "oracle-stop")
LEARNED = (
    "mpc", "reward-only", "gated", "cem", "beam", "acoustic-field", "inverse-dynamics", "oracle-stop",
    "oracle-observation",
)  # fmt: skip
"""Policies that plan with a trained world model."""
CLONED = ("cloned", "beam", "inverse-dynamics")
"""Policies that need what `avw train --policy` adds to a run."""
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
    """Random actions (forward, left, right with equal probability), and STOP at a uniformly random step.

    If STOP were as likely as the other actions, episodes would end after four steps on average, close to the start.
    Here every length up to the limit is equally likely.
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
    """Walks straight ahead, turns at obstacles (to a random side), and stops at the end of the episode.

    It uses depth but no sound, and shows what walking alone achieves.
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
    """Follows the shortest path and stops as soon as STOP succeeds. It receives the simulator."""

    name = "oracle"

    def __init__(self, simulator: Simulator, success_distance: float = 1.0):
        from avw.sim_bridge.task.follower import ShortestPathFollower

        self.simulator = simulator
        self._follower = ShortestPathFollower(simulator, stop_distance=success_distance)

    def reset(self, seed: int) -> None:
        """Does nothing: the follower has no state."""

    def act(self, observation: Observation) -> Action:
        return self._follower.next_action()


def make_policy(
    name: str,
    *,
    model_dir: Path | None = None,
    denoising_steps: int | None = None,
    device: str = "cpu",
    hfov: float = 90.0,
    max_steps: int = MAX_STEPS,
) -> Policy:
    """A policy by name, or from a user's file (FILE.py:NAME).

    model_dir: the trained run that the policies of LEARNED plan with
    denoising_steps: of the policies that imagine; None: as many as the model was trained for
    hfov: of the camera, degrees · max_steps: of an episode

    Policies of PRIVILEGED are not made here, so no policy of this function has access to the simulator.
    Raises UsageError for an unknown name or a missing model.
    """
    if name == "random":
        return RandomPolicy(max_steps)
    if name == "forward":
        return ForwardPolicy(max_steps, hfov)
    if name == "greedy-audio":
        from avw.model.policies.greedy_audio import GreedyAudioPolicy

        return GreedyAudioPolicy(hfov=hfov)
    if name == "mapping-audio":
        from avw.model.policies.mapping_audio import MappingAudioPolicy

        return MappingAudioPolicy(hfov=hfov)
    if name in PRIVILEGED:
        raise UsageError(f"the policy {name} needs the simulator: make_privileged(name, simulator)")
    if name in LEARNED or name in CLONED:
        if model_dir is None:
            raise UsageError(f"the policy {name} needs a trained model: type avw navigate --policy {name} --model RUN")
        return _learned(name, model_dir, denoising_steps, device)
    if is_policy_file(name):
        return load_policy(name)
    raise UsageError(f"unknown policy {name!r}: expected one of {', '.join(POLICIES)}, or FILE.py:CLASS")


def _learned(name: str, model_dir: Path, denoising_steps: int | None, device: str) -> Policy:
    if name == "cloned":
        from avw.model.policies.cloned import ClonedPolicy

        return ClonedPolicy(model_dir, device)
    if name == "beam":
        from avw.model.policies.beam import BeamConfig, BeamPolicy

        return BeamPolicy(model_dir, model_dir, BeamConfig(denoising_steps=denoising_steps), device)
    if name == "inverse-dynamics":
        from avw.model.policies.inverse_dynamics import InverseDynamicsPolicy
        from avw.model.policies.mpc import MpcConfig

        return InverseDynamicsPolicy(model_dir, model_dir, MpcConfig(denoising_steps=denoising_steps), device)
    from avw.model.policies.acoustic_field import AcousticFieldPolicy
    from avw.model.policies.cem import CemPolicy
    from avw.model.policies.gated import GatedPolicy
    from avw.model.policies.mpc import MpcConfig, MpcPolicy

    kinds = {"acoustic-field": AcousticFieldPolicy, "gated": GatedPolicy, "cem": CemPolicy}
    config = MpcConfig(denoising_steps=0 if name == "reward-only" else denoising_steps)
    return kinds.get(name, MpcPolicy)(model_dir, config, device)


def make_privileged(
    name: str,
    simulator: Simulator,
    *,
    model_dir: Path | None = None,
    denoising_steps: int | None = None,
    device: str = "cpu",
    success_distance: float = 1.0,
) -> Policy:
    """A policy of PRIVILEGED; those of `bounds.py` can be kept for another simulator, which is their `simulator`."""
    if name == "oracle":
        return OraclePolicy(simulator, success_distance)
    from avw.model.policies.bounds import OracleRewardPolicy, OracleStopPolicy
    from avw.model.policies.mpc import MpcConfig

    if name == "oracle-reward":
        camera = simulator.config
        return OracleRewardPolicy(camera.hfov, camera.size, success_distance=success_distance)
    if model_dir is None:
        raise UsageError(f"the policy {name} needs a trained model: type avw navigate --policy {name} --model RUN")
    config = MpcConfig(denoising_steps=denoising_steps)
    if name == "oracle-observation":
        from avw.model.policies.oracle_observation import OracleObservationPolicy

        return OracleObservationPolicy(model_dir, config, device)
    return OracleStopPolicy(model_dir, config, device, success_distance=success_distance)


def policy_seed(episode_seed: int) -> int:
    """The seed of a policy for an episode, independent of the random numbers of the episode itself."""
    return int(keyed_rng(episode_seed, "policy").integers(2**31))
