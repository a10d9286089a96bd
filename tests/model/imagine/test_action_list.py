"""Lists of actions as text."""

from __future__ import annotations

import pytest

from avw.model.imagine.action_list import described, mirrored, parse_actions
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action

FORWARD, LEFT, RIGHT, STOP = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT, Action.STOP


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("forward", (FORWARD,)),
        ("forward*2, Left*3", (FORWARD,) * 2 + (LEFT,) * 3),
        ("rightx2,stop", (RIGHT, RIGHT, STOP)),
    ],
)
def test_text_becomes_actions(text, actions):
    assert parse_actions(text) == actions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not an action: expected forward, left, right, stop"),
        ("forward*8,jump", "'jump' is not an action"),
        ("forward*", "is not an action"),
        ("forward*0", "there are no actions"),
        ("stop,forward", "can only be the last action"),
        ("stop*2", "can only be the last action"),
        ("forward*9999", "at most 1000"),
    ],
)
def test_other_text_is_refused_with_an_example(text, message):
    with pytest.raises(UsageError, match=message):
        parse_actions(text)


def test_the_mirror_image_exchanges_left_and_right():
    assert mirrored((FORWARD, LEFT, RIGHT, STOP)) == (FORWARD, RIGHT, LEFT, STOP)
    with pytest.raises(UsageError, match="the actions have no turn"):
        mirrored((FORWARD, FORWARD))


def test_actions_in_words():
    assert described((FORWARD, FORWARD, LEFT, FORWARD, STOP)) == "2 forward, 1 left, 1 forward, 1 stop"
