"""Whether Habitat's audio sensor hears sources where they are: tried by sound before it is first used, never assumed.

The sensor of habitat-sim 0.3.1 and later takes the wrong three numbers for the source's position (its issue 2632), so
that left and right sound alike; a version's number proves nothing, for builds are mended.
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

_FLOOR = 8.0  # metres, where the listener stands in a room that echoes nothing
_LOUDER = 3.0  # dB by which the nearer ear is louder, at least
_ALIKE = -20.0  # dB: the difference of two responses that are the same
_EQUAL = 1.0  # dB by which the ears may differ for a source ahead or above
_LEVEL = 5.0  # dB that a source may be off 1/r, whatever its direction
_SAMPLES = 3.0  # that its sound may come early or late: 6 cm
_trusted: weakref.WeakSet[Session] = weakref.WeakSet()


@dataclass(frozen=True, kw_only=True, slots=True)
class Placing:
    """A source `offset_3` metres from where the ears of a listener at yaw 0 are, who then turns and rises.

    metres: from ears to source · side: 1 it is at the left ear, -1 at the right, 0 between them
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
"""Together they tell every axis and its sign."""


def trusted_engine(session: Session, scene: Scene, config: AudioSensorConfig | None = None) -> AudioSensorEngine:
    """An engine on the audio sensor of `session`. Raises BackendError for a sensor that does not pass, or none."""
    if session not in _trusted:
        found = misplacings(session)
        if found:
            raise BackendError(remedies.misplaced(session.python, str(session.hello["version"]), "; ".join(found)))
        _trusted.add(session)
    return AudioSensorEngine(session, scene, config)


def misplacings(session: Session) -> list[str]:
    """What the sensor hears wrongly, in words; nothing where it is right. Raises BackendError where it has none."""
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
    """What contradicts a placing, latency in samples; "" where nothing does."""
    ild = ild_db(response_ES)
    if placing.side == 0 and abs(ild) > _EQUAL:
        return f"has one ear louder by {abs(ild):.1f} dB"
    if placing.side != 0 and placing.side * ild < _LOUDER:
        return f"has the {'left' if placing.side > 0 else 'right'} ear louder by only {placing.side * ild:.1f} dB"
    level = level_db(response_ES) - level_db(np.full((2, 1), 1.0 / placing.metres))
    if abs(level) > _LEVEL:
        return f"is {level:+.1f} dB off the level of its distance"
    late = onset(response_ES.mean(axis=0), 6.0) - latency - placing.metres / SPEED_OF_SOUND * SAMPLE_RATE
    if abs(late) > _SAMPLES:
        return f"is heard {1e3 * late / SAMPLE_RATE:+.1f} ms off the time of its distance"
    return ""
