"""The programs of examples/: each runs to its end at a small size, and its output is right."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import avw
from tests import ROOT


def run_example(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Run a program as __main__. Returns its names."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    return runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


def test_hear_a_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example("hear_a_room.py", "--places", "2", "--out", str(tmp_path), monkeypatch=monkeypatch)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "°" in line]
    bearing, ild = (np.array([float(row[i].rstrip("°")) for row in rows]) for i in (0, 3))
    assert len(rows) == 36
    assert np.corrcoef(ild, np.sin(np.radians(bearing)))[0, 1] > 0.7  # louder at the ear that is nearer
    sound, rate = soundfile.read(tmp_path / "turn.wav")
    assert (sound.shape, rate) == ((36 * 2400, 2), 16_000)


def test_dataset_from_a_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "data" / "rooms"
    arguments = ("--trajectories", "2", "--steps", "12", "--size", "32", "--out", str(out))
    run_example("dataset_from_a_mesh.py", *arguments, monkeypatch=monkeypatch)
    dataset = avw.open_dataset(out)
    assert [len(episode.actions) for episode in dataset] == [12, 12]
    assert dataset[0].rgb.shape == (13, 32, 32, 3)
    scene = avw.load_scene(str(out.with_suffix(".glb")))
    assert {"brick_wall", "plaster_wall"} <= {surface.material.name for surface in scene.surfaces}


def test_plan_with_a_model(
    tiny_run: Path, flats: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("MODEL", "LONGEST"):
        monkeypatch.setenv(f"AVW_EXAMPLE_{name}", "")  # restored afterwards
    names = runpy.run_path(str(ROOT / "examples" / "plan_with_a_model.py"))
    assert len(names["walks"]()) == 10
    assert all(avw.Action.STOP not in walk for walk in names["walks"]())
    arguments = ("--model", str(tiny_run), "--scenes", flats[3], "--episodes", "1", "--longest", "20")
    run_example("plan_with_a_model.py", *arguments, monkeypatch=monkeypatch)
    assert "Planner - random" in capsys.readouterr().out
