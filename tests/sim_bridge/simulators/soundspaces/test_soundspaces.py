"""SoundSpaces' continuous simulator as a backend: what it needs, what it refuses, and the real one where it is."""

from __future__ import annotations

import ast
import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge import types
from avw.sim_bridge.acoustics.measures import ild_db
from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.simulators.habitat.session import IN_PROCESS, Session
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig, resolved
from avw.sim_bridge.simulators.soundspaces import simulator as soundspaces
from avw.sim_bridge.simulators.soundspaces import soundspaces_worker
from avw.sim_bridge.simulators.soundspaces.simulator import SCRIPT, SoundSpacesSimulator
from avw.sim_bridge.task.task import sample_episode
from avw.sim_bridge.types import Action, Observation, Pose, Source

SCENE = "procedural-0003"
FILE = Path(soundspaces_worker.__file__)
WALK = [Action.FORWARD, Action.TURN_LEFT, Action.FORWARD, Action.STOP, Action.TURN_RIGHT, Action.FORWARD]


def config(**changes: object) -> SimulatorConfig:
    values = {"backend": "soundspaces", "size": 32, "habitat_python": os.environ.get("AVW_SOUNDSPACES_PYTHON")}
    return SimulatorConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_the_worker_is_written_for_python_3_7_and_loads_soundspaces_late() -> None:
    tree = ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 7))
    top = {alias.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert not top & {"habitat", "habitat_sim", "soundspaces"}, "their failure must be an answer, and so come later"


def test_both_sides_mean_the_same_step() -> None:
    worker = soundspaces_worker
    assert (worker.SAMPLE_RATE, worker.STEP_SAMPLES) == (types.SAMPLE_RATE, types.STEP_SAMPLES)
    assert (worker.FORWARD, np.radians(worker.TURN)) == (types.FORWARD_METRES, pytest.approx(types.TURN_RADIANS))
    assert Path(worker.__file__).samefile(SCRIPT)
    assert soundspaces._LAYOUT.name == worker.COLLECTION


def test_its_own_sound_is_stored_as_what_it_is() -> None:
    said = resolved(SimulatorConfig(backend="soundspaces"))
    assert (said.acoustics, said.stream) == ("habitat", "soundspaces")
    assert resolved(SimulatorConfig()).backend == "embedded"
    habitat = SimulatorConfig(backend="habitat", stream="soundspaces", acoustics="rlr")
    assert resolved(habitat) is habitat


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"acoustics": "rlr"}, "--acoustics"),
        ({"hrtf": "head.sofa"}, "--hrtf"),
        ({"materials": "map.json"}, "--materials"),
    ],
)
def test_options_that_it_does_not_have_are_refused(changes: dict[str, str], option: str) -> None:
    with pytest.raises(UsageError, match=f"so {option} has no effect"):
        open_simulator(SCENE, config(**changes))


def test_it_is_never_in_this_process() -> None:
    with pytest.raises(UsageError, match=r"own environment: name that with --habitat-python"):
        open_simulator(SCENE, config(habitat_python=IN_PROCESS))


def test_a_python_without_it_is_named_with_the_remedy() -> None:
    with pytest.raises(BackendError, match=rf"not installed in {sys.executable}.*--habitat-python"):
        open_simulator(SCENE, config(habitat_python=sys.executable))


@pytest.mark.habitat
def test_a_habitat_without_soundspaces_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "soundspaces").mkdir()
    (tmp_path / "soundspaces" / "__init__.py").touch()  # a checkout without its simulator
    monkeypatch.setenv("AVW_SOUNDSPACES", str(tmp_path))
    with pytest.raises(BackendError, match=r"(SoundSpaces cannot be used|built with audio).*--stream soundspaces"):
        Session(os.environ["AVW_HABITAT_PYTHON"], SCRIPT)


@pytest.fixture(scope="module")
def simulator() -> Iterator[SoundSpacesSimulator]:
    opened = open_simulator(SCENE, config())
    assert isinstance(opened, SoundSpacesSimulator)
    yield opened
    opened.close()


