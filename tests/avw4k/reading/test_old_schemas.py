"""Datasets that older versions of AVW wrote stay what they were: they open, verify, and keep their names.

`fixtures/schema-1` was written by AVW 0.1.0: `avw generate --scenes procedural:3 --trajectories 3 --steps 6 --size 16
--emitters 200 --sources-per-scene 1 --episodes-per-shard 1`. Fixtures are never made again: whoever changes the schema
adds one, written by the version before.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from avw.avw4k.plan.spec import READABLE_VERSIONS, SCHEMA_VERSION
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.reading.statistics import dataset_statistics, statistics_text
from avw.avw4k.writing.generate import generate
from avw.avw4k.writing.verify import verify_dataset
from avw.sim_bridge.errors import UsageError

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
def test_an_old_dataset_is_not_mixed_with_todays(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / name, tmp_path / "data")
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    spec = open_dataset(folder).spec
    assert generate(folder, spec).written == []  # its own spec, as it was read: nothing left to do
    today = type(spec)(scenes=spec.scenes, trajectories=3, steps=6, episodes_per_shard=1, simulator=spec.simulator)
    with pytest.raises(UsageError, match="another spec"):
        generate(folder, today)
    after = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert {name: after[name] for name in before if name.endswith((".h5", ".jsonl", "info.json"))} == {
        name: digest for name, digest in before.items() if name.endswith((".h5", ".jsonl", "info.json"))
    }
