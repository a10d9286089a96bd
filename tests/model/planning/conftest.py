"""Two small flats in files: a simulator of one opens in a tenth of a second, and of a generated house in four."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from tests.sim_bridge.boxes import box_scene, flat


@pytest.fixture(scope="session")
def flats(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of two flats with the same rooms."""
    folder = tmp_path_factory.mktemp("flats")
    paths: tuple[Path, Path] = folder / "first.glb", folder / "second.glb"
    export_glb(box_scene(*flat()), paths[0])
    shutil.copy(*paths)
    return str(paths[0]), str(paths[1])
