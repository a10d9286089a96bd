"""The virtual-emitter engine: reproducible and physically plausible, and a turn on the spot traces no rays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from avw.sim_bridge.acoustics import emitters
from avw.sim_bridge.acoustics.bands import air_amplitude
from avw.sim_bridge.acoustics.directivity import make_directivity
from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine, PlacedSource
from avw.sim_bridge.acoustics.measures import drr, ild_db, level_db, octave_bands, onset, rt60
from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.types import Pose

SOURCE = np.array([1.5, 1.5, -1.0])
POSE = Pose(-1.2, 0.0, 0.8, 0.4)


def engine_in(scene: Any, **config: Any) -> EmittersEngine:
    engine = EmittersEngine(RayScene(scene), EmittersConfig(**{"emitters": 5_000, "rays": 500, **config}))
    engine.set_source(SOURCE, seed=1)
    return engine


@pytest.fixture(scope="module")
def room() -> EmittersEngine:
    return engine_in(shoebox((6.0, 3.0, 5.0), 0.2, 0.5))


def test_the_response_depends_only_on_scene_source_seed_and_pose(room: EmittersEngine) -> None:
    first = room.impulse_response(POSE)
    for other in (Pose(1.0, 0.0, 1.0, 0.0), Pose(-1.2, 0.0, 0.8, -2.0), Pose(0.0, 0.0, 0.0, 1.0)):
        room.impulse_response(other)
    room.omni_response(np.array([0.5, 1.0, 0.5]))
    assert room.impulse_response(POSE).tobytes() == first.tobytes()
    room.set_source(np.array([0.0, 1.0, 0.0]), seed=9)
    assert room.impulse_response(POSE).tobytes() != first.tobytes()
    room.set_source(SOURCE, seed=1)
    assert room.impulse_response(POSE).tobytes() == first.tobytes()


def test_a_source_that_was_traced_before_is_not_traced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = shoebox((4.0, 3.0, 3.0), 0.4, 0.5)
    engine = engine_in(scene)
    first = engine.impulse_response(POSE)
    engine.set_source(SOURCE, seed=2)
    cardioid = PlacedSource(position_3=tuple(SOURCE), directivity=make_directivity("cardioid"))
    engine.set_sources([cardioid], seed=1)
    assert engine.impulse_response(POSE).tobytes() != first.tobytes()
    monkeypatch.setattr(emitters, "trace_emitters", None)
    engine.set_source(SOURCE, seed=1)
    assert engine.impulse_response(POSE).tobytes() == first.tobytes()
    monkeypatch.undo()
    for seed in range(3, 3 + emitters.KEPT_SOURCES):
        engine.set_source(SOURCE, seed=seed)
    monkeypatch.setattr(emitters, "trace_emitters", None)
    with pytest.raises(TypeError):
        engine.set_source(SOURCE, seed=1)
    monkeypatch.undo()
    assert engine_in(scene).impulse_response(POSE).tobytes() == first.tobytes()


def test_shape_type_and_finiteness(room: EmittersEngine) -> None:
    response_ES = room.impulse_response(POSE)
    assert response_ES.shape == (2, room.n_samples)
    assert response_ES.dtype == np.float32
    assert np.isfinite(response_ES).all()


def test_another_seed_gives_different_noise_at_the_same_level(room: EmittersEngine) -> None:
    one = room.impulse_response(POSE)
    room.set_source(SOURCE, seed=2)
    two = room.impulse_response(POSE)
    room.set_source(SOURCE, seed=1)
    assert not np.array_equal(one, two)
    assert level_db(one) == pytest.approx(level_db(two), abs=1.0)


def test_turning_traces_no_rays_and_walking_does(room: EmittersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    traced_counts = []
    occluded = room._rays.occluded
    monkeypatch.setattr(
        room._rays,
        "occluded",
        lambda *rays, **options: traced_counts.append(len(rays[0])) or occluded(*rays, **options),
    )
    room.impulse_response(Pose(0.3, 0.0, 0.3, 0.0))
    after_first_pose = len(traced_counts)
    assert after_first_pose > 0
    for degrees in range(0, 360, 10):
        room.impulse_response(Pose(0.3, 0.0, 0.3, math.radians(degrees)))
    assert len(traced_counts) == after_first_pose
    room.impulse_response(Pose(0.3, 0.0, 0.45, 0.0))
    assert len(traced_counts) > after_first_pose


def test_a_full_turn_gives_the_same_response(room: EmittersEngine) -> None:
    np.testing.assert_allclose(
        room.impulse_response(Pose(0.3, 0.0, 0.3, 0.1)),
        room.impulse_response(Pose(0.3, 0.0, 0.3, 0.1 + 2 * math.pi)),
        atol=1e-5,
    )


def test_early_reverberation_is_lateralised() -> None:
    # The source is straight ahead, the left wall is 2 m away and the right wall 4 m: until the reflections of the right
    # wall arrive (275 samples after the onset), more energy arrives from the left.
    engine = engine_in(shoebox((6.0, 3.0, 5.0), 0.3, 1.0), emitters=20_000, rays=4_000)
    engine.set_source(np.array([-1.0, 1.5, -1.5]), seed=0)
    response_ES = engine.impulse_response(Pose(-1.0, 0.0, 1.0, 0.0))
    after_direct = onset(response_ES[0]) + 100
    assert ild_db(response_ES[:, after_direct : after_direct + 160]) > 1.0


def test_absorption_shortens_reverberation_in_each_band_separately() -> None:
    ear = np.array([-1.2, 1.5, 0.8])
    wet = engine_in(shoebox((6.0, 3.0, 5.0), 0.1, 0.5)).omni_response(ear)
    dry = engine_in(shoebox((6.0, 3.0, 5.0), 0.6, 0.5)).omni_response(ear)
    assert drr(dry) > drr(wet) + 6.0
    dull = engine_in(shoebox((6.0, 3.0, 5.0), (0.1, 0.1, 0.1, 0.4, 0.4, 0.4), 0.5), emitters=20_000, rays=2_000)
    bands = octave_bands(dull.omni_response(ear))
    assert rt60(bands[0]) > 1.8 * rt60(bands[5])


def test_sound_through_a_wall_keeps_its_direction_and_loses_the_materials_loss() -> None:
    free = engine_in(shoebox((8.0, 3.0, 4.0), 1.0, 0.5))
    walled = engine_in(shoebox((8.0, 3.0, 4.0), 1.0, 0.5, wall_x=0.0, transmission=0.01))
    sealed = engine_in(shoebox((8.0, 3.0, 4.0), 1.0, 0.5, wall_x=0.0, transmission=0.0))
    pose = Pose(-1.5, 0.0, -1.0, 0.0)  # the source is on the right
    responses = {name: engine.impulse_response(pose) for name, engine in (("free", free), ("walled", walled))}
    assert level_db(responses["free"]) - level_db(responses["walled"]) == pytest.approx(20.0, abs=0.2)
    assert ild_db(responses["walled"]) == pytest.approx(ild_db(responses["free"]), abs=0.2)
    assert np.abs(sealed.impulse_response(pose)).max() == 0.0


def test_air_absorbs_the_direct_sound_in_every_band() -> None:
    box = shoebox((62.0, 3.0, 5.0), 1.0, 0.5)  # walls that reflect nothing
    source_3, ear_3 = np.array([25.0, 1.5, 0.0]), np.array([-25.0, 1.5, 0.0])
    spectra = []
    for air in (True, False):
        engine = engine_in(box, air=air)
        engine.set_source(source_3)
        spectra.append(np.abs(np.fft.rfft(engine.omni_response(ear_3))))
    at_centres = np.round(np.array(OCTAVE_BANDS) / (engine.sample_rate / 2) * (len(spectra[0]) - 1)).astype(int)
    measured_6 = spectra[0][at_centres] / spectra[1][at_centres]
    np.testing.assert_allclose(measured_6, air_amplitude(np.array([50.0]))[:, 0], rtol=0.01)


def test_levels_stop_growing_near_the_source() -> None:
    engine = engine_in(shoebox((30.0, 20.0, 30.0), 1.0, 0.5))
    levels = []
    for distance in (0.5, 0.3, 0.1, 0.0):
        engine.set_source(np.array([0.0, 9.5, -distance]))
        levels.append(level_db(engine.impulse_response(Pose(0.0, 8.0, 0.0, 0.0))))
    assert levels == pytest.approx([levels[0]] * 4, abs=0.3)


def test_neighbouring_poses_share_their_noise(room: EmittersEngine) -> None:
    levels = [level_db(room.impulse_response(Pose(-1.2 + 0.05 * k, 0.0, 0.8, 0.4))) for k in range(12)]
    assert np.abs(np.diff(levels)).max() < 1.0


def test_a_listener_out_of_reach_gets_silence() -> None:
    box = shoebox((200.0, 3.0, 5.0), 0.2, 0.5)
    engine = engine_in(box, length_seconds=0.2)
    engine.set_source(np.array([-95.0, 1.5, 0.0]))
    assert np.abs(engine.impulse_response(Pose(95.0, 0.0, 0.0, 0.0))).max() == 0.0


def test_energy_does_not_depend_on_the_number_of_emitters() -> None:
    scene, ear = shoebox((6.0, 3.0, 5.0), 0.2, 0.5), np.array([-1.2, 1.5, 0.8])
    levels = [
        level_db(engine_in(scene, emitters=emitters, rays=1_000).omni_response(ear)) for emitters in (3_000, 100_000)
    ]
    assert levels[0] == pytest.approx(levels[1], abs=1.0)


def test_bad_requests_say_what_to_do(room: EmittersEngine) -> None:
    fresh = EmittersEngine(RayScene(shoebox((6.0, 3.0, 5.0))))
    with pytest.raises(UsageError, match="set_source"):
        fresh.impulse_response(POSE)
    with pytest.raises(UsageError, match="three finite numbers"):
        fresh.set_source(np.array([0.0, np.nan, 0.0]))
    with pytest.raises(UsageError, match="length_seconds"):
        EmittersConfig(length_seconds=0.0)
    with pytest.raises(UsageError, match="at least 1"):
        EmittersConfig(emitters=0)
    scene = shoebox((6.0, 3.0, 5.0))
    with pytest.raises(UsageError, match="unknown acoustics 'ears'"):
        make_engine("ears", scene, RayScene(scene))
