"""Habitat's audio sensor as an engine: what it is given to hear, and (where there is one) what it hears."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import trimesh

from avw.sim_bridge.acoustics.measures import level_db, octave_bands
from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.errors import BackendError, SceneError, UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox, uniform_material
from avw.sim_bridge.selftest.engine_checks import ANY_ENGINE
from avw.sim_bridge.simulators.habitat.audio_sensor import AudioSensorConfig, AudioSensorEngine
from avw.sim_bridge.simulators.habitat.heard_scene import write_heard_scene
from avw.sim_bridge.simulators.habitat.sensor_trust import misplacings, trusted_engine
from avw.sim_bridge.simulators.habitat.session import IN_PROCESS, Session
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import Pose
from tests.sim_bridge.habitat_sensors import session_whose_sensor_is

SOURCE = np.array([1.5, 1.5, -1.0])
POSES = [Pose(-1.4, 0.0, 1.1, 0.1 * turn) for turn in range(6)]


def two_materials() -> Scene:
    """A room whose floor swallows everything and whose other sides swallow nothing."""
    room = shoebox((6.0, 3.0, 5.0), 0.02, 0.5)
    floor = dataclasses.replace(room.surfaces[0], name="floor", material=uniform_material((0.9,) * 5 + (0.1,), 0.1))
    surface_F = (room.triangles_F33[:, :, 1] < 0.01).all(axis=1).astype(np.int32)
    return dataclasses.replace(room, surfaces=(*room.surfaces, floor), surface_F=surface_F)


def test_what_is_heard_is_the_scene_triangle_by_triangle(tmp_path: Path) -> None:
    scene = two_materials()
    write_heard_scene(scene, tmp_path)
    mesh = trimesh.load(tmp_path / "heard.ply", process=False)
    upright_V3 = mesh.vertices[:, [0, 2, 1]] * [1.0, 1.0, -1.0]  # as Habitat turns any .ply
    np.testing.assert_allclose(upright_V3[mesh.faces], scene.triangles_F33, atol=1e-6)
    np.testing.assert_array_equal(mesh.metadata["_ply_raw"]["face"]["data"]["object_id"], scene.surface_F)


def test_every_surface_has_its_own_material(tmp_path: Path) -> None:
    scene = two_materials()
    stage, materials = write_heard_scene(scene, tmp_path)
    named = json.loads(stage.read_text())
    objects = json.loads((tmp_path / named["semantic_descriptor_filename"]).read_text())["objects"]
    known = {material["name"]: material for material in json.loads(materials.read_text())["materials"]}
    assert [entry["id"] for entry in objects] == [0, 1]
    for entry, surface in zip(objects, scene.surfaces, strict=True):
        absorption = known[entry["class_"]]["absorption"]
        assert absorption[0::2] == list(OCTAVE_BANDS)
        assert absorption[1::2] == list(surface.material.absorption_6)


def test_more_surfaces_than_habitat_counts_are_refused(tmp_path: Path) -> None:
    room = shoebox((6.0, 3.0, 5.0))
    with pytest.raises(SceneError, match="10001 surfaces"):
        write_heard_scene(dataclasses.replace(room, surfaces=room.surfaces * 10_001), tmp_path)


@pytest.mark.parametrize("backend", ["auto", "embedded"])
def test_no_other_backend_has_it(backend: str) -> None:
    with pytest.raises(UsageError, match="--backend habitat"):
        open_simulator("procedural-0003", SimulatorConfig(backend=backend, acoustics="habitat"))


def test_it_hears_with_its_own_head() -> None:
    config = SimulatorConfig(backend="habitat", acoustics="habitat", hrtf="head.sofa")
    with pytest.raises(UsageError, match="its own head-related transfer function"):
        open_simulator("procedural-0003", config)


@pytest.mark.parametrize("wrong", [{"rays": 0}, {"depth": 0}, {"bands": 0}, {"length_seconds": 0.0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        AudioSensorConfig(**wrong)


@pytest.fixture(scope="module")
def session() -> Session:
    return session_whose_sensor_is(right=True)


@pytest.fixture
def room(session: Session) -> Iterator[AudioSensorEngine]:
    engine = trusted_engine(session, shoebox((6.0, 3.0, 5.0), 0.2, 0.5))
    engine.set_source(SOURCE)
    yield engine
    engine.close()


@pytest.mark.habitat
@pytest.mark.parametrize("check", ANY_ENGINE, ids=lambda check: check.__name__)
def test_it_obeys_the_physics_of_any_engine(session: Session, check: Any) -> None:
    result = check(lambda scene: trusted_engine(session, scene))
    assert result.ok, f"{result.name}: expected {result.expected}, measured {result.measured}"


@pytest.mark.habitat
def test_its_level_is_that_of_our_engine(room: AudioSensorEngine) -> None:
    scene = shoebox((6.0, 3.0, 5.0), 0.2, 0.5)
    ours = make_engine("emitters", scene, RayScene(scene))
    ours.set_source(SOURCE)
    difference = level_db(room.impulse_response(POSES[0])) - level_db(ours.impulse_response(POSES[0]))
    assert difference == pytest.approx(0.0, abs=2.0)


@pytest.mark.habitat
def test_it_hears_our_materials_and_where_they_are(session: Session) -> None:
    """A floor that swallows all but 4 kHz, in a room of 2 %: without materials every band would sound alike."""
    engine = trusted_engine(session, two_materials(), AudioSensorConfig(rays=2_000))
    engine.set_source(SOURCE)
    levels = [level_db(band_S) for band_S in octave_bands(engine.impulse_response(POSES[0])[0])]
    engine.close()
    bare = trusted_engine(session, shoebox((6.0, 3.0, 5.0), 0.02, 0.5), AudioSensorConfig(rays=2_000))
    bare.set_source(SOURCE)
    change = np.subtract(levels, [level_db(band_S) for band_S in octave_bands(bare.impulse_response(POSES[0])[0])])
    bare.close()
    assert change[:4].max() < -4.0
    assert change[5] > change[3] + 2.0


@pytest.mark.habitat
@pytest.mark.parametrize(
    ("listener", "seen", "hidden"),
    [
        (Pose(-1.0, 0.0, 1.8, 0.0), (2.0, 1.5, 1.8), (2.0, 1.5, -1.8)),  # the gap is at +z
        (Pose(0.3, 0.0, -1.8, 0.0), (-2.4, 1.5, -1.8), (2.4, 1.5, -1.8)),  # the wall at +x
    ],
    ids=["z", "x"],
)
def test_walls_stand_where_they_are(
    session: Session, listener: Pose, seen: tuple[float, ...], hidden: tuple[float, ...]
) -> None:
    """Mirrored along x or z, what is seen would be hidden and the other way round."""
    scene = shoebox((6.0, 3.0, 5.0), 0.95, 0.5, wall_x=1.0, gap=1.5)
    engine = trusted_engine(session, scene, AudioSensorConfig(diffraction=False))
    levels = []
    for source_3 in (seen, hidden):
        engine.set_source(np.array(source_3))
        levels.append(level_db(engine.impulse_response(listener)))
    engine.close()
    assert levels[0] > levels[1] + 10.0


@pytest.mark.habitat
def test_the_same_calls_after_the_same_source_repeat(room: AudioSensorEngine) -> None:
    first = [room.impulse_response(pose).tobytes() for pose in POSES]
    room.set_source(SOURCE)
    assert [room.impulse_response(pose).tobytes() for pose in POSES] == first
    assert len(set(first)) == len(POSES)


@pytest.mark.habitat
@pytest.mark.parametrize("deaths", [[3], [0, 4, 5]])
def test_a_death_alters_nothing_of_an_episode(session: Session, room: AudioSensorEngine, deaths: list[int]) -> None:
    expected = [room.impulse_response(pose).tobytes() for pose in POSES]
    room.set_source(SOURCE)
    heard, before = [], session.restarts
    for step, pose in enumerate(POSES):
        if step in deaths:
            os.kill(session.pid, signal.SIGKILL)
        heard.append(room.impulse_response(pose).tobytes())
    assert heard == expected
    assert session.restarts == before + len(deaths)


class _Dying:
    """A real session whose process is killed after every answer, while `deadly`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.deadly = False

    def listen(self, scene_id: str, **fields: Any) -> Any:
        answer = self._session.listen(scene_id, **fields)
        if self.deadly:
            os.kill(self._session.pid, signal.SIGKILL)
        return answer


