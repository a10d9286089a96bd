"""`avw navigate --dry-run`: what would be run, and what the folder holds already."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.cli.navigate import navigate
from avw.model.navigation.navigate import run_policies
from avw.model.navigation.remaining import remaining, remaining_text
from avw.sim_bridge.errors import CheckpointError, PolicyError, SoundError, UsageError
from tests.model.navigation.test_navigate import config


def test_finished_episodes_are_counted_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    asked = config(policies=("forward", "random"), episodes=3)
    run_policies(config(policies=("forward",), episodes=2), folder=folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    left = remaining(asked, folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    forward, random = left["policies"]["forward"], left["policies"]["random"]
    assert (forward["episodes"], forward["finished"]) == (3, 2)
    assert forward["decision_seconds"] > 0
    assert random == {"episodes": 3, "finished": 0, "decision_seconds": None}
    assert "forward: 1 of 3 episodes left" in remaining_text(left)


def test_a_shorter_run_counts_its_own_episodes_only(tmp_path: Path) -> None:
    run_policies(config(policies=("random",), episodes=2), folder=tmp_path)
    left = remaining(config(policies=("random",), episodes=1), tmp_path)
    assert left["policies"]["random"]["finished"] == 1


def test_a_folder_of_another_configuration_is_refused(tmp_path: Path) -> None:
    run_policies(config(policies=("random",), episodes=1), folder=tmp_path)
    with pytest.raises(UsageError, match="another configuration"):
        remaining(config(policies=("random",), episodes=1, seed=6), tmp_path)
    with pytest.raises(UsageError, match="--no-resume"):
        remaining(config(policies=("random",), episodes=1), tmp_path, resume=False)


BROKEN = """
class NoAct:
    def reset(self, seed): ...

class Needs(NoAct):
    def __init__(self, something): ...
"""


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"policies": ("FILE:Nine",)}, UsageError, "has no Nine"),
        ({"policies": ("FILE:NoAct",)}, UsageError, "no method act"),
        ({"policies": ("FILE:Needs",)}, PolicyError, "something"),
        ({"sound": "nosuch.wav"}, SoundError, "nosuch.wav"),
        ({"policies": ("mpc",), "model_dir": "RUN"}, CheckpointError, "it is not complete"),
    ],
)
def test_what_would_fail_is_found_before(tiny_run: Path, tmp_path: Path, change: dict, error: type, words: str) -> None:
    mine, cut = tmp_path / "my.py", tmp_path / "cut"
    mine.write_text(BROKEN)
    cut.mkdir()
    whole = (tiny_run / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    asked = {"policies": ("random",), **change}
    asked["policies"] = tuple(name.replace("FILE", str(mine)) for name in asked["policies"])
    if "model_dir" in asked:
        asked["model_dir"] = str(cut)
    with pytest.raises(error, match=words):
        remaining(config(**asked), None)


def test_a_file_is_no_folder_for_results(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="is not a folder; name another one with --out"):
            remaining(config(policies=("random",)), tmp_path / name)


def test_the_command_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "results"
    arguments = ["--policy", "random", "--scenes", "procedural:212-213", "--episodes", "4", "--out", str(out)]
    done = CliRunner().invoke(navigate, [*arguments, "--model", str(tmp_path), "--dry-run", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["policies"]["random"]["episodes"] == 4
    done = CliRunner().invoke(navigate, [*arguments, "--model", str(tmp_path), "--dry-run"])
    assert f"Nothing was run. Results would be written to {out}." in done.stdout
    assert not out.exists()
    done = CliRunner().invoke(navigate, [*arguments, "--dry-run", "--write-episodes", str(tmp_path / "set.json.gz")])
    assert done.exit_code == 2
