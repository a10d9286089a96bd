"""How a mesh file is to be read where the file itself does not say: which way is up, its unit, what its labels mean.

Most certain first: the scene's name (`scan.glb?up=z&units=cm`), `scan.avw.json` beside it, Habitat's
`scan.stage_config.json` beside it (`up`, `front`, `units_to_meters`, `scale`), and the dataset that it belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.scenes.json_files import read_object

UNITS = {
    "m": 1.0,
    "cm": 0.01,
    "mm": 0.001,
    "ft": 0.3048,
    "in": 0.0254,
}
UPS = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
_FRONTS = {"x": (0.0, 0.0, -1.0), "y": (0.0, 0.0, -1.0), "z": (0.0, 1.0, 0.0)}
_LARGEST_SIDECAR = 1_000_000  # bytes
_SPELLINGS = {"metre": "m", "meter": "m", "metres": "m", "meters": "m", "feet": "ft", "foot": "ft", "inch": "in"}


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshOptions:
    """What was said about a file, and where. None: nobody said.

    up_3, front_3: unit vectors in the file's own frame · unit: metres in one unit of the file
    materials: label -> acoustic material's name
    """

    up_3: tuple[float, float, float] | None = None
    front_3: tuple[float, float, float] | None = None
    up_source: str = ""
    unit: float | None = None
    unit_source: str = ""
    materials: Mapping[str, str] = field(default_factory=dict)


def split_options(scene: str) -> tuple[str, str]:
    """("scan.glb", "up=z") of "scan.glb?up=z"; a file that really has a question mark in its name is left whole."""
    path, mark, options = scene.partition("?")
    if not mark or Path(scene).expanduser().exists():
        return scene, ""
    return path, options


def mesh_options(
    file: Path, said: str = "", dataset: Mapping[str, Any] | None = None, dataset_source: str = ""
) -> MeshOptions:
    """Everything said about `file`: in its scene name (`up=z&units=cm`), in the files beside it, and by its dataset.

    dataset, dataset_source: a stage's attributes, in Habitat's keys, and where they stand.
    Raises UsageError for an option or a value that is none, SceneError for a damaged file beside it.
    """
    options = _stage_config(dataset or {}, dataset_source, file, MeshOptions())
    stage = file.with_suffix(".stage_config.json")
    if stage.is_file():
        values = _json_of(stage)
        asset = values.get("render_asset")
        if not isinstance(asset, str) or Path(asset).name == file.name:  # else it describes another file
            options = _stage_config(values, str(stage), file, options)
    sidecar = file.with_suffix(".avw.json")
    if sidecar.is_file():
        options = _apply(_json_of(sidecar), options, str(sidecar))
    if said:
        pairs = [part.partition("=") for part in said.split("&") if part]
        options = _apply({key: value for key, _, value in pairs}, options, f"?{said}")
    return options


def rotation_to_y_up(up_3: tuple[float, float, float], front_3: tuple[float, float, float] | None = None) -> np.ndarray:
    """float64 (3, 3): turns the file's `up` to +Y and its `front` to -Z. Raises UsageError if they do not fit."""
    up = np.asarray(up_3, dtype=np.float64)
    if front_3 is None:
        nearest = "xyz"[int(np.argmax(np.abs(up)))]
        front_3 = _FRONTS[nearest]
    front = np.asarray(front_3, dtype=np.float64)
    right = np.cross(front, up)
    if np.linalg.norm(right) < 1e-3:
        raise UsageError(f"up {up_3} and front {front_3} point the same way: expected two directions at right angles")
    right /= np.linalg.norm(right)
    return np.stack([right, up, -np.cross(up, right)])


def _apply(values: Mapping[str, Any], options: MeshOptions, where: str) -> MeshOptions:
    for key, value in values.items():
        if key == "up":
            if value not in UPS:
                raise UsageError(f"{where}: up={value!r}: expected one of {', '.join(UPS)}")
            options = replace(options, up_3=UPS[value], front_3=None, up_source=where)
        elif key == "units":
            options = replace(options, unit=_unit(value, where), unit_source=where)
        elif key == "materials" and isinstance(value, dict):
            from avw.sim_bridge.scenes.materials.materials import material

            for name in value.values():
                material(str(name))
            options = replace(options, materials={str(label): str(name) for label, name in value.items()})
        else:
            raise UsageError(
                f"{where}: unknown option {key!r}: expected up (x, y, z), units ({', '.join(UNITS)}, or metres a unit) "
                "or, in a file, materials ({label: acoustic material})"
            )
    return options


def _unit(value: Any, where: str) -> float:
    text = str(value).lower()
    text = _SPELLINGS.get(text, text)
    if text in UNITS:
        return UNITS[text]
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise UsageError(f"{where}: units={value!r}: expected {', '.join(UNITS)}, or metres a unit such as 0.01")
    return number


def _stage_config(values: Mapping[str, Any], source: str, file: Path, options: MeshOptions) -> MeshOptions:
    try:
        if "up" in values:
            up_3 = _direction(values["up"])
            front_3 = _direction(values["front"]) if "front" in values else None
            rotation_to_y_up(up_3, front_3)
            options = replace(options, up_3=up_3, front_3=front_3, up_source=source)
        unit = float(values.get("units_to_meters", 1.0))
        scale = np.asarray(values.get("scale", (1.0, 1.0, 1.0)), dtype=np.float64)
        if scale.shape != (3,) or not np.allclose(scale, scale[0]) or not 0 < unit * scale[0] < math.inf:
            raise ValueError("units_to_meters and scale must be positive, and scale the same along every axis")
        if unit * scale[0] != 1.0:
            options = replace(options, unit=float(unit * scale[0]), unit_source=source)
    except (TypeError, ValueError, UsageError) as error:
        raise SceneError(
            f"{source} says how {file.name} is to be read, but cannot be used ({error}): mend or delete it"
        ) from None
    return options


def _direction(values: Any) -> tuple[float, float, float]:
    vector = np.asarray(values, dtype=np.float64)
    length = float(np.linalg.norm(vector)) if vector.shape == (3,) else 0.0
    if not (math.isfinite(length) and length > 0):
        raise ValueError(f"{values} is no direction: expected three numbers")
    x, y, z = (float(value) for value in vector / length)
    return x, y, z


def _json_of(path: Path) -> dict[str, Any]:
    try:
        return read_object(path, _LARGEST_SIDECAR)
    except (OSError, ValueError) as error:
        raise SceneError(f"{path} says how a mesh is to be read, but is damaged ({error}): mend or delete it") from None
