"""Acoustic materials: absorption, scattering and transmission in octave bands, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

OCTAVE_BANDS = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0)  # Hz, centre frequencies


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """Energy coefficients in [0, 1] per octave band; `source` says where the values come from."""

    name: str
    absorption_6: tuple[float, ...]
    scattering_6: tuple[float, ...]
    transmission_6: tuple[float, ...]
    source: str
