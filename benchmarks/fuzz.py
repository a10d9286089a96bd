"""Mutates files of datasets and checkpoints, episode files, meshes and heads, and checks that every reader stands it.

    python -m benchmarks.fuzz                     # 2,000 mutations of each kind of file
    python -m benchmarks.fuzz --count 200 --only manifest --seed 7

Each mutated file is read in a child process with a time limit and a memory limit. It must be read as before, or be
refused with an error of AVW. Counted are crashes (a signal, or an error that is not AVW's), hangs, and silent
differences: another content that neither the reader nor `avw verify` names.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.plan.spec import DatasetSpec, json_sha256, plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.writing import verify as verifying
from avw.avw4k.writing.generate import generate
from avw.avw4k.writing.verify import verify_dataset
from avw.sim_bridge.errors import AvwError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.episode_file import read_episodes

HANG = 10  # seconds
MEMORY = 8 * 2**30  # bytes of address space
BATCH = 50  # mutations per child process
TOKENS = (
    b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"Infinity", b"99999999999999999999999", b'""', b"[]", b"{}",
    b'"../../x"', b'"\\u0000"', b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]", b"1e300", b'"x"', b"\xff", b"\xef\xbb\xbf",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 3, 4, 0.5, 255, 65_536, 5_120, 5_126, 33_071, 2**31, 10**23, 1e300, float("nan"), "", "x",
    "../../x", "VEC4", "MAT4", "/dev/zero", "data:,x", "\0", [], {}, [0], [[[[1]]]], [1e300, 0, 0], [0, 0, 0, 0],
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A kind of file. content: as AVW writes it · read: reads the mutated one, given its bytes, and raises AvwError or
    returns "" or the name of a silent difference · head: bytes at the start that are mutated
    change: mutates the content in place of `mutated`
    """

    name: str
    content: bytes
    read: Callable[[bytes], str]
    head: int | None = None
    change: Callable[[bytes, np.random.Generator], bytes] | None = None


def mutated(content: bytes, rng: np.random.Generator, head: int | None = None) -> bytes:
    """The content with one to three changes: bits, bytes, cuts, repetitions, JSON values replaced by others."""
    limit = len(content) if head is None else head
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        limit = max(1, min(limit, len(data)))
        place = int(rng.integers(limit))
        span = int(rng.integers(1, 17))
        kind = int(rng.integers(7))
        if kind <= 1:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            data[place] = int(rng.integers(256))
        elif kind == 3:
            del data[place : place + span]
        elif kind == 4:
            data[place:place] = data[place : place + span]
        elif kind == 5:
            data[place : place + span] = TOKENS[int(rng.integers(len(TOKENS)))]
        else:
            _replace_value(data, place, limit, rng)
        if not data:
            return b""
    if rng.random() < 0.03:
        del data[int(rng.integers(len(data))) :]
    return bytes(data)


def mutated_json(content: bytes, rng: np.random.Generator) -> bytes:
    """JSON in which one to three values are removed or replaced, and which stays JSON."""
    tree = json.loads(content)
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(tree))
        holder, key = places[int(rng.integers(len(places)))]
        other_holder, other_key = places[int(rng.integers(len(places)))]
        choice = int(rng.integers(len(VALUES) + 4))
        old = holder[key]
        if isinstance(old, (int, float)) and rng.random() < 0.6:
            holder[key] = old + int(rng.integers(-2, 3))  # more often still a valid file
        elif choice < len(VALUES):
            holder[key] = VALUES[choice]
        elif choice == len(VALUES):
            del holder[key]
        else:
            holder[key] = json.loads(json.dumps(other_holder[other_key]))
    return json.dumps(tree).encode()


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """(object or list, key) of all values below `tree`."""
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _replace_value(data: bytearray, place: int, limit: int, rng: np.random.Generator) -> None:
    """Put a token in place of the JSON value after the next colon or comma."""
    start = next((i + 1 for i in range(place, limit) if data[i] in b":,["), None)
    if start is not None:
        end = next((i for i in range(start, len(data)) if data[i] in b",]}\n"), len(data))
        data[start:end] = TOKENS[int(rng.integers(len(TOKENS)))]


