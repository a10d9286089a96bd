"""Time until `avw generate` knows its scenes: `python -m benchmarks.scene_start [--gigabytes 20] [--json]`.

A folder of sparse GLB files stands for a collection of scans: they take no space on the disk, but a program that
hashes or copies them reads every byte. Their header asks for a compression that no reader supports, so that the pilot
of a dry run stops at the header, and the time is that of everything else. The command is timed as a whole process; the
peer is the time to hash every file once, in this process.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from avw.sim_bridge.scenes.digest_cache import file_sha256
from benchmarks.rows import Row, present

HEADER = {"asset": {"version": "2.0"}, "extensionsRequired": ["KHR_draco_mesh_compression"], "meshes": []}
AGE = 3600.0  # seconds; a file that was changed just now is never taken from a cache


@click.command()
@click.option("--gigabytes", type=float, default=20.0, show_default=True, help="Total size of the scene files.")
@click.option("--files", "count", type=click.IntRange(min=1), default=20, show_default=True, help="Number of files.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="The fastest counts.")
@click.option(
    "--command",
    default=f"{sys.executable} -m avw.cli",
    show_default=True,
    help="How to start AVW; another checkout for comparison needs its own PYTHONPATH.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def main(gigabytes: float, count: int, repeats: int, command: str, as_json: bool) -> None:
    """Time a dry run over a folder of large scene files."""
    with tempfile.TemporaryDirectory(prefix="avw-scene-start-") as name:
        folder = Path(name)
        scenes = folder / "scenes"
        write_scenes(scenes, count, round(gigabytes * 1e9 / count))
        environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
        start = [*command.split(), "generate", str(folder / "out"), "--dry-run", "--workers", "1", "--scenes"]
        took = seconds([*start, str(scenes)], environment, repeats)
        began, before = time.perf_counter(), time.process_time()
        for path in sorted(scenes.iterdir()):
            file_sha256(path)
        hashing = (time.perf_counter() - began, time.process_time() - before)
    conditions = f"{count} sparse GLB files of {gigabytes:g} GB in all, fastest of {repeats}, {command}"
    rows = [
        Row(name=name, ours=ours, peer=peer, peer_name="SHA-256 of every file", unit=unit, conditions=conditions)
        for name, unit, ours, peer in zip(
            ("dry run over scene files", "its processor time"), ("s", "CPU s"), took, hashing, strict=True
        )
    ]
    present("scene_start", rows, as_json=as_json)


def write_scenes(folder: Path, count: int, size: int) -> None:
    """`count` sparse GLB files of `size` bytes with a valid header, last changed an hour ago."""
    folder.mkdir()
    text = json.dumps(HEADER).encode()
    text += b" " * (-len(text) % 4)
    then = time.time() - AGE
    for number in range(count):
        path = folder / f"scan-{number:04d}.glb"
        with path.open("wb") as file:
            file.write(struct.pack("<4sIIII", b"glTF", 2, size, len(text), int.from_bytes(b"JSON", "little")) + text)
            file.write(struct.pack("<I4s", size - 28 - len(text), b"BIN\0"))
            file.truncate(size)
        os.utime(path, (then, then))


def seconds(command: Sequence[str], environment: dict[str, str], repeats: int) -> tuple[float, float]:
    """(wall-clock seconds, CPU seconds) of the fastest run. Raises CalledProcessError if one fails."""
    times = []
    for _ in range(repeats):
        began, before = time.perf_counter(), os.times()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        took, after = time.perf_counter() - began, os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        times.append((took, used))
    return min(times)


if __name__ == "__main__":
    main()
