"""A real habitat-sim in circumstances that it cannot work in: one sentence each, and the bridge goes on afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge.errors import AvwError, BackendError
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.simulators.habitat import session
from avw.sim_bridge.simulators.habitat.session import Session, find_python
from avw.sim_bridge.simulators.habitat.simulator import HabitatSimulator
from avw.sim_bridge.types import Action
from tests.sim_bridge.backends import config_of, open_mesh, play
from tests.sim_bridge.boxes import box_scene, flat
from tests.sim_bridge.processes import is_running

pytestmark = pytest.mark.habitat


@pytest.fixture
def fresh() -> Iterator[None]:
    """No Habitat runs before or after: the next one starts in the environment of the test."""
    session.close_sessions()
    yield
    session.close_sessions()


def test_it_introduces_itself(fresh: None) -> None:
    opened = Session(find_python(None))
    assert opened.hello["version"][0].isdigit()
    assert isinstance(opened.hello["audio"], bool)
    assert opened.pid != os.getpid()
    pid = opened.pid
    opened.close()
    assert not is_running(pid)


@pytest.mark.parametrize(
    "variables",
    [
        {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent"},
        {"EGL_PLATFORM": "none", "LIBGL_DRIVERS_PATH": "/nonexistent"},
    ],
    ids=["no EGL vendor", "no driver"],
)
@pytest.mark.usefixtures("fresh")
def test_without_a_graphics_context_it_says_what_to_install(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BackendError) as raised:
        open_mesh("habitat", box_scene(*flat()), tmp_path)
    sentence = str(raised.value)
    assert "\n" not in sentence
    assert "graphics context" in sentence or "EGL" in sentence
    assert "apt install" in sentence
    assert "--backend embedded" in sentence


def test_it_is_replaced_in_the_middle_of_an_episode_and_nothing_shows(fresh: None, tmp_path: Path) -> None:
    simulator = open_mesh("habitat", box_scene(*flat()), tmp_path)
    assert isinstance(simulator, HabitatSimulator)
    expected = play(simulator, 0)
    died = [signal.SIGSEGV, signal.SIGKILL, signal.SIGSTOP]
    start, source = simulator.pose, simulator.source
    for at in (1, 4, 7):
        simulator.reset(start, source)
        os.kill(simulator.session.pid, died.pop())
        before = simulator.session.restarts
        simulator.step(Action.TURN_LEFT)
        assert simulator.session.restarts == before + 1, at
    again = play(simulator, 0)
    for one, other in zip(expected, again, strict=True):
        assert np.array_equal(one.rgb_HWC, other.rgb_HWC)
        assert np.array_equal(one.depth_HW, other.depth_HW)
        assert np.array_equal(one.audio_ES, other.audio_ES)


def test_a_mesh_that_vanishes_is_one_sentence_and_the_next_scene_opens(tmp_path: Path) -> None:
    simulator = open_mesh("habitat", box_scene(*flat()), tmp_path)
    assert isinstance(simulator, HabitatSimulator)
    other = open_mesh("habitat", box_scene(*flat(), ((3.0, 0.0, 3.0), (4.0, 1.0, 4.0))), tmp_path, "other.glb")
    Path(simulator.stage.stage).unlink()
    os.kill(simulator.session.pid, signal.SIGKILL)  # the next one has to read it again
    with pytest.raises(AvwError) as raised:
        play(simulator, 0)
    assert "\n" not in str(raised.value)
    assert play(other, 0)


def test_a_habitat_that_has_read_much_is_replaced_before_it_reads_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = open_mesh("habitat", box_scene(*flat()), tmp_path, "one.glb")
    assert isinstance(one, HabitatSimulator)
    expected, pid, restarts = play(one, 0), one.session.pid, one.session.restarts
    monkeypatch.setattr(session, "_MAX_READ", 1)
    two = open_mesh("habitat", box_scene(*flat()), tmp_path, "two.glb")
    assert one.session.pid != pid
    assert not is_running(pid)
    assert play(two, 0)
    assert np.array_equal(play(one, 0)[-1].depth_HW, expected[-1].depth_HW)
    assert one.session.restarts == restarts, "this was no death"


def test_another_picture_size_is_another_picture(tmp_path: Path) -> None:
    scene = box_scene(*flat())
    small = open_mesh("habitat", scene, tmp_path, size=16)
    large = type(small)(scene_ref("flat.glb", tmp_path), config_of("habitat", size=48, emitters=200))
    for _ in range(2):
        assert play(small, 0)[0].rgb_HWC.shape == (16, 16, 3)
        assert play(large, 0)[0].depth_HW.shape == (48, 48)
