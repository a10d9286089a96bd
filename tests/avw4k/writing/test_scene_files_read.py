"""Which scene files a command reads in full: those that it renders, and no others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.plan.spec import plan
from avw.avw4k.reading.dataset import open_dataset
from avw.cli.main import avw
from avw.sim_bridge.scenes import digest_cache
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from tests.sim_bridge.boxes import box_scene, flat

OPTIONS = "--trajectories 4 --steps 2 --size 16 --emitters 200 --workers 1 --episodes-per-shard 1"
Run = Callable[..., Result]


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four flats, old enough for their digests to be kept, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "scenes"
    folder.mkdir()
    export_glb(box_scene(*flat()), folder / "a.glb")
    for name in "bcd":
        shutil.copy(folder / "a.glb", folder / f"{name}.glb")
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are hashed."""
    names: list[str] = []
    hashing = digest_cache.file_sha256
    monkeypatch.setattr(digest_cache, "file_sha256", lambda path: names.append(path.name) or hashing(path))
    return names


@pytest.fixture
def run(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`avw generate`, without worker processes: eight of them would take a minute."""
    for module in ("execution.local_processes", "writing.forecast"):
        monkeypatch.setattr(f"avw.avw4k.{module}.run_in_processes", run_in_this_process)

    def generate(*more: str) -> Result:
        return CliRunner().invoke(
            avw, ["generate", str(tmp_path / "data"), "--scenes", str(scenes), *OPTIONS.split(), *more]
        )

    return generate


def forget(scenes: Path) -> None:
    shutil.rmtree(digest_cache.cache_file().parent)


def test_dry_runs_parts_and_resumes(run: Run, scenes: Path, tmp_path: Path, read: list[str]) -> None:
    assert run("--dry-run").exit_code == 0
    assert read == [], "a dry run"
    assert run("--shard", "0/4").exit_code == 0
    assert sorted(read) == ["a.glb", "b.glb", "c.glb", "d.glb"], "the part that begins the dataset names it"
    spec = open_dataset(tmp_path / "data").spec
    assert [name for name, _ in spec.assets] == list(spec.scenes)
    own = [Path(shard.scene).name for shard in plan(spec)]

    read.clear()
    assert run("--shard", "1/4").exit_code == 0
    assert read == [], "another part on this machine"
    forget(scenes)
    assert run("--shard", "2/4").exit_code == 0
    assert read == [own[2]], "a part on another machine"
    read.clear()
    forget(scenes)
    assert run("--dry-run").exit_code == 0
    assert read == [], "a dry run beside a dataset that has begun"
    assert run().exit_code == 0
    assert read == [own[3]], "a resume"
    assert open_dataset(tmp_path / "data").complete
    read.clear()
    forget(scenes)
    assert run().exit_code == 0
    assert read == [], "nothing to do"


def test_a_scene_that_has_changed_is_refused(run: Run, scenes: Path, tmp_path: Path) -> None:
    assert run("--shard", "0/4").exit_code == 0
    last = Path(plan(open_dataset(tmp_path / "data").spec)[3].scene)
    export_glb(box_scene(*flat(), ((1.0, 0.0, 5.0), (3.0, 1.0, 7.0))), last)
    done = run("--shard", "3/4")
    assert done.exit_code == 2
    assert last.name in done.output
