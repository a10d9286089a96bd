"""`avw info` of runs and checkpoints: what it says is what the files hold, and damaged files are refused."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest

from avw.model.checkpoint_header import read_header
from avw.model.report.overview import checkpoint_overview, checkpoint_text, overview_text, run_overview
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import CheckpointError


def test_a_run_is_described_with_its_next_command(tiny_run: Path, data_path: Path, tmp_path: Path):
    values = run_overview(tiny_run)
    assert values["stages"]["3"]["step"] == values["stages"]["3"]["of"] == 1
    text = overview_text(values)
    assert f"trained on {data_path}" in text
    assert "stage 1: step 1 of 1, loss" in text
    assert f"Next: avw evaluate {tiny_run}" in text
    run = tmp_path / "my run"
    run.mkdir()
    for name in ("config.json", "log.jsonl"):
        shutil.copy(tiny_run / name, run)
    assert f"--out '{run}'" in overview_text(run_overview(run)).splitlines()[-1]
    evaluation = {"horizons": {"1": {"psnr": {"model": 20.5}}, "x": {}, "4": {"psnr": {"model": None}}}}
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    (run / "navigation.json").write_text(json.dumps({"policies": {"mpc": {"sr": [0.5, 0.25, 0.75]}, "x": {}}}))
    text = overview_text(run_overview(run))
    assert "PSNR, dB: 20.50 at 1 steps ahead" in text
    assert "success rate of mpc: 0.50 [0.25, 0.75]" in text


def test_parameters_are_counted_without_loading_them(tiny_run: Path):
    model = WorldModel.load(tiny_run)
    header = read_header(tiny_run / "model.safetensors")
    expected = {name: sum(t.numel() for t in part.state_dict().values()) for name, part in model.parts().items()}
    assert header.parameters == expected
    values = checkpoint_overview(tiny_run / "model.safetensors")
    assert (values["size"], values["max_offset"]) == (model.size, model.max_offset)
    text = checkpoint_text(values)
    assert "a trained model of AVW" in text
    assert "1 blocks of width 32, 2 heads, prior memory, vision and audio" in text
    assert "a checkpoint of a training" in checkpoint_text(checkpoint_overview(tiny_run / "stage-1.safetensors"))


def test_other_files_are_no_checkpoints(tiny_run: Path, tmp_path: Path):
    content = (tiny_run / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    header["net.x"] = {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}
    changed = json.dumps(header).encode()
    damaged = {
        "empty": b"",
        "cut": content[:100],
        "huge": struct.pack("<Q", 2**60) + content[8:],
        "text": b"this is not a checkpoint",
        "shape": struct.pack("<Q", len(changed)) + changed,
        "foreign": struct.pack("<Q", 2) + b"{}",
    }
    for name, body in damaged.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(body)
        with pytest.raises(CheckpointError, match="not a readable AVW checkpoint"):
            read_header(path)
    with pytest.raises(CheckpointError):
        read_header(tmp_path / "missing.safetensors")
