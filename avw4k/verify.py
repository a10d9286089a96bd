"""Reading a dataset again and checking every promise it makes; repairing and replaying it."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from avw4k.dataset import Dataset, EpisodeRef, open_dataset, read_source
from avw4k.episode import run_episode
from avw4k.executors import Report, run_in_processes
from avw4k.manifest import ShardRecord
from avw4k.shard import FEATURES, demo_attributes, open_shard, read_demo
from avw4k.spec import READABLE_VERSIONS, DatasetSpec, EpisodeSpec, ShardSpec, plan
from avw4k.statistics import distance_counts
from sim_bridge.errors import DatasetError
from sim_bridge.simulator import open_simulator
from sim_bridge.task import succeeded
from sim_bridge.types import TURN_RADIANS, Action, Pose, relative_motion, wrap_angle

READ_BYTES = 1 << 20


@dataclass(kw_only=True, slots=True)
class VerifyReport:
    """What a verification found. problems: {shard: what is wrong} · replayed: episodes simulated again and equal
    repaired: shards made again · changed: those of them whose bytes are not what they were"""

    shards: int = 0
    episodes: int = 0
    steps: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    replayed: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"ok": self.ok}


def check_shard(path: Path, spec: DatasetSpec, shard: ShardSpec) -> ShardRecord:
    """Read every byte of a shard and compare it with the plan, the schema and itself; its manifest record if sound.

    Raises DatasetError with the first thing that is wrong.
    """
    digest = _sha256(path)
    rows = []
    with open_shard(path) as file:
        attributes = _data_attributes(file)
        if attributes.get("spec_sha256") != spec.sha256 or attributes.get("schema_version") not in READABLE_VERSIONS:
            raise DatasetError(f"{path} belongs to another dataset (its spec_sha256 differs)")
        demos = len(file["data"])
        if demos != len(shard.episodes):
            raise DatasetError(f"{path} holds {demos} demos: expected {len(shard.episodes)}")
        for demo, episode in enumerate(shard.episodes):
            rows.append(_check_demo(file, demo, spec, episode))
    return ShardRecord(
        shard=shard.name, sha256=digest, bytes=path.stat().st_size, spec_sha256=spec.sha256, episodes=tuple(rows)
    )


def _check_demo(file: h5py.File, demo: int, spec: DatasetSpec, episode: EpisodeSpec) -> dict[str, Any]:
    """The demo's row of the episode table. Raises DatasetError for anything that is not as it should be."""
    where = f"{file.filename}, demo_{demo}"
    attributes = demo_attributes(file, demo)
    for name, value in dataclasses.asdict(episode).items():
        found = attributes.get("source_number" if name == "source" else name)
        if found != value:
            raise DatasetError(f"{where}: attribute {name} is {found!r}, expected {value!r}")
    rows = read_demo(file, demo, FEATURES, steps=episode.steps, size=spec.simulator.size)
    for name, array in rows.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DatasetError(f"{where}: {name} holds a number that is not finite")
    for claim, holds in _consistency(rows, spec):
        if not holds:
            raise DatasetError(f"{where}: {claim} does not hold")
    source = read_source(file, demo)
    geodesic, success = rows["geodesic"], bool(rows["rewards"][-1] > 0.5 * spec.task.success_reward)
    return {
        "index": episode.index,
        "steps": episode.steps,
        "source_position": list(source.position_3),
        "success": success,
        "return": round(float(rows["rewards"].sum(dtype=np.float64)), 5),
        "geodesic_start": round(float(geodesic[0]), 4),
        "geodesic_end": round(float(geodesic[-1]), 4),
        "path_metres": round(float(np.hypot(*rows["realised"][:, :2].T.astype(np.float64)).sum()), 4),
        "collisions": int(rows["collided"].sum()),
        "clipped": int(attributes.get("clipped", 0)),
        "actions": np.bincount(rows["actions"], minlength=len(Action)).tolist(),
        "distances": distance_counts(spec.motion, geodesic),
    }


