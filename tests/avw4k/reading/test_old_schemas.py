"""Datasets that older versions of AVW wrote stay what they were: they open, verify, and keep their names.

AVW 0.1.0 wrote `fixtures/schema-1`, and a later version wrote `fixtures/schema-2`, both by `avw generate --scenes
procedural:3 --trajectories 3 --steps 6 --size 16 --emitters 200 --sources-per-scene 1 --episodes-per-shard 1`. Fixtures
are never made again: whoever changes the schema adds one, written by the version before.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from avw.avw4k.plan.spec import READABLE_VERSIONS, SCHEMA_VERSION
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.reading.statistics import dataset_statistics, statistics_text
from avw.avw4k.shards.manifest import drop_records
from avw.avw4k.shards.shard import data_attributes, features_json, open_shard
from avw.avw4k.writing.generate import generate
from avw.avw4k.writing.merge import merge_datasets
from avw.avw4k.writing.verify import verify_dataset
from avw.sim_bridge.errors import DatasetError, UsageError

FIXTURES = Path(__file__).with_name("fixtures")
OLD = [f"schema-{version}" for version in READABLE_VERSIONS if version != SCHEMA_VERSION]


@pytest.mark.parametrize("name", OLD)
def test_an_old_dataset_opens_and_verifies(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / name, tmp_path / "data")
    dataset = open_dataset(folder)
    assert dataset.complete
    assert dataset.spec.sha256 == dataset.info["spec_sha256"]
    report = verify_dataset(folder)
    assert report.ok, report.problems
    assert (report.shards, report.missing) == (3, [])
    rows = dataset.read(dataset.episodes()[0])
    assert rows["rgb"].shape == (7, 16, 16, 3)
    assert np.isfinite(rows["rewards"]).all()
    assert "trajectories" in statistics_text(dataset_statistics(dataset))


@pytest.mark.parametrize("name", OLD)
def test_nothing_is_left_to_do_for_an_old_dataset(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / name, tmp_path / "data")
    before = digests(folder)
    assert generate(folder, open_dataset(folder).spec).written == []
    assert digests(folder) == before


def test_a_spec_of_schema_1_is_not_mixed_with_todays(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "schema-1", tmp_path / "data")
    before, spec = digests(folder), open_dataset(folder).spec
    today = type(spec)(scenes=spec.scenes, trajectories=3, steps=6, episodes_per_shard=1, simulator=spec.simulator)
    with pytest.raises(UsageError, match="another spec"):
        generate(folder, today)
    assert digests(folder) == before


@pytest.mark.slow
def test_an_interrupted_dataset_of_schema_2_is_completed_in_schema_2(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "schema-2", tmp_path / "data")
    shard = "val-00000.h5"
    with open_shard(folder / shard) as file:
        attributes, before = data_attributes(file), set(file["data/demo_0/state"])
    (folder / shard).unlink()
    drop_records(folder, {shard})
    notes: list[str] = []
    assert generate(folder, open_dataset(folder).spec, log=notes.append).written == [shard]
    assert any("schema version 2" in note and "counterfactual" in note for note in notes)
    with open_shard(folder / shard) as file:
        assert data_attributes(file) == attributes
        assert set(file["data/demo_0/state"]) == before
    assert verify_dataset(folder, replay=1).ok
    assert json.loads((folder / "croissant.json").read_text())["version"] == "2.0.0"


@pytest.mark.parametrize("name", OLD)
def test_an_array_that_an_old_schema_does_not_have_is_refused_by_name(name: str) -> None:
    dataset = open_dataset(FIXTURES / name)
    ref = dataset.episodes()[0]
    assert "counterfactual" not in dataset.read(ref)
    with pytest.raises(DatasetError, match=f"schema version {dataset.schema}, which has no array 'counterfactual'"):
        dataset.read(ref, ["counterfactual"])


def test_a_shard_of_another_schema_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "schema-2", tmp_path / "data")
    info = json.loads((folder / "info.json").read_text())
    (folder / "info.json").write_text(json.dumps(info | of_schema_3()))
    report = verify_dataset(folder)
    assert len(report.problems) == 3
    assert all("has schema version 2, but its dataset has 3" in problem for problem in report.problems.values())


def test_parts_of_different_schemas_are_not_merged(tmp_path: Path) -> None:
    old = shutil.copytree(FIXTURES / "schema-2", tmp_path / "old")
    new = shutil.copytree(old, tmp_path / "new")
    (new / "info.json").write_text(json.dumps(open_dataset(old).info | of_schema_3()))
    with pytest.raises(UsageError, match=r"schema version 3, but .* has 2"):
        merge_datasets(tmp_path / "merged", [old, new])
    assert not (tmp_path / "merged" / "info.json").exists()


def of_schema_3() -> dict[str, object]:
    """The fields of info.json that name the schema."""
    return {"schema_version": 3, "features": features_json(3, 16)}


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file except the dataset cards, which are written anew."""
    kept = [path for path in folder.iterdir() if path.name.endswith((".h5", ".jsonl", "info.json"))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}
