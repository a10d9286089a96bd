"""Our materials in RLR-Audio-Propagation's format, for the engine in our child process and the one in Habitat-Sim."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS, Material
from avw.sim_bridge.scenes.scene import Scene


def write_materials(scene: Scene, path: Path) -> list[str]:
    """Write RLR's material database to `path`, with one entry per surface of `scene`; returns their names in order."""
    materials = [_material(index, surface.material) for index, surface in enumerate(scene.surfaces)]
    path.write_text(json.dumps({"materials": materials}), encoding="utf-8")
    return [material["name"] for material in materials]


def _material(index: int, material: Material) -> dict[str, Any]:
    """A material as RLR's JSON: coefficients as frequency, value, frequency, value ...; all eight keys are required."""

    def curve(values: tuple[float, ...]) -> list[float]:
        return [number for pair in zip(OCTAVE_BANDS, values, strict=True) for number in map(float, pair)]

    name = f"{index}-{material.name}"
    return {
        "name": name,
        "labels": [name],
        "absorption": curve(material.absorption_6),
        "scattering": curve(material.scattering_6),
        "transmission": curve(material.transmission_6),
        "damping": curve((0.0,) * len(OCTAVE_BANDS)),
        "density": 1000.0,
        "speed": 1500.0,
    }
