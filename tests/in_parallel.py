"""Runs the test suite in parts, several at a time: `python -m tests.in_parallel [PYTEST OPTION]...`.

Each folder of tests is a part, and the files beside them are another. A part is one run of pytest, so fixtures of the
session are made once per part. There are as many runs at a time as the machine has cores, up to three. The output of a
part is printed when it has ended. The exit code is 1 if a part failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from avw.sim_bridge.process.threads import available_cores

TESTS = Path(__file__).parent
NOTHING_SELECTED = 5  # pytest's exit code for a part whose tests are all deselected


@dataclass(frozen=True, slots=True)
class Ended:
    """A part that has ended: what pytest printed, its exit code, and seconds."""

    name: str
    output: str
    code: int
    seconds: float

    @property
    def failed(self) -> bool:
        return self.code not in (0, NOTHING_SELECTED)


def parts(tests: Path = TESTS) -> dict[str, list[Path]]:
    """The paths of each part by its name, those with the most test files first."""
    found = {folder.name: [folder] for folder in tests.iterdir() if any(folder.rglob("test_*.py"))}
    found["files"] = sorted(tests.glob("test_*.py"))
    return dict(sorted(found.items(), key=lambda part: -sum(len([*path.rglob("test_*.py")]) for path in part[1])))


def run_part(name: str, paths: Sequence[Path], options: Sequence[str]) -> Ended:
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", *options, *map(str, paths)]
    # One thread each: the parts share the cores.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run(
        command, cwd=TESTS.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return Ended(name, done.stdout, done.returncode, time.monotonic() - start)


def main(options: Sequence[str]) -> int:
    everything = parts()
    processes = min(3, available_cores())
    print(f"{len(everything)} parts, {processes} at a time: {', '.join(everything)}", flush=True)
    ended = []
    with ThreadPoolExecutor(processes) as pool:
        running = [pool.submit(run_part, name, paths, options) for name, paths in everything.items()]
        for part in as_completed(running):
            ended.append(part.result())
            print(f"\n===== {ended[-1].name}, {ended[-1].seconds:.0f} s\n{ended[-1].output}", flush=True)
    failed = [part.name for part in ended if part.failed]
    print(f"failed: {', '.join(failed)}" if failed else "all parts passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
