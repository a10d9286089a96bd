"""The material table: every value has a source and stays physical."""

from __future__ import annotations

import pytest

from sim_bridge.errors import UsageError
from sim_bridge.scenes.materials import OCTAVE_BANDS, material, material_names


@pytest.mark.parametrize("name", material_names())
def test_every_material_is_physical_and_sourced(name: str) -> None:
    made_of = material(name)
    assert made_of.name == name
    for values in (made_of.absorption_6, made_of.scattering_6, made_of.transmission_6):
        assert len(values) == len(OCTAVE_BANDS)
        assert all(0.0 <= value <= 1.0 for value in values)
    # What passes through a face has been absorbed from the room's point of view.
    assert all(t <= a for t, a in zip(made_of.transmission_6, made_of.absorption_6, strict=True))
    assert "Vorlaender" in made_of.source
    assert "estimate" in made_of.source, "values that are not published must say so"


def test_soft_things_absorb_more_than_hard_ones() -> None:
    def at_1_khz(name: str) -> float:
        return material(name).absorption_6[3]

    assert at_1_khz("carpet_thick") > at_1_khz("carpet_thin") > at_1_khz("wood_floor") > at_1_khz("marble_floor")
    assert at_1_khz("upholstery") > at_1_khz("leather") > at_1_khz("wooden_chair")


def test_an_unknown_material_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"unknown acoustic material 'cheese'.*carpet_thin"):
        material("cheese")
