"""Trainings of two processes that are killed end at the weights of one that is not; and a difference is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from avw.model import checkpoint
from benchmarks import training_kills
from benchmarks.training_kills import measure


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads
def test_killed_trainings_end_at_the_same_weights(tmp_path: Path) -> None:
    outcomes, places = measure(tmp_path, 2, seed=1)
    assert outcomes["killed"] == sum(places.values()) == 2
    assert outcomes["exact"] >= 1
    assert set(outcomes) <= {"killed", "finished", "exact"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_weights_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = training_kills.train

    def changed(dataset, out, config):  # type: ignore[no-untyped-def]
        model = trained(dataset, out, config)
        if out.name == "killed":
            tensors, note = checkpoint.load(out / "model.safetensors")
            name = next(name for name in tensors if name.startswith("net."))
            tensors[name].view(-1)[:1] += 1e-6
            checkpoint.save(out / "model.safetensors", tensors, note)
        return model

    monkeypatch.setattr(training_kills, "train", changed)
    outcomes, _ = measure(tmp_path, 1, seed=1)
    assert outcomes["not exact"] == 1
