"""Tasks on many machines: one Ray actor per processor, one task at a time each (`pip install 'avw[ray]'`).

Results depend on the task only, so it does not matter which node computes which. All nodes must see the output folder
and the scenes under the same paths, as a cluster's shared file system provides; only the driver commits results.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

from avw.avw4k.execution.protocol import Report, SilentReport, Work
from avw.avw4k.execution.task_queue import TaskQueue
from avw.sim_bridge.errors import AvwError, BackendError
from avw.sim_bridge.process.threads import ONE_THREAD

CONNECT_SECONDS = 10.0
ADVICE = "If memory ran out, type the same command with fewer --workers; otherwise report the scene as a bug."


class Worker:
    """The actor: keeps the work, and so its open scene, from task to task."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.report: Report = SilentReport()  # steps are counted when a task is done

    def do(self, task: Any) -> Any:
        """The result, or the AvwError that the task ended with: Ray would wrap a raised one."""
        try:
            return self.work(task, self.report)
        except AvwError as error:
            return error


@dataclass(frozen=True, kw_only=True, slots=True)
class RayExecutor:
    """`protocol.Execute` on the cluster at `address` ("auto": the one that this machine belongs to)."""

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
        """workers: the most actors; 0: one per processor of the cluster."""
        queue = TaskQueue(tasks, scene_of, log)
        # Ray's threads print what happens on the cluster, and stdout is for the caller's results only.
        with redirect_stdout(sys.stderr):
            ray = connect(self.address)
            try:
                yield from _results(ray, work, queue, workers or cluster_cpus(ray), on_steps)
            finally:
                ray.shutdown()
        queue.raise_given_up(ADVICE)


def connect(address: str) -> Any:
    """The `ray` module, connected. Raises BackendError where Ray is not installed or no cluster answers."""
    try:
        import ray
    except ImportError as error:
        raise BackendError("Ray is not installed; type: pip install 'avw[ray]'") from error
    if ray.is_initialized():
        return ray
    # Actors must find the same modules as this process, and use one thread each, as local workers do.
    variables = dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    variables |= {name: os.environ[name] for name in ("AVW_HABITAT_PYTHON", "AVW_SCENES") if name in os.environ}
    try:
        _check_listening(address)
        ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": variables}, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise BackendError(
            f"no Ray cluster answers at {address!r} ({error}); start one on this machine with: ray start --head"
        ) from error
    return ray


def _check_listening(address: str) -> None:
    """Raises OSError where nothing listens at HOST:PORT: Ray itself would go on trying for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def cluster_cpus(ray: Any) -> int:
    """Processors of all nodes together."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _results(
    ray: Any, work: Work, queue: TaskQueue, workers: int, on_steps: Callable[[int], None]
) -> Iterator[tuple[Any, Any]]:
    actor_class = ray.remote(num_cpus=1, max_restarts=0)(Worker)
    shared_work = ray.put(work)
    idle: list[tuple[Any, object]] = [
        (actor_class.remote(shared_work), None) for _ in range(min(workers, len(queue.tasks)))
    ]  # (actor, the scene that it has open)
    busy: dict[Any, tuple[Any, int]] = {}  # by the reference of the result: (actor, task number)
    while queue.waiting or busy:
        while queue.waiting and idle:
            actor, scene = idle.pop()
            number = queue.take(scene)
            busy[actor.do.remote(queue.tasks[number])] = (actor, number)
        finished, _ = ray.wait(list(busy), num_returns=1)
        for reference in finished:
            actor, number = busy.pop(reference)
            task = queue.tasks[number]
            try:
                result = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                raise BackendError(f"a worker failed unexpectedly on {task}:\n{error}") from error
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[0]
                queue.worker_died(number, f"the actor on {task} died ({reason})")
                idle.append((actor_class.remote(shared_work), None))
                continue
            if isinstance(result, AvwError):
                raise result
            idle.append((actor, queue.scene(number)))
            on_steps(getattr(task, "steps", 0))
            yield task, result
