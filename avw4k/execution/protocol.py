"""What executors and the work that they run agree on.

An executor runs `work(task, report)` for each task, on this machine (`local_processes`), in this process
(`this_process`) or on a Ray cluster (`ray_executor`). Results depend on the task only, so that any executor with any
number of workers gives the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol


class Report(Protocol):
    """How work reports its progress."""

    def __call__(self, steps: int) -> None:
        """So many more steps of the task are done."""
        ...

    def doing(self, part: str) -> None:
        """The part of the task that begins now, e.g. "episode 12". It is named if the worker dies."""
        ...


Work = Callable[[Any, Report], Any]
"""work(task, report) -> result. Picklable, as tasks and results are. A task names itself with `str(task)`."""


class Execute(Protocol):
    """Runs tasks and yields (task, result) as they finish, in any order. Each executor has this signature.

    workers: how many tasks run at a time · scene_of(task): tasks of the same scene go to the same worker if possible
    on_steps: called with the steps done since the last call; negative when a task starts again
    log: called with a sentence about each worker that died
    Raises the AvwError of a task that failed. A task whose worker died is run again, ATTEMPTS times in all; those that
    fail every time are named in a BackendError after all others are finished.
    """

    def __call__(
        self,
        work: Work,
        tasks: Sequence[Any],
        workers: int,
        *,
        scene_of: Callable[[Any], object],
        on_steps: Callable[[int], None],
        log: Callable[[str], None] = ...,
    ) -> Iterator[tuple[Any, Any]]: ...


class SilentReport:
    """A report that is not used."""

    def __call__(self, steps: int) -> None:
        pass

    def doing(self, part: str) -> None:
        pass
