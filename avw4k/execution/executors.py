"""Where work is done: spawned processes on this machine, each doing one task at a time.

Always processes, for one worker too: they start with one thread each in every numeric library, so that results do
not depend on how many there are; a crash of native code kills a worker and not the run; Ctrl-C never hits a write.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from avw import sim_bridge
from avw.sim_bridge.errors import AvwError, BackendError

ATTEMPTS = 2  # a task whose worker died (out of memory, a crash in native code) is tried once more
REPORT_SECONDS = 0.2
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "BLOSC_NTHREADS")

RECYCLE_TASKS = 64  # a worker that did so many is replaced: whatever leaks in native code leaks no further
MEMORY_SHARE = 0.8  # of the machine's memory, for all workers together; one that grew beyond its part is replaced


class Report(Protocol):
    """What a worker says while it works."""

    def __call__(self, steps: int) -> None:
        """So many more steps of the task are done."""
        ...

    def doing(self, what: str) -> None:
        """What is being done from now on, e.g. "episode 12": named if the worker dies at it."""
        ...


Work = Callable[[Any, Report], Any]


class Execute(Protocol):
    """Does tasks somewhere and yields (task, result) as they finish, in any order."""

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


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    task: int | None = None
    scene: object = None
    reported: int = 0
    doing: str = ""
    tasks_done: int = 0
    peak_bytes: int = 0


@dataclass(slots=True)
class _State:
    """What is still to do. waiting: task numbers in order · attempts: by task number · lost: what killed its worker
    every time, in words"""

    waiting: list[int]
    attempts: dict[int, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def run_in_processes(
    work: Work,
    tasks: Sequence[Any],
    workers: int,
    *,
    scene_of: Callable[[Any], object],
    on_steps: Callable[[int], None],
    log: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[Any, Any]]:
    """Yield (task, result) as they finish, in any order. `work(task, report)` runs in a worker.

    Where Numba has its kernels yet to compile, the first worker begins alone and the others when it reports its first
    step: compiling is paid once, not once a worker. A worker prefers tasks of the scene that it has open. `on_steps`
    gets the steps done since last time, negative when a task is begun anew; `log` a sentence on each worker that died.
    Raises the AvwError of a task that failed; when all else is done, BackendError for tasks that killed a worker twice.
    Leaving the iteration early (an error, Ctrl-C) ends the workers.
    """
    state = _State(list(range(len(tasks))))
    workers = min(max(1, workers), max(1, len(tasks)))
    team: list[_Worker] = []
    warm = kernels_cached()
    limit = MEMORY_SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / workers
    try:
        while state.waiting or any(worker.task is not None for worker in team):
            while state.waiting and len(team) < workers:
                team.append(_start(work))
            for worker in team:
                busy = any(other.task is not None for other in team)
                if worker.task is None and state.waiting and (warm or not busy):
                    _assign(worker, team, tasks, state, scene_of)
            signals: list[Any] = [worker.connection for worker in team]
            for ready in wait(signals):
                worker = next(worker for worker in team if worker.connection is ready)
                message = _receive(worker)
                if message is None:
                    team.remove(worker)
                    on_steps(-worker.reported)
                    _bury(worker, tasks, state, log)
                    continue
                kind, value = message
                if kind == "doing":
                    worker.doing = value
                elif kind == "steps":
                    warm = True
                    worker.reported += value
                    on_steps(value)
                elif kind == "done":
                    warm = True
                    task, worker.task, worker.reported, worker.doing = worker.task, None, 0, ""
                    result, worker.peak_bytes = value
                    worker.tasks_done += 1
                    if state.waiting and (worker.tasks_done >= RECYCLE_TASKS or worker.peak_bytes > limit):
                        team.remove(worker)
                        _end([worker])
                    yield tasks[task], result  # type: ignore[index]
                elif kind == "failed":
                    raise value
                else:
                    raise BackendError(f"a worker failed unexpectedly on {_place(worker, tasks)}:\n{value}")
        if state.lost:
            raise BackendError(
                f"{'; '.join(state.lost)}. All else is done, and what is committed is safe. SIGKILL usually means that "
                "memory ran out: type the same command with fewer --workers; else report the scene as a bug."
            )
    finally:
        _end(team)


def kernels_cached() -> bool:
    """Whether Numba's cache beside our sources has an entry, newer than the source, for each file with kernels.

    A cache that lies elsewhere (a read-only installation, NUMBA_CACHE_DIR) counts as absent, which only costs time.
    """
    for source in Path(sim_bridge.__file__).parent.rglob("*.py"):
        if b"cache=True" not in source.read_bytes():
            continue
        entries = source.parent.glob(f"__pycache__/{source.stem}.*.nbi")
        if max((entry.stat().st_mtime for entry in entries), default=0.0) < source.stat().st_mtime:
            return False
    return True


def _assign(
    worker: _Worker, team: list[_Worker], tasks: Sequence[Any], state: _State, scene_of: Callable[[Any], object]
) -> None:
    taken = {other.scene for other in team if other is not worker}
    same = [task for task in state.waiting if scene_of(tasks[task]) == worker.scene]
    fresh = [task for task in state.waiting if scene_of(tasks[task]) not in taken]
    task = (same or fresh or state.waiting)[0]
    state.waiting.remove(task)
    state.attempts[task] = state.attempts.get(task, 0) + 1
    worker.task, worker.scene, worker.reported = task, scene_of(tasks[task]), 0
    with suppress(BrokenPipeError, ConnectionResetError):  # it died while idle: its end of the pipe says so next
        worker.connection.send(tasks[task])


def _bury(worker: _Worker, tasks: Sequence[Any], state: _State, log: Callable[[str], None]) -> None:
    """Put the task of a dead worker back, or give it up."""
    worker.process.join()
    if worker.task is None:
        return
    code = worker.process.exitcode or 0
    how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"left with code {code}"
    said = f"the worker on {_place(worker, tasks)} {how}"
    if state.attempts[worker.task] >= ATTEMPTS:
        state.lost.append(f"{said}, {ATTEMPTS} times")
    else:
        log(f"{said}: tried again")
        state.waiting.insert(0, worker.task)


def _place(worker: _Worker, tasks: Sequence[Any]) -> str:
    """Where a worker was: "train-00003.h5 of procedural-0007, in episode 12"."""
    named = task_name(tasks[worker.task or 0])
    return f"{named}, in {worker.doing}" if worker.doing else named


def task_name(task: Any) -> str:
    """What to call a task in a sentence; shards by their file and scene."""
    return f"{task.name} of {task.scene}" if hasattr(task, "name") and hasattr(task, "scene") else str(task)


def _receive(worker: _Worker) -> tuple[str, Any] | None:
    try:
        message: tuple[str, Any] = worker.connection.recv()
        return message
    except (EOFError, ConnectionResetError):
        return None


def _start(work: Work) -> _Worker:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    resource_tracker.ensure_running()  # else the start below starts it, and unblocks the signal
    # Ctrl-C reaches the whole process group, but only the parent is to hear it, even while a worker is starting.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with one_thread():
            process = context.Process(target=_worker_main, args=(there, work), daemon=True)
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    there.close()
    return _Worker(process, here)


def _end(team: list[_Worker]) -> None:
    """Idle workers leave by themselves when their pipe closes; the others are told to."""
    for worker in team:
        worker.connection.close()
        if worker.task is not None:
            worker.process.terminate()
    for worker in team:
        worker.process.join(timeout=5.0)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes started meanwhile compute with one thread each: as many workers as cores fill them."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Reporter:
    """Sends what the work says to the parent, steps at most five times a second."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.pending, self.last = 0, time.monotonic()

    def __call__(self, steps: int) -> None:
        self.pending += steps
        if time.monotonic() - self.last >= REPORT_SECONDS:
            self.flush()

    def doing(self, what: str) -> None:
        self.connection.send(("doing", what))

    def flush(self) -> None:
        if self.pending:
            self.connection.send(("steps", self.pending))
        self.pending, self.last = 0, time.monotonic()


def _worker_main(connection: Connection, work: Work) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    report = _Reporter(connection)
    message: tuple[str, Any]
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            result = work(task, report)
            message = ("done", (result, peak_bytes()))
        except (BrokenPipeError, ConnectionResetError):
            return  # the parent is gone; what is committed stays, what is not is redone
        except AvwError as error:
            message = ("failed", error)
        except Exception:
            message = ("crashed", traceback.format_exc())
        try:
            report.flush()
            connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return


def peak_bytes() -> int:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
