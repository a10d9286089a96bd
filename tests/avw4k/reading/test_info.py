"""info.json from anyone: read right, or refused in one sentence that names it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from avw.avw4k.plan.spec import json_sha256
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.writing.verify import verify_dataset
from avw.cli.main import avw
from avw.sim_bridge.errors import DatasetError

Change = Callable[[dict[str, Any]], object]


def rewritten(folder: Path, change: Change) -> Path:
    """The dataset with a changed spec that agrees with its SHA-256, as an author of such a file would write it."""
    info = json.loads((folder / "info.json").read_text())
    change(info)
    info["spec_sha256"] = json_sha256(info["spec"])
    (folder / "info.json").write_text(json.dumps(info))
    return folder


def spec(**changes: Any) -> Change:
    return lambda info: info["spec"].update(changes)


def part(name: str, **changes: Any) -> Change:
    return lambda info: info["spec"][name].update(changes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (spec(trajectories=10**9), "trajectories is 1,000,000,000: at most"),
        (spec(trajectories=1e300), "trajectories is 1e[+]300: expected a whole number"),
        (spec(steps=10**9), "steps is 1,000,000,000: at most"),
        (spec(episodes_per_shard=True), "episodes_per_shard is True"),
        (spec(sources_per_scene=10**9), "at most"),
        (spec(split_shares=[6.0, float("inf"), 2.0]), "Infinity is not a finite number"),
        (spec(mode_shares=[1e308, 1e308, 1e308]), "mode_shares"),
        (spec(audio_full_scale="x"), "audio_full_scale is 'x': expected a number"),
        (spec(seed="x"), "seed is 'x'"),
        (spec(scenes=[1, 2, 3]), r"scenes\[0\] is 1: expected a text"),
        (spec(sounds=[["x"]]), r"sounds\[0\]"),
        (spec(assets=[["a"]]), r"assets\[0\] has 1 items"),
        (spec(program="x"), "there is no field 'program'"),
        (part("simulator", emitters=-5), "-5 emitters"),
        (part("simulator", size=10**6), "images of 1000000 pixels"),
        (part("simulator", hfov="wide"), "simulator.hfov is 'wide'"),
        (part("simulator", program="x"), "there is no field 'simulator.program'"),
        (part("task", slack="x"), "task.slack is 'x'"),
        (part("task", success_distance=-1.0), "success_distance of the task"),
        (part("task", max_steps=10**9), "max_steps of the task"),
        (part("motion", distance_bins="x"), "motion.distance_bins is 'x'"),
        (part("motion", distance_bins=[3.0, 1.0]), "distance_bins of the motion"),
        (part("motion", slip_rate=2.0), "slip_rate of the motion"),
        (lambda info: info.update(splits=[1]), "splits is list"),
        (lambda info: info.update(sample_rate=8000), "sample_rate is 8000, but AVW writes 16000"),
        (lambda info: info.update(schema_version=True), "schema_version is True"),
        (lambda info: info.update(other=1), "there is no field 'other'"),
        (lambda info: info["features"]["rgb"].update(shape=["T", 9, 9, 3]), "feature rgb"),
        (lambda info: info["features"].pop("rgb"), "the features are not"),
    ],
)
def test_values_that_avw_does_not_write_are_refused(copy: Path, change: Change, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        open_dataset(rewritten(copy, change))


def test_files_that_are_not_small_json_files_are_refused(copy: Path) -> None:
    path = copy / "info.json"
    content = path.read_bytes()
    for bad, says in (
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (content + b" " * 2**24, "more than 16,777,216 bytes"),
        (content.replace(b"scenes", b"sc\xffnes"), "not UTF-8"),
        (content[:-9], "not valid JSON"),
    ):
        path.write_bytes(bad)
        with pytest.raises(DatasetError, match=says):
            open_dataset(copy)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="it is a pipe"):
        open_dataset(copy)
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(DatasetError, match="it is a link"):
        open_dataset(copy)


def test_a_byte_order_mark_is_no_damage(copy: Path) -> None:
    for name in ("info.json", "manifest.jsonl"):
        (copy / name).write_bytes(b"\xef\xbb\xbf" + (copy / name).read_bytes())
    assert open_dataset(copy).complete


def test_a_cut_manifest_of_a_finished_dataset_is_said(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = (copy / "manifest.jsonl").read_text().splitlines(keepends=True)
    (copy / "manifest.jsonl").write_text("".join(lines[:2]))
    with caplog.at_level(logging.WARNING, "avw.dataset"):
        assert not open_dataset(copy).complete
    (record,) = caplog.records
    assert "was complete, but its manifest now lists 2 of 6 shards" in record.getMessage()


def test_lines_that_contradict_the_plan_are_named_by_the_reader(copy: Path) -> None:
    path = copy / "manifest.jsonl"
    lines = path.read_text().splitlines()
    for change, says in (
        (lambda row: row.update(spec_sha256="0" * 64), "listed for another dataset"),
        (lambda row: row["episodes"][0].update(index=77), "not those of the plan"),
        (lambda row: row["episodes"][0].update(split="train"), "unknown value 'split'"),
        (lambda row: row["episodes"][0].update(success=1), "success is 1"),
        (lambda row: row.update(shard="../train-00000.h5"), "not the name of a shard"),
    ):
        row = json.loads(lines[2])
        change(row)
        path.write_text("\n".join([*lines[:2], json.dumps(row, sort_keys=True), *lines[3:]]) + "\n")
        with pytest.raises(DatasetError, match=f"manifest.jsonl, line 3: .*{says}"):
            open_dataset(copy)


def test_companion_files_of_macos_are_ignored(copy: Path) -> None:
    for name in ("._manifest.jsonl", "._train-00000.h5", "._info.json"):
        (copy / name).write_bytes(b"\x00\x05\x16\x07")
    assert open_dataset(copy).complete
    assert verify_dataset(copy).ok


def test_info_that_changed_after_the_end_is_named_and_repaired(copy: Path, reference: Path) -> None:
    path = copy / "info.json"
    path.write_bytes(path.read_bytes().replace(b'"restricted": true', b'"restricted": false'))
    done = CliRunner().invoke(avw, ["verify", str(copy)])
    assert done.exit_code == 1
    assert "info.json has changed since the dataset was finished" in done.output
    assert CliRunner().invoke(avw, ["verify", str(copy), "--repair"]).exit_code == 0
    assert path.read_bytes() == (reference / "info.json").read_bytes()
