"""One shard: the HDF5 schema (robomimic's tree), its bytes, and reading it back.

    data/demo_<i>/actions rewards dones collided              T rows: the action at obs[t], and its result
                  obs/rgb obs/depth obs/audio                 T rows: the observation before actions[t]
                  final_obs/rgb final_obs/depth final_obs/audio   1 row: the observation after the last action
                  state/position state/yaw state/geodesic     T + 1 rows: privileged, one per observation
                  state/counterfactual                        T + 1 rows: privileged, other poses and their distances
                  state/commanded state/realised              T rows: motion of each action in the heading frame before

A shard is built in memory and returned as bytes. So the file system sees plain writes with plain errors, and equal
content gives equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from avw.avw4k.plan.counterfactual import NUMBERS, POSES
from avw.avw4k.plan.episode import Episode
from avw.avw4k.plan.spec import SCHEMA_VERSION, DatasetSpec, ShardSpec
from avw.avw4k.shards.superblock import refuse_superblock
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.process.threads import one_thread
from avw.sim_bridge.storage.small_files import refuse_irregular
from avw.sim_bridge.storage.untrusted_hdf5 import (
    BLOSC2,
    DEFLATE,
    FLETCHER32,
    SHUFFLE,
    filters,
    plain_attributes,
    refuse_dataset,
    refuse_path,
)
from avw.sim_bridge.types import STEP_SAMPLES

LARGE = 2**17  # bytes
CHUNK_STEPS = 8  # a clip, not a frame: windows are read whole, and neighbours compress together


@dataclass(frozen=True, slots=True)
class Feature:
    """An array of an episode.

    path: inside the demo · extra: rows beyond T · shape: of a row; None is the image size · since: first schema with it
    """

    path: str
    dtype: str
    shape: tuple[int | None, ...]
    unit: str
    extra: int = 0
    since: int = 1

    def row_shape(self, size: int) -> tuple[int, ...]:
        return tuple(size if length is None else length for length in self.shape)


FEATURES: dict[str, Feature] = {
    "rgb": Feature("obs/rgb", "uint8", (None, None, 3), "sRGB", 1),
    "depth": Feature("obs/depth", "uint16", (None, None), "millimetre, planar z, 0 = nothing hit", 1),
    "audio": Feature("obs/audio", "int16", (2, STEP_SAMPLES), "audio_scale; ear 0 is the left", 1),
    "actions": Feature("actions", "uint8", (), "0 stop, 1 forward 0.15 m, 2 left 10 degrees, 3 right 10 degrees"),
    "rewards": Feature("rewards", "float32", (), "slack + metres gained + success"),
    "dones": Feature("dones", "bool", (), "the task ended here, by a stop"),
    "collided": Feature("collided", "bool", (), "the action met an obstacle"),
    "position": Feature("state/position", "float64", (3,), "metre; +X right, +Y up, -Z forward; the floor point", 1),
    "yaw": Feature("state/yaw", "float64", (), "radian, counter-clockwise from above, 0 looks along -Z", 1),
    "geodesic": Feature("state/geodesic", "float32", (), "metres to walk to the source", 1),
    "counterfactual": Feature(
        "state/counterfactual",
        "float32",
        (POSES, NUMBERS),
        "random poses within 6 m: x, y, z metre (floor point), yaw radian, metres to walk from there to the source",
        extra=1,
        since=3,
    ),
    "commanded": Feature("state/commanded", "float32", (3,), "forward metre, left metre, turn radian"),
    "realised": Feature("state/realised", "float32", (3,), "forward metre, left metre, turn radian"),
}
OBSERVED = ("rgb", "depth", "audio")  # their last row is stored separately, in final_obs


def features_of(schema: int) -> dict[str, Feature]:
    """The arrays of an episode in a dataset of this schema version."""
    return {name: feature for name, feature in FEATURES.items() if feature.since <= schema}


def features_json(schema: int, size: int) -> dict[str, dict[str, Any]]:
    """The description of these arrays in info.json. size: of the images"""
    described = {}
    for name, feature in features_of(schema).items():
        # The final observation is stored separately, so the arrays of observations have T rows like those of actions.
        rows = "T + 1" if feature.extra and name not in OBSERVED else "T"
        shape = [rows, *feature.row_shape(size)]
        described[name] = {
            "path": f"data/demo_<i>/{feature.path}", "dtype": feature.dtype, "shape": shape, "unit": feature.unit,
        }  # fmt: skip
    return described


PIPELINES = ((FLETCHER32,), (BLOSC2, FLETCHER32), (DEFLATE, FLETCHER32), (SHUFFLE, DEFLATE, FLETCHER32))


class ShardFile(h5py.File):
    """An open shard that remembers which of its arrays passed the checks of `untrusted_hdf5`."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.harmless: set[str] = set()


