"""Any division into parts, in any order, in one folder or several, gives the same bytes as one run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.plan.spec import DatasetSpec, plan
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.manifest import drop_records, read_manifest, write_manifest
from avw.avw4k.writing.generate import generate
from avw.avw4k.writing.merge import merge_datasets
from avw.cli.main import avw
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.randomness import keyed_rng
from tests import ROOT


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture
def parts(reference: Path, tmp_path: Path) -> list[Path]:
    """Parts of the reference from two machines, in a folder each, with one shard that both made."""
    folders = [tmp_path / "one", tmp_path / "two"]
    records = read_manifest(reference)
    names = sorted(records)
    for folder, mine in zip(folders, (names[:4], names[3:]), strict=True):
        folder.mkdir()
        for name in ("info.json", *mine):
            shutil.copy(reference / name, folder / name)
        write_manifest(folder, [records[name] for name in mine])
    return folders


def test_parts_from_several_machines_are_merged(parts: list[Path], reference: Path, tmp_path: Path) -> None:
    before = [digests(part) for part in parts]
    result = CliRunner().invoke(avw, ["merge", str(tmp_path / "out"), *map(str, parts)])
    assert result.exit_code == 0, result.output
    assert "complete; 6 trajectories" in result.output
    assert digests(tmp_path / "out") == digests(reference)
    assert [digests(part) for part in parts] == before


def test_missing_shards_are_reported(parts: list[Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(avw, ["merge", str(tmp_path / "out"), str(parts[0]), "--json"])
    assert result.exit_code == 1
    missing = json.loads(result.stdout)["missing"]
    assert len(missing) == 2
    assert len(open_dataset(tmp_path / "out").episodes()) == 4


def test_foreign_and_damaged_parts_are_refused(parts: list[Path], tmp_path: Path, spec: DatasetSpec) -> None:
    with pytest.raises(UsageError, match="contains no dataset, and no part"):
        merge_datasets(tmp_path / "out")
    info = json.loads((parts[1] / "info.json").read_text())
    other = tmp_path / "other"
    shutil.copytree(parts[1], other)
    info["spec"]["seed"] = 5
    info["spec_sha256"] = DatasetSpec.from_json(info["spec"]).sha256
    info["splits"] = {split: [] for split in info["splits"]}
    for shard in plan(DatasetSpec.from_json(info["spec"])):
        if shard.scene not in info["splits"][shard.split]:
            info["splits"][shard.split].append(shard.scene)
    (other / "info.json").write_text(json.dumps(info))
    with pytest.raises(UsageError, match=r"another dataset .*seed: 0 stored, 5 requested"):
        merge_datasets(tmp_path / "out", [parts[0], other])
    path = sorted(parts[1].glob("*.h5"))[-1]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=path.name):
        merge_datasets(tmp_path / "out", parts)


def test_two_different_versions_of_a_shard_are_refused(parts: list[Path], tmp_path: Path) -> None:
    records = read_manifest(parts[1])
    name = sorted(records)[0]
    records[name] = dataclasses.replace(records[name], sha256="0" * 64)
    write_manifest(parts[1], list(records.values()))
    with pytest.raises(DatasetError, match=f"{name} differs between"):
        merge_datasets(tmp_path / "out", parts)


@pytest.mark.parametrize("count", [3, 4, 9])
def test_any_division_in_any_order_gives_the_same_bytes(
    count: int, reference: Path, spec: DatasetSpec, tmp_path: Path
) -> None:
    """Parts one after another, in a random order, in one folder; some of them have no work."""
    for number in keyed_rng("order", count).permutation(count):
        report = generate(tmp_path / "data", spec, part=(int(number), count), execute=run_in_this_process)
    assert report.complete
    assert digests(tmp_path / "data") == digests(reference)


def test_a_killed_merge_resumes(parts: list[Path], reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    merge_datasets(out, parts)
    drop_records(out, set(sorted(read_manifest(out))[2:]))
    for name in ("episodes.parquet", "croissant.json", "README.md"):
        (out / name).unlink()
    assert merge_datasets(out, parts).complete
    assert digests(out) == digests(reference)


COMMAND = "--trajectories 6 --steps 12 --size 32 --emitters 1000 --sources-per-scene 1 --episodes-per-shard 1"


def start(folder: Path, scenes: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "avw.cli", "generate", str(folder), "--scenes", str(scenes), *COMMAND.split(), *more],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_two_processes_in_one_folder_do_not_corrupt_it(scene_folder: Path, reference: Path, tmp_path: Path) -> None:
    """Started together: the first one makes the dataset, the other is refused."""
    folder = tmp_path / "data"
    runs = [start(folder, scene_folder, "--workers", "1") for _ in range(2)]
    ends = [(run.communicate(timeout=300)[1], run.returncode) for run in runs]
    assert 0 in {code for _, code in ends}
    for said, code in ends:
        assert code == 0 or (code == 2 and "is being written by another" in said), said
        assert "Traceback" not in said
    assert digests(folder) == digests(reference)


@pytest.mark.slow
def test_parts_of_an_array_job_run_at_once_in_one_folder(scene_folder: Path, reference: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    runs = [start(folder, scene_folder, "--workers", "1", "--shard", f"{i}/3") for i in range(3)]
    runs.append(start(folder, scene_folder, "--workers", "1", "--shard", "0/3"))  # one part twice
    ends = [(run.communicate(timeout=400)[1], run.returncode) for run in runs]
    assert sorted(code for _, code in ends)[:3] == [0, 0, 0], ends
    assert digests(folder) == digests(reference)


@pytest.mark.slow
def test_seven_workers_make_the_same_bytes(reference: Path, spec: DatasetSpec, tmp_path: Path) -> None:
    assert generate(tmp_path / "data", spec, workers=7).complete
    assert digests(tmp_path / "data") == digests(reference)
