"""Recordings of navigation."""

import shutil

import soundfile
from PIL import Image

from avw.avw4k.execution.this_process import run_in_this_process
from avw.model.navigation import recording
from avw.model.navigation.navigate import run_policies
from avw.model.navigation.navigate_config import NavigateConfig
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import TaskConfig


def test_episodes_are_recorded(tmp_path, monkeypatch, flats):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    config = NavigateConfig(
        policies=("oracle",),
        scenes=flats[:1],
        episodes=1,
        simulator=SimulatorConfig(size=16, emitters=500),
        task=TaskConfig(max_steps=200),
        video_dir=str(tmp_path),
    )
    (record,) = run_policies(config, execute=run_in_this_process).records["oracle"]
    with Image.open(tmp_path / "oracle-000-found.gif") as image:
        assert image.size == (2 * recording.SIDE, recording.SIDE)
    samples, _ = soundfile.read(tmp_path / "oracle-000-found.wav")
    assert len(samples) == 2400 * record.actions