class ShardWriter:
    """Builds the HDF5 file of a shard in memory, episode by episode, compressing in a thread of its own.

    While an episode is compressed, the next one is simulated. `add` waits until the previous episode is compressed, so
    at most two episodes are in memory. The bytes do not depend on the timing of the threads.

    schema: of the dataset; one that an older AVW has begun keeps its own
    """

    def __init__(self, spec: DatasetSpec, shard: ShardSpec, schema: int = SCHEMA_VERSION) -> None:
        self.spec, self.schema = spec, schema
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compress")
        self._pending: Future[None] | None = None
        self._demos = 0
        # The format of HDF5 1.10 has checksums on metadata too. Pinned, so that bytes do not depend on the library.
        name = f"{shard.name} in memory"
        self._file = h5py.File(
            name, "w", driver="core", backing_store=False, libver=("v110", "v110"), track_times=False
        )
        data = self._file.create_group("data", track_times=False)
        data.attrs["schema_version"] = schema
        data.attrs["spec_sha256"] = spec.sha256
        data.attrs["total"] = shard.steps
        data.attrs["env_args"] = json.dumps({"env_name": "avw/AudioNav-v0", "type": 2, "env_kwargs": {}})

    def add(self, episode: Episode) -> None:
        """Add the next episode, in the shard's order."""
        self._wait()
        demo = self._file["data"].create_group(f"demo_{self._demos}", track_times=False)
        self._demos += 1
        self._pending = self._thread.submit(_write_alone, demo, self.spec, self.schema, episode)

    def image(self) -> bytes:
        """The bytes of the file, after the last episode was added."""
        self._wait()
        self._file.flush()
        image: bytes = self._file.id.get_file_image()
        return image

    def close(self) -> None:
        self._thread.shutdown()
        self._file.close()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None


def shard_bytes(
    spec: DatasetSpec, shard: ShardSpec, episodes: Iterable[Episode], schema: int = SCHEMA_VERSION
) -> bytes:
    """The HDF5 file of `episodes`, in the shard's order."""
    with closing(ShardWriter(spec, shard, schema)) as writer:
        for episode in episodes:
            writer.add(episode)
        return writer.image()


def _write_alone(demo: h5py.Group, spec: DatasetSpec, schema: int, episode: Episode) -> None:
    with one_thread():  # Blosc2 stores its number of threads in every chunk
        _write_demo(demo, spec, schema, episode)


def _write_demo(demo: h5py.Group, spec: DatasetSpec, schema: int, episode: Episode) -> None:
    plan = episode.spec
    for group in (
        "obs",
        "final_obs",
        "state",
    ):  # created here, because HDF5 stores the time in groups that it creates implicitly
        demo.create_group(group, track_times=False)
    demo.attrs["num_samples"] = plan.steps
    for name, value in asdict(plan).items():
        demo.attrs[name if name != "source" else "source_number"] = value
    demo.attrs["source"] = json.dumps(asdict(episode.source), sort_keys=True)
    demo.attrs["spec_sha256"] = spec.sha256
    demo.attrs["clipped"] = episode.clipped
    if episode.materials_named is not None:
        demo.attrs["materials_named"] = round(episode.materials_named, 4)
    for name, feature in features_of(schema).items():
        array = getattr(episode, name)
        body = array[:-1] if name in OBSERVED else array
        chunk = (min(CHUNK_STEPS, len(body)) if name in OBSERVED else len(body), *body.shape[1:])
        filters = _filters(spec.compression, name)
        demo.create_dataset(feature.path, data=body, chunks=chunk, fletcher32=True, **filters)
        if name in OBSERVED:
            last = array[-1:]
            path = f"final_obs/{name}"
            demo.create_dataset(path, data=last, chunks=last.shape, fletcher32=True, **filters)


