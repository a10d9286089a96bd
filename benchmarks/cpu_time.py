"""CPU time of this process and of the living ones below it: a simulator in a child costs what it costs there, too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds, of processors and by the clock."""

    cpu: float
    wall: float


def measured(task: Callable[[], object]) -> Spent:
    """What one call took. Processes that end within it are not counted."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    task()
    return Spent(cpu_seconds() - cpu, time.perf_counter() - wall)


def cpu_seconds() -> float:
    """Seconds so far, of this process and of all below it that live. Linux only, to a hundredth for those below."""
    parents: dict[int, list[tuple[int, float]]] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended in between
            parents.setdefault(int(fields[1]), []).append(
                (int(folder.name), (int(fields[11]) + int(fields[12])) / tick)
            )
    total, left = time.process_time(), [os.getpid()]
    while left:
        for pid, seconds in parents.get(left.pop(), []):
            total += seconds
            left.append(pid)
    return total
