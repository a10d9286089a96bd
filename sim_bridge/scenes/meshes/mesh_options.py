"""Options for reading a mesh file: its up axis, its unit and the meaning of its labels.

Sources by priority, highest first: the scene name (`scan.glb?up=z&units=cm`), `scan.avw.json` beside the file,
Habitat's `scan.stage_config.json` beside it (`up`, `front`, `units_to_meters`, `scale`), and the dataset that it
belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.paths import local_path
from avw.sim_bridge.storage.small_files import read_object

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
    """Options of a file, and the source of each. None: not given.

    up_3, front_3: unit vectors in the frame of the file · unit: metres per unit of the file
    materials: label -> name of an acoustic material
    """

    up_3: tuple[float, float, float] | None = None
    front_3: tuple[float, float, float] | None = None
    up_source: str = ""
    unit: float | None = None
    unit_source: str = ""
    materials: Mapping[str, str] = field(default_factory=dict)


def split_options(scene: str) -> tuple[str, str]:
    """Split "scan.glb?up=z" into ("scan.glb", "up=z"). A name is not split if a file of that full name exists."""
    path, mark, options = scene.partition("?")
    if not mark or local_path(scene).exists():
        return scene, ""
    return path, options


def mesh_options(
    file: Path, given: str = "", dataset: Mapping[str, Any] | None = None, dataset_source: str = ""
) -> MeshOptions:
    """Collect the options of `file` from its scene name, from the files beside it and from its dataset.

    given: options in the scene name (`up=z&units=cm`)
    dataset, dataset_source: attributes of the stage with Habitat's keys, and the file that contains them
    Raises UsageError for an unknown option or value, and SceneError for a damaged file beside `file`.
    """
    options = _stage_config(dataset or {}, dataset_source, file, MeshOptions())
    stage = file.with_suffix(".stage_config.json")
    if stage.is_file():
        values = _json_of(stage)
        asset = values.get("render_asset")
        if not isinstance(asset, str) or Path(asset).name == file.name:  # otherwise it describes another file
            options = _stage_config(values, str(stage), file, options)
    sidecar = file.with_suffix(".avw.json")
    if sidecar.is_file():
        options = _apply(_json_of(sidecar), options, str(sidecar))
    if given:
        pairs = [part.partition("=") for part in given.split("&") if part]
        options = _apply({key: value for key, _, value in pairs}, options, f"?{given}")
    return options


def rotation_to_y_up(up_3: tuple[float, float, float], front_3: tuple[float, float, float] | None = None) -> np.ndarray:
    """Rotation, float64 (3, 3), that maps `up_3` to +Y and `front_3` to -Z. Raises UsageError if they are parallel."""
    up = np.asarray(up_3, dtype=np.float64)
    if front_3 is None:
        nearest = "xyz"[int(np.argmax(np.abs(up)))]
        front_3 = _FRONTS[nearest]
    front = np.asarray(front_3, dtype=np.float64)
    right = np.cross(front, up)
    if np.linalg.norm(right) < 1e-3:
        raise UsageError(f"up {up_3} and front {front_3} are parallel: expected two directions at right angles")
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
                f"{where}: unknown option {key!r}: expected up (x, y, z), units ({', '.join(UNITS)}, or metres per "
                "unit) or, in a file, materials ({label: acoustic material})"
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
        raise UsageError(f"{where}: units={value!r}: expected {', '.join(UNITS)}, or metres per unit such as 0.01")
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
            f"{source} describes how to read {file.name}, but is not valid ({error}): correct or delete it"
        ) from None
    return options


def _direction(values: Any) -> tuple[float, float, float]:
    vector = np.asarray(values, dtype=np.float64)
    length = float(np.linalg.norm(vector)) if vector.shape == (3,) else 0.0
    if not (math.isfinite(length) and length > 0):
        raise ValueError(f"{values} is not a direction: expected three numbers, not all 0")
    x, y, z = (float(value) for value in vector / length)
    return x, y, z


def _json_of(path: Path) -> dict[str, Any]:
    try:
        return read_object(path, _LARGEST_SIDECAR, links=True)
    except (OSError, ValueError) as error:
        raise SceneError(
            f"{path} describes how to read a mesh, but is damaged ({error}): correct or delete it"
        ) from None
