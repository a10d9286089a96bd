"""A real Ray cluster of several nodes on this machine makes the same bytes as local workers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avw.avw4k.execution.protocol import Report
from avw.avw4k.plan.spec import ShardSpec
from avw.avw4k.writing.generate import ShardWork
from tests import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # warnings of Ray itself


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes with one processor each: the head and two more."""
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'avw[ray]')")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(2):
        started.add_node(num_cpus=1)
    started.wait_for_nodes()
    yield started
    started.shutdown()


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def command(folder: Path, scenes: Path, address: str, *more: str) -> subprocess.CompletedProcess[str]:
    options = "--trajectories 6 --steps 12 --size 32 --emitters 1000 --sources-per-scene 1 --episodes-per-shard 1"
    return subprocess.run(
        [sys.executable, "-m", "avw.cli", "generate", str(folder), "--scenes", str(scenes), *options.split(),
         "--executor", "ray", "--ray-address", address, "--json", *more],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
    )  # fmt: skip


def test_three_nodes_make_the_same_bytes(cluster: Any, scene_folder: Path, reference: Path, tmp_path: Path) -> None:
    result = command(tmp_path / "data", scene_folder, cluster.address)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["workers"] == 3
    assert len(report["written"]) == 6
    assert digests(tmp_path / "data") == digests(reference)


def test_parts_from_ray_and_from_this_machine_combine(
    cluster: Any, scene_folder: Path, reference: Path, tmp_path: Path
) -> None:
    result = command(tmp_path / "data", scene_folder, cluster.address, "--shard", "1/3")
    assert result.returncode == 0, result.stderr
    options = "--trajectories 6 --steps 12 --size 32 --emitters 1000 --sources-per-scene 1 --episodes-per-shard 1"
    local = [sys.executable, "-m", "avw.cli", "generate", str(tmp_path / "data"), "--scenes", str(scene_folder)]
    subprocess.run([*local, *options.split()], cwd=ROOT, check=True, capture_output=True, timeout=400)
    assert digests(tmp_path / "data") == digests(reference)


def test_a_missing_cluster_gives_a_one_line_error(scene_folder: Path, tmp_path: Path, cluster: Any) -> None:
    result = command(tmp_path / "data", scene_folder, "127.0.0.1:1")
    assert result.returncode == 1
    assert "no Ray cluster answers" in result.stderr
    assert "Traceback" not in result.stderr


def test_navigation_on_three_nodes_gives_the_records_of_this_machine(cluster: Any, tmp_path: Path) -> None:
    options = "--policy random --scenes procedural:200-201 --episodes 4 --seed 5 --json"
    base = [sys.executable, "-m", "avw.cli", "navigate", *options.split(), "--model", str(tmp_path / "none")]
    found = []
    for name, more in (("ray", ["--executor", "ray", "--ray-address", cluster.address]), ("local", ["--workers", "1"])):
        result = subprocess.run(
            [*base, "--out", str(tmp_path / name), *more], cwd=ROOT, capture_output=True, text=True, timeout=400,
            check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        rows = json.loads((tmp_path / name / "navigation-random.json").read_text())["records"]
        found.append([row | {"decision_ms": 0.0} for row in rows])
    assert found[0] == found[1]


@dataclasses.dataclass
class Crash:
    """Work that kills its process, in the first attempt or in every one."""

    folder: Path
    always: bool

    def __call__(self, shard: ShardSpec, report: Report) -> str:
        mark = self.folder / shard.name
        if self.always or not mark.exists():
            mark.touch()
            os._exit(1)
        return shard.name


CRASH = """
import json, sys
from pathlib import Path
from avw.avw4k.execution.ray_executor import RayExecutor
from avw.avw4k.plan.spec import DatasetSpec, plan
from avw.sim_bridge.errors import BackendError
from tests.avw4k.execution.test_ray import Crash
shards = plan(DatasetSpec(scenes=("procedural-0000", "procedural-0001"), trajectories=2))
logged, done, error = [], [], ""
run = RayExecutor(address=sys.argv[1])(
    Crash(Path(sys.argv[2]), sys.argv[3] == "always"), shards, 2,
    scene_of=lambda shard: shard.scene, on_steps=lambda n: None, log=logged.append,
)
try:
    done += [result for _, result in run]
except BackendError as failed:
    error = str(failed)
print(json.dumps({"logged": logged, "done": sorted(done), "error": error}))
"""


@pytest.mark.parametrize("always", [False, True])
def test_a_task_whose_actor_crashed_is_named_and_done_again(cluster: Any, tmp_path: Path, always: bool) -> None:
    arguments = [sys.executable, "-c", CRASH, cluster.address, str(tmp_path), "always" if always else "once"]
    result = subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert len(report["logged"]) == (4 if always else 2)  # two tasks, tried three times or twice
    assert all("died" in text for text in report["logged"])
    if always:
        assert report["done"] == []
        assert "3 times" in report["error"]
    else:
        assert len(report["done"]) == 2
        assert report["error"] == ""


def test_work_can_be_pickled(tmp_path: Path) -> None:
    """Ray and spawned processes receive the work of a dataset by pickle."""
    import pickle

    from avw.avw4k.plan.spec import DatasetSpec

    work = ShardWork(tmp_path, DatasetSpec(scenes=("procedural-0000",)))
    assert pickle.loads(pickle.dumps(work)) == work
