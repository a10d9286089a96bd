"""What the commands that run workers share: the executor, the progress bar, and the handling of SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from avw.avw4k.execution.protocol import Execute


def chosen_executor(executor: str, ray_address: str, workers: int | None) -> tuple[Execute, int]:
    """(executor, number of workers) for `--executor`, `--ray-address` and `--workers`."""
    from avw.avw4k.execution.local_processes import run_in_processes
    from avw.avw4k.execution.ray_executor import RayExecutor, cluster_cpus, connect
    from avw.sim_bridge.process.threads import available_cores

    if executor != "ray" and ray_address != "auto":
        raise click.UsageError("--ray-address applies to --executor ray only; add it, or leave out --ray-address")
    if executor == "ray":
        return RayExecutor(address=ray_address), workers or cluster_cpus(connect(ray_address))
    return run_in_processes, workers or available_cores()


class ProgressBar:
    """One progress bar for all workers, on stderr."""

    def __init__(self, description: str, unit: str) -> None:
        self.description, self.unit = description, unit
        self.bar: Any = None
        self.done = 0

    def begin(self, done: int, total: int) -> None:
        from avw.cli.progress import Bar

        waiting = "starting the workers, loading the scenes and compiling; the first start takes longest"
        self.bar = Bar(total=total, initial=done, unit=self.unit, desc=self.description, waiting=waiting)

    def add(self, count: int) -> None:
        self.done += count
        self.bar.update(count)

    def note(self, text: str) -> None:
        """Show a short text behind the bar."""
        self.bar.set_postfix_str(text)

    def log(self, text: str) -> None:
        click.echo(f"avw: {text}", err=True)


@contextmanager
def progress_bar(description: str, unit: str) -> Iterator[ProgressBar]:
    """A progress bar that is closed even if the work fails."""
    bar = ProgressBar(description, unit)
    try:
        yield bar
    finally:
        if bar.bar is not None:
            bar.bar.close()


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Handle SIGTERM, which batch systems send, in the same way as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
