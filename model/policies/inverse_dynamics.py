"""`mpc` without a map for walking: the place is chosen in the same way, and the moves are those that lead from what is
seen to what was imagined there, by learned inverse dynamics."""

from __future__ import annotations

from pathlib import Path

import torch

from avw.model.cloning.features import sight, sound
from avw.model.cloning.inverse import FARTHEST, MOVES, InverseNet, load_inverse
from avw.model.policies.mpc import MpcConfig, MpcPolicy
from avw.model.run_folder import INVERSE
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action, Observation

Side = tuple[torch.Tensor, torch.Tensor]


class InverseDynamicsPolicy(MpcPolicy):
    """The difference to `mpc` is what walking through the map adds to following imagined observations."""

    def __init__(
        self, model: Path | str | WorldModel, net: Path | str | InverseNet, config: MpcConfig | None = None,
        device: str = "cpu",
    ) -> None:  # fmt: skip
        """model, net: loaded, or the folder of a run that has both. Raises UsageError for a model without depth or
        sound, and CheckpointError if the run has no network of inverse dynamics."""
        super().__init__(model, config, device)
        self.name = "inverse-dynamics"
        if not (self.model.sees and self.model.hears and self.model.predicts_depth):
            raise UsageError(f"the policy {self.name} needs a model that predicts images, depth and sound")
        self.net = net if isinstance(net, InverseNet) else load_inverse(Path(net) / INVERSE, device)

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self._aim: Side | None = None  # what was imagined at the goal
        self._steps = 0  # that were expected to the goal

    def act(self, observation: Observation) -> Action:
        looking_around = self._turns > 0
        action = super().act(observation)
        if looking_around or action == Action.STOP or self._aim is None:
            return action
        now = _side(observation, self.model.device)
        with torch.inference_mode():
            steps = torch.tensor([min(max(self._steps, 1), FARTHEST)], device=self.model.device)
            action = MOVES[int(self.net(now, self._aim, steps)[0].argmax())]
        self._steps -= 1
        self.last_action = action
        return action

    def plan(self) -> bool:
        """As in `mpc`; then imagine what will be seen and heard at the goal."""
        before = self.decision
        stop = super().plan()
        self._aim = None
        if stop or self.decision is None or self.decision is before:
            return stop
        poses, best = self.decision.poses, self.decision.ranked[:1]
        predicted = self.model.predict(
            self.model.encode([self.observer.context()]), torch.from_numpy(poses.motion_K3[best])[None],
            torch.from_numpy(poses.steps_K[best])[None], steps=self.config.denoising_steps, seed=0,
        )  # fmt: skip
        (imagined,) = self.model.decode(predicted).observations()
        self._aim, self._steps = _side(imagined, self.model.device), int(poses.steps_K[best[0]])
        return stop


def _side(observation: Observation, device: torch.device) -> Side:
    seen, heard = torch.from_numpy(sight(observation))[None], torch.from_numpy(sound(observation))[None]
    return seen.to(device), heard.to(device)
