"""Datasets of episodes: planning, simulation, writing, reading, viewing and exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avw.avw4k.reading.recover import open_simulator

__all__ = ["open_simulator"]


def __getattr__(name: str) -> Any:
    """`avw4k.open_simulator(shard, demo)`, without importing the simulator with everything else."""
    if name in __all__:
        from avw.avw4k.reading.recover import open_simulator

        return open_simulator
    raise AttributeError(f"module 'avw4k' has no attribute {name!r}")
