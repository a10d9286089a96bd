"""Says that kernels are compiled, which takes up to a minute once per installation and would otherwise be silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOTICE = "Compiling for this machine, once per installation (up to a minute) …"


@contextmanager
def announced_compilation(report: Callable[[str], object]) -> Iterator[None]:
    """Within the context, call `report` once if Numba compiles a kernel that is not in its cache."""
    from numba.core import event

    class Listener(event.Listener):
        told = False

        def on_start(self, event: object) -> None:
            if not self.told:
                self.told = True
                report(NOTICE)

        def on_end(self, event: object) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield
