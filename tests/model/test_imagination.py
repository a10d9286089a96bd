"""`WorldModel.imagine`: the context and the motion that it builds, and what it gives back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from avw import Action, DatasetEpisode, Observation, Pose, Recording, WorldModel, open_dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model import checkpoint
from avw.model.context import context_at
from avw.model.frames import encoded_frames
from avw.model.imagination import commanded_motion
from avw.sim_bridge.errors import UsageError


@pytest.fixture(scope="module")
def run(tiny_run: Path) -> Path:
    return tiny_run


@pytest.fixture(scope="module")
def model(run: Path) -> WorldModel:
    return WorldModel.load(run)


@pytest.fixture(scope="module")
def episode(data_path: Path) -> DatasetEpisode:
    return open_dataset(data_path).split("test")[0]


def test_actions_become_the_motion_that_training_used(episode: DatasetEpisode) -> None:
    windows = open_dataset(episode.dataset.path).windows("test")
    number = [ref.index for ref in windows.episodes].index(episode.index)
    actions = episode.actions[4:10].tolist()
    window = windows.window(windows.first_n[[number]] + 4, np.array([[6]]))
    np.testing.assert_allclose(commanded_motion(actions)[-1], window.motion_BK3[0, 0], atol=1e-5)


def test_a_future_has_the_documented_shapes_and_follows_from_the_actions(
    model: WorldModel, episode: DatasetEpisode
) -> None:
    ahead = model.imagine(episode, t=10, actions=[Action.FORWARD] * 4)
    assert (ahead.rgb.shape, ahead.rgb.dtype) == ((32, 32, 3), np.uint8)
    assert (ahead.audio.shape, ahead.audio.dtype) == ((2, 2400), np.float32)
    assert ahead.depth is not None
    assert (ahead.depth.shape, ahead.depth.dtype) == ((32, 32), np.float32)
    assert ahead.coverage is not None
    assert (ahead.coverage.shape, ahead.coverage.dtype) == ((32, 32), bool)
    assert ahead.motion.shape == (3,)
    assert ahead.distance > 0
    assert isinstance(ahead.reward, float)
    assert ahead.reward == pytest.approx(ahead.progress - 0.01 * 4, abs=1e-5)
    assert 0 <= ahead.success <= 1
    turned = model.imagine(episode, t=10, actions=[Action.TURN_LEFT] * 4)
    assert not np.array_equal(turned.rgb, ahead.rgb)


def test_it_is_the_low_level_prediction_decoded(model: WorldModel, episode: DatasetEpisode) -> None:
    context = context_at(episode, 10, model.needs)
    assert context.memory is not None
    motion = torch.from_numpy(context.memory.roll([Action.FORWARD] * 4)[-1:]).float()[None]
    prediction = model.predict(model.encode([context]), motion, torch.tensor([[4]]), seed=3)
    decoded = model.decode(prediction)
    found = model.imagine(episode, t=10, actions=[1, 1, 1, 1], seed=3)
    np.testing.assert_array_equal(found.rgb, decoded.rgb_PHWC[0].numpy())
    np.testing.assert_allclose(found.audio, decoded.audio_PES[0].numpy(), atol=1e-6)
    assert found.progress == pytest.approx(float(prediction.reward.known_progress_BK[0, 0]), abs=1e-6)


def test_a_planner_that_wants_the_reward_alone_gets_the_same_reward(model: WorldModel, episode: DatasetEpisode) -> None:
    history = model.encode([context_at(episode, 10, model.needs)])
    motion, offset = torch.tensor([[[1.0, 0.2, 0.5], [0.0, 0.0, 1.0]]]), torch.tensor([[8, 5]])
    whole = model.predict(history, motion, offset, seed=3, pixels=False)
    alone = model.predict(history, motion, offset, seed=3, only_reward=True)
    assert alone.latents == {}
    assert alone.seen is None
    torch.testing.assert_close(alone.reward.distance_BK, whole.reward.distance_BK, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(alone.success_BK, whole.success_BK, atol=1e-5, rtol=1e-5)


def test_it_is_the_prediction_of_a_window_of_the_dataset(model: WorldModel, episode: DatasetEpisode) -> None:
    """Live observations and encoded frames of a dataset give the same future."""
    windows = Windows(episode.dataset, "test", WindowConfig(ages=model.ages, max_offset=model.max_offset))
    number = [ref.index for ref in windows.episodes].index(episode.index)
    window = windows.window(windows.first_n[[number]] + 10, np.array([[5]]))
    with encoded_frames(windows, model.tokenizers, model.net.config) as frames:
        stored = model.predict_window(frames, window)
    live = model.imagine(episode, t=10, actions=episode.actions[10:15].tolist())
    np.testing.assert_allclose(live.progress, float(stored.reward.known_progress_BK), atol=2e-2)
    difference = np.abs(model.decode(stored).rgb_PHWC[0].numpy().astype(int) - live.rgb)
    assert np.mean(difference <= 3) > 0.98


def test_a_stop_adds_the_success_reward(model: WorldModel, episode: DatasetEpisode) -> None:
    ahead = model.imagine(episode, t=10, actions=[Action.FORWARD, Action.STOP])
    assert ahead.reward == pytest.approx(ahead.progress - 0.02 + 10 * ahead.success, abs=1e-5)


def test_every_step_has_one_future_per_action(model: WorldModel, episode: DatasetEpisode) -> None:
    ahead = model.imagine(episode, t=10, actions=[1, 2, 1], every_step=True)
    assert ahead.rgb.shape == (3, 32, 32, 3)
    assert ahead.audio.shape == (3, 2, 2400)
    last = model.imagine(episode, t=10, actions=[1, 2, 1])
    assert ahead.progress[-1] == pytest.approx(last.progress, abs=1e-5)


def test_a_live_recording_gives_the_same_future(model: WorldModel, episode: DatasetEpisode) -> None:
    recording = Recording()
    pose = Pose(0.0, 0.0, 0.0, 0.0)
    for step in range(11):
        observation = Observation(episode.rgb[step], episode.depth[step], episode.audio[step])
        recording.add(observation, pose)
        pose = pose.after(Action(int(episode.actions[step])))
    live = model.imagine(recording, actions=[1, 1])
    stored = model.imagine(episode, t=10, actions=[1, 1])
    np.testing.assert_allclose(live.progress, stored.progress, atol=1e-4)
    assert np.abs(live.rgb.astype(int) - stored.rgb.astype(int)).max() <= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"t": 25, "actions": [1]}, "observations 0 to 24"),
        ({"t": 3, "actions": []}, "actions is empty"),
        ({"t": 3, "actions": [1] * 65}, "at most 64 steps ahead"),
        ({"t": 3, "actions": [0, 1]}, "STOP ends the episode"),
        ({"t": 3, "actions": [7]}, "expected actions from"),
    ],
)
def test_a_wrong_request_is_one_clear_sentence(
    model: WorldModel, episode: DatasetEpisode, options: dict, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        model.imagine(episode, **options)


def test_images_of_another_size_are_refused(model: WorldModel) -> None:
    recording = Recording()
    with pytest.raises(UsageError, match="no observations yet"):
        model.imagine(recording, actions=[1])
    recording.add(
        Observation(np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.float32), np.zeros((2, 2400), np.float32)),
        Pose(0.0, 0.0, 0.0, 0.0),
    )
    with pytest.raises(UsageError, match=r"use SimulatorConfig\(size=32\)"):
        model.imagine(recording, actions=[1])


def test_the_longest_future_comes_from_the_checkpoint_or_from_the_run(run: Path, tmp_path: Path) -> None:
    tensors, note = checkpoint.load(run / "model.safetensors")
    assert note.pop("max_offset") == 64
    checkpoint.save(tmp_path / "model.safetensors", tensors, note)
    assert WorldModel.load(tmp_path).max_offset == 32  # of checkpoints before it was stored
    shutil.copy(run / "config.json", tmp_path / "config.json")
    config = json.loads((tmp_path / "config.json").read_text())
    config["train"]["windows"]["max_offset"] = 48
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert WorldModel.load(str(tmp_path)).max_offset == 48


def test_a_recording_takes_an_observation_and_a_pose_only() -> None:
    recording = Recording()
    with pytest.raises(UsageError, match="got a Pose and a str"):
        recording.add(Pose(0.0, 0.0, 0.0, 0.0), "here")  # type: ignore[arg-type]
    assert len(recording) == 0
