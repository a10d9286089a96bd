"""The parent's side of RLR's child process: every wait is bounded, and a death is reported with its last words."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from typing import IO, Any

import numpy as np

from sim_bridge.acoustics.rlr_worker import receive, send
from sim_bridge.errors import BackendError

_LAST_WORDS = 600  # characters of what the child wrote to stderr that an error quotes
_COMMAND = (sys.executable, "-m", "sim_bridge.acoustics.rlr_worker")
_FAREWELL = 5.0  # seconds to end in by itself, once its stdin is closed


class _SlowError(Exception):
    """The other side was silent for too long."""


class RlrProcess:
    """One child. `ask` sends a request and waits for its answer, at most `patience` seconds.

    A child that dies or falls silent is ended and raises BackendError with its last words; so does every later `ask`.
    """

    def __init__(self, scene_id: str, patience: float, command: tuple[str, ...] = _COMMAND):
        self._scene_id = scene_id
        self._patience = patience
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0
        )
        assert self._child.stdin is not None
        # A child that hangs while a large scene is being sent must not hold the writer either.
        os.set_blocking(self._child.stdin.fileno(), False)

    @property
    def pid(self) -> int:
        return self._child.pid

    def ask(self, header: dict[str, Any], *arrays: np.ndarray) -> tuple[dict[str, Any], list[np.ndarray]]:
        """The child's reply and its arrays."""
        if self._child.stdin is None or self._child.stdin.closed:
            raise BackendError("this RLR process has ended: call set_source, which starts another")
        pipe = _BoundedPipe(self._child, time.monotonic() + self._patience)
        what = f"while asked for {header['do']!r} in scene {self._scene_id!r}"
        try:
            send(pipe, header, *arrays)
            reply, answer = receive(pipe)
        except _SlowError as error:
            words = self._end(patience=0.0)
            raise BackendError(
                f"RLR's process was silent for {self._patience:g} s {what} and was ended{words}. Raise "
                "RlrConfig.patience_seconds if the scene is huge, lower `rays`, or use --acoustics emitters"
            ) from error
        except (EOFError, OSError) as error:
            words = self._end(patience=_FAREWELL)
            raise BackendError(
                f"RLR's process ended with {self._how()} {what}{words}. It aborts on geometry or materials that it "
                "cannot take: try `avw doctor --acoustics rlr`, which tests it in plain rooms, or use --acoustics "
                "emitters"
            ) from error
        if "error" in reply:
            raise BackendError(f"RLR refused {what}: {reply['error']}")
        return reply, answer

    def close(self) -> None:
        """End the child. Safe to call twice."""
        self._end(patience=_FAREWELL)

    def _end(self, patience: float) -> str:
        """Close the pipes, wait, kill if need be; returns the child's last words as the tail of a sentence."""
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        try:
            self._child.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        words = " ".join(self._errors.read().decode(errors="replace").split())[-_LAST_WORDS:]
        self._errors.close()
        return f"; its last words: {words!r}" if words else "; it said nothing"

    def _how(self) -> str:
        code = self._child.returncode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


class _BoundedPipe:
    """A child's stdin and stdout with a deadline (time.monotonic), after which they raise _SlowError."""

    def __init__(self, child: subprocess.Popen[bytes], deadline: float):
        assert child.stdin is not None
        assert child.stdout is not None
        self._to, self._from, self._deadline = child.stdin.fileno(), child.stdout.fileno(), deadline

    def write(self, content: bytes) -> None:
        view = memoryview(content)
        while len(view):
            self._wait([], [self._to])
            view = view[os.write(self._to, view[: 1 << 16]) :]

    def flush(self) -> None:
        pass

    def read(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            self._wait([self._from], [])
            part = os.read(self._from, min(count - len(parts), 1 << 20))
            if not part:
                break
            parts += part
        return bytes(parts)

    def _wait(self, reading: list[int], writing: list[int]) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0.0 or not any(select.select(reading, writing, [], left)[:2]):
            raise _SlowError
