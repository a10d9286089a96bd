"""Generating: the same bytes for any number of workers and after any interruption; no folder is damaged."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.manifest import drop_records
from avw.avw4k.writing.generate import generate
from avw.sim_bridge.errors import DatasetError, SceneError, UsageError


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_workers_do_not_change_a_byte(reference: Path, spec: DatasetSpec, tmp_path: Path) -> None:
    steps: list[int] = []
    report = generate(tmp_path / "two", spec, workers=2, on_steps=steps.append)
    assert report.complete
    assert sum(steps) == spec.total_steps
    assert sorted(report.written) == sorted(path.name for path in reference.glob("*.h5"))
    assert digests(tmp_path / "two") == digests(reference)


def test_a_complete_dataset_is_not_changed(copy: Path, spec: DatasetSpec) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in copy.glob("*.h5")}
    report = generate(copy, spec)
    assert (report.written, report.adopted, report.redone) == ([], [], [])
    assert (report.complete, report.steps, report.shards) == (True, 72, 6)
    assert {path.name: path.stat().st_mtime_ns for path in copy.glob("*.h5")} == before


def test_a_start_that_fails_leaves_nothing(tmp_path: Path, vary: Callable[..., DatasetSpec]) -> None:
    with pytest.raises(SceneError):
        generate(tmp_path / "data", vary(scenes=("nowhere.glb",), assets=()))
    assert list(tmp_path.iterdir()) == []


def test_a_good_table_is_not_written_again_from_an_altered_line(copy: Path, spec: DatasetSpec) -> None:
    lines = (copy / "manifest.jsonl").read_text().splitlines()
    row = json.loads(lines[0])
    row["episodes"][0]["return"] += 1.0
    (copy / "manifest.jsonl").write_text("\n".join([json.dumps(row, sort_keys=True), *lines[1:]]) + "\n")
    (copy / "README.md").unlink()  # so that the files beside the shards are written again
    before = (copy / "episodes.parquet").read_bytes()
    with pytest.raises(DatasetError, match=r"the manifest and episodes\.parquet disagree about episode"):
        generate(copy, spec)
    assert (copy / "episodes.parquet").read_bytes() == before


def test_shards_found_at_the_start_are_adopted_or_made_again(copy: Path, reference: Path, spec: DatasetSpec) -> None:
    """A valid shard without a line is adopted; damaged and missing ones are made again; temporary files are removed."""
    unlisted = {"train-00000.h5", "train-00001.h5"}
    drop_records(copy, unlisted)
    content = (copy / "train-00001.h5").read_bytes()
    (copy / "train-00001.h5").write_bytes(content[: len(content) // 2])
    (copy / "val-00000.h5").unlink()
    (copy / "test-00000.h5").write_bytes(b"short")
    (copy / "test-00001.h5.123.tmp").write_bytes(b"litter")
    with (copy / "manifest.jsonl").open("a") as manifest:
        manifest.write('{"shard": "test-000')
    said: list[str] = []
    report = generate(copy, spec, workers=2, log=said.append)
    assert report.adopted == ["train-00000.h5"]
    assert sorted(report.redone) == ["test-00000.h5", "train-00001.h5", "val-00000.h5"]
    assert sorted(report.written) == sorted(report.redone)
    assert len(said) == 4
    assert digests(copy) == digests(reference)


def test_another_spec_is_refused_and_nothing_is_changed(
    copy: Path, vary: Callable[..., DatasetSpec], spec: DatasetSpec
) -> None:
    before = digests(copy)
    with pytest.raises(
        UsageError, match=r"another spec \(seed: 0 stored, 5 requested; steps: 12 stored, 9 requested\)"
    ):
        generate(copy, vary(seed=5, steps=9))
    with pytest.raises(UsageError, match="--no-resume"):
        generate(copy, spec, resume=False)
    assert digests(copy) == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path, spec: DatasetSpec) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"is not a dataset, but contains thesis.tex"):
        generate(tmp_path, spec)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_gives_a_one_line_error(tmp_path: Path, spec: DatasetSpec) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DatasetError, match="cannot prepare the dataset"):
        generate(tmp_path / "data", spec)


def test_two_runs_in_one_folder_are_refused(copy: Path, spec: DatasetSpec) -> None:
    handle = os.open(copy / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(UsageError, match="is being written by another"):
            generate(copy, spec)
        with pytest.raises(UsageError, match="is being written by another"):
            generate(copy, spec, part=(0, 2), execute=run_in_this_process)
    finally:
        os.close(handle)


def test_parts_of_an_array_job_make_one_dataset(reference: Path, spec: DatasetSpec, tmp_path: Path) -> None:
    first = generate(tmp_path / "data", spec, part=(0, 2), execute=run_in_this_process)
    assert not first.complete
    assert len(first.written) == 3
    assert len(open_dataset(tmp_path / "data").episodes()) == 3
    second = generate(tmp_path / "data", spec, part=(1, 2), execute=run_in_this_process)
    assert second.complete
    assert digests(tmp_path / "data") == digests(reference)


def test_other_library_versions_are_reported(copy: Path, spec: DatasetSpec) -> None:
    info = json.loads((copy / "info.json").read_text())
    info["versions"]["numpy"] = "0.1"
    (copy / "info.json").write_text(json.dumps(info))
    logged: list[str] = []
    generate(copy, spec, log=logged.append)
    assert len(logged) == 1
    assert "numpy was 0.1, is" in logged[0]


def test_a_start_that_failed_leaves_nothing(vary: Callable[..., DatasetSpec], tmp_path: Path) -> None:
    spec = vary(scenes=(str(tmp_path / "gone.glb"),), assets=())
    with pytest.raises(SceneError, match=r"gone\.glb"):
        generate(tmp_path / "data", spec)
    assert not (tmp_path / "data").exists()
