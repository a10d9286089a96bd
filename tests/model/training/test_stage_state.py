"""One stage's state: gradients that are not finite, with and without waiting for the device; its checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from avw.model import checkpoint
from avw.model.av_cdit import AvCdit, AvCditConfig
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.stage_state import StageState, file_of
from avw.model.training.weights import init_weights

CONFIG = TrainConfig(net=AvCditConfig(width=16, depth=1, heads=1), steps={"1": 9, "2": 9, "3": 9})


def state_of(fused: bool, tmp_path: Path) -> StageState:
    net = AvCdit(CONFIG.net)
    init_weights(net, 0)
    state = StageState(net, "1", replace(CONFIG, fused_optimizer=fused), torch.device("cpu"))
    assert not state.restore(tmp_path)
    return state


def give_gradients(state: StageState, value: float) -> None:
    for parameter in state.trained.values():
        parameter.grad = torch.full_like(parameter, value)


def everything(state: StageState) -> dict[str, torch.Tensor]:
    tensors = checkpoint.prefixed("net", state.net.state_dict()) | checkpoint.prefixed("ema", state.ema)
    tensors |= checkpoint.optimizer_tensors(state.optimizer, list(state.trained))
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def test_a_bad_gradient_is_an_error_before_the_update(tmp_path: Path) -> None:
    state = state_of(False, tmp_path)
    give_gradients(state, 0.1)
    state.update(1e-3)
    before = everything(state)
    give_gradients(state, float("nan"))
    with pytest.raises(FloatingPointError):
        state.update(1e-3)
    assert state.step == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in everything(state).items())


def test_a_device_that_is_ahead_stops_at_the_first_bad_gradient(tmp_path: Path) -> None:
    state = state_of(True, tmp_path)
    give_gradients(state, 0.1)
    state.update(1e-3)
    assert state.stopped_at() is None
    before = everything(state)
    for value in (float("inf"), 0.1, float("nan")):  # the host notices later
        give_gradients(state, value)
        state.update(1e-3)
    assert state.stopped_at() == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in everything(state).items())


def test_both_ways_of_updating_agree(tmp_path: Path) -> None:
    states = [state_of(fused, tmp_path) for fused in (False, True)]
    for state in states:
        start = everything(state)
        for value in (0.1, -0.3, 0.2):
            give_gradients(state, value)
            state.update(1e-3)
    first, second = (everything(state) for state in states)
    assert all(torch.allclose(first[name], second[name], rtol=1e-4, atol=1e-6) for name in first)
    assert any(not torch.equal(first[name], start[name]) for name in start)


class Reads(TorchDispatchMode):
    """Counts what makes the host wait for a device: reading a number, and results of unknown size."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique", "is_nonzero", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func.overloadpacket.__name__
        if name in self.WAITING:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def test_an_update_for_cuda_reads_nothing_from_the_device(tmp_path: Path) -> None:
    state = state_of(True, tmp_path)
    give_gradients(state, 0.1)
    with Reads() as reads:
        state.update(1e-3)
    assert not reads.found
    with Reads() as reads:
        state.stopped_at()
    assert reads.found  # the check notices a read


def test_a_finished_stage_keeps_its_average_only(tmp_path: Path) -> None:
    state = state_of(False, tmp_path)
    give_gradients(state, 0.1)
    state.update(1e-3)
    state.save(tmp_path)
    running, _ = checkpoint.load(file_of(tmp_path, "1"))
    kinds = {name.split(".")[0] for name in running}
    assert kinds == {"net", "ema", "optimizer"}
    frozen = {name for name, _ in state.net.named_parameters()} - set(state.trained)
    assert frozen
    assert not any(f"ema.{name}" in running for name in frozen)
    again = state_of(False, tmp_path / "none")
    assert not again.restore(tmp_path)
    assert again.step == 1
    assert all(torch.equal(tensor, everything(state)[name]) for name, tensor in everything(again).items())

    state.step = state.steps
    state.save(tmp_path)
    finished, _ = checkpoint.load(file_of(tmp_path, "1"))
    assert set(finished) == {f"ema.{name}" for name in state.net.state_dict()}
    assert state_of(False, tmp_path / "none").restore(tmp_path)


def test_checkpoints_of_earlier_versions_are_continued(tmp_path: Path) -> None:
    """They also had the average of frozen weights, and everything of a finished stage."""
    state = state_of(False, tmp_path)
    give_gradients(state, 0.1)
    state.update(1e-3)
    older = everything(state) | checkpoint.prefixed("ema", {**state.net.state_dict(), **state.ema})
    checkpoint.save(file_of(tmp_path, "1"), older, {"stage": "1", "step": 1})
    again = state_of(False, tmp_path / "none")
    assert not again.restore(tmp_path)
    assert all(torch.equal(tensor, everything(state)[name]) for name, tensor in everything(again).items())
    checkpoint.save(file_of(tmp_path, "1"), older, {"stage": "1", "step": 9})
    again = state_of(False, tmp_path / "none")
    assert again.restore(tmp_path)
    assert all(torch.equal(tensor, older[f"ema.{name}"]) for name, tensor in again.net.state_dict().items())


def test_averaged_weights_are_lent_and_given_back(tmp_path: Path) -> None:
    state = state_of(False, tmp_path)
    give_gradients(state, 0.1)
    state.update(1e-2)
    before = everything(state)
    name = next(iter(state.trained))
    assert not torch.equal(before[f"net.{name}"], before[f"ema.{name}"])
    with state.averaged():
        assert torch.equal(state.net.state_dict()[name], before[f"ema.{name}"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in everything(state).items())
