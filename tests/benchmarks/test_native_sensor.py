"""The comparison of three engines: the error if RLR is missing, and agreement of the sensor with RLR."""

from __future__ import annotations

import importlib.util
import json

import pytest
from click.testing import CliRunner

from avw.sim_bridge.errors import UsageError
from benchmarks.native_sensor import native_sensor
from tests.sim_bridge.habitat_sensors import session_whose_sensor_is

INSTALLED = importlib.util.find_spec("rlr_audio_propagation") is not None


@pytest.mark.skipif(INSTALLED, reason="rlr-audio-propagation is installed")
def test_without_rlr_the_error_has_the_install_command() -> None:
    with pytest.raises(UsageError, match=r"avw\[rlr\]"):
        CliRunner().invoke(native_sensor, [], catch_exceptions=False)


@pytest.mark.habitat
@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="rlr-audio-propagation is not installed: pip install 'avw[rlr]'")
def test_the_sensor_agrees_with_rlr_within_the_noise_of_its_rays() -> None:
    python = session_whose_sensor_is(right=True).python
    done = CliRunner().invoke(native_sensor, ["--habitat-python", python, "--places", "4", "--json"])
    rows = {row["name"]: row["ours"] for row in json.loads(done.stdout)["rows"]}
    assert abs(rows["level, audio sensor - RLR: mean"]) < 0.75
    assert rows["level, audio sensor - RLR: rms"] < 1.0
    assert rows["one response, audio sensor, 500 rays"] > 1.0
