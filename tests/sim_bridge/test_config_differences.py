"""Differences between two configurations."""

from __future__ import annotations

from avw.sim_bridge.config_differences import config_differences


def test_nested_missing_and_long_values_are_named() -> None:
    first = {"steps": 160, "simulator": {"size": 64, "hfov": 90.0}, "scenes": ["a"] * 50, "old": 1}
    second = {"steps": 160, "simulator": {"size": 128, "hfov": 90.0}, "scenes": ["b"] * 50}
    differing = {name: (one, other) for name, one, other in config_differences(first, second)}
    assert set(differing) == {"simulator.size", "scenes", "old"}
    assert differing["simulator.size"] == ("64", "128")
    assert differing["old"] == ("1", "None")
    assert len(differing["scenes"][0]) <= 80
    assert config_differences(first, first) == []


def test_long_values_that_differ_at_their_end_are_found() -> None:
    assert config_differences({"scenes": ["a"] * 50}, {"scenes": [*["a"] * 49, "b"]})
