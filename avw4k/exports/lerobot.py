"""LeRobot's dataset format, version 3.0: Parquet files that contain the images, readable with LeRobot's library.

A frame is an observation and the action taken there. The last observation of an episode is omitted, because no action
follows it. Pose and distance are privileged, so they have their own columns and are not part of `observation`.
LeRobot has no type for sound, so it is stored as an array, `observation.audio`, float32 (2, 2400) in linear units.
"""

from __future__ import annotations

import io
import json
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from avw.avw4k.exports.export import Progress
from avw.avw4k.plan.counterfactual import NUMBERS, POSES
from avw.avw4k.plan.episode import DEPTH_UNITS
from avw.avw4k.plan.spec import MODES, SPLITS
from avw.avw4k.reading.dataset import Dataset, EpisodeRef
from avw.avw4k.shards.shard import features_of
from avw.sim_bridge.types import STEP_SAMPLES, STEP_SECONDS

VERSION = "v3.0"
FILES_A_CHUNK = 1000
FILE = "chunk-{:03d}/file-{:03d}.parquet"
CAMERA = "observation.images.front"
TASKS = {
    "approach": "walk to the ringing source and stop beside it",
    "leave": "walk away from the ringing source",
    "unrelated": "walk around and ignore the sound",
}


def write(dataset: Dataset, refs: list[EpisodeRef], folder: Path, progress: Progress) -> None:
    """Write data/, with one file per shard, and meta/: episodes/, tasks.parquet, info.json, stats.json."""
    ordered = sorted(refs, key=lambda ref: SPLITS.index(ref.split))  # stable: a split is a range of episodes
    features = _features(dataset)
    statistics = {name: _Statistics() for name, feature in features.items() if feature["dtype"] != "image"}
    pixels = _Statistics()
    episodes: list[dict[str, Any]] = []
    frame = 0
    for number, (_, group) in enumerate(groupby(ordered, key=lambda ref: ref.shard)):
        chunk, file = divmod(number, FILES_A_CHUNK)
        path = folder / "data" / FILE.format(chunk, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(path, _schema(features), compression="zstd") as writer:
            for ref in group:
                columns = _columns(dataset, ref, len(episodes), frame)
                for name, kept in statistics.items():
                    kept.add(columns[name])
                pixels.add((columns[CAMERA].astype(np.float32) / 255).reshape(-1, 3))
                writer.write_table(_table(columns, features))
                episodes.append(_episode(ref, len(episodes), frame, chunk, file))
                frame += ref.steps
                progress(1)
    meta = folder / "meta"
    (meta / "episodes" / "chunk-000").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(episodes), meta / "episodes" / FILE.format(0, 0))
    pq.write_table(_tasks(), meta / "tasks.parquet")
    info = _info(dataset, features, episodes, frame)
    (meta / "info.json").write_text(json.dumps(info, indent=1) + "\n")
    stats = {name: kept.result() for name, kept in statistics.items()}
    stats[CAMERA] = pixels.result(lambda values: [[[value]] for value in values])  # (3, 1, 1), channels first
    (meta / "stats.json").write_text(json.dumps(stats) + "\n")


