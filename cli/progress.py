"""Progress on stderr: bars that estimate nothing before they can, and a line where nothing moves for a while."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from tqdm import tqdm

STILL = 5.0  # seconds without any movement after which a line says what is being done
_FEW = 3  # steps, and
_EARLY = 10.0  # seconds, before which a remaining time would be that of starting and compiling
_WITHOUT_ESTIMATE = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class Bar(tqdm):
    """A progress bar. waiting: what is done until the first step; options: those of tqdm"""

    def __init__(self, *, waiting: str = "", **options: Any) -> None:
        self._timer: threading.Timer | None = None
        interval = 0.1 if sys.stderr.isatty() else 10.0
        super().__init__(**{"file": sys.stderr, "dynamic_ncols": True, "mininterval": interval, **options})
        if waiting and not self.disable:
            self._timer = _started(lambda: self._say(waiting))

    def _say(self, waiting: str) -> None:
        if self.n == self.initial:
            self.write(f"avw: {waiting}", file=sys.stderr)

    @property
    def format_dict(self) -> Any:
        """The values that are shown, without a remaining time while there is nothing to compute it from."""
        values = super().format_dict
        if values.get("total") and (values["n"] - values["initial"] < _FEW or values["elapsed"] < _EARLY):
            values["bar_format"] = _WITHOUT_ESTIMATE
        return values

    def close(self) -> None:
        """Close the bar, and say nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        super().close()


@contextmanager
def phase(text: str) -> Iterator[None]:
    """Print a line if the block takes longer than `STILL`."""
    timer = _started(lambda: click.echo(f"avw: {text}", err=True))
    try:
        yield
    finally:
        timer.cancel()


def _started(action: Any) -> threading.Timer:
    timer = threading.Timer(STILL, action)
    timer.daemon = True
    timer.start()
    return timer
