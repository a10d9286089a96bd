"""The rule that chooses the window of the README's film strip."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import benchmarks.readme_strip as rule
from benchmarks.readme_strip import Candidate, candidates, median, turning_windows


@pytest.fixture
def short(monkeypatch):
    """Windows that fit the episodes of the tests."""
    monkeypatch.setattr(rule, "STEPS", 6)
    monkeypatch.setattr(rule, "FIRST_STEP", 4)
    monkeypatch.setattr(rule, "LEAST_TURN", math.radians(20.0))


def test_only_windows_that_turn_are_looked_at(short, episodes):
    found = list(turning_windows(episodes, 1000))
    assert found
    for episode, t in found:
        assert episode.split == "test"
        assert 4 <= t <= episode.steps - 6
        turns = sum({2: 1, 3: -1}.get(int(action), 0) for action in episode.actions[t : t + 6])
        assert abs(turns) >= 2
    every = {
        (episode.index, t)
        for episode in episodes.split("test")
        for t in range(4, episode.steps - 5)
        if abs(sum({2: 1, 3: -1}.get(int(action), 0) for action in episode.actions[t : t + 6])) >= 2
    }
    assert {(episode.index, t) for episode, t in found} == every


def test_only_windows_that_are_partly_seen_are_kept(short, episodes, model, monkeypatch):
    """The scripted model has seen 75 % of every frame."""
    monkeypatch.setattr(type(model), "imagine", one_step_of(type(model).imagine))
    assert len(list(candidates(model, episodes, 1000))) == len(list(turning_windows(episodes, 1000)))
    monkeypatch.setattr(rule, "COVERAGE", (0.8, 0.9))
    assert not list(candidates(model, episodes, 1000))


def one_step_of(imagine):
    """`imagine` as the benchmark calls it: only the last step."""

    def called(self, episode, *, t, actions, every_step=False, **options):
        options = {"autoregressive": False, "denoising_steps": None, "seed": 0} | options
        found = imagine(self, episode, t=t, actions=actions, every_step=True, **options)
        return found if every_step else found.last()

    return called


@pytest.mark.parametrize(("values", "chosen"), [([3.0], 3.0), ([5.0, 1.0, 3.0], 3.0), ([4.0, 1.0, 3.0, 2.0], 2.0)])
def test_the_median_is_chosen(episode, values, chosen):
    assert median([Candidate(episode.ref, n, value) for n, value in enumerate(values)]).psnr == chosen


def test_picture_and_sound_are_written(short, episodes, model, monkeypatch, tmp_path):
    monkeypatch.setattr(type(model), "imagine", one_step_of(type(model).imagine))
    model.note = {"data": str(episodes.path)}
    monkeypatch.setattr(rule.WorldModel, "load", lambda run: model)
    result = CliRunner().invoke(rule.strip, ["run", "--out", str(tmp_path), "--count", "20"])
    assert result.exit_code == 0, result.output
    assert "median PSNR at step 6" in result.output
    assert (tmp_path / "imagination.webp").stat().st_size > 5_000
    samples, rate = soundfile.read(tmp_path / "imagination.mp3")
    assert rate == 16_000
    assert samples.shape[1] == 2
    assert np.abs(samples).max() > 0.2
