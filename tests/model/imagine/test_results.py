"""Futures, numbers, pictures and sounds of `avw imagine`, with a scripted model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from avw.model.imagine.futures import imagine_futures
from avw.model.imagine.request import ImagineConfig, Request, resolve
from avw.model.imagine.results import numbers, table, write
from avw.model.metrics.vision import psnr
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action

LEFT, FORWARD = Action.TURN_LEFT, Action.FORWARD
NOTE = {"autoregressive": False, "title": "house"}


@pytest.fixture
def futures(model, episode, episodes):
    config = ImagineConfig(step=8, actions=(LEFT, FORWARD, LEFT), swap_action="mirror")
    other = next(e for e in episodes if e.index != episode.index)
    request = resolve(model, episode, config)
    return imagine_futures(model, episode, request, config, other_sound=other.audio, sound_of="that of episode 1")


def test_the_model_is_asked_for_every_future(model, futures):
    assert [future.name for future in futures] == ["imagined", "other-actions", "other-sound"]
    assert [asked["actions"] for asked in model.asked][:2] == [(LEFT, FORWARD, LEFT), (3, FORWARD, 3)]
    assert [future.truth is None for future in futures] == [False, False, True]


def test_another_sound_changes_what_is_heard_and_not_what_is_seen(futures):
    rows = numbers(futures, full_scale=0.1)
    assert rows[2]["change"]["grey_levels"] == [0.0, 0.0, 0.0]
    assert min(rows[2]["change"]["lsd"]) > 0.5
    assert "change" not in rows[0]


def test_numbers_follow_their_definitions(futures, episode):
    row = numbers(futures, full_scale=0.1)[0]
    imagined, truth = futures[0].imagined, futures[0].truth
    assert row["psnr"][1] == pytest.approx(psnr(imagined.rgb[1:2], truth.rgb_NHWC[1:2]), abs=1e-3)
    assert row["psnr_unseen"][1] == pytest.approx(psnr(imagined.rgb[1:2, :8], truth.rgb_NHWC[1:2, :8]), abs=1e-3)
    assert row["psnr_seen"][1] == pytest.approx(psnr(imagined.rgb[1:2, 8:], truth.rgb_NHWC[1:2, 8:]), abs=1e-3)
    assert row["coverage"] == [0.75] * 3
    relative = np.abs(episode.depth[8] - truth.depth_NHW[2]) / truth.depth_NHW[2]
    assert row["depth_absrel"][2] == pytest.approx(float(relative[truth.depth_NHW[2] > 0].mean()), abs=1e-3)
    assert row["truth"]["progress"] == pytest.approx(truth.progress_N.tolist(), abs=1e-4)
    assert row["actions"] == ["TURN_LEFT", "FORWARD", "TURN_LEFT"]


def test_everything_is_written_and_named_in_the_result(futures, episode, tmp_path):
    result = write(tmp_path, episode, 8, futures, NOTE, full_scale=0.1)
    assert json.loads((tmp_path / "imagination.json").read_text()) == result
    assert {path.name for path in tmp_path.iterdir()} == {*result["files"], "imagination.json"}
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.width > 1000
        colours = np.asarray(strip.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours[::97], axis=0)) > 50
    truth, _ = soundfile.read(tmp_path / "truth.wav")
    np.testing.assert_allclose(
        truth.T, np.concatenate(futures[0].truth.audio_NES, axis=1) * result["sound_gain"], atol=1e-4
    )
    imagined, _ = soundfile.read(tmp_path / "imagined.wav")
    np.testing.assert_allclose(
        imagined.T, np.concatenate(futures[0].imagined.audio, axis=1) * result["sound_gain"], atol=1e-4
    )
    printed = table(result)
    assert [line.split()[0] for line in printed.splitlines()[1:]] == ["imagined", "truth", "other", "truth", "other"]


def test_without_a_scene_there_is_no_truth_for_other_actions(model, episode, monkeypatch, tmp_path):
    """A scan that is elsewhere: the prediction is shown without a truth, and the reason is told."""
    from avw.sim_bridge.errors import SceneError

    def missing():
        raise SceneError("mp3d/x is not on this machine")

    monkeypatch.setattr(episode, "reopen", missing, raising=False)
    told: list[str] = []
    config = ImagineConfig(step=8, actions=(LEFT, LEFT, FORWARD))
    futures = imagine_futures(model, episode, resolve(model, episode, config), config, report=told.append)
    assert futures[0].truth is None
    assert "mp3d/x is not on this machine" in told[0]
    result = write(tmp_path, episode, 8, futures, NOTE, full_scale=0.1)
    assert result["futures"][0]["truth"] is None
    assert "not on this machine" in result["futures"][0]["truth_missing"]
    assert "truth.wav" not in result["files"]


def test_the_first_observation_is_a_context_too_and_the_user_is_told(model, episode):
    told: list[str] = []
    config = ImagineConfig(step=0, horizon=2)
    futures = imagine_futures(model, episode, resolve(model, episode, config), config, report=told.append)
    assert futures[0].truth is not None
    assert "first observation" in told[0]


def test_a_sound_that_is_too_short_is_refused(model, episode):
    request = Request(step=8, actions=(FORWARD,))
    with pytest.raises(UsageError, match="has 4 steps, and the context ends at step 8"):
        imagine_futures(model, episode, request, ImagineConfig(), other_sound=episode.audio[:5])
