"""The parent's side of RLR's child process, which turns its crashes and hangs into error messages."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.process.child import Child, ChildError

_COMMAND = (sys.executable, "-m", "avw.sim_bridge.acoustics.rlr_worker")


class RlrProcess:
    """One child process. `ask` sends a request and waits for the reply, at most `patience` seconds.

    If the child dies or gives no answer in time, it is ended and `ask` raises BackendError with the end of its error
    output. Every later `ask` raises BackendError too.
    """

    def __init__(self, scene_id: str, patience: float, command: tuple[str, ...] = _COMMAND):
        self._scene_id = scene_id
        self._patience = patience
        self._child = Child(command)

    @property
    def pid(self) -> int:
        return self._child.pid

    def ask(self, header: dict[str, Any], *arrays: np.ndarray) -> tuple[dict[str, Any], list[np.ndarray]]:
        """The child's reply and its arrays. Raises BackendError if it has ended, dies, hangs or reports an error."""
        if self._child.ended:
            raise BackendError("this RLR process has ended: call set_source, which starts another")
        what = f"while it handled {header['do']!r} in scene {self._scene_id!r}"
        try:
            reply, answer = self._child.ask(header, *arrays, patience=self._patience)
        except ChildError as error:
            if error.silent:
                raise BackendError(
                    f"RLR's process {error.how} {what} and was ended{error.words}. Increase "
                    "RlrConfig.patience_seconds if the scene is very large, reduce `rays`, or use --acoustics emitters"
                ) from error
            raise BackendError(
                f"RLR's process ended with {error.how} {what}{error.words}. It aborts on geometry or materials that "
                "it does not support: try `avw doctor --acoustics rlr`, which tests it in simple rooms, or use "
                "--acoustics emitters"
            ) from error
        if "error" in reply:
            raise BackendError(f"RLR reported an error {what}: {reply['error']}")
        return reply, answer

    def close(self) -> None:
        """End the child. Safe to call twice."""
        self._child.close()
