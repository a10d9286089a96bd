"""CPU time of this process and of its running child processes, so that simulators in a child process are included."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: CPU time and wall-clock time."""

    cpu: float
    wall: float


def measured(task: Callable[[], object]) -> Spent:
    """Time of one call. Processes that end during the call are not counted."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    task()
    return Spent(cpu_seconds() - cpu, time.perf_counter() - wall)


def cpu_seconds() -> float:
    """CPU seconds so far of this process and of all running processes below it. Linux only; children to 0.01 s."""
    parents: dict[int, list[tuple[int, float]]] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended in the meantime
            parents.setdefault(int(fields[1]), []).append(
                (int(folder.name), (int(fields[11]) + int(fields[12])) / tick)
            )
    total, left = time.process_time(), [os.getpid()]
    while left:
        for pid, seconds in parents.get(left.pop(), []):
            total += seconds
            left.append(pid)
    return total
