"""An agent that keeps pushing against something turns away from it."""

import math

import numpy as np
import pytest

from avw.model.planning.escape import Escape, EscapeConfig
from avw.sim_bridge.types import TURN_RADIANS, Action

FORWARD, LEFT = Action.FORWARD, Action.TURN_LEFT


def push(escape: Escape, free: float, actions: int = 200) -> tuple[list[Action], float]:
    """What an agent does that always wants to walk on, and its heading at the end. Only headings of more than `free`
    radians from the first lead away."""
    heading, taken = 0.0, []
    escape.arrived(np.zeros(2), False)
    for _ in range(actions):
        taken.append(escape.next_action() or FORWARD)
        heading += TURN_RADIANS if taken[-1] == LEFT else 0.0
        if taken[-1] == FORWARD and abs(heading) > free:
            return taken, heading
        escape.arrived(np.zeros(2), taken[-1] == FORWARD)
    return taken, heading


@pytest.mark.parametrize("degrees", [5, 15, 55, 95, 175])
def test_it_turns_on_until_a_step_succeeds(degrees: int):
    taken, heading = push(Escape(), math.radians(degrees))
    assert heading == pytest.approx(math.radians(20 * math.ceil((degrees + 1) / 20)))
    assert taken[:4] == [FORWARD] * 4
    assert taken[4:] == [LEFT, LEFT, FORWARD] * math.ceil((degrees + 1) / 20)


def test_blocked_steps_elsewhere_or_long_ago_do_not_count():
    escape = Escape(EscapeConfig(forget=10))
    for k in range(20):
        escape.arrived(np.array([0.2 * k, 0.0]), True)
        assert escape.next_action() is None
    for k in range(20):
        escape.arrived(np.zeros(2), k % 4 == 0)
        assert escape.next_action() is None
