"""Several sources, directivity, layouts and sample rates of the virtual-emitter engine."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avw.sim_bridge.acoustics.directivity import cardioid
from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine, PlacedSource
from avw.sim_bridge.acoustics.measures import level_db, onset, rt60
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.types import SAMPLE_RATE, Pose

ROOM = RayScene(shoebox((6.0, 3.0, 5.0), 0.2, 0.5))
SMALL = {"emitters": 3_000, "rays": 600}
POSE = Pose(-1.2, 0.0, 0.8, 0.4)


def test_each_of_several_sources_sounds_as_if_it_were_alone() -> None:
    positions = ((1.5, 1.5, -1.0), (-2.0, 1.2, -1.5))
    engine = EmittersEngine(ROOM, EmittersConfig(**SMALL))
    engine.set_sources([PlacedSource(position_3=position_3) for position_3 in positions], seed=4)
    together = [engine.impulse_response(POSE, source) for source in range(2)]
    for position_3, response_ES in zip(positions, together, strict=True):
        engine.set_source(np.array(position_3), seed=4)
        assert engine.impulse_response(POSE).tobytes() == response_ES.tobytes()
    with pytest.raises(UsageError, match="no source 1"):
        engine.impulse_response(POSE, 1)


def test_a_source_turned_away_has_quieter_direct_sound_and_the_same_reverberation() -> None:
    engine = EmittersEngine(ROOM, EmittersConfig(**SMALL))
    pattern = cardioid(0.5)
    towards = (POSE.x - 1.5, 0.0, POSE.z + 1.0)
    away = (-towards[0], 0.0, -towards[2])
    direct, reverberant = [], []
    for forward_3 in (towards, away):
        engine.set_sources([PlacedSource(position_3=(1.5, 1.5, -1.0), directivity=pattern, forward_3=forward_3)])
        response_S = engine.omni_response(np.array(POSE.ears_3))
        begin = onset(response_S) + 1_200
        direct.append(float(np.abs(engine._arrivals_at(POSE.ears_3, 0).weight_IB[0]).max()))
        reverberant.append(level_db(response_S[begin:]))
    assert direct[1] < 0.01 * direct[0]
    assert reverberant[0] == pytest.approx(reverberant[1], abs=1.5)
    engine.set_source(np.array([1.5, 1.5, -1.0]))
    omni = level_db(engine.omni_response(np.array(POSE.ears_3))[begin:])
    assert np.mean(reverberant) - omni == pytest.approx(10.0 * math.log10(pattern.power_B[3]), abs=1.0)


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("binaural", 2), ("foa", 4)])
def test_all_layouts_have_the_same_level(layout: str, channels: int) -> None:
    engine = EmittersEngine(ROOM, EmittersConfig(layout=layout, **SMALL))
    engine.set_source(np.array([1.5, 1.5, -1.0]), seed=1)
    response_CS = engine.impulse_response(POSE)
    assert response_CS.shape == (channels, engine.n_samples)
    mono = engine.omni_response(POSE.ears_3)
    pressure = response_CS.mean(axis=0) if layout == "mono" else response_CS[0]
    if layout == "binaural":
        # A head amplifies a diffuse field a little, and here the source is not straight ahead.
        assert level_db(response_CS) - 3.0 == pytest.approx(level_db(mono), abs=2.5)
    else:
        assert level_db(pressure) == pytest.approx(level_db(mono), abs=0.3)


def test_ambisonics_points_to_the_source_and_rotates_with_the_listener() -> None:
    engine = EmittersEngine(RayScene(shoebox((30.0, 20.0, 30.0), 1.0, 0.5)), EmittersConfig(layout="foa", **SMALL))
    engine.set_source(np.array([-3.0, 9.5, 0.0]))  # on the left of a listener that faces -Z
    for yaw, (left, ahead) in ((0.0, (1.0, 0.0)), (math.pi / 2, (0.0, 1.0)), (-math.pi / 2, (0.0, -1.0))):
        w_S, y_S, z_S, x_S = engine.impulse_response(Pose(0.0, 8.0, 0.0, yaw))
        gains = [float(channel_S @ w_S / (w_S @ w_S)) for channel_S in (y_S, z_S, x_S)]
        assert gains == pytest.approx([left, 0.0, ahead], abs=0.02)


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_sample_rates_agree_on_arrival_time_and_reverberation(rate: int) -> None:
    engine = EmittersEngine(ROOM, EmittersConfig(layout="mono", **SMALL), rate)
    engine.set_source(np.array([1.5, 1.5, -1.0]), seed=1)
    response_S = engine.impulse_response(POSE)[0]
    distance = float(np.linalg.norm(POSE.ears_3 - [1.5, 1.5, -1.0]))
    assert onset(response_S, 3.0) / rate == pytest.approx(distance / 343.0, abs=1.0 / SAMPLE_RATE)
    assert rt60(response_S, rate) == pytest.approx(0.5, abs=0.12)
    assert engine.n_samples == round(1.25 * rate)


def test_binaural_sound_above_16_khz_needs_a_sofa_file() -> None:
    with pytest.raises(UsageError, match="SOFA"):
        EmittersEngine(ROOM, EmittersConfig(**SMALL), 48_000)
