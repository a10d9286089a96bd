"""Samples: which windows are shown, and what the files contain."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.viewing.media import read_frames
from avw.model.evaluation.futures import Recorded
from avw.model.evaluation.samples import choose, write_samples
from avw.model.pictures.film_strip import StripRow, film_strip, guessed_picture, shown_steps
from avw.model.pictures.ink import GUESSED, IMAGINED, TRUTH
from tests.model.evaluation import scripted
from tests.model.evaluation.scripted import CONFIG, ScriptedSource


class TwoScenes(ScriptedSource):
    """The first half of the episodes belongs to another scene."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        half = len(self.windows.episodes) // 2
        self.windows.episodes = [
            dataclasses.replace(ref, scene="first" if number < half else "second")
            for number, ref in enumerate(self.windows.episodes)
        ]


def test_the_largest_change_of_each_scene_is_shown(dataset: Dataset):
    source = TwoScenes(dataset)
    chosen = choose(source, source.recorded, count=6, length=8, candidates=10_000)
    assert len(chosen) == 2  # one per scene
    rows, windows = scripted.episodes(dataset), source.windows
    best: dict[str, float] = {}
    for frame in windows.at(8, 10_000).context_BT[:, -1].tolist():
        row, t = rows[int(windows.episode_F[frame])], int(frame - windows.start_F[frame])
        yaw, forward = scripted.turn_and_advance(row["actions"][t : t + 8])
        if scripted.coverage(32, np.array([0.5 * forward, 0.0, yaw])).mean() >= 0.4:
            change = float(np.sqrt(((row["rgb"][t].astype(float) - row["rgb"][t + 8]) ** 2).mean()))
            scene = windows.episodes[int(windows.episode_F[frame])].scene
            best[scene] = max(best.get(scene, 0.0), change)
    assert [found.change for found in chosen] == pytest.approx(sorted(best.values(), reverse=True), rel=1e-4)
    assert all(found.coverage >= 0.4 for found in chosen)
    assert choose(source, source.recorded, count=1, length=8, candidates=10_000) == chosen[:1]


def test_without_enough_coverage_the_best_covered_window_is_shown(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scripted, "coverage", lambda size, motion: np.arange(size * size).reshape(size, size) < 100)
    source = ScriptedSource(dataset)
    chosen = choose(source, source.recorded, count=6, length=8, candidates=12)
    assert len(chosen) == len({ref.scene for ref in source.windows.episodes})
    assert chosen[0].coverage == pytest.approx(100 / 32**2)


def test_samples_show_the_prediction_beside_the_truth(dataset: Dataset, tmp_path: Path):
    source, out = TwoScenes(dataset), tmp_path / "samples"
    write_samples(source, Recorded(source.windows), out, count=2, length=8, candidates=CONFIG.candidates)
    notes = json.loads((out / "samples.json").read_text())
    assert [note["name"] for note in notes] == ["sample-0", "sample-1"]
    refs = {ref.index: ref for ref in dataset.episodes("test")}
    for note in notes:
        row, t = dataset.read(refs[note["episode"]]), note["step"]
        sound = row["audio"].astype(np.float32) * dataset.audio_scale
        future = range(t + 1, t + 9)
        assert note["steps"] == 8
        assert "40 %" in note["rule"]
        assert note["true_progress"] == pytest.approx(
            [row["geodesic"][t] - row["geodesic"][k] for k in future], abs=1e-3
        )
        scale = 0.5 / np.abs(sound[future]).max()
        for label, rgb, clips in (
            ("truth", [row["rgb"][k] for k in future], [sound[k] for k in future]),
            (
                "model",
                [scripted.predicted_rgb(row["rgb"][t], k - t) for k in future],
                [scripted.predicted_audio(sound[t], k - t) for k in future],
            ),
        ):
            frames = read_frames(out / f"{note['name']}-{label}.gif")
            assert len(frames) == 8
            assert np.abs(frames.astype(int) - np.stack(rgb)).mean() < 6  # a GIF has 256 colours per frame
            samples, rate = soundfile.read(out / f"{note['name']}-{label}.wav")
            assert rate == 16_000
            expected = np.clip(np.concatenate(clips, axis=1) * scale, -1, 1)
            np.testing.assert_allclose(samples.T, expected, atol=1e-4)
        with Image.open(out / f"{note['name']}.png") as picture:
            strip = np.asarray(picture.convert("RGB"))
        steps = shown_steps(8)
        predicted = [scripted.predicted_rgb(row["rgb"][t], step) for step in steps]
        ways = [scripted.turn_and_advance(row["actions"][t : t + step]) for step in steps]
        seen = [scripted.coverage(32, np.array([0.5 * forward, 0.0, yaw])) for yaw, forward in ways]
        tinted = [guessed_picture(*pair) for pair in zip(predicted, seen, strict=True)]
        rows = [
            StripRow(label="truth", pictures=[row["rgb"][t + step] for step in (0, *steps)], colour=TRUTH),
            StripRow(label="imagined", pictures=[None, *predicted], colour=IMAGINED),
            StripRow(label="guessed", note="never seen before", pictures=[None, *tinted], colour=GUESSED),
        ]
        expected_strip = film_strip(rows, ["now", *(f"+{step}" for step in steps)])
        np.testing.assert_array_equal(strip, np.asarray(expected_strip))
