"""GLB files load upright in Habitat-Sim and are written atomically."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from tests.sim_bridge.boxes import box_scene, flat


def test_stage_config_declares_the_up_axis_for_habitat(tmp_path: Path) -> None:
    export_glb(box_scene(*flat()), tmp_path / "a flat.glb")
    config = json.loads((tmp_path / "a flat.stage_config.json").read_text())
    assert config["up"] == [0, 1, 0]
    assert config["front"] == [0, 0, -1]
    assert (tmp_path / config["render_asset"]).is_file()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flat.glb"
    export_glb(box_scene(*flat()), path)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        export_glb(box_scene(*flat()), path)
    assert path.read_bytes() == before
