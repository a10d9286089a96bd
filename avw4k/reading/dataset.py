"""Read a dataset: its list of episodes, and any part of any episode. Damaged data is an error, not a wrong array."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from avw.avw4k.plan.episode import AUDIO_PEAK
from avw.avw4k.plan.spec import READABLE_VERSIONS, SPLITS, DatasetSpec, EpisodeSpec, plan, split_scenes
from avw.avw4k.shards.manifest import ShardRecord, read_manifest
from avw.avw4k.shards.shard import (
    FEATURES,
    ShardFile,
    data_attributes,
    demo_attributes,
    features_of,
    open_shard,
    read_demo,
)
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.types import Source

OPEN_SHARDS = 32  # file handles kept open per process


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeRef:
    """Where an episode is stored: demo number `demo` of the file `shard`. `index` is its number in the dataset."""

    index: int
    shard: str
    demo: int
    scene: str
    split: str
    mode: str
    steps: int
    spec: EpisodeSpec

    def __str__(self) -> str:
        return f"episode {self.index} of {self.scene}"


class Dataset:
    """A dataset on disk. Only committed shards are visible. May be pickled and forked: handles open lazily."""

    def __init__(self, path: Path, info: dict[str, Any], spec: DatasetSpec, records: dict[str, ShardRecord]) -> None:
        self.path = path
        self.info = info
        self.spec = spec
        self.records = records
        self._plan = plan(spec)
        self._files: OrderedDict[str, ShardFile] = OrderedDict()
        self._recognised: set[tuple[str, int, int]] = set()
        self._process = os.getpid()

    @property
    def complete(self) -> bool:
        """Whether every shard of the plan is committed."""
        return all(shard.name in self.records for shard in self._plan)

    @property
    def schema(self) -> int:
        """Version of the format in which the dataset was begun; see docs/dataset.md."""
        return int(self.info["schema_version"])

    @property
    def audio_scale(self) -> float:
        """Linear amplitude of one unit of the stored audio."""
        return float(self.info["audio_scale"])

    def episodes(self, split: str | None = None) -> list[EpisodeRef]:
        """The committed episodes of a split, or of all, in the order of the plan."""
        if split is not None and split not in SPLITS:
            raise UsageError(f"unknown split {split!r}: expected one of {', '.join(SPLITS)}")
        return [
            EpisodeRef(
                index=episode.index,
                shard=shard.name,
                demo=demo,
                scene=episode.scene,
                split=episode.split,
                mode=episode.mode,
                steps=episode.steps,
                spec=episode,
            )
            for shard in self._plan
            if shard.name in self.records and split in (None, shard.split)
            for demo, episode in enumerate(shard.episodes)
        ]

    def read(
        self, ref: EpisodeRef, keys: Iterable[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, np.ndarray]:
        """Rows start…stop of the arrays `keys` (default: all) of an episode.

        Observations and states have T + 1 rows, including the final one; arrays of actions and rewards have T.
        Raises DatasetError for a shard that is missing, truncated, damaged or of another dataset.
        """
        wanted = tuple(features_of(self.schema) if keys is None else keys)
        for key in wanted:
            if key in FEATURES and FEATURES[key].since > self.schema:
                raise DatasetError(
                    f"{self.path} has schema version {self.schema}, which has no array {key!r}: generate the dataset "
                    f"again into another folder, with this AVW, to get it (schema version {FEATURES[key].since})"
                )
        size = self.spec.simulator.size
        return read_demo(self._open(ref), ref.demo, wanted, steps=ref.steps, size=size, start=start, stop=stop)

    def source(self, ref: EpisodeRef) -> Source:
        """The episode's sound source. Privileged."""
        return read_source(self._open(ref), ref.demo)

    def close(self) -> None:
        """Close all files. Reading opens them again."""
        if self._process == os.getpid():
            for file in self._files.values():
                file.close()
        self._files.clear()

    def _open(self, ref: EpisodeRef) -> ShardFile:
        if self._process != os.getpid():  # forked: the handles belong to the parent
            self._files, self._process = OrderedDict(), os.getpid()
        file = self._files.get(ref.shard)
        if file is None:
            file = self._files[ref.shard] = self._open_checked(ref.shard)
            self._recognised = {known for known in self._recognised if known[0] != ref.shard}
            if len(self._files) > OPEN_SHARDS:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(ref.shard)
        known = (ref.shard, ref.demo, ref.index)
        if known not in self._recognised:  # once per open file: reading attributes takes longer than reading a few rows
            if demo_attributes(file, ref.demo).get("index") != ref.index:
                raise DatasetError(
                    f"{file.filename}, demo_{ref.demo}: this is not episode {ref.index}; is `ref` from another dataset?"
                )
            self._recognised.add(known)
        return file

    def _open_checked(self, name: str) -> ShardFile:
        path = self.path / name
        file = open_shard(path)
        try:
            expected = self.records[name].bytes
            if (found := path.stat().st_size) != expected:
                raise DatasetError(
                    f"{path} has {found} bytes, but {expected} were committed; type: avw verify {self.path} --repair"
                )
            if data_attributes(file).get("spec_sha256") != self.spec.sha256:
                raise DatasetError(
                    f"{path} is of another dataset (its spec_sha256 differs); type: avw verify {self.path} --repair"
                )
        except DatasetError:
            file.close()
            raise
        return file

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_files": OrderedDict(), "_process": -1}


def read_source(file: h5py.File, demo: int) -> Source:
    """The source described by a demo's attributes."""
    try:
        values = json.loads(demo_attributes(file, demo)["source"])
        position_3, floor_3 = (tuple(float(x) for x in values[name]) for name in ("position_3", "floor_3"))
        return Source(position_3, floor_3, str(values["sound"]), int(values["phase"]))  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{file.filename}, demo_{demo}: its source is not valid ({error})") from error


def open_dataset(path: str | Path) -> Dataset:
    """Open the dataset in a folder, complete or not.

    Raises DatasetError if there is no dataset, or if it has a newer schema or was altered.
    """
    info, spec = read_info(Path(path))
    return Dataset(Path(path), info, spec, read_manifest(Path(path)))


def read_info(folder: Path) -> tuple[dict[str, Any], DatasetSpec]:
    """The content of info.json, and the spec in it. Raises DatasetError as `open_dataset` does."""
    file = folder / "info.json"
    if not file.is_file():
        raise DatasetError(f"{folder} holds no dataset (no info.json there); type: avw generate {folder}")
    try:
        info = json.loads(file.read_text())
        version = info["schema_version"]
        scale = float(info["audio_scale"])
        splits = sorted((str(scene), str(split)) for split, scenes in info["splits"].items() for scene in scenes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{file} cannot be understood ({error!r}); it was altered, or the disk was full") from error
    if version not in READABLE_VERSIONS:
        reads = ", ".join(str(number) for number in READABLE_VERSIONS)
        raise DatasetError(f"{file} has schema version {version}; this AVW reads {reads}: install another AVW")
    spec = DatasetSpec.from_json(info.get("spec"))
    if spec.sha256 != info.get("spec_sha256"):
        raise DatasetError(f"{file}: the spec does not match its own SHA-256; the file was altered since")
    if scale != spec.audio_full_scale / AUDIO_PEAK:
        raise DatasetError(f"{file}: audio_scale does not match the spec; the file was altered since")
    if splits != sorted(split_scenes(spec).items()):
        raise DatasetError(f"{file}: the splits are not those of the spec: it was altered, and scenes may leak")
    return info, spec
