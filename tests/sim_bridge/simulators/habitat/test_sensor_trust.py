"""No audio sensor is believed before it was tried: the bug of habitat-sim is refused, and so is any other mix-up."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.simulators.habitat import remedies
from avw.sim_bridge.simulators.habitat.sensor_trust import PLACINGS, misplacings, trusted_engine
from avw.sim_bridge.simulators.habitat.session import Session
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from tests.sim_bridge.habitat_sensors import session_whose_sensor_is


def test_the_placings_tell_every_axis_and_its_sign() -> None:
    """Any other order or sign of the three numbers puts at least one source at another distance, or by another ear."""
    orders = [np.eye(3)[list(order)] for order in np.ndindex(3, 3, 3) if len(set(order)) == 3]
    for order_33 in orders:
        for signs_3 in np.ndindex(2, 2, 2):
            mixed_33 = order_33 * (1.0 - 2.0 * np.array(signs_3))
            if not np.array_equal(mixed_33, np.eye(3)):
                assert any(_seen(placing, mixed_33) != _seen(placing, np.eye(3)) for placing in PLACINGS), mixed_33


def _seen(placing: Any, mixed_33: np.ndarray) -> tuple[float, int]:
    """(metres, side) of a placing whose source's offset from the ears was mixed up."""
    x, y, z = mixed_33 @ placing.offset_3
    right = np.cos(placing.yaw) * x - np.sin(placing.yaw) * z
    return round(float(np.linalg.norm([x, y - placing.rise, z])), 6), -int(np.sign(round(float(right), 6)))


def test_what_is_expected_of_a_placing_is_where_it_is() -> None:
    for placing in PLACINGS:
        assert _seen(placing, np.eye(3)) == (placing.metres, placing.side), placing.name


@pytest.mark.habitat
def test_the_bug_is_refused_with_the_reason_and_the_remedy() -> None:
    session = session_whose_sensor_is(right=False)
    with pytest.raises(BackendError, match=r"to the left sound alike.*2632.*--acoustics emitters or rlr.*0\.3\.0"):
        trusted_engine(session, shoebox((6.0, 3.0, 5.0)))


@pytest.mark.habitat
def test_no_simulator_opens_on_a_sensor_with_the_bug() -> None:
    session = session_whose_sensor_is(right=False)
    config = SimulatorConfig(backend="habitat", acoustics="habitat", habitat_python=session.python)
    with pytest.raises(BackendError, match="2632"):
        open_simulator("procedural-0003", config)


@pytest.mark.habitat
def test_a_right_sensor_is_trusted() -> None:
    assert misplacings(session_whose_sensor_is(right=True)) == []


class _MixedUp:
    """A real session whose sensor is told another source: its position, mixed up around the room's middle."""

    def __init__(self, session: Session, mixed_33: np.ndarray) -> None:
        self._session, self._mixed_33 = session, mixed_33

    def listen(self, scene_id: str, **fields: Any) -> Any:
        middle_3 = np.array([0.0, 9.5, 0.0])
        source_3 = middle_3 + self._mixed_33 @ (np.array(fields["source"]) - middle_3)
        return self._session.listen(scene_id, **{**fields, "source": source_3.tolist()})


@pytest.mark.habitat
@pytest.mark.parametrize(
    "mixed",
    [
        np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, -1.0, 1.0]), np.diag([1.0, 1.0, -1.0]),
        np.eye(3)[[1, 0, 2]], np.eye(3)[[2, 1, 0]], np.eye(3)[[0, 2, 1]], np.eye(3)[[1, 2, 0]],
        np.diag([1.01, 1.05, 1.05]),
    ],
    ids=["-x", "-y", "-z", "yxz", "zyx", "xzy", "yzx", "scaled"],
)  # fmt: skip
def test_any_mix_up_of_a_real_sensor_is_heard(mixed: np.ndarray) -> None:
    session = session_whose_sensor_is(right=True)
    assert misplacings(cast(Session, _MixedUp(session, mixed)))


def test_a_build_without_audio_is_told_what_to_do() -> None:
    sentence = remedies.refused("/opt/conda/bin/python", "no audio", "habitat-sim 0.3.3")
    assert "without audio" in sentence
    assert "--acoustics emitters or rlr" in sentence
