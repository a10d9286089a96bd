"""AV-lag and AV-corr of sequences, against their definition; the reliability cards of a split."""

from __future__ import annotations

import json

import numpy as np
import pytest

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.evaluation.cards import measure_reliability
from avw.model.evaluation.futures import Recorded
from avw.model.evaluation.measures import SOUND
from avw.model.evaluation.sequences import measure_sequences, waveform
from avw.model.metrics.perceptual import PERCEPTUAL
from tests.model.evaluation import scripted
from tests.model.evaluation.scripted import CONFIG, ScriptedSource


def test_av_errors_compare_the_peaks_of_predicted_and_true_sequences(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    heard = []
    for name in list(PERCEPTUAL):
        monkeypatch.setitem(PERCEPTUAL, name, lambda futures: float(heard.append(futures) or 1.5))
    source = ScriptedSource(dataset)
    found, perceptual, unavailable = measure_sequences(
        source, Recorded(source.windows), count=CONFIG.sequences, length=CONFIG.length, stitched=(source, source)
    )
    windows = Windows(dataset, "test", WindowConfig(ages=(0,)))
    rows = scripted.episodes(dataset)
    errors: dict[str, list[tuple[float, float]]] = {"model": [], "oracle_tokenizer": []}
    for frame in windows.at(CONFIG.length, CONFIG.sequences).context_BT[:, -1].tolist():
        row, t = rows[int(windows.episode_F[frame])], int(frame - windows.start_F[frame])
        rgb = list(row["rgb"][t + 1 : t + 1 + CONFIG.length])
        sound = list(row["sound"][t + 1 : t + 1 + CONFIG.length])
        true = scripted.lag_and_height(rgb, sound)
        offsets = range(1, CONFIG.length + 1)
        futures = {
            "model": (
                [scripted.predicted_rgb(row["rgb"][t], k) for k in offsets],
                [scripted.predicted_audio(row["sound"][t], k) for k in offsets],
            ),
            "oracle_tokenizer": (
                [scripted.round_trip_rgb(x) for x in rgb], [scripted.round_trip_audio(x) for x in sound]
            ),
        }  # fmt: skip
        for method, future in futures.items():
            lag, height = scripted.lag_and_height(*future)
            errors[method].append((abs(lag - true[0]), abs(height - true[1])))
    for method, values in errors.items():
        lag, height = np.mean(values, axis=0)
        assert found[method]["av_lag_error_seconds"] == pytest.approx(lag, abs=1e-4)
        assert found[method]["av_corr_error"] == pytest.approx(height, abs=1e-3)
    assert found["stitched"] == found["model"] != found["oracle_tokenizer"]
    assert perceptual == dict.fromkeys(PERCEPTUAL, 1.5)
    assert unavailable == {}
    assert heard[0].predicted_rgb_NHWC.shape[0] == CONFIG.sequences * CONFIG.length
    assert heard[0].true_audio_MES.shape == (CONFIG.sequences, 2, CONFIG.length * 2400)


def test_episodes_that_are_too_short_have_no_sequences(dataset: Dataset):
    source = ScriptedSource(dataset)
    assert measure_sequences(source, Recorded(source.windows), count=2, length=4) == ({}, {}, {})


def test_a_waveform_joins_the_steps_of_each_ear():
    steps = np.arange(12.0).reshape(3, 2, 2)
    assert waveform(steps).tolist() == [[0.0, 1.0, 4.0, 5.0, 8.0, 9.0], [2.0, 3.0, 6.0, 7.0, 10.0, 11.0]]


def test_every_metric_of_sound_has_a_reliability_card(dataset: Dataset):
    source = ScriptedSource(dataset)
    cards = measure_reliability(source.windows, Recorded(source.windows), clips=12, sequences=2, length=8)
    assert set(cards) == {*SOUND, "av_lag_error_seconds", "av_corr_error"}
    json.dumps(cards, allow_nan=False)
    assert cards["lsd"]["mute"]["monotone"] == 1.0
    assert cards["spectral_ssim"]["mute"]["delta"] > 0.0  # a similarity counts as an error here
    assert cards["ild_error"]["swap"]["monotone"] == 1.0
    assert cards["av_corr_error"]["mute"]["errors"][0] == 0.0
