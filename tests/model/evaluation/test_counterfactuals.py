"""Counterfactuals: scores of sounds whose side is known, and a model whose answers are scripted."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

import avw.model.evaluation.true_turns as turns
from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.episodes import DatasetEpisode
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.evaluation.counterfactuals import action_scores, measure_counterfactuals
from avw.model.evaluation.true_turns import true_turns
from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import STEP_SAMPLES, Action


def sounds(side: float, key: str, count: int = 8) -> np.ndarray:
    """(B, 2, S): noise that reaches the near ear earlier and louder. side: -1 right … 1 left."""
    noise = keyed_rng(key).normal(0.0, 0.1, (count, 3 * STEP_SAMPLES + 20))
    lag = round(8 * side)
    left, right = noise[:, 10 : 10 + 3 * STEP_SAMPLES], noise[:, 10 - lag : 10 - lag + 3 * STEP_SAMPLES]
    return np.stack([left * 10 ** (side / 5), right * 10 ** (-side / 5)], axis=1).astype(np.float32)


def pair(after_left: float, after_right: float, key: str) -> np.ndarray:
    return np.stack([sounds(after_left, key), sounds(after_right, key)])


def test_predictions_on_the_true_side_are_right_for_every_cue():
    """A source ahead is on the right after a turn to the left."""
    scores = action_scores(pair(-0.5, 0.3, "predicted"), pair(-1.0, 1.0, "true"), full_scale=1.0)
    assert scores["audible_states"] == 8
    for cue in ("ild", "itd", "pan"):
        row = scores[cue]
        assert (row["cases"], row["right"], row["score"]) == (8, 8, 1.0), cue
        assert row["p_by_chance"] == pytest.approx(0.5**8)
        assert row["interval"][1] == 1.0
    json.dumps(scores, allow_nan=False)


def test_predictions_on_the_other_side_and_without_a_side_are_wrong():
    true = pair(-1.0, 1.0, "true")
    assert action_scores(pair(0.5, -0.5, "wrong"), true, full_scale=1.0)["ild"]["right"] == 0
    same = action_scores(np.stack([sounds(0.0, "same")] * 2), true, full_scale=1.0)
    assert same["ild"]["right"] == same["itd"]["right"] == same["pan"]["right"] == 0
    assert same["ild"]["p_by_chance"] == 1.0


def test_silent_and_unclear_states_do_not_count():
    true = pair(-1.0, 1.0, "true")
    true[:, 0] = 0.0  # nothing to hear
    true[1, 1] = true[0, 1]  # the same after both turns
    scores = action_scores(pair(-1.0, 1.0, "predicted"), true, full_scale=1.0)
    assert scores["audible_states"] == 7
    assert scores["ild"]["cases"] == scores["itd"]["cases"] == scores["pan"]["cases"] == 6
    none = action_scores(true, np.zeros_like(true), full_scale=1.0)
    assert none["ild"] == {
        "cases": 0, "right": 0, "score": None, "interval": None, "p_by_chance": None, "least_true_difference": 1.0
    }  # fmt: skip


@pytest.fixture(scope="module")
def windows(dataset: Dataset) -> Windows:
    return Windows(dataset, "test", WindowConfig(ages=(0,)))


def test_the_true_sound_is_that_of_the_recorded_turn(windows: Windows, monkeypatch: pytest.MonkeyPatch):
    """Simulated from the middle of an episode, with nothing replayed, it is the sound that was recorded there."""
    found = None
    for number, ref in enumerate(windows.episodes):
        actions = DatasetEpisode(windows.dataset, ref).actions
        for action, side in ((Action.TURN_LEFT, 0), (Action.TURN_RIGHT, 1)):
            for t in np.flatnonzero((actions[:-1] == action) & (actions[1:] == action)).tolist():
                found = found or (number, t, side)
    assert found is not None
    number, t, side = found
    frame = int(windows.first_n[number]) + t
    turned = true_turns(windows, np.array([frame]), 2)
    assert turned.shape == (2, 1, 2, 2, STEP_SAMPLES)
    recorded = DatasetEpisode(windows.dataset, windows.episodes[number]).audio[t + 1 : t + 3]
    # The last sounds before the turn came from other places, so the reverberation differs a little.
    np.testing.assert_allclose(turned[side, 0], recorded, atol=0.02 * np.abs(recorded).max() + 1e-4)
    assert not np.allclose(turned[1 - side, 0], recorded, atol=0.02 * np.abs(recorded).max() + 1e-4)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the cache was not used")

    monkeypatch.setattr(turns, "open_simulator", forbidden)
    np.testing.assert_array_equal(true_turns(windows, np.array([frame]), 2), turned)


class Scripted:
    """Hears the true sound after a turn, in a picture that never changes; with another sound, that sound."""

    def __init__(self, windows: Windows, steps: int, count: int) -> None:
        frames = windows.at(steps, count).context_BT[:, -1]
        true = true_turns(windows, frames, steps)
        self.answers = {
            (windows.episodes[int(windows.episode_F[t])].index, int(t - windows.start_F[t])): true[:, b]
            for b, t in enumerate(frames)
        }

    def imagine(self, episode, *, t, actions, every_step, denoising_steps):
        assert every_step
        rgb = np.repeat(episode.rgb[t][None], len(actions), axis=0)
        if not isinstance(episode, DatasetEpisode):  # another sound
            return SimpleNamespace(rgb=rgb, audio=np.repeat(episode.audio[t][None], len(actions), axis=0))
        side = 0 if actions[0] == Action.TURN_LEFT else 1
        return SimpleNamespace(rgb=rgb, audio=self.answers[episode.index, t][side])


def test_a_model_that_hears_the_truth_is_always_right(windows: Windows):
    swapped_ears = {"round_trip": lambda audio_NES: audio_NES[:, ::-1]}
    found = measure_counterfactuals(Scripted(windows, 9, 6), windows, count=6, **swapped_ears)
    assert isinstance(found, dict)
    json.dumps(found, allow_nan=False)
    assert (found["states"], found["turn_degrees"]) == (6, 90)
    assert found["action"]["audible_states"] > 0
    for cue in ("ild", "itd", "pan"):
        row = found["action"][cue]
        assert row["right"] == row["cases"]
        assert found["action_oracle_tokenizer"][cue]["right"] == 0
        assert found["action_oracle_tokenizer"][cue]["cases"] == row["cases"]
    assert found["sound"]["states"] == 6
    assert found["sound"]["image_difference"] == 0.0
    assert found["sound"]["sound_lsd"] > 0.0


def test_scenes_that_are_missing_are_a_reason(windows: Windows, monkeypatch: pytest.MonkeyPatch):
    def missing(*_: object, **__: object) -> None:
        raise SceneError("scene.glb is not on this machine")

    monkeypatch.setattr(turns, "open_simulator", missing)
    found = measure_counterfactuals(Scripted.__new__(Scripted), windows, count=5, turn=30)
    assert isinstance(found, str)
    assert "scene.glb is not on this machine" in found


def test_a_turn_that_is_longer_than_the_episodes_is_a_reason(windows: Windows):
    found = measure_counterfactuals(Scripted.__new__(Scripted), windows, count=5, turn=360)
    assert isinstance(found, str)
    assert "takes 36" in found
