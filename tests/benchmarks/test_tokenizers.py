"""`benchmarks.tokenizers` measures every tokenizer on houses that it was not fitted on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.tokenizers import Kept, table, tokenizers
from tests.model.small_dataset import write_flats, write_small_dataset


@pytest.mark.slow
def test_every_tokenizer_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVW_SCENES", str(tmp_path))
    data = write_small_dataset(tmp_path / "data", write_flats(tmp_path)[:3])
    arguments = [str(data), "--minutes", "0.02", "--frames", "40", "--test-frames", "16", "--json"]
    rows = json.loads(CliRunner().invoke(tokenizers, arguments, catch_exceptions=False).stdout)["rows"]
    assert [row["name"] for row in rows] == ["pca", "kl", "cues", "codec"]
    assert set(rows[0]["values"]) == set(rows[1]["values"]) == {"PSNR", "SSIM"}
    assert set(rows[2]["values"]) == set(rows[3]["values"]) == {"LSD, dB", "ILD, dB", "ITD, µs", "coherence"}
    assert rows[1]["steps"] >= 4 <= rows[3]["steps"]


def test_the_table_has_one_line_per_tokenizer() -> None:
    row = Kept(name="kl", numbers=1024, steps=1500, seconds=90.0, values={"PSNR": 25.123, "SSIM": 0.8})
    assert table([row]).splitlines()[-1] == "| kl | 1024 | 1,500 | 1.5 | 25.1 | 0.8 |"