def _features(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """LeRobot's description of every column. The shape of a scalar is (1,)."""
    size = dataset.spec.simulator.size

    def column(dtype: str, *shape: int, names: list[str] | None = None) -> dict[str, Any]:
        return {"dtype": dtype, "shape": list(shape or (1,)), "names": names}

    motion = ["forward_metres", "left_metres", "turn_radians"]
    elsewhere = {"privileged.counterfactual": column("float32", POSES, NUMBERS, names=["pose", "x_y_z_yaw_geodesic"])}
    return {
        CAMERA: column("image", size, size, 3, names=["height", "width", "channels"]),
        "observation.depth": column("float32", size, size, names=["height", "width"]),
        "observation.audio": column("float32", 2, STEP_SAMPLES, names=["ear", "sample"]),
        "action": column("int64"),
        "next.reward": column("float32"),
        "next.done": column("bool"),
        "next.collided": column("bool"),
        "motion.commanded": column("float32", 3, names=motion),
        "motion.realised": column("float32", 3, names=motion),
        "privileged.position": column("float32", 3, names=["x", "y", "z"]),
        "privileged.yaw": column("float32"),
        "privileged.geodesic": column("float32"),
        **(elsewhere if "counterfactual" in features_of(dataset.schema) else {}),
        "timestamp": column("float32"),
        "frame_index": column("int64"),
        "episode_index": column("int64"),
        "index": column("int64"),
        "task_index": column("int64"),
    }


def _columns(dataset: Dataset, ref: EpisodeRef, episode: int, first: int) -> dict[str, np.ndarray]:
    """Every column of an episode; T rows each."""
    rows, steps = dataset.read(ref), ref.steps
    count = np.arange(steps, dtype=np.int64)
    return {
        CAMERA: rows["rgb"][:steps],
        "observation.depth": rows["depth"][:steps] / np.float32(DEPTH_UNITS),
        "observation.audio": rows["audio"][:steps] * np.float32(dataset.audio_scale),
        "action": rows["actions"].astype(np.int64),
        "next.reward": rows["rewards"],
        "next.done": rows["dones"],
        "next.collided": rows["collided"],
        "motion.commanded": rows["commanded"],
        "motion.realised": rows["realised"],
        "privileged.position": rows["position"][:steps].astype(np.float32),
        "privileged.yaw": rows["yaw"][:steps].astype(np.float32),
        "privileged.geodesic": rows["geodesic"][:steps],
        **{f"privileged.{name}": rows[name][:steps] for name in ("counterfactual",) if name in rows},
        "timestamp": (count * STEP_SECONDS).astype(np.float32),
        "frame_index": count,
        "episode_index": np.full(steps, episode, np.int64),
        "index": first + count,
        "task_index": np.full(steps, MODES.index(ref.mode), np.int64),
    }


def _schema(features: dict[str, dict[str, Any]]) -> pa.Schema:
    def kind(feature: dict[str, Any]) -> pa.DataType:
        if feature["dtype"] == "image":
            return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        found = pa.type_for_alias(feature["dtype"])
        for _ in feature["shape"] if feature["shape"] != [1] else ():
            found = pa.list_(found)
        return found

    return pa.schema([(name, kind(feature)) for name, feature in features.items()])


def _table(columns: dict[str, np.ndarray], features: dict[str, dict[str, Any]]) -> pa.Table:
    schema = _schema(features)
    arrays = []
    for name, array in columns.items():
        if name == CAMERA:
            pictures = [{"bytes": _png(rgb_HWC), "path": f"frame-{i:06d}.png"} for i, rgb_HWC in enumerate(array)]
            arrays.append(pa.array(pictures, schema.field(name).type))
            continue
        flat = pa.array(array.reshape(-1))
        for depth in range(array.ndim - 1, 0, -1):  # innermost lists first
            count = int(np.prod(array.shape[:depth]))
            flat = pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * array.shape[depth], flat)
        arrays.append(flat)
    return pa.Table.from_arrays(arrays, schema=schema)


def _png(rgb_HWC: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb_HWC).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _episode(ref: EpisodeRef, number: int, first: int, chunk: int, file: int) -> dict[str, Any]:
    """A row of LeRobot's episode table; the columns `avw/…` are additions."""
    return {
        "episode_index": number,
        "tasks": [TASKS[ref.mode]],
        "length": ref.steps,
        "dataset_from_index": first,
        "dataset_to_index": first + ref.steps,
        "data/chunk_index": chunk,
        "data/file_index": file,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "avw/index": ref.index,
        "avw/scene": ref.scene,
        "avw/mode": ref.mode,
        "avw/split": ref.split,
    }


def _tasks() -> pa.Table:
    """Task sentences as the index of a data frame: LeRobot reads the file with pandas."""
    table = pa.table({"task_index": pa.array(range(len(MODES)), pa.int64()), "task": [TASKS[mode] for mode in MODES]})
    column = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64",
              "metadata": None}  # fmt: skip
    index = {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    level = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object",
             "metadata": {"encoding": "UTF-8"}}  # fmt: skip
    note = {"index_columns": ["task"], "column_indexes": [level], "columns": [column, index], "pandas_version": "2.0.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(note)})


def _info(
    dataset: Dataset, features: dict[str, dict[str, Any]], episodes: list[dict[str, Any]], frames: int
) -> dict[str, Any]:
    splits = {}
    for split in SPLITS:
        numbers = [row["episode_index"] for row in episodes if row["avw/split"] == split]
        if numbers:
            splits[split] = f"{numbers[0]}:{numbers[-1] + 1}"
    return {
        "codebase_version": VERSION,
        "robot_type": "avw-agent",
        "total_episodes": len(episodes),
        "total_frames": frames,
        "total_tasks": len(MODES),
        "chunks_size": FILES_A_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": 1 / STEP_SECONDS,
        "splits": splits,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": features,
        "avw_spec_sha256": dataset.spec.sha256,
    }


class _Statistics:
    """Running minimum, maximum, mean and standard deviation of a column, over all axes but the last."""

    def __init__(self) -> None:
        self.count, self.rows = 0, 0
        self.low: Any = np.inf
        self.high: Any = -np.inf
        self.sum: Any = 0.0
        self.squares: Any = 0.0

    def add(self, array: np.ndarray) -> None:
        self.rows += len(array)
        # Images, depth and sound are one quantity; each component of a vector is a quantity of its own.
        values = array.reshape(-1, array.shape[-1] if array.ndim == 2 else 1).astype(np.float64)
        self.count += len(values)
        self.low, self.high = np.minimum(self.low, values.min(axis=0)), np.maximum(self.high, values.max(axis=0))
        self.sum, self.squares = self.sum + values.sum(axis=0), self.squares + (values**2).sum(axis=0)

    def result(self, shaped: Any = lambda values: values) -> dict[str, Any]:
        mean = self.sum / self.count
        deviation = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0.0))
        found = {"min": self.low, "max": self.high, "mean": mean, "std": deviation}
        return {name: shaped(values.tolist()) for name, values in found.items()} | {"count": [self.rows]}
