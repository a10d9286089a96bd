"""Inverse dynamics: learned from demonstrations in which the move can be seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from avw.model.cloning.demonstrations import Demonstration
from avw.model.cloning.features import SIDE, SOUND
from avw.model.cloning.inverse import load_inverse, save_inverse, train_inverse
from avw.model.cloning.network import ClonedNetConfig
from avw.sim_bridge.errors import CheckpointError
from avw.sim_bridge.types import Action


def turning(move: Action, steps: int = 12) -> Demonstration:
    """An episode in which a bright column moves with the turns, and grows with steps forward."""
    sight_T = np.zeros((steps, SIDE, SIDE, 4), np.uint8)
    for t in range(steps):
        across = t - steps // 2  # so that the place of the column alone does not tell the move
        aside = {Action.TURN_LEFT: across, Action.TURN_RIGHT: -across}.get(move, 0)
        wide = 2 + (t if move == Action.FORWARD else 0)
        middle = SIDE // 2 + aside
        sight_T[t, :, max(0, middle - wide) : middle + wide] = 255
    taken_T = np.full(steps, move, np.uint8)
    taken_T[-1] = Action.STOP
    return Demonstration(sight_T, np.zeros((steps, SOUND), np.float32), taken_T, taken_T, np.zeros(steps, np.float32))


def test_it_learns_which_move_leads_from_one_view_to_another(tmp_path: Path) -> None:
    shown = [turning(move) for move in (Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT)]
    net, right = train_inverse(
        shown, ClonedNetConfig(channels=8, width=32), seed=0, steps=80, device=torch.device("cpu")
    )
    assert right > 0.9
    save_inverse(tmp_path / "inverse.safetensors", net)
    again = load_inverse(tmp_path / "inverse.safetensors")
    left = shown[1]
    now, then = ((torch.from_numpy(left.sight_T[t : t + 1]), torch.zeros(1, SOUND)) for t in (2, 7))
    steps = torch.tensor([5])
    torch.testing.assert_close(again(now, then, steps), net(now, then, steps))
    assert int(again(now, then, steps).argmax()) == 1  # a turn to the left
    assert int(again(then, now, steps).argmax()) == 2  # and back


def test_a_checkpoint_of_another_kind_is_refused(tiny_run: Path) -> None:
    with pytest.raises(CheckpointError, match="not a network of inverse dynamics"):
        load_inverse(tiny_run / "model.safetensors")
