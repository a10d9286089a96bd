"""The policy `cloned`: a recurrent network that imitates the oracle (`avw train --policy`). It plans and imagines
nothing; `beam` plans with it."""

from __future__ import annotations

from pathlib import Path

import torch

from avw.model.cloning.demonstrations import load_net
from avw.model.cloning.features import sight, sound
from avw.model.cloning.network import START, ClonedNet, PolicyOutput
from avw.model.run_folder import POLICY
from avw.sim_bridge.types import Action, Observation


class ClonedPolicy:
    """Takes the most likely action of the network. Deterministic."""

    name = "cloned"

    def __init__(self, run: Path | str | ClonedNet, device: str = "cpu") -> None:
        """run: a trained network, or the folder of a run that has one."""
        self.device = torch.device(device)
        self.net = run if isinstance(run, ClonedNet) else load_net(Path(run) / POLICY, self.device)
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.hidden: torch.Tensor | None = None
        self.last = START

    def act(self, observation: Observation) -> Action:
        output = self.output(observation, self.last, self.hidden)
        self.hidden = output.hidden
        action = Action(int(output.logits_BTA[0, 0].argmax()))
        self.last = int(action)
        return action

    @torch.inference_mode()
    def output(self, observation: Observation, last: int, hidden: torch.Tensor | None) -> PolicyOutput:
        """What the network answers to one observation."""
        seen = torch.from_numpy(sight(observation))[None, None].to(self.device)
        heard = torch.from_numpy(sound(observation))[None, None].to(self.device)
        found: PolicyOutput = self.net(seen, heard, torch.tensor([[last]], device=self.device), hidden)
        return found
