"""Policies from a user's Python file: `my.py:Mine` is the class or function `Mine` in my.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import UsageError


def is_policy_file(name: str) -> bool:
    """Whether a policy is named as FILE.py:NAME."""
    return ".py:" in name


def policy_label(name: str) -> str:
    """What records and result files call a policy: its name; of "folder/my.py:Mine", "Mine"."""
    return name.rpartition(":")[2] if is_policy_file(name) else name


def split_policy_file(name: str) -> tuple[Path, str]:
    """("folder/my.py", "Mine"). Raises UsageError if there is no such file."""
    file, _, attribute = name.rpartition(":")
    path = Path(file).expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"--policy {name}: there is no file {path}")
    if not attribute.isidentifier():
        raise UsageError(f"--policy {name}: {attribute!r} is not the name of a class; type e.g. --policy {file}:Mine")
    return path, attribute


def full_policy_name(name: str) -> str:
    """The name with an absolute path, valid in any process. Raises UsageError if there is no such file."""
    if not is_policy_file(name):
        return name
    path, attribute = split_policy_file(name)
    return f"{path}:{attribute}"


def load_policy(name: str) -> Any:
    """Import FILE.py and call NAME() for a `policies.Policy`. FILE.py can import modules that are beside it.

    Raises UsageError for a missing file or name, and for an object without `reset` and `act`. Errors of the file itself
    are raised as they are.
    """
    path, attribute = split_policy_file(name)
    factory = getattr(_module(path), attribute, None)
    if factory is None:
        raise UsageError(f"--policy {name}: {path} has no {attribute}")
    policy: Any = factory()
    missing = [method for method in ("reset", "act") if not callable(getattr(policy, method, None))]
    if missing:
        raise UsageError(
            f"--policy {name}: {attribute}() has no method {' and no method '.join(missing)}; a policy has "
            "reset(seed) and act(observation)"
        )
    return policy


def _module(path: Path) -> Any:
    module_name = f"avw_policy_{path.stem}_{abs(hash(str(path)))}"  # never the name of a module of the user's
    if module_name not in sys.modules:
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # last, so that no file beside it hides an installed module
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[module_name]
            raise
    return sys.modules[module_name]
