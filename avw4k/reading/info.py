"""info.json: what a dataset is, checked field by field against what its own spec says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avw.avw4k.plan.episode import AUDIO_PEAK
from avw.avw4k.plan.spec import READABLE_VERSIONS, DatasetSpec, split_scenes
from avw.avw4k.shards.shard import features_json, features_of
from avw.sim_bridge.errors import DatasetError, NoDatasetError
from avw.sim_bridge.storage.small_files import read_object
from avw.sim_bridge.storage.typed_json import from_json, typed
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES, STEP_SECONDS

INFO = "info.json"
DESCRIBED = ("path", "dtype", "shape")  # of a feature; its unit is a text, which may differ between versions


@dataclass(frozen=True, kw_only=True, slots=True)
class InfoFile:
    """The fields of info.json. Early versions did not write those with a default."""

    schema_version: int
    spec_sha256: str
    spec: dict[str, Any]
    features: dict[str, dict[str, Any]]
    audio_scale: float
    sample_rate: int
    step_seconds: float
    step_samples: int
    splits: dict[str, tuple[str, ...]]
    reproducible: bool = True
    versions: dict[str, str] = field(default_factory=dict)
    licences: dict[str, str | bool] = field(default_factory=dict)


def read_info(folder: Path) -> tuple[dict[str, Any], DatasetSpec]:
    """The content of info.json, and the spec in it.

    Raises DatasetError if there is no dataset, or if it has a newer schema or was altered.
    """
    file = folder / INFO
    if folder.is_file():
        raise NoDatasetError(f"{folder} is a file, not the folder of a dataset")
    try:
        info = read_object(file)
        if info.get("schema_version") not in READABLE_VERSIONS:
            typed(int, info.get("schema_version"), "schema_version")
            reads = ", ".join(str(number) for number in READABLE_VERSIONS)
            raise DatasetError(
                f"{file} has schema version {info['schema_version']}; this AVW reads {reads}: install another AVW"
            )
        found = from_json(InfoFile, info)
    except (FileNotFoundError, NotADirectoryError):
        raise NoDatasetError(f"{folder} holds no dataset (no info.json there); type: avw generate {folder}") from None
    except ValueError as error:
        raise DatasetError(f"{file} cannot be understood ({error}); it was altered, or the disk was full") from error
    spec = DatasetSpec.from_json(found.spec)
    if spec.sha256 != found.spec_sha256:
        raise DatasetError(f"{file}: the spec does not match its own SHA-256; the file was altered since")
    if found.audio_scale != spec.audio_full_scale / AUDIO_PEAK:
        raise DatasetError(f"{file}: audio_scale does not match the spec; the file was altered since")
    listed = sorted((scene, split) for split, scenes in found.splits.items() for scene in scenes)
    if listed != sorted(split_scenes(spec).items()):
        raise DatasetError(f"{file}: the splits are not those of the spec: it was altered, and scenes may leak")
    for name, expected in (
        ("sample_rate", SAMPLE_RATE),
        ("step_seconds", STEP_SECONDS),
        ("step_samples", STEP_SAMPLES),
    ):
        if getattr(found, name) != expected and name in info:
            raise DatasetError(
                f"{file}: {name} is {getattr(found, name)!r}, but AVW writes {expected!r}; it was altered"
            )
    _refuse_other_arrays(file, found, spec)
    return info, spec


def _refuse_other_arrays(file: Path, found: InfoFile, spec: DatasetSpec) -> None:
    expected = features_json(found.schema_version, spec.simulator.size)
    if found.features.keys() != features_of(found.schema_version).keys():
        raise DatasetError(f"{file}: the features are not those of its schema version; it was altered")
    for name, feature in expected.items():
        if any(found.features[name].get(key) != feature[key] for key in DESCRIBED):
            raise DatasetError(f"{file}: the feature {name} is not described as AVW writes it; the file was altered")
