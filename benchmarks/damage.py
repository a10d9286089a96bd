"""Kills `generate` at random times and flips bits of its files: what is named, what is read wrong, what is repaired.

    python -m benchmarks.damage                        # 50 kills, and 80 flips of each kind of file
    python -m benchmarks.damage --kills 10 --flips 20 --seed 3

After each kill (SIGKILL) `verify` must find nothing damaged, and the resumed dataset must have the bytes of one that
was never interrupted. Each flip changes one bit: reading must give an error or the right arrays, `verify` must name it,
and `verify --repair` must restore the bytes. The exit code is 1 if one of these fails.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.writing import repair as repairing
from avw.avw4k.writing.generate import generate
from avw.avw4k.writing.repair import repair_dataset, restore_info
from avw.avw4k.writing.verify import verify_dataset
from avw.sim_bridge.errors import AvwError, DatasetError
from avw.sim_bridge.randomness import keyed_rng
from benchmarks.fuzz import small_spec

FILES = {"shard": "train-00000.h5", "manifest": "manifest.jsonl", "info": "info.json", "parquet": "episodes.parquet"}
BAD = ("wrong", "unnamed", "not exact", "damaged")  # outcomes that must not occur


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def arrays(folder: Path) -> list[str]:
    """One hash per episode of what a reader gets. Raises AvwError."""
    dataset = open_dataset(folder)
    hashes = []
    for ref in dataset.episodes():
        parts = [np.ascontiguousarray(value).tobytes() for _, value in sorted(dataset.read(ref).items())]
        hashes.append(hashlib.sha256(b"".join(parts)).hexdigest())
    return hashes


def kill_once(folder: Path, spec: DatasetSpec, seconds: float, reference: dict[str, str]) -> list[str]:
    """The outcomes of one kill after `seconds`."""
    child = os.fork()
    if child == 0:
        try:
            generate(folder, spec, execute=run_in_this_process)
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    outcomes = ["killed" if os.WIFSIGNALED(status) else "finished"]
    if (folder / FILES["info"]).exists() and not verify_dataset(folder).ok:
        outcomes.append("damaged")
    generate(folder, spec, execute=run_in_this_process)
    outcomes.append("exact" if digests(folder) == reference else "not exact")
    shutil.rmtree(folder)
    return outcomes


def flip_once(folder: Path, name: str, bit: int, reference: dict[str, str], right: list[str]) -> list[str]:
    """The outcomes of one flipped bit, after which the folder is as before."""
    path = folder / name
    kept = path.read_bytes()
    data = bytearray(kept)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    outcomes = []
    try:
        outcomes.append("read right" if arrays(folder) == right else "wrong")
    except AvwError:
        outcomes.append("refused")
    try:
        outcomes.append("unnamed" if verify_dataset(folder).ok else "named")
    except DatasetError:
        outcomes.append("named")
    try:  # as `avw verify --repair`
        restore_info(folder)
        repair_dataset(folder, verify_dataset(folder))
    except AvwError as error:
        print(f"{name}, bit {bit}: {error}", file=sys.stderr)
    exact = digests(folder) == reference
    outcomes.append("exact" if exact else "not exact")
    if not exact:
        for extra in set(digests(folder)) - set(reference):
            (folder / extra).unlink()
        path.write_bytes(kept)
    return outcomes


def main() -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--flips", type=int, default=80, help="of each kind of file")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # readers warn of what they name
    repairing.generate = partial(generate, execute=run_in_this_process)  # starts no worker
    folder = Path(tempfile.mkdtemp(prefix="avw-damage-"))
    bad = 0
    try:
        spec = small_spec()
        generate(folder / "warm", spec, execute=run_in_this_process)  # compiles
        start = time.monotonic()
        generate(folder / "data", spec, execute=run_in_this_process)
        duration = time.monotonic() - start
        reference, right = digests(folder / "data"), arrays(folder / "data")
        for kind, count in (("kill", options.kills), *((kind, options.flips) for kind in FILES)):
            rng = keyed_rng("damage", kind, options.seed)
            outcomes: Counter[str] = Counter()
            for _ in range(count):
                if kind == "kill":
                    found = ["finished"]
                    while found[0] == "finished":  # it ended before its kill
                        found = kill_once(folder / "killed", spec, float(rng.uniform(0.0, duration)), reference)
                else:
                    path = folder / "data" / FILES[kind]
                    bit = int(rng.integers(8 * path.stat().st_size))
                    found = flip_once(folder / "data", FILES[kind], bit, reference, right)
                outcomes.update(found)
            bad += sum(outcomes[outcome] for outcome in BAD)
            listed = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
            print(f"{kind:9} {count:4}: {listed}", flush=True)
        return 1 if bad else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
