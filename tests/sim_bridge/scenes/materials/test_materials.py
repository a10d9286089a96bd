"""The material table: every value has a source and is physically possible."""

from __future__ import annotations

import json
import math
from importlib.resources import files

import pytest

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.materials.materials import DEFAULT_MATERIAL, OCTAVE_BANDS, mass_law, material, material_names

TABLE = json.loads(files("avw.sim_bridge.scenes.materials").joinpath("materials.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", material_names())
def test_every_material_is_physical_and_sourced(name: str) -> None:
    entry = material(name)
    assert entry.name == name
    for values in (entry.absorption_6, entry.scattering_6, entry.transmission_6):
        assert len(values) == len(OCTAVE_BANDS)
        assert all(0.0 <= value <= 1.0 for value in values)
    # Absorption includes the transmitted energy.
    assert all(t <= a for t, a in zip(entry.transmission_6, entry.absorption_6, strict=True))
    absorption, scattering, transmission = entry.source.split("; ", 2)
    assert absorption.startswith("absorption: ")
    assert any(TABLE["sources"][key] in absorption for key in ("vorlaender", "everest", "barron"))
    assert scattering.startswith("scattering: ")
    assert any(TABLE["sources"][key] in scattering for key in ("vorlaender", "odeon"))
    assert transmission.startswith("transmission: ")
    sourced = any(TABLE["sources"][key] in transmission for key in ("cowan", "mass_law"))
    assert sourced == any(entry.transmission_6), "a material that transmits sound has a source for it"
    assert sourced or transmission.startswith("transmission: none: "), "a material that transmits none has the reason"


def test_every_source_and_table_row_is_used() -> None:
    rows = TABLE["materials"].values()
    assert {row["scattering"] for row in rows} == set(TABLE["scattering"])
    used = {row["transmission"].get("partition") for row in rows} - {None}
    assert used == set(TABLE["partitions"])
    cited = {row["source"] for row in (*rows, *TABLE["scattering"].values(), *TABLE["partitions"].values())}
    assert cited | {"mass_law"} == set(TABLE["sources"])
    assert tuple(TABLE["bands"]) == OCTAVE_BANDS


def test_transmission_is_the_loss_of_the_partition() -> None:
    # J. P. Cowan, table 11.4: a 4 inch brick wall, a solid and a hollow wooden door.
    for name, loss_6 in (
        ("brick_wall", (32, 34, 40, 47, 55, 61)),
        ("wooden_door", (29, 31, 31, 31, 39, 43)),
        ("hollow_door", (14, 19, 23, 18, 17, 21)),
    ):
        ours_6 = [-10.0 * math.log10(value) for value in material(name).transmission_6]
        assert ours_6 == pytest.approx(loss_6, abs=1e-9)


def test_thin_sheets_follow_the_mass_law() -> None:
    assert mass_law(11.0, 1000.0) == pytest.approx(20.0 * math.log10(11_000.0) - 47.0)
    assert mass_law(22.0, 500.0) == pytest.approx(mass_law(11.0, 1000.0)), "twice the mass, half the frequency"
    assert mass_law(0.2, 125.0) == 0.0
    board_6 = material("wood_furniture").transmission_6
    assert -10.0 * math.log10(board_6[3]) == pytest.approx(mass_law(11.0, 1000.0))


def test_soft_materials_absorb_more_than_hard_ones() -> None:
    def at_1_khz(name: str) -> float:
        return material(name).absorption_6[3]

    assert at_1_khz("carpet_thick") > at_1_khz("carpet_thin") > at_1_khz("wood_floor") > at_1_khz("marble_floor")
    assert at_1_khz("upholstery") > at_1_khz("leather") > at_1_khz("wooden_chair")
    assert at_1_khz("acoustic_ceiling_tile") > at_1_khz("plasterboard_ceiling")


def test_light_partitions_transmit_more_than_heavy_ones() -> None:
    def at_500_hz(name: str) -> float:
        return material(name).transmission_6[2]

    order = ["office_partition", "hollow_door", "glass", "wooden_door", "drywall", "brick_wall", "concrete"]
    assert sorted(order, key=at_500_hz, reverse=True) == order
    assert at_500_hz("carpet_thick") == 0.0


def test_structure_scatters_more_than_plain_surfaces_and_more_at_high_frequencies() -> None:
    for name in material_names():
        scattering_6 = material(name).scattering_6
        assert list(scattering_6) == sorted(scattering_6)
    middle = {name: material(name).scattering_6[2] for name in ("glass", "plaster_wall", "brick_wall", "books")}
    assert list(middle) == sorted(middle, key=lambda name: middle[name])
    assert material(DEFAULT_MATERIAL).transmission_6 == (0.0,) * 6


def test_an_unknown_material_is_an_error_with_the_known_names() -> None:
    with pytest.raises(UsageError, match=r"unknown acoustic material 'cheese'.*carpet_thin"):
        material("cheese")
