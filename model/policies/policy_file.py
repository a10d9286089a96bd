"""Policies from a user's Python file: `my.py:Mine` is the class or function `Mine` in my.py."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from avw.model.policies.as_action import as_action
from avw.sim_bridge.errors import AvwError, PolicyError, UsageError
from avw.sim_bridge.types import Action, Observation

_folders: list[str] = []  # of the policies that were imported, newest first; they are at the end of sys.path


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


def source_digest(name: str) -> str:
    """SHA-256 of FILE.py and of the modules beside it that it imports, directly or through each other."""
    path, _ = split_policy_file(name)
    sources = [path, *sorted(_beside(path).values())]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def full_policy_name(name: str) -> str:
    """The name with an absolute path, valid in any process. Raises UsageError if there is no such file."""
    if not is_policy_file(name):
        return name
    path, attribute = split_policy_file(name)
    return f"{path}:{attribute}"


def load_policy(name: str) -> UserPolicy:
    """Import FILE.py and call NAME() for a policy. FILE.py can import modules that are beside it.

    Raises UsageError for a missing file or name and for an object without `reset` and `act`, PolicyError if the code
    fails.
    """
    path, attribute = split_policy_file(name)
    with user_code(name, "its file"):
        module = _module(path)
    factory = getattr(module, attribute, None)
    if factory is None:
        raise UsageError(f"--policy {name}: {path} has no {attribute}")
    if not callable(factory):
        raise UsageError(f"--policy {name}: {attribute} is not a class or a function that makes a policy")
    with user_code(name, f"{attribute}()"):
        policy = factory()
    return UserPolicy(name, check_policy(name, policy))


def check_policy(name: str, policy: Any) -> Any:
    """The object itself. Raises UsageError if it does not have the methods of a policy."""
    missing = [method for method in ("reset", "act") if not callable(getattr(policy, method, None))]
    if missing:
        raise UsageError(
            f"--policy {name}: not a policy, because a {type(policy).__name__} has no method "
            f"{' and no method '.join(missing)}. A policy has reset(seed) and act(observation); see avw.Policy"
        )
    return policy


class UserPolicy:
    """A user's policy whose errors name the policy and the step, and show the traceback of the user's code."""

    def __init__(self, name: str, policy: Any) -> None:
        self.name, self.policy, self.step = name, policy, 0

    def reset(self, seed: int) -> None:
        self.step = 0
        with user_code(self.name, "reset"):
            self.policy.reset(seed)

    def act(self, observation: Observation) -> Action:
        with user_code(self.name, f"act, step {self.step} of an episode"):
            action = self.policy.act(observation)
        try:
            checked = as_action(action)
        except UsageError as error:
            raise PolicyError(
                f"the policy {self.name} failed in act, step {self.step} of an episode: {error}"
            ) from error
        self.step += 1
        return checked


@contextmanager
def user_code(name: str, what: str) -> Iterator[None]:
    """Turn an exception of a user's code into a PolicyError that contains its traceback, as text."""
    try:
        yield
    except AvwError:
        raise
    except (Exception, SystemExit) as error:  # sys.exit() of a policy must not end the run without a word
        frames = traceback.extract_tb(error.__traceback__)
        ours = str(Path(__file__))
        shown = [frame for frame in frames if frame.filename != ours and not frame.filename.startswith("<frozen")]
        trace = "".join(traceback.format_list(shown)).rstrip()
        raise PolicyError(f"the policy {name} failed in {what}: {type(error).__name__}: {error}\n{trace}") from error


def _beside(path: Path) -> dict[str, Path]:
    """Name and file of each module in the folder of a file that the file imports, directly or through another one."""
    finder = ModuleFinder([str(path.parent)])
    with suppress(SyntaxError, UnicodeError):  # which importing the file reports
        finder.run_script(str(path))
    files = {name: getattr(module, "__file__", None) for name, module in finder.modules.items()}
    return {name: Path(file) for name, file in files.items() if file and Path(file) != path}


def _module(path: Path) -> Any:
    written = path.stat().st_mtime_ns  # a file that was edited since is another module
    module_name = f"avw_policy_{path.stem}_{abs(hash((str(path), written)))}"  # never the name of a user's module
    if module_name not in sys.modules:
        _import_from(path)
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


def _import_from(path: Path) -> None:
    """Let a policy import the modules beside it, and not those of the same names beside another policy."""
    folder = str(path.parent)
    installed = [place for place in sys.path if place not in _folders]
    others = [place for place in _folders if place != folder]
    # After what is installed, so that no file beside a policy hides a package.
    sys.path[:] = [*installed, *([] if folder in installed else [folder]), *others]
    for name in _beside(path):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and any(Path(file).is_relative_to(other) for other in others):
            del sys.modules[name]
    if folder not in installed:
        _folders[:] = [folder, *others]
    importlib.invalidate_caches()
