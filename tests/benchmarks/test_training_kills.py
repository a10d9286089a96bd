"""Trainings of two processes that are killed end at the weights of one that is not; and a difference is noticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from avw.model import checkpoint
from benchmarks import training_kills
from benchmarks.training_kills import Tally, measure


def test_the_counts_of_an_interrupted_command_are_kept(tmp_path: Path) -> None:
    tally = Tally(
        duration=12.5, attempts=7, outcomes=Counter(killed=5, finished=2, exact=2), places=Counter({"stage 1": 5})
    )
    tally.keep(tmp_path / "tally.json")
    assert Tally.kept(tmp_path / "tally.json") == tally
    assert Tally.kept(tmp_path / "other.json") == Tally()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads
def test_killed_trainings_end_at_the_same_weights(tmp_path: Path) -> None:
    first = measure(tmp_path, 1, seed=1)
    assert first.outcomes["killed"] == sum(first.places.values()) == 1
    found = measure(tmp_path, 2, seed=1)  # continues
    assert found.outcomes["killed"] == sum(found.places.values()) == 2
    assert found.attempts > first.attempts
    assert found.outcomes["exact"] > first.outcomes["exact"] >= 1
    assert set(found.outcomes) <= {"killed", "finished", "exact"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_weights_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = training_kills.train

    def changed(dataset, out, config):  # type: ignore[no-untyped-def]
        model = trained(dataset, out, config)
        if out.name.startswith("killed"):
            tensors, note = checkpoint.load(out / "model.safetensors")
            name = next(name for name in tensors if name.startswith("net."))
            tensors[name].view(-1)[:1] += 1e-6
            checkpoint.save(out / "model.safetensors", tensors, note)
        return model

    monkeypatch.setattr(training_kills, "train", changed)
    assert measure(tmp_path, 1, seed=1).outcomes["not exact"] == 1
