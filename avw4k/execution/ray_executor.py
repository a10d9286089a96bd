"""Where work is done, on many machines: one Ray actor a processor, one task at a time each (`pip install 'avw[ray]'`).

Shards are functions of the spec, so it does not matter which node makes which. All nodes must see the dataset's folder
under the same path, as a cluster's shared file system gives it; only the driver writes the manifest.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

from avw.avw4k.execution.executors import ATTEMPTS, ONE_THREAD, Report, Work, task_name
from avw.sim_bridge.errors import AvwError, BackendError

PATIENCE_SECONDS = 10.0


class Silent:
    """A report that nobody reads: steps are counted when a task is done."""

    def __call__(self, steps: int) -> None:
        pass

    def doing(self, what: str) -> None:
        pass


class Worker:
    """The actor: keeps the work, and so its open scene, from task to task."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.report: Report = Silent()

    def do(self, task: Any) -> Any:
        """The result, or the AvwError that the task ended with: Ray would wrap a raised one."""
        try:
            return self.work(task, self.report)
        except AvwError as error:
            return error


@dataclass(slots=True)
class _Busy:
    actor: Any
    task: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RayExecutor:
    """`executors.Execute` on the cluster at `address` ("auto": the one that this machine belongs to)."""

    address: str = "auto"

    def __call__(
        self,
        work: Work,
        tasks: Sequence[Any],
        workers: int,
        *,
        scene_of: Callable[[Any], object],
        on_steps: Callable[[int], None],
        log: Callable[[str], None] = lambda text: None,
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (task, result) as they finish. workers: actors at most; 0: one for each processor of the cluster.

        A task whose actor or node died is given to another one; after the second time it is named in a BackendError,
        when all else is done. Raises the AvwError of a task that failed.
        """
        # Ray's threads print what happens on the cluster, and stdout is for the caller's results alone.
        with redirect_stdout(sys.stderr):
            ray = connect(self.address)
            try:
                yield from _run(ray, work, tasks, workers or cluster_cpus(ray), scene_of, on_steps, log)
            finally:
                ray.shutdown()


def connect(address: str) -> Any:
    """The `ray` module, connected. Raises BackendError where Ray is not installed or no cluster answers."""
    try:
        import ray
    except ImportError as error:
        raise BackendError("Ray is not installed here; type: pip install 'avw[ray]'") from error
    if ray.is_initialized():
        return ray
    # What this process can import, its actors must import too; and one thread each, as local workers have.
    variables = dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    variables |= {name: os.environ[name] for name in ("AVW_HABITAT_PYTHON", "AVW_SCENES") if name in os.environ}
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": variables}, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise BackendError(
            f"no Ray cluster answers at {address!r} ({error}); start one on this machine with: ray start --head"
        ) from error
    return ray


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT: Ray itself would go on trying for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS).close()


def cluster_cpus(ray: Any) -> int:
    """Processors of all nodes together."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _run(
    ray: Any,
    work: Work,
    tasks: Sequence[Any],
    workers: int,
    scene_of: Callable[[Any], object],
    on_steps: Callable[[int], None],
    log: Callable[[str], None],
) -> Iterator[tuple[Any, Any]]:
    remote = ray.remote(num_cpus=1, max_restarts=0)(Worker)
    shared_work = ray.put(work)
    waiting = list(range(len(tasks)))
    attempts: dict[int, int] = {}
    lost: list[str] = []
    idle: list[tuple[Any, object]] = [(remote.remote(shared_work), None) for _ in range(min(workers, len(tasks)))]
    busy: dict[Any, _Busy] = {}
    while waiting or busy:
        while waiting and idle:
            actor, scene = idle.pop()
            number = next((n for n in waiting if scene_of(tasks[n]) == scene), waiting[0])
            waiting.remove(number)
            attempts[number] = attempts.get(number, 0) + 1
            busy[actor.do.remote(tasks[number])] = _Busy(actor, number)
        done, _ = ray.wait(list(busy), num_returns=1)
        for reference in done:
            ended = busy.pop(reference)
            task = tasks[ended.task]
            try:
                result = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                raise BackendError(f"a worker failed unexpectedly on {task_name(task)}:\n{error}") from error
            except ray.exceptions.RayError as error:
                said = f"the actor on {task_name(task)} died ({str(error).strip().splitlines()[0]})"
                if attempts[ended.task] >= ATTEMPTS:
                    lost.append(f"{said}, {ATTEMPTS} times")
                else:
                    log(f"{said}: tried again")
                    waiting.insert(0, ended.task)
                idle.append((remote.remote(shared_work), None))
                continue
            if isinstance(result, AvwError):
                raise result
            idle.append((ended.actor, scene_of(task)))
            on_steps(getattr(task, "steps", 0))
            yield task, result
    if lost:
        raise BackendError(f"{'; '.join(lost)}. All else is done, and what is committed is safe.")