def dataset_targets(folder: Path) -> list[Target]:
    """info.json, with and without its own SHA-256 corrected, the manifest and the table of a small dataset."""
    dataset = open_dataset(folder)
    # A shard is not mutated here, so it is checked once.
    known = {
        shard.name: check_shard(folder / shard.name, dataset.spec, shard, dataset.schema)
        for shard in plan(dataset.spec)
    }
    verifying.check_shard = lambda path, *_: known[path.name]
    right = (json.loads((folder / "info.json").read_text()), dataset.records)

    def read(name: str) -> Callable[[bytes], str]:
        def check(content: bytes) -> str:
            (folder / name).write_bytes(content)
            found = open_dataset(folder)
            if name == "episodes.parquet":
                return "" if not verify_dataset(folder).ok else f"verify accepts another {name}"
            if (found.info, found.records) == right or not verify_dataset(folder).ok:
                return ""
            return f"verify accepts another {name}"

        return check

    def signed(content: bytes) -> str:
        try:
            info = json.loads(content)
            info["spec_sha256"] = json_sha256(info["spec"])
        except (ValueError, TypeError, KeyError, RecursionError):
            info = None
        return read("info.json")(content if info is None else json.dumps(info, indent=1).encode())

    info = (folder / "info.json").read_bytes()
    return [
        Target("info", info, read("info.json")),
        Target("info-signed", info, signed),
        Target("manifest", (folder / "manifest.jsonl").read_bytes(), read("manifest.jsonl")),
        Target("parquet", (folder / "episodes.parquet").read_bytes(), read("episodes.parquet")),
    ]


def checkpoint_target(folder: Path) -> Target:
    """The header of a checkpoint."""
    import torch

    from avw.model import checkpoint

    path = folder / "model.safetensors"
    tensors = {f"net.{name}": torch.arange(size, dtype=torch.float32) for name, size in (("a", 4), ("b", 4), ("c", 9))}
    note = {"step": 3, "net": {"width": 8, "ages": [1, 0]}, "hfov": 90.0}
    checkpoint.save(path, tensors, note)
    content = path.read_bytes()

    def read(changed: bytes) -> str:
        path.write_bytes(changed)
        found, found_note = checkpoint.load(path)
        checkpoint.read_note(path)
        same = found.keys() == tensors.keys() and all(
            found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in tensors.items()
        )
        return "" if same and found_note == note else "another content is loaded"

    return Target("checkpoint", content, read, head=8 + int.from_bytes(content[:8], "little"))


def episode_file_target(folder: Path) -> Target:
    """An episode file, unpacked. Its numbers have no checksum, so any valid file may be read."""
    row = {
        "episode_id": "0", "scene_id": "mp3d/17DRP5sb8fy/17DRP5sb8fy.glb", "start_position": [1.0, 0.1, 2.0],
        "start_rotation": [0.0, 0.7071068, 0.0, 0.7071068], "goals": [{"position": [4.0, 0.1, -2.0], "radius": 1e-5}],
        "info": {"geodesic_distance": 3.0, "num_action": 4, "sound": "telephone"}, "object_category": "chair",
    }  # fmt: skip
    content = json.dumps({"episodes": [row | {"episode_id": str(number)} for number in range(3)]}).encode()
    path = folder / "val.json.gz"

    def read(changed: bytes) -> str:
        path.write_bytes(gzip.compress(changed) if len(changed) % 2 else changed)
        read_episodes(path)
        return ""

    return Target("episodes", content, read)


