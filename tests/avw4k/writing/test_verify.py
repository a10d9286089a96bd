"""Verification finds every kind of damage, repair removes it, and replay checks the data against their spec."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from avw.avw4k.plan.spec import plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.manifest import drop_records, write_manifest
from avw.avw4k.writing.card import write_card
from avw.avw4k.writing.repair import repair_dataset, restore_info
from avw.avw4k.writing.verify import verify_dataset
from avw.sim_bridge.errors import DatasetError

SHARD = "train-00000.h5"


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def edit(path: Path, change: Callable[[h5py.Group], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file["data/demo_0"])


def put(name: str, where: object, value: object) -> Callable[[h5py.Group], None]:
    def change(demo: h5py.Group) -> None:
        demo[name][where] = value

    return change


def test_an_intact_dataset_has_no_problems(reference: Path) -> None:
    seen: list[str] = []
    report = verify_dataset(reference, on_shard=seen.append)
    assert report.ok
    assert (report.shards, report.episodes, report.steps, report.missing) == (6, 6, 72, [])
    assert len(seen) == 6
    assert report.to_json()["ok"] is True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("state/yaw", 3, np.nan), "not finite"),
        (put("rewards", 2, 5.0), "rewards follow from"),
        (put("dones", 1, True), "done is true exactly where"),
        (put("actions", 1, 9), "one of 0 … 3"),
        (put("state/commanded", 4, [1.0, 0, 0]), "commanded motion"),
        (put("state/realised", 4, [1.0, 0, 0]), "realised motion"),
        (lambda demo: demo.attrs.modify("mode", "dream"), "attribute mode"),
        (lambda demo: demo.attrs.modify("index", 77), "attribute index"),
        (lambda demo: demo.attrs.modify("source", "nowhere"), "its source"),
        (lambda demo: demo.pop("collided"), "cannot be read"),
        (lambda demo: demo.parent.create_group("demo_1"), "holds 2 demos"),
        (lambda demo: demo.parent.attrs.modify("spec_sha256", "0" * 64), "another dataset"),
    ],
)
def test_contradictory_contents_are_found(copy: Path, change: object, message: str) -> None:
    spec = open_dataset(copy).spec
    edit(copy / SHARD, change)  # type: ignore[arg-type]
    shard = next(shard for shard in plan(spec) if shard.name == SHARD)
    with pytest.raises(DatasetError, match=message):
        check_shard(copy / SHARD, spec, shard)
    report = verify_dataset(copy)
    assert list(report.problems) == [SHARD]


def test_a_changed_pixel_is_found_by_its_checksum(copy: Path) -> None:
    edit(copy / SHARD, put("obs/rgb", (0, 0, 0), 1))
    assert "SHA-256" in verify_dataset(copy).problems[SHARD]


def test_a_line_with_another_digest_is_named(copy: Path) -> None:
    """The card vouches for the shard, so it is the line that is wrong, and repair does not make the shard again."""
    before = digests(copy)
    records = dict(open_dataset(copy).records)
    records[SHARD] = dataclasses.replace(records[SHARD], sha256="0" * 64)
    write_manifest(copy, list(records.values()))
    report = verify_dataset(copy)
    (line,) = report.problems
    assert line.startswith("manifest.jsonl, line ")
    assert "sha256" in report.problems[line]
    after = repair_dataset(copy, report)
    assert (after.ok, after.repaired, after.adopted) == (True, [], [SHARD])
    assert digests(copy) == before


def test_repair_restores_the_same_bytes(copy: Path) -> None:
    before = digests(copy)
    (copy / SHARD).write_bytes(b"damaged")
    (copy / "test-00001.h5").unlink()
    (copy / "val-00000.h5").unlink()
    drop_records(copy, {"val-00000.h5"})
    report = verify_dataset(copy)
    assert set(report.problems) == {SHARD, "test-00001.h5", "val-00000.h5"}
    assert "deleted or altered" in report.problems["val-00000.h5"]
    after = repair_dataset(copy, report, workers=2)
    assert after.ok
    assert sorted(after.repaired) == sorted([SHARD, "test-00001.h5", "val-00000.h5"])
    assert after.changed == []
    assert digests(copy) == before


def test_replay_gives_the_same_bits(reference: Path) -> None:
    report = verify_dataset(reference, replay=2)
    assert report.ok
    assert report.replayed == 2


def test_replay_finds_what_checksums_cannot(copy: Path) -> None:
    """A shard that was altered together with its manifest line is consistent, but does not follow from its spec."""
    dataset = open_dataset(copy)
    edit(copy / SHARD, put("obs/rgb", (0, 0, 0), 1))
    content = (copy / SHARD).read_bytes()
    records = dict(dataset.records)
    digest = hashlib.sha256(content).hexdigest()
    records[SHARD] = dataclasses.replace(records[SHARD], sha256=digest, bytes=len(content))
    write_manifest(copy, list(records.values()))
    write_card(copy, dataset.spec, dataset.schema, plan(dataset.spec), records)
    assert verify_dataset(copy).ok
    report = verify_dataset(copy, replay=6, workers=2)
    assert list(report.problems) == [SHARD]
    assert "rgb differ when the episode is" in report.problems[SHARD]
    assert report.replayed == 5


@pytest.mark.parametrize("place", [0, 17, 1500, -2])
def test_one_flipped_bit_of_info_json_is_restored(copy: Path, place: int) -> None:
    path = copy / "info.json"
    right = bytearray(path.read_bytes())
    damaged = bytearray(right)
    damaged[place] ^= 0x40
    path.write_bytes(damaged)
    assert restore_info(copy)
    assert path.read_bytes() == right
    assert not restore_info(copy), "nothing is left to restore"
    damaged[place - 1] ^= 0x01
    path.write_bytes(damaged)
    assert not restore_info(copy), "two bits are not guessed"
    assert path.read_bytes() == damaged
