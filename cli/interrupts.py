"""Ctrl-C ends every command, also while a module is imported.

Some libraries import others with `try: import x / except BaseException`, which swallows a KeyboardInterrupt, and the
command would go on as if nothing had been typed. So an interrupt that comes during an import is raised after it.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

AGAIN = 0.05  # seconds until the next look whether the import has ended
IMPATIENT = 3  # interrupts during one import after which the process ends at once
_waiting = 0


def interrupts_survive_imports() -> None:
    """Install the handler of SIGINT. For the main thread of a command; workers ignore the signal."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
        signal.signal(signal.SIGALRM, _interrupted)


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _waiting
    if _importing(frame):
        _waiting += number == signal.SIGINT
        if _waiting >= IMPATIENT:
            sys.stderr.write("avw: interrupted.\n")
            os._exit(130)
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        return
    _waiting = 0
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise KeyboardInterrupt


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
