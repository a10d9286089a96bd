"""Checks for any binaural engine: each builds a room, computes responses, and reports what it expected and measured.

They also apply to engines of other projects. They found a public one that uses the wrong three numbers as the
position of the source. Used by `avw.sim_bridge.selftest.run_checks`.
"""

from __future__ import annotations

import math

import numpy as np

from avw.sim_bridge.acoustics.bands import AIR_DB_PER_METRE
from avw.sim_bridge.acoustics.free_field import FREE_FIELD_FLOOR, SPEED_OF_SOUND, empty_space, free_field
from avw.sim_bridge.acoustics.measures import (
    difference_db,
    eyring_rt60,
    ild_db,
    itd_seconds,
    level_db,
    octave_bands,
    onset,
    rt60,
)
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.check import Check, EngineMaker
from avw.sim_bridge.types import EAR_HEIGHT, SAMPLE_RATE, Pose

FIX_HEAD = "this engine swaps the ears, or two axes of the source's position: use another --acoustics"
FIX_ROOM = "the engine gives wrong sound on this machine: reinstall avw, and report it with this table"


def source_on_the_right_is_louder_right(make: EngineMaker) -> Check:
    """With a source at +X of a listener who faces -Z, the right ear must be clearly louder."""
    ild = ild_db(free_field(make, (2.0, 0.0)))
    return Check(
        name="source on the right: right ear louder",
        expected="right - left >= 3 dB",
        measured=f"{-ild:.1f} dB",
        ok=-ild >= 3.0,
        fix=FIX_HEAD,
    )


def source_on_the_right_is_earlier_right(make: EngineMaker) -> Check:
    """Below 1.5 kHz the right ear leads by the travel time across a head."""
    itd = itd_seconds(free_field(make, (2.0, 0.0))) * 1e6
    return Check(
        name="source on the right: right ear earlier below 1.5 kHz",
        expected="500 to 900 us",
        measured=f"{itd:.0f} us",
        ok=500.0 <= itd <= 900.0,
        fix=FIX_HEAD,
    )


def left_mirrors_right(make: EngineMaker) -> Check:
    """A source at -X sounds like one at +X with the ears swapped, and not like one at +X with the ears unswapped."""
    right_ES = free_field(make, (1.5, -1.2))
    left_ES = free_field(make, (-1.5, -1.2))
    difference = difference_db(left_ES[::-1], right_ES)
    same = difference_db(left_ES, right_ES)
    return Check(
        name="mirror symmetry",
        expected="swapped ears <= -40 dB, unswapped > -10 dB",
        measured=f"{difference:.0f} dB, {same:.0f} dB",
        ok=difference <= -40.0 and same > -10.0,
        fix=FIX_HEAD,
    )


def turning_equals_moving_the_source(make: EngineMaker) -> Check:
    """Turning left by 90 degrees moves a source that is ahead to the right ear."""
    turned_ES = free_field(make, (0.0, -2.0), yaw=math.pi / 2)
    circled_ES = free_field(make, (2.0, 0.0))
    difference = difference_db(turned_ES, circled_ES)
    return Check(
        name="turning left = source moving right",
        expected="difference <= -40 dB",
        measured=f"{difference:.0f} dB",
        ok=difference <= -40.0,
        fix="the engine turns the head the wrong way: use another --acoustics",
    )


def level_falls_as_one_over_r(make: EngineMaker) -> Check:
    """Direct sound of a frontal source: -6.02 dB per doubling of the distance."""
    distances = (1.0, 2.0, 4.0, 8.0)
    levels = [_ears_mean_db(free_field(make, (0.0, -r))) + 20.0 * math.log10(r) for r in distances]
    worst = max(abs(level - levels[0]) for level in levels)
    return Check(
        name="level falls as 1/r",
        expected="level x r constant within 0.5 dB from 1 to 8 m",
        measured=f"{worst:.2f} dB",
        ok=worst <= 0.5,
        fix="the level of the engine's direct sound does not follow the distance: use another --acoustics",
    )


def sound_travels_at_its_speed(make: EngineMaker) -> Check:
    """The onset moves by distance / c. A constant latency of the engine cancels."""
    near, far = (onset(free_field(make, (0.0, -r)).mean(axis=0), 6.0) for r in (2.0, 7.0))
    expected = 5.0 / SPEED_OF_SOUND * SAMPLE_RATE
    return Check(
        name="speed of sound",
        expected=f"{expected:.0f} +- 2 samples for 5 m",
        measured=f"{far - near} samples",
        ok=abs(far - near - expected) <= 2.0,
        fix="the engine's arrival times are wrong: use another --acoustics",
    )


def no_sound_before_the_onset(make: EngineMaker) -> Check:
    """Up to 1 ms before the direct sound, everything is below -60 dB of the peak, in a reverberant room too."""
    worst = -math.inf
    for scene, source_3 in (
        (empty_space(), (2.0, FREE_FIELD_FLOOR + EAR_HEIGHT, -1.0)),
        (shoebox((6.0, 3.0, 5.0), 0.1, 0.5), (1.5, EAR_HEIGHT, -1.0)),
    ):
        engine = make(scene)
        engine.set_source(np.array(source_3))
        response_ES = engine.impulse_response(Pose(-0.5, source_3[1] - EAR_HEIGHT, 0.5, 0.3))
        engine.close()
        for ear_S in response_ES:
            early_S = ear_S[: max(0, onset(ear_S) - 16)]
            early = float(np.abs(early_S).max(initial=0.0)) / float(np.abs(ear_S).max())
            worst = max(worst, 20.0 * math.log10(max(early, 1e-10)))
    return Check(
        name="silence before the onset",
        expected="<= -60 dB more than 1 ms before",
        measured=f"{worst:.0f} dB",
        ok=worst <= -60.0,
        fix="the engine's filters ring before the direct sound: use another --acoustics",
    )


