"""A child process that may crash, hang or be stopped. Every wait for it is bounded, and its last output is kept."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from avw.sim_bridge.process.messages import receive, send

_QUOTED = 600  # characters of the child's stderr that an error quotes
_EXIT_SECONDS = 5.0  # seconds that the child has to exit by itself after its stdin was closed
_POLL = 0.25  # seconds between two checks of a child that does not answer
_STOPPED_POLLS = 8  # checks in a row that must find it stopped; fewer could be a suspended job that goes on
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEMORY = os.sysconf("SC_PHYS_PAGES") * _PAGE
_MEMORY_SHARE = 0.6  # of the machine's memory: a damaged file can make a library allocate without limit
_STALLED = 60.0  # seconds without processor time and without waiting for a disk, after which it hangs


class ChildError(Exception):
    """The child died (`silent` is False), or gave no answer in time and was killed.

    how: "signal 11", "exit code 3", "was stopped", "was silent for 20 s" · words: the end of a sentence that quotes its
    last output · hopeless: another child would need as much time or memory for the same request
    """

    def __init__(self, how: str, words: str, *, silent: bool, hopeless: bool = False) -> None:
        super().__init__(how + words)
        self.how, self.words, self.silent, self.hopeless = how, words, silent, hopeless


class _SlowError(Exception):
    """No answer in time, or none to be expected. The message says what the child was doing, if that was the cause."""

    def __init__(self, how: str, *, hopeless: bool = False) -> None:
        super().__init__(how)
        self.hopeless = hopeless


class Child:
    """A child that answers messages on its stdin and stdout. Raises OSError where the command cannot be run."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        try:
            self._child = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0, env=env
            )
        except OSError:
            self._errors.close()
            raise
        assert self._child.stdin is not None
        # A child that hangs while a large scene is sent must not block the writer either.
        os.set_blocking(self._child.stdin.fileno(), False)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def ended(self) -> bool:
        """Whether its pipes are closed, so that it cannot answer any more."""
        return self._child.stdin is None or self._child.stdin.closed

    def ask(
        self, header: dict[str, Any], *arrays: np.ndarray, patience: float
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Send a request and wait at most `patience` seconds for the answer. After a ChildError the child has ended."""
        pipe = _BoundedPipe(self._child, time.monotonic() + patience)
        try:
            send(pipe, header, *arrays)
            return receive(pipe)
        except _SlowError as slow:
            how = str(slow) or f"was silent for {patience:g} s"
            raise ChildError(how, self._end(patience=0.0), silent=True, hopeless=slow.hopeless) from slow
        except (EOFError, OSError) as error:
            words = self._end(patience=_EXIT_SECONDS)
            code = self._child.returncode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            raise ChildError(how, words, silent=False) from error

    def close(self) -> None:
        """End the child. Safe to call twice."""
        self._end(patience=_EXIT_SECONDS)

    def _end(self, patience: float) -> str:
        """Close the pipes, wait, kill if necessary. Returns the child's last output as the end of a sentence."""
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
        lines = dict.fromkeys(self._errors.read().decode(errors="replace").splitlines())  # many messages are repeated
        words = " ".join(" ".join(lines).split())[-_QUOTED:]
        self._errors.close()
        return f"; its last output: {words!r}" if words else "; it wrote nothing to stderr"


class _BoundedPipe:
    """A child's stdin and stdout with a deadline (time.monotonic), after which they raise _SlowError.

    A child that is stopped (SIGSTOP), hangs in a lock or uses up the machine's memory raises it before the deadline.
    Its heartbeat is its processor time as counted by the kernel, which works even while the child holds its own locks.
    """

    def __init__(self, child: subprocess.Popen[bytes], deadline: float):
        assert child.stdin is not None
        assert child.stdout is not None
        self._to, self._from, self._deadline = child.stdin.fileno(), child.stdout.fileno(), deadline
        self._state = Path(f"/proc/{child.pid}/stat")

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
        stopped, ticks, alive = 0, -1, time.monotonic()
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0.0:
                raise _SlowError("", hopeless=True)
            if any(select.select(reading, writing, [], min(left, _POLL))[:2]):
                return
            state, now, used = self._pulse()
            if used > _MEMORY_SHARE * _MEMORY:
                raise _SlowError(f"was using {used / 1e9:.0f} GB of memory", hopeless=True)
            stopped = stopped + 1 if state in ("T", "t") else 0
            if stopped >= _STOPPED_POLLS:
                raise _SlowError("was stopped")
            if state == "D" or now != ticks:
                ticks, alive = now, time.monotonic()
            elif time.monotonic() - alive > _STALLED:
                raise _SlowError(f"hung: it used no processor time for {_STALLED:g} s")

    def _pulse(self) -> tuple[str, int, int]:
        """(its state, ticks of processor time, bytes of memory). Linux only; elsewhere only the deadline counts."""
        try:
            fields = self._state.read_text().rpartition(")")[2].split()
            return fields[0], int(fields[11]) + int(fields[12]), int(fields[21]) * _PAGE
        except (OSError, IndexError, ValueError):
            return "D", 0, 0
