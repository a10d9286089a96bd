"""Read a dataset: its list of episodes, and any part of any episode. Damaged data is an error, not a wrong array."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from avw.avw4k.plan.spec import SPLITS, DatasetSpec, EpisodeSpec, plan
from avw.avw4k.reading.info import read_info
from avw.avw4k.shards.checksums import checksums_wanted, shard_sha256
from avw.avw4k.shards.manifest import ShardRecord, refuse_unplanned, valid_manifest
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
from avw.sim_bridge.storage.small_files import parse_json
from avw.sim_bridge.storage.typed_json import from_json
from avw.sim_bridge.types import Source

OPEN_SHARDS = 32  # file handles kept open per process
CARD = "croissant.json"  # written when a dataset is complete, so it shows that it was
_log = logging.getLogger("avw.dataset")


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

    def __init__(
        self,
        path: Path,
        info: dict[str, Any],
        spec: DatasetSpec,
        records: dict[str, ShardRecord],
        *,
        checksums: bool = True,
    ) -> None:
        self.path = path
        self.info = info
        self.spec = spec
        self.records = records
        self.shards = plan(spec)
        self._checksums = checksums
        self._files: OrderedDict[str, ShardFile] = OrderedDict()
        self._recognised: set[tuple[str, int, int]] = set()
        self._process = os.getpid()

    @property
    def complete(self) -> bool:
        """Whether every shard of the plan is committed."""
        return all(shard.name in self.records for shard in self.shards)

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
            for shard in self.shards
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
        path, record = self.path / name, self.records[name]
        if path.is_file() and (found := path.stat().st_size) != record.bytes:
            raise DatasetError(
                f"{path} is truncated or damaged: it has {found} bytes, but {record.bytes} were committed; "
                f"type: avw verify {self.path} --repair"
            )
        if self._checksums and path.is_file() and shard_sha256(path) != record.sha256:
            raise DatasetError(
                f"{path} is damaged: its SHA-256 is not the one in the manifest; type: avw verify {self.path} --repair"
            )
        file = open_shard(path, self.schema)
        try:
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
        return from_json(Source, parse_json(demo_attributes(file, demo)["source"]))
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{file.filename}, demo_{demo}: its source is not valid ({error})") from error


def open_dataset(path: str | Path, *, checksums: bool | None = None) -> Dataset:
    """Open the dataset in a folder, complete or not.

    checksums: whether the SHA-256 of a shard is compared with the manifest before it is first read; None: unless
        $AVW_CHECKSUMS is 0. Without, some changes of single bits in the arrays are not noticed
    Raises DatasetError if there is no dataset, or if it has a newer schema or was altered. Logs a warning if the
    manifest of a finished dataset does not list all of its shards.
    """
    dataset = load_dataset(Path(path), checksums=checksums)
    folder = dataset.path
    if not dataset.complete and (folder / CARD).exists():
        _log.warning(
            "%s was complete, but its manifest now lists %d of %d shards: lines were removed, and their episodes are "
            "missing; type: avw verify %s --repair", folder, len(dataset.records), len(dataset.shards), folder,
        )  # fmt: skip
    return dataset


def load_dataset(folder: Path, *, checksums: bool | None = None) -> Dataset:
    """The same without a warning, for commands that complete or check a dataset."""
    info, spec = read_info(folder)
    manifest = valid_manifest(folder)
    dataset = Dataset(folder, info, spec, manifest.records, checksums=checksums_wanted(checksums))
    refuse_unplanned(folder, spec.sha256, dataset.shards, manifest)
    return dataset
