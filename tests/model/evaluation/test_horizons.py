"""Every metric at a horizon, computed again in the test from its definition; pairs, stitched models and clusters."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.evaluation.futures import Future, Recorded
from avw.model.evaluation.measures import MEASURES
from avw.model.evaluation.parts import measure_source
from avw.model.metrics.bootstrap import Sums, clustered_difference
from tests.model.evaluation import scripted
from tests.model.evaluation.scripted import CONFIG, ScriptedSource


@pytest.fixture(scope="module")
def result(dataset: Dataset) -> dict:
    seen: list[int] = []
    source = ScriptedSource(dataset)
    found = measure_source(
        source, CONFIG, CONFIG.horizons, parts=("horizons",), stitched=(source, ScriptedSource(dataset, gain=0.5)),
        progress=seen.append,
    )  # fmt: skip
    assert sum(seen) == sum(found["windows"].values()) == 80
    return found


def methods(dataset: Dataset, horizon: int) -> list[dict]:
    """Per window: the truth, what every method predicts, and what was seen."""
    windows = Windows(dataset, "test", WindowConfig(ages=(0,)))
    realised = Windows(dataset, "test", WindowConfig(ages=(0,), motion="realised"))
    rows, found = scripted.episodes(dataset), []
    for frame in windows.at(horizon, CONFIG.count).context_BT[:, -1].tolist():
        row, t = rows[int(windows.episode_F[frame])], int(frame - windows.start_F[frame])
        yaw, forward = scripted.turn_and_advance(row["actions"][t : t + horizon])
        last, depth = row["rgb"][t], row["depth"][t].astype(np.float32) / 1000
        told = np.array([forward, 0.0, yaw])
        real = realised.motion(np.array([frame]), np.array([[frame + horizon]]))[0, 0]
        true_depth = row["depth"][t + horizon].astype(np.float32) / 1000
        audio, true_audio = row["sound"][t], row["sound"][t + horizon]
        size = len(last)
        found.append({
            "true": (row["rgb"][t + horizon], true_depth, true_audio),
            "seen": scripted.coverage(size, told * 0.5),
            "progress": row["geodesic"][t] - row["geodesic"][t + horizon],
            "distance": row["geodesic"][t + horizon],
            "forward": forward,
            "rgb": {
                "model": scripted.predicted_rgb(last, horizon),
                "persistence": last,
                "rotation_warp": scripted.turned(last, yaw),
                "reprojection_commanded": scripted.reprojected_rgb(last, told),
                "reprojection": scripted.reprojected_rgb(last, told * 0.5),
                "reprojection_realised": scripted.reprojected_rgb(last, real),
                "oracle_tokenizer": scripted.round_trip_rgb(row["rgb"][t + horizon]),
                "stitched": scripted.predicted_rgb(last, horizon),
            },
            "depth": {
                "model": scripted.predicted_depth(depth, horizon),
                "persistence": depth,
                "reprojection_commanded": depth * 1.2,
                "reprojection": depth * 1.2,
                "reprojection_realised": depth * 1.2,
                "oracle_tokenizer": true_depth * 1.05,
                "stitched": scripted.predicted_depth(depth, horizon),
            },
            "audio": {
                "model": scripted.predicted_audio(audio, horizon),
                "persistence": audio,
                "recall": scripted.recalled_audio(audio),
                "oracle_tokenizer": scripted.round_trip_audio(true_audio),
                "stitched": 0.5 * scripted.predicted_audio(audio, horizon),
            },
        })  # fmt: skip
    return found


def pooled_psnr(errors: list[np.ndarray]) -> float:
    return 10 * math.log10(255**2 / np.concatenate(errors).mean())


@pytest.mark.parametrize("horizon", CONFIG.horizons)
def test_image_metrics_are_what_their_definitions_say(dataset: Dataset, result: dict, horizon: int):
    windows = methods(dataset, horizon)
    found = result["horizons"][str(horizon)]
    for method in windows[0]["rgb"]:
        squares, seen, unseen, ssim = [], [], [], []
        for window in windows:
            true, image = window["true"][0], window["rgb"][method]
            square = ((image.astype(float) - true) ** 2).mean(-1)
            squares.append(square.ravel())
            seen.append(square[window["seen"]])
            unseen.append(square[~window["seen"]])
            ssim.append(np.mean([scripted.similarity(image[..., c], true[..., c], 255, 1.5, 5) for c in range(3)]))
        assert found["psnr"][method] == pytest.approx(pooled_psnr(squares), abs=2e-3), method
        assert found["psnr_seen"][method] == pytest.approx(pooled_psnr(seen), abs=2e-3), method
        assert found["psnr_unseen"][method] == pytest.approx(pooled_psnr(unseen), abs=2e-3), method
        assert found["ssim"][method] == pytest.approx(np.mean(ssim), abs=2e-3), method
    assert set(found["psnr"]) == set(windows[0]["rgb"])
    assert result["coverage"][str(horizon)] == pytest.approx(np.mean([w["seen"] for w in windows]), abs=1e-4)


@pytest.mark.parametrize("horizon", CONFIG.horizons)
def test_depth_metrics_are_what_their_definitions_say(dataset: Dataset, result: dict, horizon: int):
    windows = methods(dataset, horizon)
    found = result["horizons"][str(horizon)]
    for method in windows[0]["depth"]:
        errors, unseen, within = [], [], []
        for window in windows:
            true, depth = window["true"][1], window["depth"][method]
            hit = true > 0
            relative = np.abs(depth - true)[hit] / true[hit]
            errors.append(relative)
            unseen.append(relative[~window["seen"][hit]])
            ratio = np.maximum(depth[hit] / true[hit], true[hit] / np.maximum(depth[hit], 1e-9))
            within.append(ratio < 1.25)
        assert found["depth_absrel"][method] == pytest.approx(np.concatenate(errors).mean(), abs=1e-3), method
        assert found["depth_absrel_unseen"][method] == pytest.approx(np.concatenate(unseen).mean(), abs=1e-3), method
        assert found["depth_within_125"][method] == pytest.approx(np.concatenate(within).mean(), abs=2e-3), method
    assert set(found["depth_absrel"]) == set(windows[0]["depth"])


@pytest.mark.parametrize("horizon", CONFIG.horizons)
def test_sound_and_reward_metrics_are_what_their_definitions_say(dataset: Dataset, result: dict, horizon: int):
    full_scale = dataset.spec.audio_full_scale
    windows = methods(dataset, horizon)
    found = result["horizons"][str(horizon)]
    for method in windows[0]["audio"]:
        lsd, ssim, ild = [], [], []
        for window in windows:
            clip, true = window["audio"][method], window["true"][2]
            a, b = scripted.spectra(clip, full_scale), scripted.spectra(true, full_scale)
            lsd.append(scripted.log_spectral_distance(a, b))
            ssim.append(np.mean([scripted.similarity(a[ear] + 80, b[ear] + 80, 80, 1.0, 3) for ear in (0, 1)]))
            ild.append(scripted.level_difference_error(clip, true, full_scale))
        assert found["lsd"][method] == pytest.approx(np.mean(lsd), rel=2e-3), method
        assert found["spectral_ssim"][method] == pytest.approx(np.mean(ssim), abs=2e-3), method
        assert found["ild_error"][method] == pytest.approx(np.nanmean(ild), rel=2e-3), method
    assert set(found["pan_error"]) == set(found["itd_error"]) == set(windows[0]["audio"])
    progress = [abs(scripted.predicted_progress(horizon, w["forward"]) - w["progress"]) for w in windows]
    assert found["reward_error"]["model"] == pytest.approx(np.mean(progress), abs=1e-3)
    assert found["reward_error"]["persistence"] == pytest.approx(
        np.mean([abs(w["progress"]) for w in windows]), abs=1e-3
    )
    near = [w for w in windows if w["distance"] < 4]
    distance = [abs(scripted.predicted_distance(horizon, w["forward"]) - w["distance"]) for w in near]
    assert found["distance_error"]["model"] == pytest.approx(np.mean(distance), abs=1e-3)


def test_every_metric_has_a_title_and_a_direction(result: dict):
    assert set(result["horizons"]["1"]) == set(MEASURES)
    json.dumps(result, allow_nan=False)


def test_pairs_are_the_differences_of_the_pooled_values(result: dict):
    for name, rows in result["horizons"].items():
        for metric, pairs in result["paired"][name].items():
            for rival, (mean, low, high) in pairs.items():
                assert low <= mean <= high
                assert mean == pytest.approx(rows[metric]["model"] - rows[metric][rival], abs=2e-3), (metric, rival)
                assert result["paired_by_scene"][name][metric][rival][0] == mean
    assert set(result["paired"]["1"]["psnr"]) == {"reprojection", "persistence", "stitched"}
    assert result["paired"]["1"]["psnr"]["stitched"] == [0.0, 0.0, 0.0]  # the same images
    assert set(result["paired"]["1"]["lsd"]) == {"persistence", "recall", "stitched"}
    assert result["paired"]["1"]["lsd"]["stitched"][0] < 0.0


def test_intervals_resample_episodes(dataset: Dataset, result: dict):
    refs = dataset.episodes("test")
    assert result["clusters"]["1"] == {"episodes": len(refs), "scenes": len({ref.scene for ref in refs})}
    windows = methods(dataset, 1)
    frames = Windows(dataset, "test", WindowConfig(ages=(0,)))
    clusters = frames.episode_F[frames.at(1, CONFIG.count).context_BT[:, -1]].tolist()
    errors = [
        Sums.of(np.array([((w["rgb"][method].astype(float) - w["true"][0]) ** 2).mean() for w in windows]))
        for method in ("model", "reprojection")
    ]
    expected = clustered_difference(*errors, clusters, transform=MEASURES["psnr"].transform)
    assert expected is not None
    found = result["paired"]["1"]["psnr"]["reprojection"]
    assert found == pytest.approx([expected.mean, expected.low, expected.high], abs=2e-3)


def test_silent_windows_do_not_count(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    original = Recorded.frames
    silent = Windows(dataset, "test", WindowConfig(ages=(0,))).at(1, 3).target_BK[0, 0]

    def first_silent(self: Recorded, frames_N: np.ndarray) -> Future:
        future = original(self, frames_N)
        return dataclasses.replace(future, audio_NES=future.audio_NES * (frames_N != silent)[:, None, None])

    source = ScriptedSource(dataset)
    config = dataclasses.replace(CONFIG, count=3)
    before = measure_source(source, config, (1,), parts=())["horizons"]["1"]
    monkeypatch.setattr(Recorded, "frames", first_silent)
    after = measure_source(source, config, (1,), parts=())["horizons"]["1"]
    windows = Windows(dataset, "test", WindowConfig(ages=(0,)))
    rows, expected = scripted.episodes(dataset), []
    for frame in windows.at(1, 3).context_BT[1:, -1].tolist():
        row, t = rows[int(windows.episode_F[frame])], int(frame - windows.start_F[frame])
        pair = row["sound"][t], row["sound"][t + 1]
        expected.append(scripted.level_difference_error(*pair, dataset.spec.audio_full_scale))
    assert after["ild_error"]["persistence"] == pytest.approx(np.nanmean(expected), abs=1e-4)
    assert after["psnr"] == before["psnr"]


def test_a_model_without_depth_has_no_depth_figures(dataset: Dataset):
    class Colour(ScriptedSource):
        def predict(self, window):
            return dataclasses.replace(super().predict(window), depth_NHW=None)

    found = measure_source(Colour(dataset), dataclasses.replace(CONFIG, count=4), (1,), parts=())
    assert "model" not in found["horizons"]["1"]["depth_absrel"]
    assert "persistence" in found["horizons"]["1"]["depth_absrel"]
    assert "depth_absrel" not in found["paired"]["1"]
