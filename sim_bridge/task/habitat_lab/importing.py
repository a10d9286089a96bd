"""Imports habitat-lab where a plain `import habitat` fails, or explains in one sentence why it cannot be imported."""

from __future__ import annotations

import ctypes
import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from avw.sim_bridge.errors import BackendError

INSTALL = "pip install 'avw[habitat]' && pip install --no-deps habitat-lab (docs/habitat.md)"


def import_habitat() -> ModuleType:
    """habitat-lab's package `habitat`, imported. Raises BackendError where it, or habitat-sim, is not installed."""
    if sys.platform == "linux":
        # habitat-sim with audio loads an engine that exports its own libstdc++. The library that
        # is loaded first is used, and with that one the process aborts ("free(): invalid pointer").
        with suppress(OSError):
            ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)
    try:
        with _shared_defaults():
            return importlib.import_module("habitat")
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        if missing == "habitat":
            raise BackendError(f"habitat-lab is not installed in {sys.executable}: {INSTALL}") from error
        if missing == "habitat_sim":
            raise BackendError(
                f"habitat-lab imports habitat_sim, which is not installed in {sys.executable}: install habitat-sim "
                "there, which habitat-lab needs even with AVW's embedded backend (docs/habitat.md), or use the "
                "Gymnasium environment avw.sim_bridge.task.env:avw/AudioNav-v0"
            ) from error
        raise BackendError(f"habitat-lab could not be imported in {sys.executable}: {error}. {INSTALL}") from error


@contextmanager
def _shared_defaults() -> Iterator[None]:
    """Allow dataclass instances as defaults in habitat-lab's config classes, as Python did up to 3.10.

    habitat-lab 0.3.3 needs this: from 3.11 on, dataclasses reject defaults that cannot be hashed. These defaults are
    never changed (OmegaConf copies them), so a hash by value is correct.
    """
    original = dataclasses.dataclass

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        def decorate(cls: type) -> type:
            if cls.__module__ == "habitat.config.default_structured_configs":
                options.setdefault("unsafe_hash", True)
            decorated: type = original(**options)(cls)
            return decorated

        return decorate if cls is None else decorate(cls)

    replaced: Callable[..., Any] = dataclass
    dataclasses.dataclass = replaced
    try:
        yield
    finally:
        dataclasses.dataclass = original