def walked(simulator: SoundSpacesSimulator, start: Pose, source: Source, kill_at: int = -1) -> list[Observation]:
    seen = [simulator.reset(start, source)]
    for number, action in enumerate(WALK):
        if number == kill_at:
            os.kill(simulator.session.pid, signal.SIGKILL)
        seen.append(simulator.step(action))
    return seen


@pytest.mark.slow
@pytest.mark.habitat("soundspaces")
def test_it_moves_as_we_do_and_gives_what_it_sees_and_hears(simulator: SoundSpacesSimulator) -> None:
    start, source = sample_episode(simulator, 1)
    first = simulator.reset(start, source)
    assert (first.rgb_HWC.shape, first.rgb_HWC.dtype) == ((32, 32, 3), np.uint8)
    assert (first.depth_HW.shape, first.depth_HW.dtype) == ((32, 32), np.float32)
    assert (first.audio_ES.shape, first.audio_ES.dtype) == ((2, types.STEP_SAMPLES), np.float32)
    assert 0.1 < np.median(first.depth_HW) < 20.0
    np.testing.assert_allclose(simulator.pose.position_3, start.position_3, atol=1e-5)
    for action in WALK:
        before = simulator.pose
        simulator.step(action)
        if not simulator.collided:
            np.testing.assert_allclose(simulator.pose.position_3, before.after(action).position_3, atol=1e-3)
        assert abs(types.wrap_angle(simulator.pose.yaw - before.after(action).yaw)) < 1e-3
    assert 0.0 < simulator.distance_to_source() < 50.0


@pytest.mark.slow
@pytest.mark.habitat("soundspaces")
def test_a_source_beside_an_ear_is_louder_there(simulator: SoundSpacesSimulator) -> None:
    start, _ = sample_episode(simulator, 1)
    for side in (-1.0, 1.0):
        x, y, z = (float(v) for v in start.position_3 + 0.3 * side * start.right_3)
        heard = simulator.reset(start, Source(position_3=(x, y + 1.5, z), floor_3=(x, y, z), phase=4_800))
        assert side * ild_db(heard.audio_ES) < -2.0  # left over right


@pytest.mark.slow
@pytest.mark.habitat("soundspaces")
def test_a_source_a_metre_ahead_is_as_loud_as_its_clip(simulator: SoundSpacesSimulator) -> None:
    """One gain for all datasets: 1 m away the direct sound has the clip's RMS, and a room adds its own to it."""
    start, _ = sample_episode(simulator, 1)
    x, y, z = (float(v) for v in start.position_3 + start.forward_3)
    simulator.reset(start, Source(position_3=(x, y + 1.5, z), floor_3=(x, y, z)))
    heard_TES = np.stack([simulator.step(Action.STOP).audio_ES for _ in range(8)])
    clip = float(np.sqrt(np.mean(np.square(load_sound("ring")))))
    assert -1.0 < 20 * np.log10(float(np.sqrt(np.mean(np.square(heard_TES)))) / clip) < 9.0


@pytest.mark.slow
@pytest.mark.habitat("soundspaces")
def test_an_episode_repeats_and_survives_the_death_of_its_process(simulator: SoundSpacesSimulator) -> None:
    start, source = sample_episode(simulator, 2)
    first = walked(simulator, start, source)
    for kill_at in (-1, 0, 4):
        for one, other in zip(first, walked(simulator, start, source, kill_at), strict=True):
            for name in (field.name for field in dataclasses.fields(Observation)):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.slow
@pytest.mark.habitat("soundspaces")
def test_the_bug_of_the_audio_sensor_is_refused_through_soundspaces_too() -> None:
    python = os.environ.get("AVW_SOUNDSPACES_BUGGY_PYTHON")
    if not python:
        pytest.skip("AVW_SOUNDSPACES_BUGGY_PYTHON names no SoundSpaces on a habitat-sim with issue 2632: not tested")
    with pytest.raises(BackendError, match=r"wrong place.*2632.*--stream soundspaces"):
        open_simulator(SCENE, config(habitat_python=python))
