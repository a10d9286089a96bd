"""The adapter to RLR-Audio-Propagation: its absence, its protocol, and (where installed) the physics."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
from typing import Any

import numpy as np
import pytest

from sim_bridge.acoustics.checks import ANY_ENGINE
from sim_bridge.acoustics.engine import make_engine
from sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from sim_bridge.acoustics.rlr_worker import receive, send
from sim_bridge.errors import BackendError, UsageError
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.scenes.scene import Scene
from sim_bridge.scenes.shoebox import shoebox
from sim_bridge.types import Pose

INSTALLED = importlib.util.find_spec("rlr_audio_propagation") is not None
needs_rlr = pytest.mark.skipif(not INSTALLED, reason="rlr-audio-propagation is not installed: pip install 'avw[rlr]'")
POSE = Pose(-1.4, 0.0, 1.1, 0.0)


def make(scene: Scene) -> RlrEngine:
    return RlrEngine(scene, RlrConfig(rays=2_000))


@pytest.fixture
def room() -> Any:
    engine = make(shoebox((6.0, 3.0, 5.0), 0.2, 0.5))
    yield engine
    engine.close()


def test_messages_survive_the_pipe() -> None:
    pipe = io.BytesIO()
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((0, 3), dtype=np.int32)]
    send(pipe, {"do": "scene", "n": 3}, *arrays)
    pipe.seek(0)
    header, received = receive(pipe)
    assert header == {"do": "scene", "n": 3}
    for sent, got in zip(arrays, received, strict=True):
        np.testing.assert_array_equal(sent, got)
        assert sent.dtype == got.dtype
    with pytest.raises(EOFError):
        receive(pipe)


def test_a_reply_in_another_language_is_an_end_of_file() -> None:
    with pytest.raises(EOFError, match="protocol"):
        receive(io.BytesIO(b"HTTP/1.1 200 OK"))


@pytest.mark.skipif(INSTALLED, reason="rlr-audio-propagation is installed")
def test_its_absence_says_what_to_type() -> None:
    scene = shoebox((6.0, 3.0, 5.0))
    with pytest.raises(BackendError, match=r"avw\[rlr\]"):
        make_engine("rlr", scene, RayScene(scene))


@needs_rlr
@pytest.mark.parametrize("check", ANY_ENGINE, ids=lambda check: check.__name__)
def test_it_obeys_the_physics_of_any_engine(check: Any) -> None:
    result = check(make)
    assert result.ok, f"{result.name}: expected {result.expected}, measured {result.measured}"


@needs_rlr
def test_its_level_is_that_of_our_engine(room: RlrEngine) -> None:
    scene = shoebox((6.0, 3.0, 5.0), 0.2, 0.5)
    ours = make_engine("emitters", scene, RayScene(scene))
    energies = []
    for engine in (room, ours):
        engine.set_source(np.array([1.5, 1.5, -1.0]))
        energies.append(np.square(engine.impulse_response(POSE)).sum())
    assert 10 * np.log10(energies[0] / energies[1]) == pytest.approx(0.0, abs=2.0)


@needs_rlr
def test_the_same_calls_on_a_fresh_source_repeat(room: RlrEngine) -> None:
    answers = []
    for _ in range(2):
        room.set_source(np.array([1.5, 1.5, -1.0]))
        answers.append([room.impulse_response(pose).tobytes() for pose in (POSE, Pose(0.0, 0.0, 0.0, 1.0))])
    assert answers[0] == answers[1]


@needs_rlr
def test_a_dead_child_is_a_named_error(room: RlrEngine) -> None:
    room.set_source(np.array([1.5, 1.5, -1.0]))
    assert room._child is not None
    os.kill(room._child.pid, signal.SIGKILL)
    with pytest.raises(BackendError, match="signal 9"):
        room.impulse_response(POSE)
    with pytest.raises(BackendError, match="closed"):
        room.impulse_response(POSE)


@needs_rlr
def test_bad_requests_say_what_to_do(room: RlrEngine) -> None:
    with pytest.raises(UsageError, match="set_source"):
        room.impulse_response(POSE)
    with pytest.raises(UsageError, match="three finite numbers"):
        room.set_source(np.array([0.0, np.inf, 0.0]))
