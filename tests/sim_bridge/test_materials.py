"""The material table: every value has a source and stays physical."""

from __future__ import annotations

import pytest

from sim_bridge.errors import UsageError
from sim_bridge.scenes.materials import OCTAVE_BANDS, material, material_from_label, material_names


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


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Red Carpet on wood", "carpet_thin"),
        ("Wooden_Door.003", "wooden_door"),
        ("kitchen window", "window_glass"),
        ("oak_table", "wood_furniture"),
        ("anything|brick_wall", "brick_wall"),
        ("carpet|no_such_material", "carpet_thin"),
    ],
)
def test_labels_of_meshes(label: str, expected: str) -> None:
    found = material_from_label(label)
    assert found is not None
    assert found.name == expected


def test_a_label_that_says_nothing_has_no_material() -> None:
    assert material_from_label("Material.001") is None
