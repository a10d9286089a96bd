"""Frames with sound, with and without ffmpeg."""

import shutil
import sys

import numpy as np
import pytest
import soundfile
from PIL import Image

from avw.model.pictures.animation import common_scale, write_animation
from avw.sim_bridge.process.ffmpeg import find_ffmpeg


def frames(count=4):
    return [np.full((16, 32, 3), 60 * i, np.uint8) for i in range(count)]


def sound(count=4):
    return 0.1 * np.ones((2, count * 2400), np.float32)


def test_without_ffmpeg_a_gif_and_a_wav(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    animation, wave = write_animation(tmp_path / "deep" / "x", frames(), sound())
    with Image.open(animation) as image:
        assert image.n_frames == 4
        assert image.info["duration"] == 150
    samples, rate = soundfile.read(wave)
    assert (samples.shape, rate) == ((9600, 2), 16000)


@pytest.mark.skipif(find_ffmpeg() is None, reason="neither ffmpeg nor imageio-ffmpeg is installed")
def test_with_ffmpeg_an_mp4(tmp_path):
    (video,) = write_animation(tmp_path / "x", frames(), sound())
    assert video.suffix == ".mp4"
    assert video.stat().st_size > 500
    assert list(tmp_path.iterdir()) == [video]


def test_one_scale_keeps_the_ratio_of_levels():
    scale = common_scale(sound(), 3 * sound())
    assert scale * 0.3 == pytest.approx(0.5)
    assert np.isfinite(common_scale(np.zeros((2, 0))))
