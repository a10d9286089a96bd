"""The adapter to RLR-Audio-Propagation: a missing installation, the protocol, and (if installed) the physics."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
from typing import Any

import numpy as np
import pytest

from avw.sim_bridge.acoustics.free_field import empty_space
from avw.sim_bridge.acoustics.measures import level_db, octave_bands
from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.process.messages import receive, send
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.engine_checks import ANY_ENGINE
from avw.sim_bridge.types import Pose

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


def test_a_reply_of_another_protocol_raises_end_of_file() -> None:
    with pytest.raises(EOFError, match="protocol"):
        receive(io.BytesIO(b"HTTP/1.1 200 OK"))


@pytest.mark.skipif(INSTALLED, reason="rlr-audio-propagation is installed")
def test_a_missing_installation_tells_what_to_type() -> None:
    scene = shoebox((6.0, 3.0, 5.0))
    with pytest.raises(BackendError, match=r"avw\[rlr\]"):
        make_engine("rlr", scene, RayScene(scene))


@needs_rlr
@pytest.mark.parametrize("check", ANY_ENGINE, ids=lambda check: check.__name__)
def test_it_passes_the_physics_checks_of_every_engine(check: Any) -> None:
    result = check(make)
    assert result.ok, f"{result.name}: expected {result.expected}, measured {result.measured}"


@needs_rlr
def test_its_level_matches_our_engine(room: RlrEngine) -> None:
    scene = shoebox((6.0, 3.0, 5.0), 0.2, 0.5)
    ours = make_engine("emitters", scene, RayScene(scene))
    energies = []
    for engine in (room, ours):
        engine.set_source(np.array([1.5, 1.5, -1.0]))
        energies.append(np.square(engine.impulse_response(POSE)).sum())
    assert 10 * np.log10(energies[0] / energies[1]) == pytest.approx(0.0, abs=2.0)


@needs_rlr
def test_the_same_calls_after_a_new_source_give_the_same_responses(room: RlrEngine) -> None:
    answers = []
    for _ in range(2):
        room.set_source(np.array([1.5, 1.5, -1.0]))
        answers.append([room.impulse_response(pose).tobytes() for pose in (POSE, Pose(0.0, 0.0, 0.0, 1.0))])
    assert answers[0] == answers[1]


@needs_rlr
def test_the_same_calls_in_another_process_give_the_same_responses() -> None:
    answers = []
    for _ in range(2):
        engine = make(shoebox((6.0, 3.0, 5.0), 0.2, 0.5))
        engine.set_source(np.array([1.5, 1.5, -1.0]))
        answers.append([engine.impulse_response(pose).tobytes() for pose in (POSE, Pose(0.0, 0.0, 0.0, 1.0))])
        engine.close()
    assert answers[0] == answers[1]


@needs_rlr
def test_a_dead_child_is_reported_and_the_next_source_starts_another(room: RlrEngine) -> None:
    room.set_source(np.array([1.5, 1.5, -1.0]))
    before = room.impulse_response(POSE)
    assert room._process is not None
    os.kill(room._process.pid, signal.SIGKILL)
    with pytest.raises(BackendError, match=r"signal 9 while it handled 'listen'"):
        room.impulse_response(POSE)
    with pytest.raises(UsageError, match="set_source"):
        room.impulse_response(POSE)
    room.set_source(np.array([1.5, 1.5, -1.0]))
    np.testing.assert_array_equal(room.impulse_response(POSE), before)


@needs_rlr
def test_a_hang_becomes_an_error() -> None:
    engine = RlrEngine(shoebox((6.0, 3.0, 5.0), 0.02, 0.5), RlrConfig(rays=2_000_000, patience_seconds=2.0))
    engine.set_source(np.array([1.5, 1.5, -1.0]))
    with pytest.raises(BackendError, match="silent for 2 s"):
        engine.impulse_response(POSE)
    engine.close()


@needs_rlr
def test_materials_are_applied_per_octave_band() -> None:
    """A room that absorbs only at 4 kHz is quieter only there; with 8 bands there is no effect at 1 kHz and below."""
    levels = []
    for high in (0.1, 0.8):
        engine = RlrEngine(shoebox((6.0, 3.0, 5.0), (0.1,) * 5 + (high,), 0.5), RlrConfig(rays=2_000))
        engine.set_source(np.array([1.5, 1.5, -1.0]))
        levels.append([level_db(band_S) for band_S in octave_bands(engine.omni_response(POSE.ears_3))])
        engine.close()
    change = np.subtract(levels[1], levels[0])
    assert change[5] < -6.0
    assert np.abs(change[:4]).max() < 1.0


@needs_rlr
def test_the_level_at_the_microphone_is_one_over_r(room: RlrEngine) -> None:
    engine = make(empty_space())
    engine.set_source(np.array([0.0, 9.5, 0.0]))
    for distance in (1.0, 2.0, 4.0):
        level = level_db(engine.omni_response(np.array([0.0, 9.5, distance]))) + 20.0 * np.log10(distance)
        assert level == pytest.approx(0.0, abs=0.4)
    engine.close()


@needs_rlr
def test_transmission_can_be_switched_off() -> None:
    levels = []
    for transmission in (True, False):
        scene = shoebox((8.0, 3.0, 4.0), 0.2, 0.5, wall_x=0.0, transmission=0.1)
        engine = RlrEngine(scene, RlrConfig(transmission=transmission, diffraction=False))
        engine.set_source(np.array([2.0, 1.5, 0.3]))
        levels.append(level_db(engine.impulse_response(Pose(-2.0, 0.0, 0.0, 0.0))))
        engine.close()
    assert levels[0] > levels[1] + 10.0


@needs_rlr
def test_bad_requests_say_what_to_do(room: RlrEngine) -> None:
    with pytest.raises(UsageError, match="set_source"):
        room.impulse_response(POSE)
    with pytest.raises(UsageError, match="three finite numbers"):
        room.set_source(np.array([0.0, np.inf, 0.0]))


@pytest.mark.parametrize(
    "wrong", [{"rays": 0}, {"depth": 0}, {"bands": 0}, {"length_seconds": 0.0}, {"patience_seconds": 0.0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        RlrConfig(**wrong)
