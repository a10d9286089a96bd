"""The tasks of a run that are not finished yet, and how often each was tried."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from avw.sim_bridge.errors import BackendError

ATTEMPTS = 3  # of a task whose worker dies (out of memory, a crash in native code)


@dataclass(slots=True)
class TaskQueue:
    """waiting: task numbers in order · attempts: by task number · given_up: what happened, one clause per task"""

    tasks: Sequence[Any]
    scene_of: Callable[[Any], object]
    log: Callable[[str], None]
    waiting: list[int] = field(init=False)
    attempts: dict[int, int] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = list(range(len(self.tasks)))

    def take(self, open_scene: object, other_scenes: Collection[object] = ()) -> int:
        """The number of the next task for a worker that has `open_scene` open.

        It is a task of that scene if there is one, else of a scene that no other worker has open, else the first task.
        """
        same = (number for number in self.waiting if self.scene(number) == open_scene)
        unopened = (number for number in self.waiting if self.scene(number) not in other_scenes)
        number = next(same, next(unopened, self.waiting[0]))
        self.waiting.remove(number)
        self.attempts[number] = self.attempts.get(number, 0) + 1
        return number

    def scene(self, number: int) -> object:
        return self.scene_of(self.tasks[number])

    def worker_died(self, number: int, failure: str) -> None:
        """Run the task again, or give it up after the last attempt. failure: a clause that names the task."""
        if self.attempts[number] >= ATTEMPTS:
            self.given_up.append(f"{failure}, {ATTEMPTS} times")
        else:
            self.log(f"{failure}; trying again")
            self.waiting.insert(0, number)

    def raise_given_up(self, advice: str) -> None:
        """Raises BackendError if a task was given up."""
        if self.given_up:
            raise BackendError(
                f"{'; '.join(self.given_up)}. All other tasks are finished and their results are safe. {advice}"
            )
