"""Damage to a dataset is named, readers never return wrong arrays, and repair redoes the damaged parts only.

`make test` takes a sample of each kind of damage; `make test-all` tries hundreds and prints how many.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.shard import open_shard
from avw.avw4k.writing.repair import repair_dataset
from avw.avw4k.writing.verify import verify_dataset
from avw.cli.main import avw
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.randomness import keyed_rng

Damage = Callable[[Path, np.random.Generator], set[str]]
"""Damages a folder and returns the names that verification must name."""


def _shard(folder: Path, rng: np.random.Generator) -> Path:
    shards = sorted(folder.glob("*.h5"))
    return shards[int(rng.integers(len(shards)))]


def flip_a_bit(folder: Path, rng: np.random.Generator) -> set[str]:
    path = _shard(folder, rng)
    content = bytearray(path.read_bytes())
    place = int(rng.integers(8 * len(content)))
    content[place // 8] ^= 1 << (place % 8)
    path.write_bytes(content)
    return {path.name}


def cut_off(folder: Path, rng: np.random.Generator) -> set[str]:
    path = _shard(folder, rng)
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(len(content)))])
    return {path.name}


def zero_a_block(folder: Path, rng: np.random.Generator) -> set[str]:
    """Zeros, as a file system returns for blocks that never reached the disk."""
    path = _shard(folder, rng)
    content = bytearray(path.read_bytes())
    start = int(rng.integers(len(content) // 4096)) * 4096
    if not any(content[start : start + 4096]):
        start = 0
    content[start : start + 4096] = bytes(len(content[start : start + 4096]))
    path.write_bytes(content)
    return {path.name}


def swap_two(folder: Path, rng: np.random.Generator) -> set[str]:
    one, two = (sorted(folder.glob("*.h5"))[i] for i in rng.choice(6, 2, replace=False))
    one_bytes, two_bytes = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_bytes)
    two.write_bytes(one_bytes)
    return {one.name, two.name}


def overwrite_by_another(folder: Path, rng: np.random.Generator) -> set[str]:
    one, two = (sorted(folder.glob("*.h5"))[i] for i in rng.choice(6, 2, replace=False))
    shutil.copy(two, one)
    return {one.name}


def delete(folder: Path, rng: np.random.Generator) -> set[str]:
    path = _shard(folder, rng)
    path.unlink()
    return {path.name}


def duplicate(folder: Path, rng: np.random.Generator) -> set[str]:
    copy = folder / f"train-{int(rng.integers(100, 999)):05d}.h5"
    shutil.copy(_shard(folder, rng), copy)
    return {copy.name}


def _lines(folder: Path) -> list[str]:
    return (folder / "manifest.jsonl").read_text().splitlines()


def _write(folder: Path, lines: list[str]) -> None:
    (folder / "manifest.jsonl").write_text("".join(line + "\n" for line in lines))


def delete_a_line(folder: Path, rng: np.random.Generator) -> set[str]:
    lines = _lines(folder)
    gone = lines.pop(int(rng.integers(len(lines))))
    _write(folder, lines)
    return {json.loads(gone)["shard"]}


def duplicate_a_line(folder: Path, rng: np.random.Generator) -> set[str]:
    lines = _lines(folder)
    _write(folder, [*lines, lines[int(rng.integers(len(lines)))]])
    return {f"manifest.jsonl, line {len(lines) + 1}"}


def swap_two_digests(folder: Path, rng: np.random.Generator) -> set[str]:
    values = [json.loads(line) for line in _lines(folder)]
    numbers = rng.choice(len(values), 2, replace=False)
    one, two = (values[i] for i in numbers)
    for name in ("sha256", "bytes", "episodes"):
        one[name], two[name] = two[name], one[name]
    _write(folder, [json.dumps(value, sort_keys=True) for value in values])
    return {f"manifest.jsonl, line {number + 1}" for number in numbers}


def change_a_figure(folder: Path, rng: np.random.Generator) -> set[str]:
    """A valid line whose values are wrong for an episode."""
    values = [json.loads(line) for line in _lines(folder)]
    number = int(rng.integers(len(values)))
    row = values[number]["episodes"][0]
    name = ("return", "geodesic_end", "collisions", "index")[int(rng.integers(4))]
    row[name] += 1
    _write(folder, [json.dumps(value, sort_keys=True) for value in values])
    return {f"manifest.jsonl, line {number + 1}"}


def rename_a_figure(folder: Path, rng: np.random.Generator) -> set[str]:
    """One bit of a key: the figure is missing, and another one is there that no version writes."""
    lines = _lines(folder)
    number = int(rng.integers(len(lines)))
    lines[number] = lines[number].replace('"return"', '"retuzn"')
    _write(folder, lines)
    return {f"manifest.jsonl, line {number + 1}"}


def change_the_spec_of_a_line(folder: Path, rng: np.random.Generator) -> set[str]:
    values = [json.loads(line) for line in _lines(folder)]
    number = int(rng.integers(len(values)))
    values[number]["spec_sha256"] = "0" * 64
    _write(folder, [json.dumps(value, sort_keys=True) for value in values])
    return {f"manifest.jsonl, line {number + 1}"}


def override_the_plan(folder: Path, rng: np.random.Generator) -> set[str]:
    values = [json.loads(line) for line in _lines(folder)]
    number = int(rng.integers(len(values)))
    name, value = (("split", "train"), ("scene", "a"), ("shard", "x"), ("demo", 3))[int(rng.integers(4))]
    values[number]["episodes"][0][name] = value
    _write(folder, [json.dumps(value, sort_keys=True) for value in values])
    return {f"manifest.jsonl, line {number + 1}"}


def write_a_line_otherwise(folder: Path, rng: np.random.Generator) -> set[str]:
    """The same values in another notation: AVW does not write it, so something else has."""
    lines = _lines(folder)
    number = int(rng.integers(len(lines)))
    lines[number] = lines[number].replace(": ", ":", 1)
    _write(folder, lines)
    return {f"manifest.jsonl, line {number + 1}"}


def contradict_a_line(folder: Path, rng: np.random.Generator) -> set[str]:
    lines = _lines(folder)
    value = json.loads(lines[int(rng.integers(len(lines)))])
    value["sha256"] = "0" * 64
    _write(folder, [*lines, json.dumps(value, sort_keys=True)])
    return {f"manifest.jsonl, line {len(lines) + 1}", value["shard"]}


def garble_a_line(folder: Path, rng: np.random.Generator) -> set[str]:
    lines = _lines(folder)
    number = int(rng.integers(len(lines)))
    shard = json.loads(lines[number])["shard"]
    lines[number] = lines[number][: int(rng.integers(1, len(lines[number]) - 1))]
    _write(folder, lines)
    return {f"manifest.jsonl, line {number + 1}", shard}


def list_a_stranger(folder: Path, rng: np.random.Generator) -> set[str]:
    lines = _lines(folder)
    value = json.loads(lines[0]) | {"shard": "train-00777.h5"}
    _write(folder, [*lines, json.dumps(value, sort_keys=True)])
    return {"train-00777.h5"}


def damage_the_table(folder: Path, rng: np.random.Generator) -> set[str]:
    path = folder / ("episodes.parquet", "croissant.json", "README.md")[int(rng.integers(3))]
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    path.write_bytes(content)
    return {path.name}


def flip_a_bit_beside(folder: Path, rng: np.random.Generator) -> set[str]:
    path = folder / ("episodes.parquet", "croissant.json", "README.md")[int(rng.integers(3))]
    content = bytearray(path.read_bytes())
    place = int(rng.integers(8 * len(content)))
    content[place // 8] ^= 1 << (place % 8)
    path.write_bytes(content)
    return {path.name}


def put_a_link(folder: Path, rng: np.random.Generator) -> set[str]:
    path = _shard(folder, rng)
    path.rename(folder.parent / "elsewhere.h5")
    path.symlink_to(folder.parent / "elsewhere.h5")
    return {path.name}


def put_a_pipe(folder: Path, rng: np.random.Generator) -> set[str]:
    path = _shard(folder, rng)
    path.unlink()
    os.mkfifo(path)
    return {path.name}


DAMAGES: tuple[Damage, ...] = (
    flip_a_bit, cut_off, zero_a_block, swap_two, overwrite_by_another, delete, duplicate, delete_a_line,
    duplicate_a_line, swap_two_digests, change_a_figure, contradict_a_line, garble_a_line, list_a_stranger,
    damage_the_table, flip_a_bit_beside, rename_a_figure, change_the_spec_of_a_line, override_the_plan,
    write_a_line_otherwise, put_a_link, put_a_pipe,
)  # fmt: skip
LINES = {
    delete_a_line,
    duplicate_a_line,
    contradict_a_line,
    garble_a_line,
    list_a_stranger,
    damage_the_table,
    duplicate,
    flip_a_bit_beside,
    swap_two_digests,
    change_a_figure,
    rename_a_figure,
    change_the_spec_of_a_line,
    override_the_plan,
    write_a_line_otherwise,
}
"""Damage that does not change a shard: repairing it simulates nothing."""


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def check_named_and_never_wrong(folder: Path, damage: Damage, seed: int, arrays: dict[int, dict[str, bytes]]) -> None:
    """Verification names the damage, and reading any episode raises or returns what was written."""
    named = damage(folder, keyed_rng("damage", damage.__name__, seed))
    report = verify_dataset(folder)
    assert set(report.problems) == named, (damage.__name__, seed)
    try:
        dataset = open_dataset(folder)
    except DatasetError:
        return
    for ref in dataset.episodes():
        try:
            rows = dataset.read(ref)
        except DatasetError:
            continue
        for name, array in rows.items():
            assert array.tobytes() == arrays[ref.index][name], (damage.__name__, seed, ref.shard, name)
    dataset.close()


@pytest.fixture(scope="module")
def arrays(reference: Path) -> dict[int, dict[str, bytes]]:
    dataset = open_dataset(reference)
    return {
        ref.index: {name: array.tobytes() for name, array in dataset.read(ref).items()} for ref in dataset.episodes()
    }


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_named(damage: Damage, copy: Path, arrays: dict[int, dict[str, bytes]]) -> None:
    check_named_and_never_wrong(copy, damage, 0, arrays)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_named_every_time(
    damage: Damage, reference: Path, tmp_path: Path, arrays: dict[int, dict[str, bytes]]
) -> None:
    """Hundreds of flipped bits, dozens of each other kind."""
    count = 300 if damage is flip_a_bit else 30
    for seed in range(count):
        folder = shutil.copytree(reference, tmp_path / str(seed))
        check_named_and_never_wrong(folder, damage, seed, arrays)
        shutil.rmtree(folder)
    print(f"{damage.__name__}: {count} tried, 0 missed, 0 wrong")


@pytest.mark.parametrize("damage", sorted(LINES, key=lambda d: d.__name__), ids=lambda damage: damage.__name__)
def test_repair_of_metadata_simulates_nothing(damage: Damage, copy: Path, reference: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in copy.glob("*.h5")}
    damage(copy, keyed_rng("repair", damage.__name__))
    after = repair_dataset(copy, verify_dataset(copy))
    assert after.ok, after.problems
    assert after.repaired == []
    assert {path.name: path.stat().st_mtime_ns for path in copy.glob("*.h5")} == before
    assert digests(copy) == digests(reference)


def test_repair_redoes_the_damaged_shards_only(copy: Path, reference: Path) -> None:
    """Three kinds of damage at once, in three shards; the other three are not written."""
    one, two, three = sorted(copy.glob("*.h5"))[:3]
    one.write_bytes(one.read_bytes()[:-100])
    two.unlink()
    shutil.copy(sorted(copy.glob("*.h5"))[-1], three)
    duplicate_a_line(copy, keyed_rng("exactly"))
    before = {path.name: path.stat().st_mtime_ns for path in sorted(reference.glob("*.h5"))[3:]}
    before = {name: (copy / name).stat().st_mtime_ns for name in before}
    result = CliRunner().invoke(avw, ["verify", str(copy)])
    assert result.exit_code == 1
    for path in (one, two, three):
        assert path.name in result.output
    assert "a second time" in result.output
    result = CliRunner().invoke(avw, ["verify", str(copy), "--repair"])
    assert result.exit_code == 0, result.output
    assert {name: (copy / name).stat().st_mtime_ns for name in before} == before
    assert digests(copy) == digests(reference)


def test_the_episode_is_named(copy: Path) -> None:
    change_a_figure(copy, keyed_rng("episode"))
    problem = next(iter(verify_dataset(copy).problems.values()))
    assert "episode" in problem
    path = next(iter(sorted(copy.glob("*.h5"))))
    content = bytearray(path.read_bytes())
    with open_shard(path) as file:
        stored = file["data/demo_0/obs/rgb"].id.get_chunk_info(0)
    content[stored.byte_offset + stored.size // 2] ^= 1
    path.write_bytes(content)
    assert "demo_0" in verify_dataset(copy).problems[path.name]


def test_a_foreign_file_is_named_and_kept(copy: Path) -> None:
    (copy / "holiday.h5").write_bytes(b"not ours")
    report = verify_dataset(copy)
    assert list(report.problems) == ["holiday.h5"]
    after = repair_dataset(copy, report)
    assert list(after.problems) == ["holiday.h5"]
    assert (copy / "holiday.h5").read_bytes() == b"not ours"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda info: info["splits"]["train"].append(info["splits"]["test"].pop()), "scenes may leak"),
        (lambda info: info["splits"]["train"].append(info["splits"]["test"][0]), "scenes may leak"),
        (lambda info: info["spec"].update(scene_splits=["train"] * 3), "does not match its own SHA-256"),
        (lambda info: info.update(audio_scale=2 * info["audio_scale"]), "audio_scale does not match"),
    ],
)
def test_splits_cannot_leak_by_editing(copy: Path, change: Callable[[dict], None], message: str) -> None:
    info = json.loads((copy / "info.json").read_text())
    change(info)
    (copy / "info.json").write_text(json.dumps(info))
    with pytest.raises(DatasetError, match=message):
        open_dataset(copy)
    with pytest.raises(DatasetError, match=message):
        verify_dataset(copy)
