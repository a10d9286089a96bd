"""AVW in the real habitat-lab: environment, follower, measures, datasets and workers."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT

pytestmark = pytest.mark.habitat("lab")
INTERPRETERS = [python for python in os.environ.get("AVW_HABITAT_LAB_PYTHON", "").split(os.pathsep) if python]
Facts = dict[str, Any]


def run_inside(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([python, *arguments], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=480)


@pytest.fixture(scope="module", params=INTERPRETERS or ["unset"], ids=str)
def interpreter(request: pytest.FixtureRequest) -> str:
    python: str = request.param
    return python


def facts_of(python: str, backend: str, folder: Path, *names: str) -> Facts:
    done = run_inside(python, "-m", "tests.sim_bridge.task.habitat_lab.lab_facts", backend, str(folder), *names)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.count("\n") == 1, "Habitat wrote into our stdout"
    found: Facts = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module", params=["embedded", "habitat", "habitat:in-process"])
def played(request: pytest.FixtureRequest, interpreter: str, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Results that every backend must give."""
    return facts_of(
        interpreter, request.param, tmp_path_factory.mktemp("lab"), "oracle", "beside", "questions", "soundspaces"
    )


@pytest.fixture(scope="module")
def facts(interpreter: str, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Results that do not depend on the backend."""
    names = ("refusals", "official", "workers")
    return facts_of(interpreter, "embedded", tmp_path_factory.mktemp("lab"), *names)


def test_without_habitat_sim_the_error_says_so(interpreter: str) -> None:
    code = "import sys; sys.modules['habitat_sim'] = None; import avw.sim_bridge.task.habitat_lab"
    done = run_inside(interpreter, "-W", "ignore", "-c", code)
    assert done.returncode == 1
    assert "BackendError: habitat-lab imports habitat_sim, which is not installed in" in done.stderr


def test_habitat_lab_s_own_follower_finds_every_source(played: Facts) -> None:
    episodes = played["oracle"]["episodes"]
    assert [episode["scene"] for episode in episodes] == ["procedural-0000"] * 2 + ["procedural-0001"] * 2
    for episode in episodes:
        before, after = episode["before"], episode["after"]
        assert after["success"] == 1.0
        assert after["spl"] > 0.95
        assert 0.0 < after["distance_to_goal"] < 1.0
        assert before["distance_to_goal"] == pytest.approx(episode["distance"], abs=1e-9)
        assert episode["progress"] == pytest.approx(episode["distance"] - after["distance_to_goal"], abs=1e-9)
        assert after["soft_spl"] == pytest.approx(
            (1.0 - after["distance_to_goal"] / episode["distance"]) * after["spl"], abs=1e-9
        )


def test_observations_are_rgb_depth_and_two_ears_within_their_spaces(played: Facts) -> None:
    for episode in played["oracle"]["episodes"]:
        assert episode["contained"]
        assert episode["shapes"] == {
            "rgb": [[128, 128, 3], "uint8"],
            "depth": [[128, 128, 1], "float32"],
            "audiogoal": [[2, 2400], "float32"],
        }
        assert min(episode["heard"][3:]) > 0.0, "the source rings all the time"
    assert played["oracle"]["actions"] == ["stop", "move_forward", "turn_left", "turn_right"]


def test_the_source_is_louder_at_the_end_of_the_episode(played: Facts) -> None:
    for episode in played["oracle"]["episodes"]:
        heard = episode["heard"]
        assert sum(heard[-7:]) > sum(heard[:7]), "seven steps are one loop of the ring"


def test_an_episode_is_the_same_when_it_is_played_again(played: Facts) -> None:
    first, again = played["oracle"]["episodes"][0], played["oracle"]["first again"][0]
    assert again["heard"] == first["heard"]
    assert again["progress"] == first["progress"]


def test_it_is_the_same_task_as_avws_gymnasium_environment(played: Facts) -> None:
    for difference in played["beside"]["differences"]:
        assert difference["pixels"] < 0.001
        assert difference["depth"] < 1e-4
        assert difference["audio"] < 1e-5
    for theirs, ours, their_end, our_end in played["beside"]["rewards"]:
        assert theirs == pytest.approx(ours, abs=1e-6)
        assert their_end == our_end


def test_the_simulator_answers_the_requests_of_tasks(played: Facts) -> None:
    found, distance = played["questions"], played["oracle"]["episodes"][0]["distance"]
    assert all(found["navigable"])
    assert found["off the floor"] == [False, False]
    assert found["again"] == pytest.approx(distance, abs=1e-9)
    assert found["path"] == pytest.approx(distance, rel=0.01)
    assert found["nearest of two"] == pytest.approx(0.0, abs=1e-6)
    assert found["nowhere"]
    moved, offset, yaw = found["moved"]
    assert moved
    assert offset < 1e-6
    assert yaw == pytest.approx(1.0, abs=1e-9)
    assert all(0.1 - 1e-6 <= clearance <= 2.0 for clearance in found["clearance"])
    assert "AVW-v0 has no 'pathfinder'" in found["missing"]


def test_looking_elsewhere_does_not_disturb_the_episode(played: Facts) -> None:
    assert played["questions"]["elsewhere differs"]
    assert played["questions"]["undisturbed"]


def test_soundspaces_episode_files_play_with_their_scene_and_sound(played: Facts) -> None:
    found = played["soundspaces"]
    assert found["peak"] == pytest.approx(1_000.0, abs=7.0), "a step of 0.15 s resolves 6.7 Hz"
    assert math.isclose(found["distance"], found["expected"]["geodesic_distance"], rel_tol=0.01)
    assert math.isclose(found["by name alone"], found["distance"], rel_tol=0.01)
    assert "'beep'" in found["no folder"]
    assert "habitat.simulator.sound_root=" in found["no folder"]
    assert abs(found["off the floor"]) < 0.01, "heights are this simulator's"


def test_scenes_of_matterport3d_s_layout_have_drawn_episodes(played: Facts) -> None:
    found = played["soundspaces"]["drawn"]
    assert found["scene"] == "mp3d/17DRP5sb8fy"
    assert 3.0 <= found["distance"] < 40.0


def test_habitat_lab_s_own_pointnav_configuration_runs(facts: Facts) -> None:
    found = facts["official"]
    assert found["names"] == ["depth", "pointgoal_with_gps_compass", "rgb"]
    assert found["size"] == [64, 64, 3]
    assert found["pointgoal"] == pytest.approx(found["straight"], rel=1e-5)


def test_worker_processes_play_the_same_episodes(facts: Facts) -> None:
    assert facts["workers"] == {"same": True, "differ": True}


def test_unsupported_settings_are_errors_in_one_sentence(facts: Facts) -> None:
    expected = {
        "step": "forward_step_size = 0.25: it is 0.15",
        "turn": "turn_angle = 30: it is 10",
        "body": "the agent's radius = 0.3: it is 0.1",
        "oblong": "200x128",
        "camera": "it is [0.0, 1.25, 0.0]",
        "sensor": "AVW-v0 has no sensor 'HabitatSimSemanticSensor'",
        "setting": "unknown habitat.simulator.avw rays: expected acoustics, backend",
        "backend": "unknown backend 'nowhere'",
    }
    assert set(facts["refusals"]) == set(expected)
    for name, part in expected.items():
        assert part in facts["refusals"][name]
