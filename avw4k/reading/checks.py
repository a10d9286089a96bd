"""Check one shard in full: its checksum, its schema, and the consistency of its arrays."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.plan.counterfactual import REACH, RISE
from avw.avw4k.plan.spec import READABLE_VERSIONS, SCHEMA_VERSION, DatasetSpec, EpisodeSpec, ShardSpec
from avw.avw4k.reading.dataset import read_source
from avw.avw4k.reading.statistics import distance_counts
from avw.avw4k.shards.checksums import file_sha256
from avw.avw4k.shards.manifest import ShardRecord
from avw.avw4k.shards.shard import ShardFile, data_attributes, demo_attributes, features_of, open_shard, read_demo
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.task.task import succeeded
from avw.sim_bridge.types import TURN_RADIANS, Action, Pose, Source, relative_motion, wrap_angle


def check_shard(path: Path, spec: DatasetSpec, shard: ShardSpec, schema: int = SCHEMA_VERSION) -> ShardRecord:
    """Read every byte of a shard and check it against the plan and the schema; the manifest record of a valid shard.

    schema: of the dataset
    Raises DatasetError with the first problem found.
    """
    digest = file_sha256(path)
    rows = []
    with open_shard(path, schema) as file:
        attributes = data_attributes(file)
        version = attributes.get("schema_version")
        if attributes.get("spec_sha256") != spec.sha256 or version not in READABLE_VERSIONS:
            raise DatasetError(f"{path} belongs to another dataset (its spec_sha256 differs)")
        if features_of(version) != features_of(schema):
            raise DatasetError(f"{path} has schema version {version}, but its dataset has {schema}")
        demos = len(file["data"])
        if demos != len(shard.episodes):
            raise DatasetError(f"{path} holds {demos} demos: expected {len(shard.episodes)}")
        for demo, episode in enumerate(shard.episodes):
            rows.append(_check_demo(file, demo, spec, episode, schema))
    return ShardRecord(
        shard=shard.name, sha256=digest, bytes=path.stat().st_size, spec_sha256=spec.sha256, episodes=tuple(rows)
    )


def _check_demo(file: ShardFile, demo: int, spec: DatasetSpec, episode: EpisodeSpec, schema: int) -> dict[str, Any]:
    """The row of a demo in the episode table. Raises DatasetError for any inconsistency."""
    where = f"{file.filename}, demo_{demo}"
    attributes = demo_attributes(file, demo)
    for name, value in dataclasses.asdict(episode).items():
        found = attributes.get("source_number" if name == "source" else name)
        if found != value:
            raise DatasetError(f"{where}: attribute {name} is {found!r}, expected {value!r}")
    rows = read_demo(file, demo, features_of(schema), steps=episode.steps, size=spec.simulator.size)
    for name, array in rows.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DatasetError(f"{where}: {name} holds a number that is not finite")
    source = read_source(file, demo)
    for claim, holds in (*_consistency(rows, spec), *_counterfactual_consistency(rows, source)):
        if not holds:
            raise DatasetError(f"{where}: this is not true: {claim}")
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
        **({"materials_named": attributes["materials_named"]} if "materials_named" in attributes else {}),
    }


def _consistency(rows: dict[str, np.ndarray], spec: DatasetSpec) -> list[tuple[str, bool]]:
    """Statements about the arrays, and whether each is true."""
    actions, geodesic = rows["actions"], rows["geodesic"].astype(np.float64)
    if actions.max(initial=0) > max(Action):
        return [("every action is one of 0 … 3", False)]
    poses = [Pose(x, y, z, yaw) for (x, y, z), yaw in zip(rows["position"], rows["yaw"], strict=True)]
    commanded = [relative_motion(pose, pose.after(Action(a))) for pose, a in zip(poses, actions, strict=False)]
    realised = [relative_motion(a, b) for a, b in itertools.pairwise(poses)]
    success = np.array([succeeded(spec.task, int(a), g) for a, g in zip(actions, geodesic[1:], strict=True)])
    rewards = spec.task.slack + geodesic[:-1] - geodesic[1:] + spec.task.success_reward * success
    turns = np.array([0.0, 0.0, TURN_RADIANS, -TURN_RADIANS])[actions]
    turned = np.array([wrap_angle(b - a) for a, b in itertools.pairwise(rows["yaw"])])
    return [
        ("done is true exactly where the action is STOP", bool(np.array_equal(rows["dones"], actions == Action.STOP))),
        ("no step follows a STOP", not (actions[:-1] == Action.STOP).any()),
        ("rewards follow from the geodesic distances", bool(np.allclose(rewards, rows["rewards"], atol=1e-4))),
        ("commanded motion follows from the actions", bool(np.allclose(commanded, rows["commanded"], atol=1e-6))),
        ("realised motion follows from the poses", bool(np.allclose(realised, rows["realised"], atol=1e-6))),
        ("turns are 10 degrees where commanded", bool(np.allclose(turned, turns, atol=1e-6))),
    ]


def _counterfactual_consistency(rows: dict[str, np.ndarray], source: Source) -> list[tuple[str, bool]]:
    """The same for the counterfactual poses, which datasets of older schemas do not have."""
    if "counterfactual" not in rows:
        return []
    poses_TN5 = rows["counterfactual"].astype(np.float64)
    offset_TN3 = poses_TN5[:, :, :3] - rows["position"][:, None]
    turns_TN = (poses_TN5[:, :, 3] - rows["yaw"][:, None]) / TURN_RADIANS
    to_source_TN2 = poses_TN5[:, :, [0, 2]] - np.array(source.floor_3)[[0, 2]]
    near = np.hypot(offset_TN3[:, :, 0], offset_TN3[:, :, 2]).max() <= REACH + 0.02
    level = np.abs(offset_TN3[:, :, 1]).max() <= RISE + 0.02
    walk_TN, straight_TN = poses_TN5[:, :, 4], np.hypot(to_source_TN2[:, :, 0], to_source_TN2[:, :, 1])
    turned = np.abs(turns_TN - turns_TN.round()).max() < 1e-3
    return [
        (f"counterfactual poses are within {REACH:g} m of the agent", bool(near)),
        (f"counterfactual poses are within {RISE:g} m of the agent's height", bool(level)),
        ("counterfactual poses are turned by multiples of 10 degrees", bool(turned)),
        ("counterfactual distances are at least those of a straight line", bool((walk_TN >= straight_TN - 0.05).all())),
    ]
