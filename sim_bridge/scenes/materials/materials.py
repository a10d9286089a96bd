"""Acoustic materials: absorption, scattering and transmission in octave bands, each with its source.

Absorption is the share of incident energy that does not come back to the room, so it includes what is transmitted.
Scattering is the share of what comes back that leaves in other than the mirror direction. Transmission is the share of
incident energy that goes through the whole partition: a wall that is modelled with two faces counts once.

Transmission comes from a partition's measured loss R as 10^(-R/10), or for thin sheets from the mass law, and is never
more than the absorption: a curtain's was measured in front of a wall, so some of what passes it comes back.
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

# How scattering rises with frequency: Vorlaender's rows of classroom tables over their value at 707 Hz.
_RISE = tuple(value / math.sqrt(0.4 * 0.5) for value in (0.2, 0.3, 0.4, 0.5, 0.5, 0.6))


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """Energy coefficients in [0, 1] per octave band; `source` says where the values come from."""

    name: str
    absorption_6: tuple[float, ...]
    scattering_6: tuple[float, ...]
    transmission_6: tuple[float, ...]
    source: str


def mass_law(surface_mass: float, frequency: float) -> float:
    """The transmission loss in dB, at least 0, of a limp sheet of `surface_mass` kg/m2 in a diffuse field."""
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
    """The transmission loss in dB per octave band (infinite: nothing passes), and where it comes from."""
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
    """Every material in the table, in its order."""
    return tuple(_table())


def material(name: str) -> Material:
    """The material called `name`. Raises UsageError, naming those there are, for any other name."""
    try:
        return _table()[name]
    except KeyError:
        raise UsageError(f"unknown acoustic material {name!r}: expected one of {', '.join(_table())}") from None
