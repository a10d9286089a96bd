"""A small dataset on mesh files, generated once per session by `generate`, and its spec."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from avw.avw4k.plan.assets import scene_assets
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.writing.generate import generate
from avw.sim_bridge.scenes.catalogue import resolve_scenes
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig
from tests.sim_bridge.boxes import box_scene, flat

SMALL = SimulatorConfig(backend="embedded", size=32, emitters=1000)


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three flats as GLB: a.glb, b.glb, c.glb."""
    folder = tmp_path_factory.mktemp("scenes")
    export_glb(box_scene(*flat()), folder / "a.glb")
    for name in ("b.glb", "c.glb"):
        shutil.copy(folder / "a.glb", folder / name)
    return folder


@pytest.fixture(scope="session")
def spec(scene_folder: Path) -> DatasetSpec:
    """Six trajectories of twelve steps in three scenes: six shards."""
    scenes = tuple(str(path) for path in sorted(scene_folder.glob("*.glb")))
    return DatasetSpec(
        scenes=scenes,
        trajectories=6,
        steps=12,
        episodes_per_shard=1,
        simulator=SMALL,
        assets=scene_assets(resolve_scenes(scenes)),
    )


@pytest.fixture(scope="session")
def reference(spec: DatasetSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of `spec`, made by one worker without interruption. Tests must not write to it: see `copy`."""
    folder = tmp_path_factory.mktemp("reference") / "data"
    report = generate(folder, spec, workers=1)
    assert report.complete
    return folder


@pytest.fixture
def copy(reference: Path, tmp_path: Path) -> Path:
    """A dataset that a test may damage."""
    return Path(shutil.copytree(reference, tmp_path / "data"))


@pytest.fixture(scope="session")
def simulator(spec: DatasetSpec) -> Iterator[Simulator]:
    opened = open_simulator(spec.scenes[0], spec.simulator)
    yield opened
    opened.close()


@pytest.fixture
def vary(spec: DatasetSpec) -> Callable[..., DatasetSpec]:
    """The small spec with some fields changed."""
    return lambda **changes: dataclasses.replace(spec, **changes)