def wall_between_lowers_the_level(make: EngineMaker) -> Check:
    """A wall between source and listener lowers the level by at least 15 dB."""
    levels = []
    for wall_x in (None, 0.0):
        engine = make(shoebox((8.0, 3.0, 4.0), 0.2, 0.5, wall_x=wall_x, transmission=0.001))
        engine.set_source(np.array([2.0, EAR_HEIGHT, 0.3]))
        levels.append(level_db(engine.impulse_response(Pose(-2.0, 0.0, 0.0, 0.0))))
        engine.close()
    return Check(
        name="a wall between lowers the level",
        expected=">= 15 dB",
        measured=f"{levels[0] - levels[1]:.1f} dB",
        ok=levels[0] - levels[1] >= 15.0,
        fix=FIX_ROOM,
    )


def reverberation_follows_eyring(make: EngineMaker) -> Check:
    """RT60 of shoeboxes with absorption 0.1, 0.2, 0.3 and scattering 0.5: within 15 % of Eyring (air included).

    A correct engine decays a few per cent more slowly than Eyring, because free paths vary; more so with more
    absorption.
    """
    size = (6.0, 3.0, 5.0)
    volume, area = size[0] * size[1] * size[2], 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    ratios = []
    for absorption in (0.1, 0.2, 0.3):
        engine = make(shoebox(size, absorption, 0.5))
        engine.set_source(np.array([1.5, EAR_HEIGHT, -1.0]))
        # The 1 kHz octave, where air absorbs almost nothing; mean decay of both ears at three places.
        energy_S = sum(
            np.square(octave_bands(ear_S)[3])
            for x, z in ((-1.4, 1.1), (0.3, 1.6), (-2.0, -1.2))
            for ear_S in engine.impulse_response(Pose(x, 0.0, z, 0.0))
        )
        engine.close()
        ratios.append(rt60(np.sqrt(energy_S)) / eyring_rt60(volume, area, absorption, AIR_DB_PER_METRE[3]))
    return Check(
        name="RT60 against Eyring, absorption 0.1 / 0.2 / 0.3",
        expected="within 15 %",
        measured=" / ".join(f"{100 * (ratio - 1):+.0f} %" for ratio in ratios),
        ok=all(abs(ratio - 1.0) <= 0.15 for ratio in ratios),
        fix=FIX_ROOM,
    )


def octave_bands_decay_separately(make: EngineMaker) -> Check:
    """In a room with absorption 0.15 at 125 Hz to 0.3 at 4 kHz, each octave band has the RT60 of its absorption."""
    size, absorption_6 = (6.0, 3.0, 5.0), (0.15, 0.17, 0.2, 0.23, 0.27, 0.3)
    volume, area = size[0] * size[1] * size[2], 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    engine = make(shoebox(size, absorption_6, 0.6))
    engine.set_source(np.array([1.5, EAR_HEIGHT, -1.0]))
    energy_BS = sum(
        np.square(octave_bands(ear_S))
        for x, z in ((-1.4, 1.1), (0.3, 1.6), (-2.0, -1.2))
        for ear_S in engine.impulse_response(Pose(x, 0.0, z, 0.0))
    )
    engine.close()
    ratios = [
        rt60(np.sqrt(band_S)) / eyring_rt60(volume, area, absorption, air)
        for band_S, absorption, air in zip(energy_BS, absorption_6, AIR_DB_PER_METRE, strict=True)
    ]
    return Check(
        name="RT60 of each octave band against Eyring",
        expected="within 25 %",
        measured=" / ".join(f"{100 * (ratio - 1):+.0f} %" for ratio in ratios),
        ok=all(abs(ratio - 1.0) <= 0.25 for ratio in ratios),
        fix=FIX_ROOM,
    )


def responses_are_reproducible(make: EngineMaker) -> Check:
    """A reproducible engine gives the same bytes for the same request, regardless of earlier requests."""
    scene = shoebox((6.0, 3.0, 5.0), 0.2, 0.5)
    first, second = make(scene), make(scene)
    pose = Pose(-1.0, 0.0, 0.5, 0.7)
    for engine in (first, second):
        engine.set_source(np.array([1.5, EAR_HEIGHT, -1.0]), seed=3)
    first.impulse_response(Pose(1.0, 0.0, 1.0, 0.0))
    equal = first.impulse_response(pose).tobytes() == second.impulse_response(pose).tobytes()
    promised = first.reproducible
    first.close()
    second.close()
    return Check(
        name="the same request gives the same response",
        expected="equal bytes" if promised else "not promised by this engine",
        measured="equal" if equal else "different",
        ok=equal or not promised,
        fix="the engine is not reproducible on this machine: datasets made here do not have stable checksums",
    )


def _ears_mean_db(response_ES: np.ndarray) -> float:
    return 10.0 * math.log10(max(float(np.square(response_ES, dtype=np.float64).sum(axis=1).mean()), 1e-30))


ANY_ENGINE = (
    source_on_the_right_is_louder_right,
    source_on_the_right_is_earlier_right,
    left_mirrors_right,
    turning_equals_moving_the_source,
    level_falls_as_one_over_r,
    sound_travels_at_its_speed,
    no_sound_before_the_onset,
    wall_between_lowers_the_level,
    reverberation_follows_eyring,
    octave_bands_decay_separately,
    responses_are_reproducible,
)
