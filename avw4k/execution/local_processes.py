"""Tasks in worker processes on this machine, each doing one at a time.

There is always a worker process, for one worker too. Workers start with one thread in every numeric library, so that
results do not depend on their number; a crash in native code ends a worker and not the run; and Ctrl-C is handled by
the parent only, so that it never interrupts a write.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from avw.avw4k.execution.kernel_cache import kernels_cached
from avw.avw4k.execution.protocol import Work
from avw.avw4k.execution.task_queue import TaskQueue
from avw.avw4k.execution.worker import worker_main
from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.process.threads import one_thread

RECYCLE_TASKS = 64  # a worker is replaced after so many tasks, which bounds the leaks of native code
MEMORY_SHARE = 0.8  # of the machine's memory, for all workers together; a worker above its part is replaced
ADVICE = (
    "SIGKILL usually means that memory ran out: type the same command with fewer --workers. If a policy of yours ran, "
    "look there; otherwise report the scene as a bug."
)
SCRIPT_ADVICE = (
    "A class of your script is part of the work, so each worker imports the script: its calls must be under "
    '`if __name__ == "__main__":`.'
)


@dataclass(slots=True)
class _Worker:
    """task: its number · scene: the last one it opened · reported: steps of the task · doing: part of the task"""

    process: BaseProcess
    connection: Connection
    task: int | None = None
    scene: object = None
    reported: int = 0
    doing: str = ""
    tasks_done: int = 0
    peak_bytes: int = 0


def run_in_processes(
    work: Work,
    tasks: Sequence[Any],
    workers: int,
    *,
    scene_of: Callable[[Any], object],
    on_steps: Callable[[int], None],
    log: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[Any, Any]]:
    """`protocol.Execute` in spawned processes.

    If Numba's kernels are not compiled yet, the first worker starts first and the others after its first reported step,
    so that the kernels are compiled once and not once per worker. Leaving the iteration early (an error, Ctrl-C) ends
    the workers.
    """
    queue = TaskQueue(tasks, scene_of, log)
    workers = min(max(1, workers), max(1, len(tasks)))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    run = _Run(work, queue, workers, on_steps, MEMORY_SHARE * memory / workers, compiled=kernels_cached())
    try:
        yield from run.results()
    finally:
        _end(run.team)
    queue.raise_given_up(f"{SCRIPT_ADVICE} {ADVICE}" if _is_from_script(work) else ADVICE)


class _Run:
    """The parent's loop. compiled: whether all workers may start · limit: bytes of memory per worker"""

    def __init__(
        self, work: Work, queue: TaskQueue, workers: int, on_steps: Callable[[int], None], limit: float, compiled: bool
    ) -> None:
        self.work, self.queue, self.workers, self.on_steps = work, queue, workers, on_steps
        self.limit, self.compiled = limit, compiled
        self.team: list[_Worker] = []

    def results(self) -> Iterator[tuple[Any, Any]]:
        while self.queue.waiting or any(worker.task is not None for worker in self.team):
            self._assign()
            connections: list[Any] = [worker.connection for worker in self.team]
            for ready in wait(connections):
                worker = next(worker for worker in self.team if worker.connection is ready)
                message = _receive(worker)
                if message is None:
                    self._dead(worker)
                elif message[0] == "done":
                    yield self._done(worker, *message[1])
                else:
                    self._reported(worker, *message)

    def _assign(self) -> None:
        """Start missing workers, and give each idle one a task."""
        while self.queue.waiting and len(self.team) < self.workers:
            self.team.append(_start(self.work))
        for worker in self.team:
            busy = any(other.task is not None for other in self.team)
            if worker.task is not None or not self.queue.waiting or (busy and not self.compiled):
                continue
            number = self.queue.take(worker.scene, {other.scene for other in self.team if other is not worker})
            worker.task, worker.scene, worker.reported = number, self.queue.scene(number), 0
            with suppress(BrokenPipeError, ConnectionResetError):  # died while idle: the next `_receive` notices
                worker.connection.send(self.queue.tasks[number])

    def _reported(self, worker: _Worker, kind: str, value: Any) -> None:
        if kind == "doing":
            worker.doing = value
        elif kind == "steps":
            self.compiled = True
            worker.reported += value
            self.on_steps(value)
        elif kind == "failed":
            raise value
        else:
            raise BackendError(f"a worker failed unexpectedly on {self._place(worker)}:\n{value}")

    def _done(self, worker: _Worker, result: Any, peak_bytes: int) -> tuple[Any, Any]:
        self.compiled = True
        assert worker.task is not None
        task = self.queue.tasks[worker.task]
        worker.task, worker.reported, worker.doing = None, 0, ""
        worker.tasks_done += 1
        if self.queue.waiting and (worker.tasks_done >= RECYCLE_TASKS or peak_bytes > self.limit):
            self.team.remove(worker)
            _end([worker])
        return task, result

    def _dead(self, worker: _Worker) -> None:
        """Remove a worker that died, and give its task back to the queue."""
        self.team.remove(worker)
        self.on_steps(-worker.reported)
        worker.process.join()
        if worker.task is None:
            return
        code = worker.process.exitcode or 0
        how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        self.queue.worker_died(worker.task, f"the worker on {self._place(worker)} {how}")

    def _place(self, worker: _Worker) -> str:
        """Where a worker is: "train-00003.h5 of procedural-0007, in episode 12"."""
        assert worker.task is not None
        task = str(self.queue.tasks[worker.task])
        return f"{task}, in {worker.doing}" if worker.doing else task


def _receive(worker: _Worker) -> tuple[str, Any] | None:
    """The next message of a worker; None if it died."""
    try:
        message: tuple[str, Any] = worker.connection.recv()
        return message
    except (EOFError, OSError):  # OSError: it died within a message
        return None


def _start(work: Work) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    resource_tracker.ensure_running()  # otherwise `process.start` starts it, and unblocks the signal
    # Ctrl-C reaches the whole process group, but only the parent may act on it, even while a worker is starting.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with one_thread(), nullcontext() if _is_from_script(work) else _script_hidden():
            process = context.Process(target=worker_main, args=(theirs, work), daemon=True)
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return _Worker(process, ours)


def _is_from_script(work: Work) -> bool:
    """Whether a worker has to import the user's script, because a class in it is part of the work."""
    return b"__main__" in pickle.dumps(work)


@contextmanager
def _script_hidden() -> Iterator[None]:
    """Processes started meanwhile do not import the user's script, which `multiprocessing` would run again in each.

    Otherwise `avw.generate(...)` in a script without `if __name__ == "__main__":` would start itself in its workers.
    """
    script = sys.modules["__main__"]
    hidden: dict[str, Any] = {
        name: script.__dict__.pop(name) for name in ("__spec__", "__file__") if name in script.__dict__
    }
    vars(script)["__spec__"] = None
    try:
        yield
    finally:
        del vars(script)["__spec__"]
        vars(script).update(hidden)


def refuse_in_starting_worker(function: str) -> None:
    """Raises UsageError in a worker that is running the user's script again, which calls `function` outside a guard."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UsageError(
            f"{function} was called by a worker process while it imported your script. A worker does that when a class "
            'of the script is part of its work: put the calls of the script under `if __name__ == "__main__":`, or '
            "move the class to a file of its own"
        )


def _end(team: list[_Worker]) -> None:
    """Idle workers leave by themselves when their pipe closes; busy ones are terminated."""
    for worker in team:
        worker.connection.close()
        if worker.task is not None:
            worker.process.terminate()
    for worker in team:
        worker.process.join(timeout=5.0)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
