"""The table of what each part adds: paired differences, also by difficulty, and no difference across tasks."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.navigation_parts import navigation_parts
from tests.model.navigation.test_navigate import record


def write(folder: Path, policy: str, successes: list[bool], task: str = "standard", sound: str = "ring") -> str:
    folder.mkdir(exist_ok=True)
    levels = ("easy", "hard")
    rows = [
        record(number, policy, success=success, task=task, difficulty=levels[number % 2])
        for number, success in enumerate(successes)
    ]
    content = {"records": [dataclasses.asdict(row) for row in rows], "episodes_config": {"sound": sound}}
    (folder / f"navigation-{policy}.json").write_text(json.dumps(content))
    return f"{folder.name}={folder}:{policy}"


def test_differences_are_over_the_same_episodes_and_by_difficulty(tmp_path: Path) -> None:
    full = write(tmp_path / "full", "mpc", [True] * 8)
    part = write(tmp_path / "part", "mpc", [True, False] * 4)  # fails in the hard episodes
    moving = write(tmp_path / "moving", "mpc", [True] * 8, task="moving")
    alarm = write(tmp_path / "alarm", "mpc", [False] * 8, sound="alarm")
    done = CliRunner().invoke(navigation_parts, [full, part, moving, alarm, "--json"], catch_exceptions=False)
    rows = json.loads(done.stdout)
    assert rows["part"]["difference"]["sr"][0] == -0.5
    assert rows["part"]["difficulty"]["easy"]["sr"] == [0.0, 0.0, 0.0]
    assert rows["part"]["difficulty"]["hard"]["sr"] == [-1.0, -1.0, -1.0]
    assert rows["moving"]["difference"] == {}
    assert rows["alarm"]["difference"] == {}
    assert rows["full"]["actions_per_second"] == 1000.0
    table = CliRunner().invoke(navigation_parts, [full, part], catch_exceptions=False).stdout
    assert "| part | standard | 8 | 0.50 |" in table
    assert "| part | hard | 4 | -1.00 [-1.00, -1.00] |" in table


@pytest.mark.parametrize("text", ["full", "full=folder", "=folder:mpc"])
def test_results_that_are_not_named_are_refused(text: str) -> None:
    done = CliRunner().invoke(navigation_parts, [text])
    assert done.exit_code == 2
    assert "expected NAME=FOLDER:POLICY" in done.output
