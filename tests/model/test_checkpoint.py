"""Checkpoints: written completely or not at all, and refused if they belong to another model."""

import errno
import json
import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from avw.model import checkpoint
from avw.model.av_cdit import AvCditConfig
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


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"w": torch.ones(2)}, {"step": 1})

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        checkpoint.save(path, {"w": torch.zeros(2)}, {"step": 2})
    assert checkpoint.load(path)[1] == {"step": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


NOTE = {"step": 3, "net": {"width": 8}}


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"avw": json.dumps(NOTE)}, None),  # of an earlier version
        ({"avw": json.dumps(NOTE), "sha256": "0" * 64, "note_sha256": "0" * 64}, "its note was altered"),
        ({"avw": json.dumps(NOTE), "sha257": "0" * 64}, "no note of AVW"),
        ({"avw": "[1]"}, "not a JSON object"),
        ({"avw": "[" * 100_000}, "nested too deeply"),
        ({"avw": '{"a": NaN}'}, "not a finite number"),
        ({"avw": " " * 2**21}, "more than 1,048,576 characters"),
        ({}, "no note of AVW"),
    ],
)
def test_notes_that_avw_does_not_write_are_refused(tmp_path, metadata, says):
    path = tmp_path / "x.safetensors"
    save_file({"w": torch.zeros(2)}, path, metadata)
    if says is None:
        assert checkpoint.load(path)[1] == checkpoint.read_note(path) == NOTE
        return
    for read in (checkpoint.load, checkpoint.read_note):
        with pytest.raises(CheckpointError, match=says):
            read(path)


def test_a_changed_tensor_or_header_is_noticed(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": torch.zeros(4), "b": torch.ones(4)}, {"step": 3})
    whole = path.read_bytes()
    swapped = whole.replace(b'"a":', b'"c":').replace(b'"b":', b'"a":').replace(b'"c":', b'"b":')
    for changed in (whole[:-1] + b"\x41", swapped, whole.replace(b'"F32"', b'"I32"')):
        assert changed != whole
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match="SHA-256"):
            checkpoint.load(path)


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="it is a pipe"):
        checkpoint.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"width": 10**9}, "net.width is 1000000000: expected 0 to 65,536"),
        ({"depth": 60_000}, "net.depth is 60000: expected 0 to 512"),
        ({"width": "8"}, "net.width is '8': expected a whole number"),
        ({"program": "x"}, "no field 'net.program'"),
    ],
)
def test_configurations_that_no_model_has_are_refused(values, says):
    with pytest.raises(ValueError, match=says):
        AvCditConfig.from_json(values)


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
