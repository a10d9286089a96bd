"""Policies from a user's Python file: `my.py:Mine` is the class or function `Mine` in my.py."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from avw.model.policies.as_action import as_action
from avw.sim_bridge.errors import AvwError, PolicyError, UsageError
from avw.sim_bridge.types import Action, Observation


class _Source:
    """A policy's file while its code runs. The modules beside it that it imports are its own: they are not in
    `sys.modules` at other times, so another policy can have a module of the same name beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._beside: dict[str, ModuleType] = {}
        name = f"avw_policy_{path.stem}_{abs(hash(path))}"  # never the name of a user's module
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        self.module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            with self.importing():
                spec.loader.exec_module(self.module)
        except BaseException:
            del sys.modules[name]
            raise
        files = (getattr(module, "__file__", None) for module in self._beside.values())
        self.files = [path, *sorted(Path(file) for file in files if file)]  # itself and the modules that it imported
        self._written = self._times()

    @property
    def changed(self) -> bool:
        """Whether one of the files was edited since."""
        return self._times() != self._written

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Run code of the policy. What is installed comes first: no file beside a policy hides a package."""
        folder, before = str(self.path.parent), set(sys.modules)
        hidden = {name: sys.modules[name] for name in self._beside if name in before}
        sys.modules.update(self._beside)
        sys.path.append(folder)
        try:
            yield
        finally:
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(folder)]
            if len(sys.modules) != len(before) + len(self._beside) - len(hidden):
                self._beside |= {
                    name: sys.modules[name] for name in sys.modules.keys() - before if self._owns(name, before)
                }
            for name in self._beside:
                sys.modules.pop(name, None)
            sys.modules.update(hidden)

    def _owns(self, name: str, before: set[str]) -> bool:
        """Whether a module that was imported, or the package that it is in, lies beside the file."""
        top = name.partition(".")[0]
        if top in before and top not in self._beside:
            return False  # a part of a package of AVW or of the caller
        module, beside = sys.modules.get(top), self.path.parent / top
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        return any(Path(place) in (beside, beside.with_suffix(".py")) for place in places if place)

    def _times(self) -> list[int | None]:
        return [file.stat().st_mtime_ns if file.exists() else None for file in self.files]


_sources: dict[Path, _Source] = {}  # that were imported


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
    """SHA-256 of FILE.py and of the modules beside it that it imports at once. Raises as `load_policy` does."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in _source(name).files)).hexdigest()


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
    _, attribute = split_policy_file(name)
    source = _source(name)
    factory = getattr(source.module, attribute, None)
    if factory is None:
        raise UsageError(f"--policy {name}: {source.path} has no {attribute}")
    if not callable(factory):
        raise UsageError(f"--policy {name}: {attribute} is not a class or a function that makes a policy")
    with user_code(name, f"{attribute}()"), source.importing():
        policy = factory()
    return UserPolicy(name, check_policy(name, policy), source)


def _source(name: str) -> _Source:
    """The imported file of a policy; it is imported again if it was edited."""
    path, _ = split_policy_file(name)
    if path not in _sources or _sources[path].changed:
        with user_code(name, "its file"):
            _sources[path] = _Source(path)
    return _sources[path]


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

    def __init__(self, name: str, policy: Any, source: _Source | None = None) -> None:
        self.name, self.policy, self.step = name, policy, 0
        self._running = nullcontext if source is None else source.importing

    def reset(self, seed: int) -> None:
        self.step = 0
        with user_code(self.name, "reset"), self._running():
            self.policy.reset(seed)

    def act(self, observation: Observation) -> Action:
        with user_code(self.name, f"act, step {self.step} of an episode"), self._running():
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
