"""A check with test sources whether Habitat's audio sensor places sources correctly, before it is first used.

The sensor of habitat-sim 0.3.1 and later reads the wrong three numbers for the source's position (its issue 2632), so
that left and right sound the same. The version number is not enough, because there are patched builds.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.acoustics.free_field import SPEED_OF_SOUND, empty_space
from avw.sim_bridge.acoustics.measures import difference_db, ild_db, level_db, onset
from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.simulators.habitat import remedies
from avw.sim_bridge.simulators.habitat.audio_sensor import AudioSensorConfig, AudioSensorEngine
from avw.sim_bridge.simulators.habitat.session import Session
from avw.sim_bridge.types import EAR_HEIGHT, SAMPLE_RATE, Pose

_FLOOR = 8.0  # metres: height of the listener in a room without echoes
_LOUDER = 3.0  # dB: smallest level difference for the nearer ear
_ALIKE = -20.0  # dB: largest difference of two responses that count as equal
_EQUAL = 1.0  # dB: largest level difference of the ears for a source ahead or above
_LEVEL = 5.0  # dB: largest deviation from 1/r, for any direction
_SAMPLES = 3.0  # largest error of the arrival time; 6 cm
_trusted: weakref.WeakSet[Session] = weakref.WeakSet()


@dataclass(frozen=True, kw_only=True, slots=True)
class Placing:
    """A test source at `offset_3` metres from the ears of a listener at yaw 0, who then turns and moves up.

    metres: from the ears to the source · side: 1 at the left ear, -1 at the right, 0 in between
    """

    name: str
    offset_3: tuple[float, float, float]
    yaw: float = 0.0
    rise: float = 0.0
    metres: float
    side: int


PLACINGS = (
    Placing(name="on the right", offset_3=(2.0, 0.0, 0.0), metres=2.0, side=-1),
    Placing(name="on the left", offset_3=(-2.0, 0.0, 0.0), metres=2.0, side=1),
    Placing(name="ahead", offset_3=(0.0, 0.0, -3.0), metres=3.0, side=0),
    Placing(name="ahead, after a turn to the left", offset_3=(0.0, 0.0, -3.0), yaw=math.pi / 2, metres=3.0, side=-1),
    Placing(name="behind, after a turn to the left", offset_3=(0.0, 0.0, 1.0), yaw=math.pi / 2, metres=1.0, side=1),
    Placing(name="above", offset_3=(0.0, 2.0, 0.0), rise=1.0, metres=1.0, side=0),
    Placing(name="below", offset_3=(0.0, -1.0, 0.0), rise=1.0, metres=2.0, side=0),
)
"""Together they determine every axis and its sign."""


def trusted_engine(session: Session, scene: Scene, config: AudioSensorConfig | None = None) -> AudioSensorEngine:
    """An engine on the audio sensor of `session`. Raises BackendError if the sensor fails the check or is missing."""
    if session not in _trusted:
        found = misplacings(session)
        if found:
            raise BackendError(remedies.misplaced(session.python, str(session.hello["version"]), "; ".join(found)))
        _trusted.add(session)
    return AudioSensorEngine(session, scene, config)


def misplacings(session: Session) -> list[str]:
    """What is wrong, in words; [] if the sensor passes. Raises BackendError if the build has no sensor."""
    engine = AudioSensorEngine(session, empty_space(), AudioSensorConfig(rays=50))
    ears_3 = np.array([0.0, _FLOOR + EAR_HEIGHT, 0.0])
    heard = []
    try:
        for placing in PLACINGS:
            engine.set_source(ears_3 + placing.offset_3)
            heard.append(engine.impulse_response(Pose(0.0, _FLOOR + placing.rise, 0.0, placing.yaw)))
    finally:
        engine.close()
    right_ES, left_ES = heard[0], heard[1]
    if np.array_equal(right_ES, left_ES) or difference_db(left_ES, right_ES) < _ALIKE:
        return ["a source 2 m to the right and one 2 m to the left sound alike"]
    found = []
    latency = onset(right_ES.mean(axis=0), 6.0) - PLACINGS[0].metres / SPEED_OF_SOUND * SAMPLE_RATE
    for placing, response_ES in zip(PLACINGS, heard, strict=True):
        wrong = _wrong(placing, response_ES, latency)
        if wrong:
            found.append(f"a source {placing.name} {wrong}")
    return found


def _wrong(placing: Placing, response_ES: np.ndarray, latency: float) -> str:
    """What is wrong with the response to a test source; "" if nothing is. latency: samples."""
    ild = ild_db(response_ES)
    if placing.side == 0 and abs(ild) > _EQUAL:
        return f"has one ear louder by {abs(ild):.1f} dB"
    if placing.side != 0 and placing.side * ild < _LOUDER:
        return f"has the {'left' if placing.side > 0 else 'right'} ear louder by only {placing.side * ild:.1f} dB"
    level = level_db(response_ES) - level_db(np.full((2, 1), 1.0 / placing.metres))
    if abs(level) > _LEVEL:
        return f"is {level:+.1f} dB away from the level for its distance"
    late = onset(response_ES.mean(axis=0), 6.0) - latency - placing.metres / SPEED_OF_SOUND * SAMPLE_RATE
    if abs(late) > _SAMPLES:
        return f"is heard {1e3 * late / SAMPLE_RATE:+.1f} ms away from the time for its distance"
    return ""
