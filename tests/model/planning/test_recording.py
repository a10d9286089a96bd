"""Recordings of navigation, with and without ffmpeg."""

import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

from avw.model.planning import recording
from avw.model.planning.navigate import run_policies
from avw.model.planning.navigate_config import NavigateConfig
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import TaskConfig


def frames(count=4):
    return [np.full((16, 32, 3), 60 * i, np.uint8) for i in range(count)]


def sound(count=4):
    return 0.1 * np.ones((2, count * 2400), np.float32)


def test_without_ffmpeg_a_gif_and_a_wav(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    animation, wave = recording.write_recording(tmp_path / "deep" / "x", frames(), sound())
    with Image.open(animation) as image:
        assert image.n_frames == 4
        assert image.info["duration"] == 150
    samples, rate = soundfile.read(wave)
    assert (samples.shape, rate) == ((9600, 2), 16000)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed here")
def test_with_ffmpeg_an_mp4(tmp_path):
    (video,) = recording.write_recording(tmp_path / "x", frames(), sound())
    assert video.suffix == ".mp4"
    assert video.stat().st_size > 500
    assert list(tmp_path.iterdir()) == [video]


def test_episodes_are_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    config = NavigateConfig(
        policies=("oracle",),
        scenes=("procedural-0200",),
        episodes=1,
        simulator=SimulatorConfig(size=16, emitters=500),
        task=TaskConfig(max_steps=200),
        video_dir=str(tmp_path),
    )
    (record,) = run_policies(config).records["oracle"]
    with Image.open(tmp_path / "oracle-000-found.gif") as image:
        assert image.size == (2 * recording.SIDE, recording.SIDE)
    samples, _ = soundfile.read(tmp_path / "oracle-000-found.wav")
    assert len(samples) == 2400 * record.actions
