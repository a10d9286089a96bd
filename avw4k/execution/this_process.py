"""An executor without worker processes: for tests, and for work that cannot be pickled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from avw.avw4k.execution.protocol import SilentReport, Work


def run_in_this_process(
    work: Work,
    tasks: Sequence[Any],
    workers: int,
    *,
    scene_of: Callable[[Any], object],
    on_steps: Callable[[int], None],
    log: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[Any, Any]]:
    """`protocol.Execute`, one task after the other in the order of their scenes. A crash ends the process."""
    report = SilentReport()
    scenes = list(dict.fromkeys(scene_of(task) for task in tasks))
    for task in sorted(tasks, key=lambda task: scenes.index(scene_of(task))):
        yield task, work(task, report)
