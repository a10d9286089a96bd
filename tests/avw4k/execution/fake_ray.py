"""As much of Ray as `ray_executor` uses, in this process: for tests where no cluster is needed or Ray is missing.

A task runs when its result is waited for. Work ends its actor by raising `Death`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any


class Death(BaseException):
    """The end of an actor's process."""


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class FakeRay:
    """Stands for the module `ray`. actors: how many were made · initialized: whether a driver is connected"""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, cpus: int = 2) -> None:
        self.cpus, self.actors, self.initialized = cpus, 0, False
        self.arguments: dict[str, Any] = {}

    def is_initialized(self) -> bool:
        return self.initialized

    def init(self, **arguments: Any) -> None:
        self.initialized, self.arguments = True, arguments

    def shutdown(self) -> None:
        self.initialized = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cpus)}

    def put(self, value: Any) -> bytes:
        return pickle.dumps(value)  # what reaches an actor is a copy

    def remote(self, **settings: Any) -> Callable[[type], Any]:
        return lambda kind: SimpleNamespace(remote=lambda stored: self._actor(kind, stored))

    def _actor(self, kind: type, stored: bytes) -> Any:
        self.actors += 1
        actor = kind(pickle.loads(stored))
        return SimpleNamespace(do=SimpleNamespace(remote=lambda task: _Reference(actor, pickle.dumps(task))))

    def wait(self, references: Sequence[_Reference], num_returns: int) -> tuple[list[_Reference], list[_Reference]]:
        return list(references[:num_returns]), list(references[num_returns:])

    def get(self, reference: _Reference) -> Any:
        try:
            return pickle.loads(pickle.dumps(reference.actor.do(pickle.loads(reference.task))))
        except Death as death:
            raise RayError("The actor died unexpectedly before finishing this task.\nmore") from death
        except Exception as error:
            raise RayTaskError(f"{type(error).__name__}: {error}") from error


class _Reference:
    def __init__(self, actor: Any, task: bytes) -> None:
        self.actor, self.task = actor, task
