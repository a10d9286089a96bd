"""`benchmarks.tokenizers` measures every tokenizer on houses that it was not fitted on."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

from avw.model.tokenizers.kl_image import KlImageConfig, KlImageTokenizer
from avw.model.tokenizers.learned import Progress
from avw.model.tokenizers.protocol import OnStep
from benchmarks import tokenizers as module
from benchmarks.tokenizers import Effort, Kept, fitted, same_frames, table, tokenizers
from tests.model.small_dataset import write_flats, write_small_dataset


@pytest.mark.slow
def test_every_tokenizer_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVW_SCENES", str(tmp_path))
    data = write_small_dataset(tmp_path / "data", write_flats(tmp_path)[:3])
    arguments = [str(data), "--minutes", "0.02", "--frames", "40", "--test-frames", "16", "--json"]
    rows = json.loads(CliRunner().invoke(tokenizers, arguments, catch_exceptions=False).stdout)["rows"]
    assert [row["name"] for row in rows] == ["pca", "kl", "cues", "codec"]
    times = {"encode, ms", "decode, ms"}
    assert set(rows[0]["values"]) == set(rows[1]["values"]) == {"PSNR", "SSIM"} | times
    assert set(rows[2]["values"]) == set(rows[3]["values"]) == {"LSD, dB", "ILD, dB", "ITD, µs", "coherence"} | times
    assert all(row["values"][name] > 0 for row in rows for name in times)
    assert rows[1]["steps"] >= 4 <= rows[3]["steps"]


def test_the_table_has_one_line_per_tokenizer() -> None:
    row = Kept(name="kl", numbers=1024, steps=1500, seconds=90.0, values={"PSNR": 25.123, "SSIM": 0.8})
    assert table([row]).splitlines()[-1] == "| kl | 1024 | 1,500 | 1.5 | 25.1 | 0.8 |"


def test_steps_and_time_add_up_over_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, done = [0.0], list[int]()
    monkeypatch.setattr(module.time, "process_time", lambda: clock[0])
    images = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)

    def fit(steps: int, progress: Progress, on_step: OnStep) -> KlImageTokenizer:
        def step_of_a_second(step: int, loss: float) -> None:
            clock[0] += 1.0
            on_step(step, loss)
            done.append(step)
            if progress.path is not None and len(done) == stop_after:
                raise KeyboardInterrupt

        config = KlImageConfig(size=16, width=16)
        return KlImageTokenizer.fit(images, config, steps=steps, batch=1, progress=progress, on_step=step_of_a_second)

    stop_after = 4 + 130  # four steps decide how many fit into the time; the state of step 100 is kept
    with pytest.raises(KeyboardInterrupt):
        fitted("kl", "image", fit, 150 / 60, tmp_path)
    clock[0], stop_after = 1000.0, 0  # another process
    done.clear()
    first, effort = fitted("kl", "image", fit, 150 / 60, tmp_path)
    assert done == list(range(101, 151))
    assert (effort.steps, effort.seconds) == (150, 150.0)
    again, effort = fitted("kl", "image", fit, 150 / 60, tmp_path)  # finished
    assert (effort.steps, effort.seconds, len(done)) == (150, 150.0, 50)
    assert torch.equal(again.encode(images), first.encode(images))
    assert [path.name for path in tmp_path.iterdir()] == ["kl.safetensors"]


def test_a_folder_has_the_tokenizers_of_one_set_of_frames(tmp_path: Path) -> None:
    same_frames(tmp_path, {"dataset": "a:3", "frames": 40})
    same_frames(tmp_path, {"dataset": "a:3", "frames": 40})
    for other in ({"dataset": "b:3", "frames": 40}, {"dataset": "a:3", "frames": 41}):
        with pytest.raises(click.UsageError, match="another dataset"):
            same_frames(tmp_path, other)


def test_another_time_is_another_fit(tmp_path: Path) -> None:
    (tmp_path / "kl.json").write_text(json.dumps(Effort(1.0, 100, 50.0).note))
    assert Effort.kept(tmp_path / "kl.json", 2.0) is None
    found = Effort.kept(tmp_path / "kl.json", 1.0)
    assert found is not None
    assert found.note == {"minutes": 1.0, "steps": 100, "seconds": 50.0}
