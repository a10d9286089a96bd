"""A Ray cluster of several nodes (real ones, on this machine) makes the bytes that local workers make."""

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

from avw.avw4k.execution.executors import Report
from avw.avw4k.plan.spec import ShardSpec
from avw.avw4k.writing.generate import ShardWork
from tests import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Ray's own warnings are not ours


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes, of one processor each: the head and two more."""
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


def test_parts_on_ray_and_on_this_machine_mix(
    cluster: Any, scene_folder: Path, reference: Path, tmp_path: Path
) -> None:
    result = command(tmp_path / "data", scene_folder, cluster.address, "--shard", "1/3")
    assert result.returncode == 0, result.stderr
    options = "--trajectories 6 --steps 12 --size 32 --emitters 1000 --sources-per-scene 1 --episodes-per-shard 1"
    local = [sys.executable, "-m", "avw.cli", "generate", str(tmp_path / "data"), "--scenes", str(scene_folder)]
    subprocess.run([*local, *options.split()], cwd=ROOT, check=True, capture_output=True, timeout=400)
    assert digests(tmp_path / "data") == digests(reference)


def test_no_cluster_is_one_sentence(scene_folder: Path, tmp_path: Path, cluster: Any) -> None:
    result = command(tmp_path / "data", scene_folder, "127.0.0.1:1")
    assert result.returncode == 1
    assert "no Ray cluster answers" in result.stderr
    assert "Traceback" not in result.stderr


@dataclasses.dataclass
class Crash:
    """Work that kills its process, at the first try or at each."""

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
said, done, error = [], [], ""
run = RayExecutor(address=sys.argv[1])(
    Crash(Path(sys.argv[2]), sys.argv[3] == "always"), shards, 2,
    scene_of=lambda shard: shard.scene, on_steps=lambda n: None, log=said.append,
)
try:
    done += [result for _, result in run]
except BackendError as failed:
    error = str(failed)
print(json.dumps({"said": said, "done": sorted(done), "error": error}))
"""


@pytest.mark.parametrize("always", [False, True])
def test_a_crash_of_an_actor_is_named_and_tried_again(cluster: Any, tmp_path: Path, always: bool) -> None:
    arguments = [sys.executable, "-c", CRASH, cluster.address, str(tmp_path), "always" if always else "once"]
    result = subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert len(report["said"]) == 2
    assert all("died" in said for said in report["said"])
    if always:
        assert report["done"] == []
        assert "2 times" in report["error"]
    else:
        assert len(report["done"]) == 2
        assert report["error"] == ""


def test_what_actors_get_can_be_sent(tmp_path: Path) -> None:
    """The work of a dataset pickles: Ray and spawned processes get it that way."""
    import pickle

    from avw.avw4k.plan.spec import DatasetSpec

    work = ShardWork(tmp_path, DatasetSpec(scenes=("procedural-0000",)))
    assert pickle.loads(pickle.dumps(work)) == work
