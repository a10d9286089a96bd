"""Runs `generate` and kills it at a chosen moment: `python -m tests.avw4k.kill_points REFERENCE FOLDER`.

Everything is imported and warmed up once; each trial is a fork of this process, which takes a tenth of a second instead
of ten. A trial uses one process only, so that its operations can be counted: every open, write, flush, truncation,
rename and removal of a file, in order. Trials are JSON lines on stdin:
    {"kind": "point", "number": 17, "after": false}     SIGKILL right before (after) operation 17; a write is torn
    {"kind": "byte", "limit": 12345}                    the kernel kills the process at byte 12345 of any file
    {"kind": "time", "seconds": 0.31}                   SIGKILL from outside at that moment
Each trial is then resumed without a kill, and gives one JSON line: how it ended, what was committed, and whether the
resumed dataset has the bytes of the reference. The first line contains the number of operations of a run.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.manifest import read_manifest
from avw.avw4k.writing.generate import generate

OPERATIONS = ("open", "fsync", "pwrite", "ftruncate", "replace", "unlink")


class Killer:
    """Counts the file operations of this process and kills it at one of them."""

    def __init__(self, at: int = -1, *, after: bool = False) -> None:
        self.count = 0
        self.at, self.after = at, after
        for name in OPERATIONS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **keywords: Any) -> Any:
            now, self.count = self.count, self.count + 1
            if now == self.at and not self.after:
                if name == "pwrite":  # cut in the middle
                    handle, content, place = arguments
                    real(handle, content[: len(content) // 2], place)
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **keywords)
            if now == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return operation


def run(folder: Path, spec: DatasetSpec, trial: dict[str, Any]) -> None:
    """One attempt, in a fork; does not return."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if trial["kind"] == "byte":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (trial["limit"], trial["limit"]))
    if trial["kind"] == "point":
        Killer(trial["number"], after=trial["after"])
    generate(folder, spec, execute=run_in_this_process)
    os._exit(0)


def attempt(folder: Path, spec: DatasetSpec, trial: dict[str, Any]) -> str:
    """Fork an attempt and return how it ended: "SIGKILL", or "exit 0"."""
    child = os.fork()
    if child == 0:
        try:
            run(folder, spec, trial)
        finally:
            os._exit(99)
    if trial["kind"] == "time":
        time.sleep(trial["seconds"])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def trial_result(folder: Path, spec: DatasetSpec, reference: dict[str, str], trial: dict[str, Any]) -> dict[str, Any]:
    """Attempt, inspect, resume, compare."""
    ended = attempt(folder, spec, trial)
    committed = read_manifest(folder) if (folder / "info.json").exists() else {}
    written = {name: (folder / name).stat().st_mtime_ns for name in committed}
    true = all(hashlib.sha256((folder / n).read_bytes()).hexdigest() == r.sha256 for n, r in committed.items())
    resumed = attempt(folder, spec, {"kind": "none"})
    kept = {name: (folder / name).stat().st_mtime_ns for name in committed} == written
    same = digests(folder) == reference
    shutil.rmtree(folder)
    return trial | {
        "ended": ended, "committed": len(committed), "true": true, "resumed": resumed, "kept": kept, "same": same,
    }  # fmt: skip


def main(reference: Path, folder: Path) -> None:
    spec = open_dataset(reference).spec
    spec = DatasetSpec.from_json(spec.to_json())
    generate(folder, spec, execute=run_in_this_process)  # compiles, and caches what it compiled
    shutil.rmtree(folder)
    counter = Killer()
    generate(folder, spec, execute=run_in_this_process)
    print(json.dumps({"operations": counter.count, "same": digests(folder) == digests(reference)}), flush=True)
    shutil.rmtree(folder)
    for line in sys.stdin:
        print(json.dumps(trial_result(folder, spec, digests(reference), json.loads(line))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
