"""What the embedded simulator alone can do; what every simulator must do is in `test_contract`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.embedded import EmbeddedSimulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from tests.sim_bridge.backends import play
from tests.sim_bridge.sofa_files import point_head

SMALL = SimulatorConfig(size=32, emitters=2_000)


def test_the_head_may_be_the_users(tmp_path: Path) -> None:
    point_head().write(tmp_path / "head.sofa")
    config = dataclasses.replace(SMALL, hrtf=str(tmp_path / "head.sofa"))
    theirs, ours = (
        play(EmbeddedSimulator("procedural-0002", config), 0),
        play(EmbeddedSimulator("procedural-0002", SMALL), 0),
    )
    assert theirs[0].rgb_HWC.tobytes() == ours[0].rgb_HWC.tobytes()
    assert theirs[-1].audio_ES.tobytes() != ours[-1].audio_ES.tobytes()
    with pytest.raises(UsageError, match="SOFA"):
        EmbeddedSimulator("procedural-0002", dataclasses.replace(SMALL, hrtf=str(tmp_path / "none.sofa")))
    with pytest.raises(UsageError, match="RLR uses its own head model"):
        EmbeddedSimulator("procedural-0002", dataclasses.replace(config, acoustics="rlr"))
