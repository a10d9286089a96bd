"""The worker side of `local_processes`: a process that runs one task at a time."""

from __future__ import annotations

import resource
import signal
import time
import traceback
from multiprocessing.connection import Connection

from avw.avw4k.execution.protocol import Work
from avw.sim_bridge.errors import AvwError

REPORT_SECONDS = 0.2


class PipeReport:
    """Sends reports to the parent, steps at most five times per second."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.pending, self.last = 0, time.monotonic()

    def __call__(self, steps: int) -> None:
        self.pending += steps
        if time.monotonic() - self.last >= REPORT_SECONDS:
            self.flush()

    def doing(self, part: str) -> None:
        self.connection.send(("doing", part))

    def flush(self) -> None:
        if self.pending:
            self.connection.send(("steps", self.pending))
        self.pending, self.last = 0, time.monotonic()


def worker_main(connection: Connection, work: Work) -> None:
    """Receive tasks and send results until the connection is closed.

    Messages: ("steps", n), ("doing", part), ("done", (result, peak bytes)), ("failed", AvwError), ("crashed", text).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    report = PipeReport(connection)
    message: tuple[str, object]
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            result = work(task, report)
            message = ("done", (result, peak_bytes()))
        except (BrokenPipeError, ConnectionResetError):
            return  # the parent is gone: committed results stay, the others are made again by the next run
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
    """The largest memory that this process has used so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