def _filters(compression: str, name: str) -> dict[str, Any]:
    # Byte shuffling helps samples, but not pixels.
    shuffle = name != "rgb"
    if compression == "gzip":
        return {"compression": "gzip", "compression_opts": 1, "shuffle": shuffle}
    if compression == "none":
        return {}
    # For images, level 2 takes half the time of level 3 and 7 % more space; for samples the level does not matter.
    level = 2 if name in ("rgb", "depth") else 1
    kind = hdf5plugin.Blosc2.SHUFFLE if shuffle else hdf5plugin.Blosc2.NOFILTER
    return dict(hdf5plugin.Blosc2(cname="zstd", clevel=level, filters=kind))


def open_shard(path: Path, schema: int = SCHEMA_VERSION) -> ShardFile:
    """The file, opened for reading. schema: of its dataset

    Raises DatasetError if it is missing, truncated, not HDF5, or not in the format of HDF5 that AVW writes.
    """
    try:
        refuse_irregular(path)
        refuse_superblock(path, schema)
        # No lock: a shard with its final name never changes, and network file systems often cannot lock.
        return ShardFile(path, "r", locking=False)
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; type: avw verify {path.parent} --repair") from error
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} cannot be opened: it is truncated or damaged ({error}); type: avw verify {path.parent} --repair"
        ) from error


def read_demo(
    file: ShardFile,
    demo: int,
    keys: Iterable[str],
    *,
    steps: int,
    size: int,
    start: int = 0,
    stop: int | None = None,
) -> dict[str, np.ndarray]:
    """Rows start…stop of each key of a demo of `steps` actions; the final observation is row `steps`.

    Raises DatasetError for a missing demo or key, an array whose type or shape is not the schema's, and a chunk whose
    checksum is wrong.
    """
    rows = {}
    try:
        group = f"data/demo_{demo}"
        for key in keys:
            feature = FEATURES.get(key)
            if feature is None:
                raise DatasetError(f"unknown key {key!r}: expected some of {', '.join(FEATURES)}")
            length = steps + feature.extra
            first, end, _ = slice(start, stop).indices(length)
            body = steps if key in OBSERVED else length
            dataset = _checked(file, f"{group}/{feature.path}", feature, body, size)
            # Read in place: to join the final observation afterwards would copy everything once more.
            rows[key] = array = np.empty((max(0, end - first), *feature.row_shape(size)), feature.dtype)
            if first < (stored := min(end, body)):
                _read(dataset, first, array[: stored - first])
            if key in OBSERVED and first < end == length:
                last = _checked(file, f"{group}/final_obs/{key}", feature, 1, size)
                _read(last, 0, array[len(array) - 1 :])
    except (KeyError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise DatasetError(
            f"{file.filename}, demo_{demo}: cannot be read ({error}); "
            f"type: avw verify {Path(file.filename).parent} --repair"
        ) from error
    return rows


def _read(dataset: h5py.Dataset, first: int, out: np.ndarray) -> None:
    """Rows of a dataset into an array. Large uncompressed arrays are read by `raw_chunks`, which is faster."""
    if out.nbytes >= LARGE and filters(dataset) == (FLETCHER32,):
        from avw.avw4k.shards import raw_chunks

        if raw_chunks.can_read(dataset):
            raw_chunks.read_rows(dataset, first, out)
            return
    dataset.read_direct(out, np.s_[first : first + len(out)])


def _checked(file: ShardFile, path: str, feature: Feature, rows: int, size: int) -> h5py.Dataset:
    """The HDF5 dataset, after checks of type, shape and layout: no memory is allocated for an untrusted one before."""
    if path in file.harmless:
        return file[path]
    refuse_path(file, path)
    dataset = file[path]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{path} is not an array")
    refuse_dataset(dataset, (rows, *feature.row_shape(size)), np.dtype(feature.dtype), PIPELINES)
    file.harmless.add(path)
    return dataset


def demo_attributes(file: h5py.File, demo: int) -> dict[str, Any]:
    """The attributes of a demo as plain values; `source` stays JSON text."""
    return _attributes(file, f"data/demo_{demo}")


def data_attributes(file: h5py.File) -> dict[str, Any]:
    """The attributes of the shard itself."""
    return _attributes(file, "data")


def _attributes(file: h5py.File, path: str) -> dict[str, Any]:
    try:
        refuse_path(file, path)
        return plain_attributes(file[path])
    except (KeyError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise DatasetError(
            f"{file.filename}, {path}: cannot be read ({error}); type: avw verify {Path(file.filename).parent} --repair"
        ) from error
