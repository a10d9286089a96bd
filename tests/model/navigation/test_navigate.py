"""The closed loop: the same episodes for every policy and any number of workers, and their records."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner

from avw.avw4k.execution.this_process import run_in_this_process
from avw.cli.navigate import navigate
from avw.model import checkpoint
from avw.model.navigation.episode_run import EpisodeRecord
from avw.model.navigation.episode_store import stored_config
from avw.model.navigation.navigate import run_policies
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.navigation.outcomes import comparison, paired_gain, read_records, summary, table, write_outcome
from avw.sim_bridge.errors import AvwError, DatasetError, UsageError
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import TaskConfig
from tests.sim_bridge import audionav_files
from tests.sim_bridge.mp3d_tree import concrete_box, mp3d_tree

SCENES = ("procedural-0212", "procedural-0217")  # the smallest houses between 200 and 220
TINY = SimulatorConfig(size=16, emitters=500)


def config(**changes) -> NavigateConfig:
    values = {
        "policies": ("random", "oracle"),
        "scenes": SCENES,
        "episodes": 3,
        "seed": 5,
        "simulator": TINY,
        "task": TaskConfig(max_steps=200),
    }
    return NavigateConfig(**{**values, **changes})


@pytest.fixture(scope="module")
def records():
    return run_policies(config(), execute=run_in_this_process).records


def without_times(rows):
    return [dataclasses.replace(row, decision_ms=0.0) for row in rows]


def record(episode=0, policy="random", success=True, **changes) -> EpisodeRecord:
    values = {
        "policy": policy,
        "scene": SCENES[0],
        "episode": episode,
        "seed": episode,
        "start": (0.0, 0.0, 0.0, 0.0),
        "source": (1.0, 1.5, 4.0),
        "success": success,
        "stopped": True,
        "spl": 0.5 * success,
        "softspl": 0.5,
        "sna": 0.4 * success,
        "dtg": 0.5,
        "actions": 40,
        "reference_actions": 30,
        "shortest": 4.0,
        "walked": 8.0,
        "collisions": 0,
        "decision_ms": 1.0,
        "path": ((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, -0.15, 0.0)),
    }
    return EpisodeRecord(**{**values, **changes})


def test_every_policy_runs_on_the_same_episodes(records):
    for one, other in zip(records["random"], records["oracle"], strict=True):
        assert (one.scene, one.episode, one.seed, one.start, one.source) == (
            other.scene,
            other.episode,
            other.seed,
            other.start,
            other.source,
        )
        assert one.shortest == other.shortest >= 3.0
        assert one.reference_actions == other.reference_actions
    assert [row.scene for row in records["oracle"]] == [SCENES[0], SCENES[1], SCENES[0]]


def test_the_oracle_succeeds_and_its_measures_are_consistent(records):
    for row in records["oracle"]:
        assert row.success
        assert row.stopped
        assert row.dtg < 1.0
        assert row.actions == len(row.path) - 1 == row.reference_actions
        assert row.sna == 1.0
        assert row.path[0] == row.start
        assert row.walked == pytest.approx(np.linalg.norm(np.diff(row.path_T4[:, :3], axis=0), axis=1).sum())
        assert row.spl == pytest.approx(row.shortest / max(row.shortest, row.walked))


def test_the_number_of_workers_changes_nothing(records):
    parallel = run_policies(config(workers=2)).records
    assert {name: without_times(rows) for name, rows in parallel.items()} == {
        name: without_times(rows) for name, rows in records.items()
    }


def test_a_shorter_run_is_the_beginning_of_a_longer_one(records):
    shorter = run_policies(config(policies=("oracle",), episodes=1), execute=run_in_this_process).records["oracle"]
    assert without_times(shorter) == without_times(records["oracle"][:1])


def test_another_seed_gives_other_episodes(records):
    alone = config(policies=("oracle",), episodes=1, seed=6)
    other = run_policies(alone, execute=run_in_this_process).records["oracle"]
    assert other[0].start != records["oracle"][0].start


def test_summary_and_paired_gain():
    wins = [record(i, success=True) for i in range(10)]
    mixed = [record(i, success=i % 2 == 0) for i in range(10)]
    assert summary(mixed)["sr"].mean == 0.5
    gain = paired_gain(wins, mixed)["sr"]
    assert gain.mean == 0.5
    assert gain.low > 0.0
    assert paired_gain(wins, wins)["spl"].high == 0.0
    with pytest.raises(UsageError, match="same scenes"):
        paired_gain(wins, mixed[:5])


def test_outcome_is_written_read_and_joined(tmp_path):
    first = config(policies=("random",))
    write_outcome(tmp_path, first, {"random": [record(i, success=False) for i in range(3)]})
    second = config(policies=("mpc",))
    document = write_outcome(tmp_path, second, {"mpc": [record(i, "mpc") for i in range(3)]})
    assert list(document["policies"]) == ["random", "mpc"]
    assert document["paired"]["mpc - random"]["sr"] == [1.0, 1.0, 1.0]
    assert json.loads((tmp_path / "navigation.json").read_text()) == document
    assert read_records(tmp_path / "navigation-mpc.json") == [record(i, "mpc") for i in range(3)]
    assert "mpc - random" in table(document)


def test_policies_with_other_episodes_are_not_compared(tmp_path):
    write_outcome(tmp_path, config(), {"random": [record(i) for i in range(3)]})
    document = write_outcome(tmp_path, config(), {"mpc": [record(i, "mpc", seed=i + 100) for i in range(3)]})
    assert list(document["policies"]) == ["mpc"]


def test_planners_with_other_models_are_not_compared(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(name.encode())

    def outcome(policy: str, model: str) -> list[str]:
        asked = config(policies=(policy,), model_dir=str(tmp_path / model), denoising_steps=1)
        return list(write_outcome(tmp_path / "out", asked, {policy: [record(policy=policy)]})["policies"])

    assert outcome("random", "a") == ["random"]
    assert outcome("reward-only", "a") == ["random", "reward-only"]
    assert outcome("mpc", "b") == ["random", "mpc"]
    assert outcome("mpc", "a") == ["random", "reward-only", "mpc"]


@pytest.mark.parametrize(
    "change",
    [{"sound": "alarm"}, {"task": TaskConfig(max_steps=90)}, {"simulator": SimulatorConfig(size=32, emitters=500)}],
)
def test_policies_that_heard_or_saw_something_else_are_not_compared(tmp_path, change):
    write_outcome(tmp_path, config(**change), {"random": [record()]})
    document = write_outcome(tmp_path, config(), {"oracle": [record(policy="oracle")]})
    assert list(document["policies"]) == ["oracle"]
    document = write_outcome(tmp_path, config(), {"forward": [record(policy="forward")]})
    assert set(document["policies"]) == {"oracle", "forward"}


def test_a_command_that_failed_before_its_first_episode_leaves_no_trace(tmp_path):
    with pytest.raises(AvwError, match="rign"):
        run_policies(config(policies=("random",), sound="rign"), folder=tmp_path, execute=run_in_this_process)
    ran = run_policies(config(policies=("random",), episodes=1), folder=tmp_path, execute=run_in_this_process)
    assert len(ran.records["random"]) == 1
    lines = (tmp_path / "navigation-random.jsonl").read_text().splitlines()
    assert [list(json.loads(line)) for line in lines] == [["config"], ["record"]]


def test_a_damaged_result_file_is_named(tmp_path):
    path = tmp_path / "navigation-random.json"
    path.write_text('{"records": [{"policy": "random"')
    with pytest.raises(DatasetError, match="navigation-random"):
        read_records(path)


@pytest.mark.parametrize("changes", [{"episodes": 0}, {"workers": 0}, {"policies": ()}, {"scenes": ()}])
def test_configurations_that_are_not_valid_are_refused(changes):
    with pytest.raises(UsageError):
        config(**changes)


@pytest.mark.parametrize(
    ("objective", "asked", "used"), [({}, None, 1), ({"prediction": "noise"}, None, 50), ({}, 3, 3)]
)
def test_the_denoising_steps_of_the_planner_are_recorded(tmp_path: Path, objective, asked, used):
    note = {"diffusion": {"steps": 1000, "last_share": 0.5, **objective}}  # as checkpoints of 0.1 have it
    checkpoint.save(tmp_path / "model.safetensors", {"x": torch.zeros(1)}, note)
    chosen = config(policies=("mpc", "random"), model_dir=str(tmp_path), denoising_steps=asked)
    write_outcome(tmp_path, chosen, {name: [record(i, name) for i in range(3)] for name in ("mpc", "random")})
    written = {n: json.loads((tmp_path / f"navigation-{n}.json").read_text()) for n in ("mpc", "random")}
    assert {n: document["config"]["denoising_steps"] for n, document in written.items()} == {
        "mpc": used,
        "random": None,
    }
    # Records of versions that knew one step only are continued in one step, and in no other number.
    assert stored_config(chosen, "mpc").get("denoising_steps", 1) == used


def test_mpc_is_compared_with_the_others():
    rows = {name: [record(i, name) for i in range(3)] for name in ("mpc", "greedy-audio", "oracle")}
    document = comparison(config(), rows)
    assert list(document["paired"]) == ["mpc - greedy-audio", "mpc - oracle"]
    assert all(len(v) == 3 and all(map(math.isfinite, v)) for v in document["policies"]["mpc"].values())


def test_the_command_prints_one_document(tmp_path):
    arguments = ["--policy", "oracle", "--scenes", "procedural:212-212", "--episodes", "1", "--workers", "1"]
    done = CliRunner().invoke(
        navigate, [*arguments, "--model", str(tmp_path / "none"), "--out", str(tmp_path), "--json"]
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["policies"]["oracle"]["sr"] == [1.0, 1.0, 1.0]
    assert document["scenes"] == ["procedural-0212"]
    assert (tmp_path / "navigation-oracle.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "mpc"], "avw train"),
        (["--policy", "oracle"], "--scenes"),
        (["--policy", "oracle", "--scenes", "no-such-scene"], "no-such-scene"),
    ],
)
def test_the_command_names_what_is_missing(tmp_path, arguments, words):
    done = CliRunner().invoke(navigate, [*arguments, "--model", str(tmp_path)])
    assert isinstance(done.exception, AvwError)
    assert words in str(done.exception)


def test_the_command_refuses_an_unknown_policy():
    done = CliRunner().invoke(navigate, ["--policy", "clever"])
    assert done.exit_code == 2


@pytest.fixture(scope="module")
def filed(records, tmp_path_factory):
    """The drawn episodes in the format of SoundSpaces, and one that is outside the house."""
    rows = []
    for found in (*records["oracle"], None):
        start, source = (found.start, found.source) if found else ((500.0, 0.0, 0.0, 0.0), (1.0, 1.5, 4.0))
        half = start[3] / 2
        rows.append(
            audionav_files.row(
                f"id-{len(rows)}",
                found.scene if found else SCENES[0],
                start_position=[start[0], start[1] + 0.1, start[2]],
                start_rotation=[0.0, math.sin(half), 0.0, math.cos(half)],
                goals=[{"position": [source[0], source[1] - 1.4, source[2]], "radius": 1e-5}],
                info={"geodesic_distance": 100.0, "num_action": 3, "sound": "telephone"},
            )
        )
    folder = tmp_path_factory.mktemp("data")
    audionav_files.write_split(folder / "datasets" / "val_telephone", [], {"all": rows})
    clip = folder / "sounds" / "1s_all" / "telephone.wav"
    clip.parent.mkdir(parents=True)
    soundfile.write(clip, np.sin(np.arange(16_000) / 3.0), 16_000)
    return folder / "datasets" / "val_telephone" / "val_telephone.json.gz", folder / "sounds"


def test_an_episode_file_gives_its_episodes(records, filed):
    path, sounds = filed
    asked = config(policies=("oracle",), episodes=4, episode_file=str(path), sound=None, sound_root=str(sounds))
    result = run_policies(asked, execute=run_in_this_process)
    ran = result.records["oracle"]
    for mine, drawn in zip(ran, records["oracle"], strict=True):
        assert (mine.scene, mine.success) == (drawn.scene, True)
        np.testing.assert_allclose(mine.start, drawn.start, atol=1e-9)
        np.testing.assert_allclose(mine.source, drawn.source, atol=1e-9)
        assert (mine.shortest, mine.reference_actions) == (pytest.approx(drawn.shortest), drawn.reference_actions)
        assert (mine.filed_shortest, mine.filed_actions, mine.sound) == (100.0, 3, "telephone")
        assert mine.filed_spl == 1.0  # the file gives too long a shortest path, which raises SPL
        assert mine.filed_sna == pytest.approx(3 / mine.actions)  # and too few actions, which lowers SNA
        assert mine.filed_sna < mine.sna
    assert [mine.episode_id for mine in ran] == ["id-0", "id-1", "id-2"]
    (skipped,) = result.skipped
    assert (skipped.episode, skipped.episode_id) == (3, "id-3")
    document = comparison(asked, result.records, result.skipped)
    assert document["filed"]["oracle"]["spl"] == [1.0, 1.0, 1.0]
    text = table(document)
    assert "3 episodes in" in text
    assert "because they cannot take place: 1 episode, e.g." in text
    assert "with the path lengths of the file" in text


def test_the_command_runs_the_first_episodes_of_a_file(tmp_path, filed):
    path, sounds = filed
    arguments = ["--policy", "oracle", "--model", str(tmp_path / "none"), "--episode-file", str(path), "--workers", "1"]
    done = CliRunner().invoke(
        navigate, [*arguments, "--sound-root", str(sounds), "--episodes", "1", "--out", str(tmp_path), "--json"]
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["episodes"], document["scenes"], document["skipped"]) == (1, [SCENES[0]], [])
    (kept,) = read_records(tmp_path / "navigation-oracle.json")
    assert (kept.episode_id, kept.sound) == ("id-0", "telephone")
    for options, words in (
        ([], "no sound 'telephone' under data/sounds"),
        (["--scenes", "procedural:1"], "cannot be used with --episode-file"),
        (["--sound", "ring", "--episode-file", str(tmp_path / "absent.json.gz")], "no episode file"),
    ):
        done = CliRunner().invoke(navigate, [*arguments, *options])
        assert isinstance(done.exception, AvwError)
        assert words in str(done.exception)


def test_episodes_in_matterport3d_find_their_scene(tmp_path, monkeypatch):
    mp3d_tree(tmp_path / "scenes", concrete_box())
    monkeypatch.setenv("AVW_SCENES", str(tmp_path / "scenes"))
    spots = open_simulator("mp3d/17DRP5sb8fy", TINY).navgrid.near(np.zeros(3), 50.0)
    start, goal = spots[spots[:, 0].argmin()], spots[spots[:, 0].argmax()]
    filed = audionav_files.row(
        "mp3d-0",
        "17DRP5sb8fy/17DRP5sb8fy.glb",
        start_position=[
            float(v) for v in start + np.array([0.0, 0.1, 0.0])
        ],  # Habitat's floor is above that of the mesh
        goals=[{"position": [float(v) for v in goal]}],
        info={"sound": "telephone"},
    )
    path = audionav_files.write_split(tmp_path / "test_telephone", [filed])
    asked = config(
        policies=("oracle",), scenes=("mp3d/17DRP5sb8fy",), episodes=1, episode_file=str(path), simulator=TINY
    )
    (ran,) = run_policies(asked, execute=run_in_this_process).records["oracle"]
    assert (ran.scene, ran.episode_id, ran.success) == ("mp3d/17DRP5sb8fy", "mp3d-0", True)
    assert ran.start[3] == pytest.approx(math.pi / 2)
    assert ran.shortest == pytest.approx(float(np.linalg.norm(goal - start)), rel=0.02)
    assert (ran.filed_spl, ran.filed_sna) == (None, None)