@pytest.mark.habitat
@pytest.mark.slow
def test_an_episode_that_cannot_be_taken_up_again_is_an_error(session: Session) -> None:
    """It is led through again in pieces of 50 poses: a process that dies after each of them does not go on for ever."""
    dying = _Dying(session)
    engine = AudioSensorEngine(cast(Session, dying), shoebox((6.0, 3.0, 5.0)), AudioSensorConfig(rays=10))
    engine.set_source(SOURCE)
    for _ in range(51):
        engine.impulse_response(POSES[0])
    dying.deadly = True
    os.kill(session.pid, signal.SIGKILL)
    with pytest.raises(BackendError, match="crashed 3 times on one response"):
        engine.impulse_response(POSES[1])
    dying.deadly = False
    after = engine.impulse_response(POSES[1])
    engine.set_source(SOURCE)
    for _ in range(51):
        engine.impulse_response(POSES[0])
    assert after.tobytes() == engine.impulse_response(POSES[1]).tobytes()
    engine.close()


@pytest.mark.habitat
def test_two_engines_take_turns(session: Session, room: AudioSensorEngine) -> None:
    """The worker holds one episode at a time: an engine that was interrupted is led through its own again."""
    alone = [room.impulse_response(pose).tobytes() for pose in POSES]
    other = trusted_engine(session, shoebox((8.0, 3.0, 4.0), 0.5, 0.5))
    other.set_source(SOURCE)
    room.set_source(SOURCE)
    heard = []
    for pose in POSES:
        heard.append(room.impulse_response(pose).tobytes())
        other.impulse_response(pose)
    other.close()
    assert heard == alone


@pytest.mark.habitat
def test_bad_requests_say_what_to_do(session: Session, room: AudioSensorEngine) -> None:
    with pytest.raises(UsageError, match="three finite numbers"):
        room.set_source(np.array([0.0, np.inf, 0.0]))
    with pytest.raises(UsageError, match="set_source"):
        trusted_engine(session, shoebox((6.0, 3.0, 5.0))).impulse_response(POSES[0])


@pytest.mark.habitat("in-process")
def test_in_this_process_it_keeps_off_our_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    """The library in there says on stdout what it does; a command with --json has another use for it."""
    session = Session(IN_PROCESS)
    misplacings(session)
    session.close()
    print("ours")
    assert capfd.readouterr().out == "ours\n"