def _consistency(rows: dict[str, np.ndarray], spec: DatasetSpec) -> list[tuple[str, bool]]:
    """What the arrays say about each other."""
    actions, geodesic = rows["actions"], rows["geodesic"].astype(np.float64)
    if actions.max(initial=0) > max(Action):
        return [("every action being one of 0 … 3", False)]
    poses = [Pose(x, y, z, yaw) for (x, y, z), yaw in zip(rows["position"], rows["yaw"], strict=True)]
    commanded = [relative_motion(pose, pose.after(Action(a))) for pose, a in zip(poses, actions, strict=False)]
    realised = [relative_motion(a, b) for a, b in itertools.pairwise(poses)]
    success = np.array([succeeded(spec.task, int(a), g) for a, g in zip(actions, geodesic[1:], strict=True)])
    rewards = spec.task.slack + geodesic[:-1] - geodesic[1:] + spec.task.success_reward * success
    turns = np.array([0.0, 0.0, TURN_RADIANS, -TURN_RADIANS])[actions]
    turned = np.array([wrap_angle(b - a) for a, b in itertools.pairwise(rows["yaw"])])
    return [
        ("done exactly where the action is STOP", bool(np.array_equal(rows["dones"], actions == Action.STOP))),
        ("no step after a STOP", not (actions[:-1] == Action.STOP).any()),
        ("rewards following from the geodesic distances", bool(np.allclose(rewards, rows["rewards"], atol=1e-4))),
        ("commanded motion following from the actions", bool(np.allclose(commanded, rows["commanded"], atol=1e-6))),
        ("realised motion following from the poses", bool(np.allclose(realised, rows["realised"], atol=1e-6))),
        ("turns of 10 degrees where commanded", bool(np.allclose(turned, turns, atol=1e-6))),
    ]


def verify_dataset(
    path: str | Path,
    *,
    replay: int = 0,
    workers: int = 1,
    scene_root: str | None = None,
    on_shard: Callable[[str], None] = lambda name: None,
) -> VerifyReport:
    """Check every committed shard against the manifest and itself, and simulate `replay` episodes again.

    Raises DatasetError when the folder holds no dataset; whatever is wrong with a shard stands in the report.
    """
    dataset = open_dataset(path)
    report = VerifyReport()
    for shard in plan(dataset.spec):
        record = dataset.records.get(shard.name)
        if record is None:
            report.missing.append(shard.name)
            continue
        on_shard(shard.name)
        try:
            found = check_shard(dataset.path / shard.name, dataset.spec, shard)
            if found.sha256 != record.sha256:
                raise DatasetError(f"{dataset.path / shard.name}: its SHA-256 is not the one in the manifest")
        except DatasetError as error:
            report.problems[shard.name] = str(error)
            continue
        report.shards += 1
        report.episodes += len(shard.episodes)
        report.steps += shard.steps
        report.bytes += found.bytes
    if replay:
        _replay(dataset, report, replay, workers, scene_root)
    return report


@dataclass(slots=True)
class ReplayWork:
    """Simulates an episode again in a worker and says which arrays differ. Picklable."""

    path: Path
    scene_root: str | None = None

    def __call__(self, ref: EpisodeRef, report: Report) -> list[str]:
        dataset = open_dataset(self.path)
        config = dataclasses.replace(dataset.spec.simulator, scene_root=self.scene_root)
        simulator = open_simulator(ref.scene, config)
        try:
            episode = run_episode(simulator, dataset.spec, ref.spec, report)
        finally:
            simulator.close()
        stored = dataset.read(ref)
        dataset.close()
        return [name for name, array in stored.items() if array.tobytes() != getattr(episode, name).tobytes()]


def _replay(dataset: Dataset, report: VerifyReport, count: int, workers: int, scene_root: str | None) -> None:
    refs = [ref for ref in dataset.episodes() if ref.shard not in report.problems]
    chosen = [refs[i] for i in sorted({round(x) for x in np.linspace(0, len(refs) - 1, min(count, len(refs)))})]
    work = ReplayWork(dataset.path, scene_root)
    for ref, differing in run_in_processes(
        work, chosen, workers, scene_of=lambda ref: ref.scene, on_steps=lambda steps: None
    ):
        if differing:
            report.problems[ref.shard] = (
                f"{dataset.path / ref.shard}, demo_{ref.demo}: simulated again from its spec, {', '.join(differing)} "
                "came out different; it was written by another version of AVW or its libraries, or altered"
            )
        else:
            report.replayed += 1


def _data_attributes(file: h5py.File) -> dict[str, Any]:
    try:
        return dict(file["data"].attrs)
    except (KeyError, OSError, RuntimeError) as error:
        raise DatasetError(f"{file.filename} has no readable group `data` ({error})") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(READ_BYTES):
                digest.update(block)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