def run(target: Target, count: int, seed: int) -> Counter[str]:
    """The outcomes of `count` mutations: "read", "refused", and what must not be, each with an example on stderr."""
    outcomes: Counter[str] = Counter()
    number = 0
    while number < count:
        numbers = range(number, min(count, number + BATCH))
        results, signal_number = _in_child(target, numbers, seed)
        for outcome, detail in results:
            outcomes[outcome] += 1
            if detail:
                print(f"{target.name}, mutation {number}, seed {seed}: {outcome}: {detail}", file=sys.stderr)
            number += 1
        if signal_number:
            outcomes["crash"] += 1
            print(f"{target.name}, mutation {number}, seed {seed}: signal {signal_number}", file=sys.stderr)
            number += 1
    return outcomes


def _in_child(target: Target, numbers: range, seed: int) -> tuple[list[tuple[str, str]], int]:
    """(outcome and detail of each mutation that ended, signal that ended the child or 0)."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with os.fdopen(theirs, "w") as pipe:
            for number in numbers:
                print(json.dumps(_outcome(target, number, seed)), file=pipe, flush=True)
        os._exit(0)
    os.close(theirs)
    # The child reads damaged files, so what it sends is text, not pickle. A line without an end was cut by its death.
    with os.fdopen(ours) as pipe:
        lines = [json.loads(line) for line in pipe if line.endswith("\n")]
    results = [(str(outcome), str(detail)) for outcome, detail in lines]
    _, status = os.waitpid(child, 0)
    return results, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _outcome(target: Target, number: int, seed: int) -> tuple[str, str]:
    rng = keyed_rng("fuzz", target.name, seed, number)
    content = target.change(target.content, rng) if target.change else mutated(target.content, rng, target.head)
    if content == target.content:
        return "read", ""
    outcome = _read(target, content)
    return _read(target, content) if outcome[0] == "hang" else outcome  # a second time: the machine may be busy


def _read(target: Target, content: bytes) -> tuple[str, str]:
    signal.signal(signal.SIGALRM, _hung)
    signal.alarm(HANG)
    try:
        difference = target.read(content)
        return ("silent difference", difference) if difference else ("read", "")
    except AvwError as error:
        return ("refused", "") if len(str(error)) < 2000 else ("crash", f"a message of {len(str(error))} characters")
    except TimeoutError:
        return "hang", f"more than {HANG} s"
    except BaseException:  # whatever a user would see as a traceback
        return "crash", traceback.format_exc(limit=-3)
    finally:
        signal.alarm(0)


def _hung(*_: Any) -> None:
    raise TimeoutError


def small_spec() -> DatasetSpec:
    """Six episodes of two steps in three houses."""
    scenes = ("procedural-0000", "procedural-0001", "procedural-0002")
    simulator = SimulatorConfig(backend="embedded", size=16, emitters=100)
    return DatasetSpec(scenes=scenes, trajectories=6, steps=2, episodes_per_shard=1, simulator=simulator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="a small complete dataset, of which a copy is mutated; default: new")
    parser.add_argument("--only", action="append", help="name of a kind of file, as in the table; may be repeated")
    options = parser.parse_args()
    from benchmarks.fuzz_meshes import head_target, mesh_targets  # it imports this module

    warnings.simplefilter("ignore")  # readers warn of what they name
    folder = Path(tempfile.mkdtemp(prefix="avw-fuzz-"))
    try:
        if options.data:
            shutil.copytree(options.data, folder / "data")
        else:
            generate(folder / "data", small_spec())
        kept = shutil.copytree(folder / "data", folder / "kept")
        bad = 0
        targets = [*dataset_targets(folder / "data"), checkpoint_target(folder), episode_file_target(folder)]
        for target in (*targets, *mesh_targets(folder), head_target(folder)):
            if options.only and target.name not in options.only:
                continue
            outcomes = run(target, options.count, options.seed)
            shutil.copytree(kept, folder / "data", dirs_exist_ok=True)
            bad += sum(number for outcome, number in outcomes.items() if outcome not in ("read", "refused"))
            print(f"{target.name:12} " + ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items()))
        sys.exit(1 if bad else 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
