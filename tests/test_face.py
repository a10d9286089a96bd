"""`import avw`: what it costs, which names it has, and that Gymnasium knows the environment."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import avw
from avw.sim_bridge.errors import BackendError
from tests import ROOT

HEAVY = ("numpy", "numba", "torch", "gymnasium", "h5py", "scipy", "click")


def python(code: str, *, folder: Path, path: str = str(ROOT)) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def typed_names() -> dict[str, str]:
    """The names of the `if TYPE_CHECKING` block, and where each comes from."""
    tree = ast.parse((ROOT / "avw" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    found = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            assert node.module
            for alias in node.names:
                found[alias.asname or alias.name] = node.module
    return found


def test_importing_it_imports_nothing_heavy(tmp_path: Path) -> None:
    assert python(f"import avw, sys; print([m for m in {HEAVY} if m in sys.modules])", folder=tmp_path) == "[]"


def test_type_checkers_see_the_names_that_exist_at_run_time() -> None:
    typed = typed_names()
    assert {*typed, "__version__"} == set(avw.__all__)
    assert set(avw.__all__) <= set(dir(avw))
    for name, module in typed.items():
        if name == "WarpRenderer" and importlib.util.find_spec("warp") is None:  # of the extra `gpu`
            with pytest.raises(BackendError, match=r"pip install 'avw\[gpu\]'"):
                getattr(avw, name)
            continue
        assert getattr(avw, name) is getattr(importlib.import_module(module), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'teleport'"):
        avw.teleport  # noqa: B018
    assert not hasattr(avw, "teleport")


def test_the_version_is_that_of_the_project(tmp_path: Path) -> None:
    version = python("import avw; print(avw.__version__)", folder=tmp_path)
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()


def test_a_checkout_that_was_never_installed_has_a_version_too(tmp_path: Path) -> None:
    for name in ("avw", "pyproject.toml"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    shown = python(
        "import importlib.metadata as m, avw\n"
        "def absent(name): raise m.PackageNotFoundError(name)\n"
        "m.version = absent\nprint(avw.__version__)",
        folder=tmp_path, path=str(tmp_path),
    )  # fmt: skip
    assert shown == avw.__version__


def test_a_missing_extra_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", missing)
    monkeypatch.delitem(vars(avw), "AudioNavTask", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'avw\[model\]'"):
        avw.AudioNavTask  # noqa: B018


MAKE = "print(gymnasium.make('{}', scenes='procedural:1').unwrapped.__class__.__name__)"


@pytest.mark.parametrize(
    "program",
    [
        "import gymnasium; " + MAKE.format("avw:avw/AudioNav-v0"),
        "import avw, gymnasium; " + MAKE.format("avw/AudioNav-v0"),
        "import gymnasium, avw; " + MAKE.format("avw/AudioNav-v0"),
        "import avw, gymnasium; " + MAKE.format("avw:avw/AudioNav-v0"),
        "import avw, importlib.util as u; u.find_spec('gymnasium'); import gymnasium; "
        + MAKE.format("avw/AudioNav-v0"),
        "import avw; avw.make_env; import gymnasium; " + MAKE.format("avw/AudioNav-v0"),
    ],
)
def test_gymnasium_makes_the_environment_in_either_order(program: str, tmp_path: Path) -> None:
    assert python(program, folder=tmp_path) == "AudioNavEnv"


def test_the_finder_is_gone_once_gymnasium_is_imported(tmp_path: Path) -> None:
    count = "print(sum('gymnasium' in type(f).__name__.lower() for f in sys.meta_path))"
    assert python(f"import sys, avw; {count}; import gymnasium; {count}", folder=tmp_path).split() == ["1", "0"]


def test_a_users_own_model_and_cli_do_no_harm(tmp_path: Path) -> None:
    for name in ("model.py", "cli.py"):
        (tmp_path / name).write_text('raise SystemExit("user file")\n')
    program = (
        "import avw\n"
        "simulator = avw.open_simulator('procedural-0000', avw.SimulatorConfig(size=16, emitters=100))\n"
        "start, source = avw.sample_episode(simulator, seed=0)\n"
        "print(simulator.reset(start, source).rgb_HWC.shape)"
    )
    path = f"{tmp_path}:{ROOT}"
    assert python(program, folder=tmp_path, path=path) == "(16, 16, 3)"
    shown = subprocess.run(
        [sys.executable, "-m", "avw.cli", "--help"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "navigate" in shown.stdout, shown.stderr


def test_values_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.jsonl").write_text("")
    with pytest.raises(avw.AvwError, match="is a file; name a folder"):
        avw.generate(tmp_path / "file", scenes="procedural:1", simulator=avw.SimulatorConfig(size=16, emitters=100))
    with pytest.raises(avw.AvwError, match="is a dataset; name another folder"):
        avw.train(tmp_path / "data", tmp_path / "data")
    with pytest.raises(avw.AvwError, match="expected three numbers"):
        avw.train(tmp_path / "data", tmp_path / "run", steps=(-1, 0, 0))
