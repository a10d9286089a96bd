"""Walks that benchmarks time: half of the steps walk and half turn, as in the scripts of a dataset."""

from __future__ import annotations

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import Action


def half_turns(steps: int) -> list[Action]:
    """Walks of a few steps and turns of a few steps, half of each, the same every time."""
    rng = keyed_rng("benchmark", "simulate")
    actions: list[Action] = []
    while len(actions) < steps:
        turn = Action.TURN_LEFT if rng.random() < 0.5 else Action.TURN_RIGHT
        count = int(rng.integers(2, 7))
        actions += [Action.FORWARD] * count + [turn] * count
    return actions[:steps]
