"""Ctrl-C ends a command, also while a library is imported that swallows the interrupt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import ROOT

SWALLOWING = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass
except BaseException:
    pass
"""
PROGRAM = """
import signal, sys, time
from avw.cli.interrupts import interrupts_survive_imports
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by processes that a shell started in the background
interrupts_survive_imports()
try:
    import swallowing
    time.sleep(30)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupt_during_an_import_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "swallowing.py").write_text(SWALLOWING)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PYTHONPATH": f"{ROOT}:{tmp_path}"}, timeout=25, check=False
    )
    assert done.returncode == 130
