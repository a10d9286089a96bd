"""Audio sensors at hand: that of AVW_HABITAT_PYTHON, and of AVW_HABITAT_AUDIO_PYTHON where the first is wrong."""

from __future__ import annotations

import os

import pytest

from avw.sim_bridge.simulators.habitat.sensor_trust import misplacings
from avw.sim_bridge.simulators.habitat.session import Session, open_session

NAMES = ("AVW_HABITAT_PYTHON", "AVW_HABITAT_AUDIO_PYTHON")


def session_whose_sensor_is(*, right: bool) -> Session:
    """A session with an audio sensor that is right, or that has the bug; the test is skipped where there is none."""
    for name in NAMES:
        python = os.environ.get(name)
        if python:
            session = open_session(python)
            if session.hello["audio"] and bool(misplacings(session)) != right:
                return session
    kind = "whose audio sensor is right" if right else "with the audio sensor's bug (its issue 2632)"
    pytest.skip(f"neither {' nor '.join(NAMES)} names a habitat-sim {kind}: that much was not tested")
