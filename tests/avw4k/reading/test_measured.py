"""Statistics of sound and reward, and their plots."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner

from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.reading.measured import measured_statistics, measured_text
from avw.avw4k.viewing.charts import Bars, bar_chart, standalone
from avw.cli.main import avw


def test_levels_are_those_of_the_stored_samples(reference: Path):
    dataset = open_dataset(reference)
    found = measured_statistics(dataset)
    assert found["episodes"] == 6
    levels = []
    for ref in dataset.episodes():
        audio = dataset.read(ref, ["audio"])["audio"] / 32767.0
        levels += [20 * np.log10(np.sqrt((step**2).mean())) for step in audio]
    assert found["modes"]["all"]["level"]["percentiles"][1] == pytest.approx(np.median(levels), abs=0.01)
    assert sum(found["modes"]["all"]["level"]["counts"]) == 6 * 13
    # Success stands apart: two approaches end in one.
    assert sum(found["modes"]["all"]["reward"]["counts"]) == 6 * 12 - 2
    few = measured_statistics(dataset, episodes=2)
    assert few["episodes"] == 2
    assert "measured in 2 episodes" in measured_text(few)


def test_damage_is_said_and_the_rest_described(copy: Path):
    shard = next(iter(open_dataset(copy).records))
    (copy / shard).write_bytes(b"")
    done = CliRunner().invoke(avw, ["info", str(copy)])
    assert done.exit_code == 0
    assert "could not be measured" in done.stdout
    assert "6 trajectories" in done.stdout


def test_the_command_prints_and_plots(reference: Path, tmp_path: Path):
    done = CliRunner().invoke(avw, ["info", str(reference), "--plots", str(tmp_path / "plots"), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    names = {Path(path).stem for path in document["plots"]}
    assert names == {"modes", "actions", "starts", "frames", "level", "ild", "reward"}
    for path in document["plots"]:
        root = ET.fromstring(Path(path).read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        for bar in root.iter("{http://www.w3.org/2000/svg}rect"):
            if "x" in bar.attrib:
                assert 0 <= float(bar.attrib["x"]) <= 560
                assert float(bar.attrib["height"]) >= 0
    text = CliRunner().invoke(avw, ["info", str(reference)]).stdout
    assert "level, dBFS" in text
    assert "left - right, dB" in text


def test_bars_are_as_high_as_their_values():
    svg = bar_chart([Bars(name="a", values=[1.0, 2.0], colour="#123456")], ["x", "y"], title="T", x_label="l")
    root = ET.fromstring(standalone(svg))
    heights = [float(r.attrib["height"]) for r in root.iter("{http://www.w3.org/2000/svg}rect") if "rx" not in r.attrib
               and r.attrib.get("fill") == "#123456"]  # fmt: skip
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    ET.fromstring(bar_chart([], [], title="nothing", x_label=""))
