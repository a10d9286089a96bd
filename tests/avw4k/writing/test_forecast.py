"""Forecasts count the remaining work, measure its costs, and agree with the dataset."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from avw.avw4k.plan.presets import preset_scenes
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.shards.manifest import drop_records
from avw.avw4k.writing.forecast import forecast
from avw.sim_bridge.errors import UsageError


def test_it_counts_the_remaining_work(copy: Path, spec: DatasetSpec, tmp_path: Path) -> None:
    whole = forecast(tmp_path / "new" / "folder", spec, 2)
    assert (whole.shards, whole.shards_left, whole.steps, whole.steps_left) == (6, 6, 72, 72)
    assert whole.free_bytes > 0
    assert not (tmp_path / "new").exists()
    drop_records(copy, {"train-00000.h5"})
    rest = forecast(copy, spec, 2)
    assert (rest.shards_left, rest.steps_left) == (1, 12)
    assert 0 < rest.seconds < whole.seconds
    assert rest.memory_bytes < whole.memory_bytes
    with pytest.raises(UsageError, match="another spec"):
        forecast(copy, dataclasses.replace(spec, seed=9), 2)


def test_a_complete_dataset_needs_nothing(reference: Path, spec: DatasetSpec) -> None:
    done = forecast(reference, spec, 2, pilot=True)
    assert (done.seconds, done.bytes, done.shards_left) == (0.0, 0, 0)


def test_the_predicted_size_is_right_within_a_quarter(reference: Path, spec: DatasetSpec, tmp_path: Path) -> None:
    ahead = forecast(tmp_path / "x", spec, 2, pilot=True)
    assert ahead.measured
    true = sum(path.stat().st_size for path in reference.glob("*.h5"))
    assert ahead.bytes == pytest.approx(true, rel=0.25)
    assert ahead.seconds > 0


def test_missing_scenes_are_forecast_from_constants(tmp_path: Path) -> None:
    scenes, splits = preset_scenes("avw-4k", ("mp3d",))
    spec = DatasetSpec(scenes=tuple(scene.scene_id for scene in scenes), scene_splits=splits, trajectories=4500)
    ahead = forecast(tmp_path / "x", spec, 8, pilot=True, scenes=scenes)
    assert not ahead.measured
    assert ahead.steps == 720_000
    assert 10e9 < ahead.bytes < 50e9
    assert not list(tmp_path.iterdir())
