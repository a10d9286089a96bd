"""Inverse dynamics: the move that leads from one observation towards a later one, learned from demonstrations.

Shapes: B pairs of observations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avw.model import checkpoint
from avw.model.cloning.demonstrations import Demonstration
from avw.model.cloning.features import SOUND, image_tensor
from avw.model.cloning.network import ClonedNetConfig, eye
from avw.sim_bridge.errors import CheckpointError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import Action

FARTHEST = 20  # steps between the two observations of a pair, in training
MOVES = (Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT)


class InverseNet(nn.Module):
    """Logits of MOVES from what is seen and heard now and later, and the number of steps between."""

    def __init__(self, config: ClonedNetConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or ClonedNetConfig()
        self.eye = eye(8, c)  # both images, so that their differences are seen from the first layer on
        self.ear = nn.Sequential(nn.Linear(2 * SOUND + 1, c.width), nn.GELU())
        self.head = nn.Sequential(nn.Linear(c.width, c.width), nn.GELU(), nn.Linear(c.width, len(MOVES)))

    def forward(self, now: tuple[Tensor, Tensor], then: tuple[Tensor, Tensor], steps_B: Tensor) -> Tensor:
        """now, then: (sight uint8 (B, SIDE, SIDE, 4), sound (B, SOUND)) · steps_B: between them"""
        seen = self.eye(torch.cat([image_tensor(now[0]), image_tensor(then[0])], 1))
        heard = self.ear(torch.cat([now[1], then[1], steps_B[:, None].float() / FARTHEST], 1))
        logits: Tensor = self.head(seen + heard)
        return logits


def train_inverse(
    shown: Sequence[Demonstration], config: ClonedNetConfig, *, seed: int, steps: int, device: torch.device
) -> tuple[InverseNet, float]:
    """(the network, the share of right moves in the last steps). Demonstrations of one step are not used."""
    torch.manual_seed(keyed_rng(seed, "inverse").integers(2**31))
    net = InverseNet(config).to(device).train()
    long = [one for one in shown if len(one.taken_T) > 1]
    if not long:
        return net.cpu().eval().requires_grad_(False), float("nan")
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-4)
    right = []
    for step in range(steps):
        now, then, offset_B, move_B = _pairs(long, keyed_rng(seed, "inverse", step), device)
        logits_BM = net(now, then, offset_B)
        loss = F.cross_entropy(logits_BM, move_B)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right.append(float((logits_BM.argmax(-1) == move_B).float().mean()))
    return net.cpu().eval().requires_grad_(False), float(np.mean(right[-50:]))


Side = tuple[Tensor, Tensor]


def _pairs(
    shown: Sequence[Demonstration], rng: np.random.Generator, device: torch.device, count: int = 128
) -> tuple[Side, Side, Tensor, Tensor]:
    """`count` pairs (now, then, steps between, index of the move now) of steps of the same episode."""
    rows = []
    for index in rng.integers(len(shown), size=count):
        one = shown[int(index)]
        t = int(rng.integers(len(one.taken_T) - 1))
        offset = int(rng.integers(1, min(FARTHEST, len(one.taken_T) - 1 - t) + 1))
        rows.append((one, t, offset))

    def side(later: bool) -> Side:
        at = [(one, t + (offset if later else 0)) for one, t, offset in rows]
        sight = torch.from_numpy(np.stack([one.sight_T[t] for one, t in at])).to(device)
        return sight, torch.from_numpy(np.stack([one.sound_TF[t] for one, t in at])).to(device)

    offset_B = torch.tensor([offset for *_, offset in rows], device=device)
    move_B = torch.tensor([MOVES.index(Action(int(one.taken_T[t]))) for one, t, _ in rows], device=device)
    return side(False), side(True), offset_B, move_B


def save_inverse(path: Path, net: InverseNet) -> None:
    checkpoint.save(path, checkpoint.prefixed("net", net.state_dict()), {"inverse": checkpoint.as_json(net.config)})


def load_inverse(path: Path, device: torch.device | str = "cpu") -> InverseNet:
    """The network of a checkpoint, frozen. Raises CheckpointError."""
    tensors, note = checkpoint.load(path)
    try:
        net = InverseNet(checkpoint.configured(ClonedNetConfig, note["inverse"], "inverse"))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a network of inverse dynamics ({error}); train one: avw train DATA --policy"
        ) from error
    checkpoint.restore(net, tensors, "net", path)
    return net.eval().requires_grad_(False).to(device)
