"""The description of a dataset: counts, statistics, licences and the spec. `avw info DATA` prints it."""

from __future__ import annotations

from typing import Any

from avw.avw4k.plan.spec import MODES, SPLITS, split_scenes
from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.measured import measured_statistics, measured_text
from avw.avw4k.reading.statistics import dataset_statistics, statistics_text
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.types import STEP_SECONDS
from avw.sim_bridge.wording import plural


def dataset_summary(dataset: Dataset) -> dict[str, Any]:
    """Counts, statistics and licences of the shards written so far, and the full spec. JSON values."""
    refs = dataset.episodes()
    rows = {row["index"]: row for record in dataset.records.values() for row in record.episodes}
    approaches = [rows[ref.index]["success"] for ref in refs if ref.mode == "approach"]
    return {
        "path": str(dataset.path),
        "complete": dataset.complete,
        "trajectories": len(refs),
        "planned": dataset.spec.trajectories,
        "steps": sum(ref.steps for ref in refs),
        "hours": round(sum(ref.steps for ref in refs) * STEP_SECONDS / 3600, 3),
        "bytes": sum(record.bytes for record in dataset.records.values()),
        "shards": len(dataset.records),
        "damaged_shards": damaged_shards(dataset),
        "clipped": sum(record.clipped for record in dataset.records.values()),
        "successful_approaches": [sum(approaches), len(approaches)],
        "splits": {
            split: {
                "scenes": list(split_scenes(dataset.spec).values()).count(split),
                "trajectories": sum(ref.split == split for ref in refs),
                **{mode: sum(ref.split == split and ref.mode == mode for ref in refs) for mode in MODES},
            }
            for split in SPLITS
        },
        "statistics": dataset_statistics(dataset),
        "measured": _measured(dataset),
        "spec_sha256": dataset.spec.sha256,
        "spec": dataset.spec.to_json(),
        "versions": dataset.info.get("versions", {}),
        "licences": dataset.info.get("licences", {}),
    }


def damaged_shards(dataset: Dataset) -> list[str]:
    """Shards that are missing, or of another size than when they were written. `avw verify` reads them, too."""
    sizes = {path.name: path.stat().st_size for path in dataset.path.glob("*.h5")}
    return sorted(name for name, record in dataset.records.items() if sizes.get(name) != record.bytes)


def _measured(dataset: Dataset) -> dict[str, Any]:
    """Statistics of the recorded data; damage is reported as a problem instead of raising an error."""
    try:
        return measured_statistics(dataset)
    except DatasetError as error:
        return {"episodes": 0, "modes": {}, "problem": str(error)}


def _damage(values: dict[str, Any]) -> list[str]:
    damaged = values["damaged_shards"]
    if not damaged:
        return []
    named = ", ".join(damaged[:3]) + (", …" if len(damaged) > 3 else "")
    return [
        f"  missing or cut short: {plural(len(damaged), 'shard')} ({named}); type: avw verify {values['path']} --repair"
    ]


def summary_text(values: dict[str, Any]) -> str:
    """The description as text."""
    spec = values["spec"]
    state = "complete" if values["complete"] else f"incomplete: {values['trajectories']} of {values['planned']}"
    reached, approaches = values["successful_approaches"]
    lines = [
        f"dataset {values['path']}: {values['trajectories']} trajectories of {spec['steps']} steps ({state})",
        f"  {values['hours']} h, {values['bytes'] / 1e9:.3f} GB, {values['shards']} shards, "
        f"{values['clipped']} values clipped",
        *_damage(values),
        f"  {reached} of {approaches} approaches end with a successful STOP",
        f"  backend {spec['simulator']['backend']}, acoustics {spec['simulator']['acoustics']}, "
        f"stream {spec['simulator'].get('stream', 'glide')}, {spec['simulator']['size']} pixels, "
        f"{spec['sources_per_scene']} sources per scene, seed {spec['seed']}",
        "",
        f"  {'split':<8}" + "".join(f"{name:>14}" for name in next(iter(values["splits"].values()))),
    ]
    for split, counts in values["splits"].items():
        lines.append(f"  {split:<8}" + "".join(f"{n:>14}" for n in counts.values()))
    lines += ["", statistics_text(values["statistics"]), "", measured_text(values["measured"])]
    lines += ["", f"  spec SHA-256 {values['spec_sha256']}"]
    lines += [f"  licence of {name}: {text}" for name, text in values["licences"].items()]
    return "\n".join(lines)
