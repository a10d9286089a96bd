"""A dataset of three flats, 32 pixels and two dozen steps, made by the real thing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from avw.avw4k.plan.assets import scene_assets
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.writing.generate import generate
from avw.sim_bridge.scenes.catalogue import resolve_scenes
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from tests.sim_bridge.boxes import box_scene, flat


@pytest.fixture(scope="session")
def data_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learning")
    export_glb(box_scene(*flat()), folder / "a.glb")
    for name in ("b.glb", "c.glb"):
        shutil.copy(folder / "a.glb", folder / name)
    scenes = tuple(str(path) for path in sorted(folder.glob("*.glb")))
    spec = DatasetSpec(
        scenes=scenes,
        trajectories=9,
        steps=24,
        simulator=SimulatorConfig(backend="embedded", size=32, emitters=1000),
        assets=scene_assets(resolve_scenes(scenes)),
    )
    assert generate(folder / "data", spec, workers=1).complete
    return folder / "data"


@pytest.fixture(scope="session")
def dataset(data_path: Path) -> Dataset:
    return open_dataset(data_path)
