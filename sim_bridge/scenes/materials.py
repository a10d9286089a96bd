"""Acoustic materials: absorption, scattering and transmission in octave bands, each with its source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from sim_bridge.errors import UsageError

OCTAVE_BANDS = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0)  # Hz, centre frequencies
DEFAULT_MATERIAL = "hard_surface"


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """Energy coefficients in [0, 1] per octave band; `source` says where the values come from."""

    name: str
    absorption_6: tuple[float, ...]
    scattering_6: tuple[float, ...]
    transmission_6: tuple[float, ...]
    source: str


@lru_cache(maxsize=1)
def _table() -> dict[str, Material]:
    data = json.loads(files("sim_bridge.scenes").joinpath("materials.json").read_text(encoding="utf-8"))
    sources = data["sources"]
    return {
        name: Material(
            name=name,
            absorption_6=tuple(row["absorption"]),
            scattering_6=tuple(row["scattering"]),
            transmission_6=(row["transmission"],) * len(OCTAVE_BANDS),
            source=(
                f"absorption: {sources['vorlaender']}: {row['entry']}; "
                f"scattering: {sources['scattering']}; transmission: {sources['transmission']}"
            ),
        )
        for name, row in data["materials"].items()
    }


def material_names() -> tuple[str, ...]:
    """Every material in the table, in its order."""
    return tuple(_table())


def material(name: str) -> Material:
    """The material called `name`. Raises UsageError, naming those there are, for any other name."""
    try:
        return _table()[name]
    except KeyError:
        raise UsageError(f"unknown acoustic material {name!r}: expected one of {', '.join(_table())}") from None
