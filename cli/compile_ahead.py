"""`avw doctor --compile`: compile all kernels now, each part in a process of its own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed

import click


def compile_ahead() -> None:
    """Compile everything that is not in the cache, and say how long it took."""
    from avw.model.memory.compilation import compile_memory
    from avw.sim_bridge.process.compilation import NOTICE
    from avw.sim_bridge.selftest.compilation import compile_sight, compile_sound

    parts: dict[str, Callable[[], None]] = {
        "sound": compile_sound,
        "images and floors": compile_sight,
        "memory": compile_memory,
    }
    click.echo(NOTICE, err=True)
    began = time.monotonic()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        started = {pool.submit(part): name for name, part in parts.items()}
        for done in as_completed(started):
            done.result()
            click.echo(f"  {started[done]}: {time.monotonic() - began:.0f} s", err=True)
