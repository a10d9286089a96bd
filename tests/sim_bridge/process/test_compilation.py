"""Compilation is announced once and only where it happens; `avw doctor --compile` leaves none for the first frame."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba import njit

from avw.sim_bridge.process.compilation import NOTICE, announced_compilation
from tests import ROOT

FIRST_STEPS = """
from avw.model.play.session import PlayConfig, Session
from avw.sim_bridge.process.compilation import announced_compilation
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import Action
with announced_compilation(print):
    session = Session(PlayConfig(scene="procedural-0003", simulator=SimulatorConfig(size=32, emitters=200)))
    session.reset(0)
    for action in Action:
        session.step(action)
"""


def test_a_compilation_is_announced_once():
    heard: list[str] = []

    @njit
    def twice(x):
        return 2 * x

    @njit
    def thrice(x):
        return 3 * x

    with announced_compilation(heard.append):
        assert heard == []
        assert (twice(2), thrice(2), twice(3)) == (4, 6, 6)
    assert heard == [NOTICE]
    with announced_compilation(heard.append):
        assert twice(4) == 8
    thrice(1.5)  # compiled for another type, after the context
    assert heard == [NOTICE]


def test_kernels_have_no_default_that_every_process_compiles_again():
    """Numba compares a default that has no hash, such as an array, by its address, so its cache is never hit."""
    kernels, wrong = 0, []
    for package in ("sim_bridge", "avw4k", "model", "cli"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and "njit" in "".join(map(ast.unparse, node.decorator_list)):
                    kernels += 1
                    wrong += [
                        f"{path}: {node.name}" for value in node.args.defaults if not isinstance(value, ast.Constant)
                    ]
    assert kernels > 20
    assert wrong == []


@pytest.mark.slow
def test_after_compiling_ahead_nothing_is_compiled_for_the_first_frame(tmp_path: Path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
        )

    done = run("-m", "avw.cli", "doctor", "--compile")
    assert NOTICE in done.stderr
    assert done.stderr.count(" s\n") == 3
    assert NOTICE not in run("-c", FIRST_STEPS).stdout
