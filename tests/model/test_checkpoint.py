"""Checkpoints: written completely or not at all, and refused if they belong to another model."""

import json

import pytest
import torch
from torch import nn

from avw.model import checkpoint
from avw.sim_bridge.errors import CheckpointError


def test_round_trip(tmp_path):
    path = tmp_path / "a" / "x.safetensors"
    checkpoint.save(path, {"net.w": torch.arange(6.0).view(2, 3)}, {"step": 3})
    tensors, note = checkpoint.load(path)
    assert note == {"step": 3}
    torch.testing.assert_close(tensors["net.w"], torch.arange(6.0).view(2, 3))
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_missing_truncated_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(CheckpointError, match="avw train"):
        checkpoint.load(path)
    checkpoint.save(path, {"w": torch.zeros(1000)}, {})
    whole = path.read_bytes()
    for size in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"x\.safetensors.*truncated"):
            checkpoint.load(path)
    path.write_bytes(b"\x80\x04 the first bytes of a pickle")
    with pytest.raises(CheckpointError):
        checkpoint.load(path)


def test_another_size_is_named(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, checkpoint.prefixed("net", nn.Linear(3, 4).state_dict()), {})
    tensors, _ = checkpoint.load(path)
    with pytest.raises(CheckpointError, match=r"net\.weight should have shape \(5, 3\).*\(4, 3\).*another size"):
        checkpoint.restore(nn.Linear(3, 5), tensors, "net", path)
    with pytest.raises(CheckpointError, match="does not have"):
        checkpoint.restore(nn.Linear(3, 4, bias=False), tensors, "net", path)


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"w": torch.ones(2)}, {"step": 1})
    (tmp_path / "x.safetensors.tmp").mkdir()  # so that the new file cannot be written
    with pytest.raises((CheckpointError, OSError)):
        checkpoint.save(path, {"w": torch.zeros(2)}, {"step": 2})
    assert checkpoint.load(path)[1] == {"step": 1}


def test_optimizer_resumes_exactly(tmp_path):
    def make():
        layer = nn.Linear(3, 2)
        with torch.no_grad():
            layer.weight.fill_(0.5)
            layer.bias.zero_()
        return layer, torch.optim.AdamW(layer.parameters(), lr=0.1)

    def step(layer, optimizer, i):
        optimizer.zero_grad()
        layer(torch.full((1, 3), float(i))).square().sum().backward()
        optimizer.step()

    names = ["weight", "bias"]
    layer, optimizer = make()
    for i in range(3):
        step(layer, optimizer, i + 1)
    path = tmp_path / "x.safetensors"
    checkpoint.save(
        path,
        {**checkpoint.prefixed("net", layer.state_dict()), **checkpoint.optimizer_tensors(optimizer, names)},
        {},
    )
    tensors, _ = checkpoint.load(path)
    other, other_optimizer = make()
    checkpoint.restore(other, tensors, "net", path)
    checkpoint.restore_optimizer(other_optimizer, names, tensors)
    step(layer, optimizer, 4)
    step(other, other_optimizer, 4)
    assert torch.equal(layer.weight, other.weight)


def test_configs_become_plain_json():
    from avw.model.diffusion import DiffusionConfig

    note = checkpoint.as_json(DiffusionConfig())
    assert DiffusionConfig(**json.loads(json.dumps(note))) == DiffusionConfig()
