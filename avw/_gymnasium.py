"""Register "avw/AudioNav-v0" with Gymnasium, without importing Gymnasium.

Gymnasium 1.0 removed entry points for environments: an environment exists once somebody has called
`gymnasium.register`. Importing Gymnasium takes about 0.2 s and imports NumPy, so `import avw` does not do it. If
Gymnasium is already imported, the environment is registered at once. If not, a finder on `sys.meta_path` waits for the
import of Gymnasium, registers the environment right after it, and removes itself. So both orders of the two imports
work, and so does `gymnasium.make("avw:avw/AudioNav-v0")`, which imports avw.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `importlib.abc` alone would take longer to import than all the rest of `import avw`
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ENV_ID = "avw/AudioNav-v0"
ENTRY_POINT = "avw.sim_bridge.task.env:AudioNavEnv"


def register_with_gymnasium() -> None:
    """Register the environment now if Gymnasium is imported, else as soon as it is."""
    module = sys.modules.get("gymnasium")
    if module is not None and hasattr(module, "register"):
        _register(module)
    elif not any(isinstance(finder, _AfterGymnasium) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterGymnasium())


def _register(gymnasium: ModuleType) -> None:
    if ENV_ID not in gymnasium.registry:
        gymnasium.register(id=ENV_ID, entry_point=ENTRY_POINT)


class _AfterGymnasium:
    """Finds nothing itself: it adds the registration to what the other finders found for Gymnasium."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "gymnasium":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            self._add_registration(spec.loader)
        return spec

    def _add_registration(self, loader: Loader) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _register(module)

        setattr(loader, "exec_module", exec_module)  # noqa: B010 - of this one loader, which loads Gymnasium only
