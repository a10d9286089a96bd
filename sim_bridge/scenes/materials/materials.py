"""Acoustic materials: absorption, scattering and transmission in octave bands, each with its source.

Absorption is the share of incident energy that is not reflected into the room, so it includes transmitted energy.
Scattering is the share of the reflected energy that does not go in the specular direction. Transmission is the share of
incident energy that passes through the whole partition: a wall that is modelled with two faces counts once.

Transmission is 10^(-R/10) for a partition with measured transmission loss R, or follows the mass law for thin sheets.
It is never more than the absorption: the absorption of a curtain was measured in front of a wall, so part of the energy
that passes the curtain comes back.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from avw.sim_bridge.errors import UsageError

OCTAVE_BANDS = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0)  # Hz, centre frequencies
DEFAULT_MATERIAL = "hard_surface"

# Increase of scattering with frequency: Vorlaender's rows of classroom tables, divided by their value at 707 Hz.
_RISE = tuple(value / math.sqrt(0.4 * 0.5) for value in (0.2, 0.3, 0.4, 0.5, 0.5, 0.6))


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """Energy coefficients in [0, 1] per octave band. source: the origin of the values"""

    name: str
    absorption_6: tuple[float, ...]
    scattering_6: tuple[float, ...]
    transmission_6: tuple[float, ...]
    source: str


def mass_law(surface_mass: float, frequency: float) -> float:
    """Transmission loss (dB, at least 0) of a limp sheet in a diffuse field. surface_mass: kg/m2 · frequency: Hz"""
    return max(20.0 * math.log10(surface_mass * frequency) - 47.0, 0.0)


@lru_cache(maxsize=1)
def _table() -> dict[str, Material]:
    data = json.loads(files(__package__).joinpath("materials.json").read_text(encoding="utf-8"))
    return {name: _material(name, row, data) for name, row in data["materials"].items()}


def _material(name: str, row: dict[str, Any], data: dict[str, Any]) -> Material:
    sources = data["sources"]
    scattering = data["scattering"][row["scattering"]]
    loss_6, through = _loss(row["transmission"], data)
    absorption_6 = tuple(float(value) for value in row["absorption"])
    return Material(
        name=name,
        absorption_6=absorption_6,
        scattering_6=tuple(scattering.get("values") or (round(scattering["middle"] * rise, 3) for rise in _RISE)),
        transmission_6=tuple(
            min(10.0 ** (-loss / 10.0), absorbed) for loss, absorbed in zip(loss_6, absorption_6, strict=True)
        ),
        source=(
            f"absorption: {sources[row['source']]}: {row['entry']}; "
            f"scattering: {sources[scattering['source']]}: {scattering['entry']}; transmission: {through}"
        ),
    )


def _loss(row: dict[str, Any], data: dict[str, Any]) -> tuple[tuple[float, ...], str]:
    """Transmission loss in dB per octave band (infinite if nothing is transmitted), and its source."""
    sources = data["sources"]
    if "none" in row:
        return (math.inf,) * len(OCTAVE_BANDS), f"none: {row['none']}"
    if "surface_mass" in row:
        mass = float(row["surface_mass"])
        origin = f"{sources['mass_law']}: {row['entry']}, {mass:g} kg/m2, no more than is absorbed"
        return tuple(mass_law(mass, band) for band in OCTAVE_BANDS), origin
    partition = data["partitions"][row["partition"]]
    note = f" ({row['note']})" if "note" in row else ""
    return tuple(partition["loss_db"]), f"{sources[partition['source']]}: {partition['entry']}{note}"


def material_names() -> tuple[str, ...]:
    """Names of all materials, in the order of the table."""
    return tuple(_table())


def material(name: str) -> Material:
    """The material called `name`. Raises UsageError with the known names for an unknown name."""
    try:
        return _table()[name]
    except KeyError:
        raise UsageError(f"unknown acoustic material {name!r}: expected one of {', '.join(_table())}") from None
