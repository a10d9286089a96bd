"""`avw.generate`: the dataset that the command makes from the same values."""

from __future__ import annotations

from pathlib import Path

import pytest

import avw
from avw.avw4k.plan.spec import DatasetSpec
from avw.sim_bridge.errors import SceneError, SoundError, UsageError


def test_it_makes_the_same_dataset_as_the_spec(spec: DatasetSpec, reference: Path, tmp_path: Path) -> None:
    steps: list[int] = []
    dataset = avw.generate(
        tmp_path / "data",
        scenes=list(spec.scenes), trajectories=6, steps=12, episodes_per_shard=1, sources_per_scene=1,
        simulator=spec.simulator, progress=steps.append,
    )  # fmt: skip
    assert dataset.spec == spec
    assert sum(steps) == 72
    assert dataset.complete
    for name in dataset.records:
        assert (tmp_path / "data" / name).read_bytes() == (reference / name).read_bytes()
    assert avw.generate(
        tmp_path / "data",
        scenes=list(spec.scenes), trajectories=6, steps=12, episodes_per_shard=1, sources_per_scene=1,
        simulator=spec.simulator, progress=steps.append,
    )  # fmt: skip
    assert sum(steps) == 72  # nothing is simulated twice


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"preset": "huge"}, UsageError, "unknown preset 'huge': expected one of demo, avw-4k"),
        ({"scenes": "nowhere.glb"}, SceneError, "nowhere.glb"),
        ({"scenes": "procedural:1", "sound": "nothing.wav"}, SoundError, "nothing.wav"),
    ],
)
def test_bad_inputs_are_found_before_the_folder_is_made(
    tmp_path: Path, options: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        avw.generate(tmp_path / "data", **options)
    assert not (tmp_path / "data").exists()
