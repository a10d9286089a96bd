"""ffmpeg is that of the system, or else that of the extra `video`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from avw.sim_bridge.process.ffmpeg import find_ffmpeg


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """An imageio-ffmpeg, and a path without ffmpeg."""
    module = ModuleType("imageio_ffmpeg")
    module.get_ffmpeg_exe = lambda: "/carried/ffmpeg"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", module)
    monkeypatch.setenv("PATH", str(tmp_path))
    return module


def test_without_one_on_the_path_that_of_the_package(package: ModuleType) -> None:
    assert find_ffmpeg() == "/carried/ffmpeg"


def test_the_one_on_the_path_comes_first(package: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_ffmpeg() == str(program)


def test_none_without_both(package: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError("no ffmpeg for this platform")

    package.get_ffmpeg_exe = missing  # type: ignore[attr-defined]
    assert find_ffmpeg() is None
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert find_ffmpeg() is None
