"""Available audio sensors: those of AVW_HABITAT_PYTHON and AVW_HABITAT_AUDIO_PYTHON, with or without the known bug."""

from __future__ import annotations

import os

import pytest

from avw.sim_bridge.simulators.habitat.sensor_trust import misplacings
from avw.sim_bridge.simulators.habitat.session import Session, open_session

NAMES = ("AVW_HABITAT_PYTHON", "AVW_HABITAT_AUDIO_PYTHON")


def session_whose_sensor_is(*, right: bool) -> Session:
    """A session whose audio sensor is correct, or has the bug; the test is skipped if there is none."""
    for name in NAMES:
        python = os.environ.get(name)
        if python:
            session = open_session(python)
            if session.hello["audio"] and bool(misplacings(session)) != right:
                return session
    kind = "whose audio sensor is correct" if right else "with the bug of the audio sensor (habitat-sim issue 2632)"
    pytest.skip(f"neither {' nor '.join(NAMES)} names a habitat-sim {kind}: not tested")
