"""The evaluation, with a scripted model whose predictions are known: every metric is computed again in the test, from
the definition, without the code under test."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.signal import get_window

import avw.model.evaluate as module
from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.viewing.media import read_frames
from avw.cli.main import avw
from avw.model.evaluate import METRICS, EvaluationConfig, evaluate
from avw.model.pictures.film_strip import StripRow, film_strip, shown_steps
from avw.model.pictures.ink import IMAGINED, TRUTH
from avw.model.tokenizers.fit import TokenizerBudget
from avw.model.training.presets import preset
from avw.model.training.train import train
from avw.model.world_model import FILE
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import FORWARD_METRES, STEP_SECONDS, TURN_RADIANS, Action

CONFIG = EvaluationConfig(horizons=(1, 3), count=40, sequences=5, length=8, shown=2, denoising_steps=2)


# The scripted model


def predicted_rgb(last: np.ndarray, offset: int) -> np.ndarray:
    """Darker, and a little brighter again with every step."""
    return np.clip(np.floor(last * 0.5) + 7 * offset, 0, 255).astype(np.uint8)


def predicted_audio(last: np.ndarray, offset: int) -> np.ndarray:
    """Softer on the right, silent there at every third step, and softer with every step on both sides."""
    return (
        last
        * np.array([0.9, 0.4 if offset % 3 else 0.0], np.float32)[:, None]
        * np.float32(1 / (1 + 0.2 * (offset % 3)))
    )


def predicted_progress(offset: int, forward: float) -> float:
    return 0.02 * offset + 0.5 * forward


def round_trip_rgb(true: np.ndarray) -> np.ndarray:
    return true // 32 * 32 + 16


def round_trip_audio(true: np.ndarray) -> np.ndarray:
    return true * np.array([0.5, 0.25], np.float32)[:, None]


class ScriptedModel:
    """Latents are the images and sounds themselves, so decoding does nothing."""

    ages, hfov, device = (2, 0), 90.0, torch.device("cpu")
    image = SimpleNamespace(encode=lambda rgb: torch.from_numpy(round_trip_rgb(rgb.numpy())))
    audio = SimpleNamespace(encode=lambda audio: torch.from_numpy(round_trip_audio(audio.numpy())))

    def encode(self, rgb, audio, past):
        return SimpleNamespace(last_rgb_BHWC=rgb[:, -1], last_audio_BES=audio[:, -1])

    def predict(self, history, motion, offset, *, steps):
        assert steps == CONFIG.denoising_steps
        rgb, audio, progress = [], [], []
        for b, row in enumerate(offset.tolist()):
            rgb += [predicted_rgb(history.last_rgb_BHWC[b].numpy(), k) for k in row]
            audio += [predicted_audio(history.last_audio_BES[b].numpy(), k) for k in row]
            progress.append([predicted_progress(k, float(motion[b, i, 0])) for i, k in enumerate(row)])
        latents = {"vision": torch.from_numpy(np.stack(rgb)), "audio": torch.from_numpy(np.stack(audio))}
        return SimpleNamespace(latents=latents, reward=SimpleNamespace(progress_BK=torch.tensor(progress)))

    def decode(self, latents):
        return latents["vision"], latents["audio"]


# The metrics, from their definitions


def similarity(a: np.ndarray, b: np.ndarray, span: float, sigma: float, radius: int) -> float:
    """Mean SSIM (Wang et al. 2004) of two pictures (H, W), with a window of two dimensions."""
    offsets = np.arange(-radius, radius + 1)
    weight = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    weight /= weight.sum()

    def weighted(x: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape)
        return np.tensordot(windows, weight, axes=2)

    a, b = a.astype(float), b.astype(float)
    mean_a, mean_b = weighted(a), weighted(b)
    var_a, var_b = weighted(a**2) - mean_a**2, weighted(b**2) - mean_b**2
    cov = weighted(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    return float(
        ((2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean()
    )


def spectra(audio_ES: np.ndarray, full_scale: float) -> np.ndarray:
    """dBFS (E, T, F): frames of 512 samples every 128, periodic Hann window, at least -80."""
    window = get_window("hann", 512)
    frames = [audio_ES[:, first : first + 512].astype(float) for first in range(0, audio_ES.shape[1] - 511, 128)]
    amplitude = np.abs(np.fft.rfft(np.stack(frames, 1) * window)) / (window.sum() / 2) / full_scale
    return 20 * np.log10(np.maximum(amplitude, 1e-4))


def log_spectral_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).mean(-1)).mean())


def level_difference_error(predicted: np.ndarray, true: np.ndarray, full_scale: float) -> float:
    def levels(audio_ES: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return 20 * np.log10(np.sqrt((audio_ES.astype(float) ** 2).mean(1)) / full_scale)

    if levels(true).min() <= -80:
        return math.nan
    guess = np.maximum(levels(predicted), -80)
    return abs((guess[0] - guess[1]) - (levels(true)[0] - levels(true)[1]))


def turned(rgb: np.ndarray, yaw: float) -> np.ndarray:
    """What a pinhole camera of 90° sees of `rgb` after a turn to the left, bilinear; the mean colour elsewhere."""
    size = len(rgb)
    if abs(yaw) < 1e-6:
        return rgb
    x, y = np.meshgrid(np.arange(size) - (size - 1) / 2, np.arange(size) - (size - 1) / 2)
    ray = np.stack([x, y, np.full_like(x, size / 2)])  # right, down, ahead; the focal length is half the width
    # Relative to the old camera, the new one looks `yaw` further to the left: its axis is (-sin, 0, cos).
    right = ray[0] * math.cos(yaw) - ray[2] * math.sin(yaw)
    ahead = ray[0] * math.sin(yaw) + ray[2] * math.cos(yaw)
    column = right / ahead * size / 2 + (size - 1) / 2
    row = ray[1] / ahead * size / 2 + (size - 1) / 2
    inside = (ahead > 0) & (np.abs(column - (size - 1) / 2) < size / 2) & (np.abs(row - (size - 1) / 2) < size / 2)
    mean = rgb.reshape(-1, 3)[::7].mean(0)  # of every seventh pixel
    out = np.empty_like(rgb)
    for channel in range(3):
        image = map_coordinates(rgb[..., channel].astype(float), [row, column], order=1, mode="nearest")
        out[..., channel] = np.where(inside, np.round(image), np.round(mean[channel]))
    return out


def lag_and_height(rgb: list[np.ndarray], audio: list[np.ndarray]) -> tuple[float, float]:
    """Lag in seconds and height of the peak of the correlation between visual change and loudness."""
    change = [math.sqrt(((b.astype(float) - a) ** 2).mean()) for a, b in itertools.pairwise(rgb)]
    loudness = [math.sqrt((clip.astype(float) ** 2).mean()) for clip in audio[1:]]
    found = {}
    for lag in range(-(len(change) - 4), len(change) - 3):
        pairs = [(change[i], loudness[i + lag]) for i in range(len(change)) if 0 <= i + lag < len(loudness)]
        a, b = np.array(pairs).T
        varies = a.std() * b.std() * len(a) > 1e-12
        found[lag] = float(np.corrcoef(a, b)[0, 1]) if varies else 0.0
    best = min(found, key=lambda lag: (-round(found[lag], 9), abs(lag)))
    return best * STEP_SECONDS, found[best]


# The windows, from the files


def episodes(dataset: Dataset) -> list[dict[str, np.ndarray]]:
    rows = [dataset.read(ref) for ref in dataset.episodes("test")]
    for row in rows:
        row["sound"] = row["audio"].astype(np.float32) * dataset.audio_scale
    return rows


def turn_and_advance(actions: np.ndarray) -> tuple[float, float]:
    """Net turn (radians) and metres forward, of commands as if nothing were in the way."""
    yaw = forward = 0.0
    for action in actions:
        yaw += TURN_RADIANS * ((action == Action.TURN_LEFT) - int(action == Action.TURN_RIGHT))
        forward += FORWARD_METRES * math.cos(yaw) * (action == Action.FORWARD)
    return yaw, forward


@pytest.fixture(scope="module")
def result(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path, list[int]]:
    out, seen = tmp_path_factory.mktemp("evaluation"), []
    return evaluate(ScriptedModel(), dataset, CONFIG, out, seen.append), out, seen


@pytest.mark.parametrize("horizon", CONFIG.horizons)
def test_every_metric_is_what_its_definition_says(dataset: Dataset, result, horizon: int):
    full_scale = dataset.spec.audio_full_scale
    values: dict[tuple[str, str], list[float]] = {}
    every = [(row, t) for row in episodes(dataset) for t in range(len(row["rgb"]) - horizon)]
    chosen = [every[i] for i in np.linspace(0, len(every) - 1, CONFIG.count).round().astype(int)]
    for row, t in chosen:
        yaw, forward = turn_and_advance(row["actions"][t : t + horizon])
        rgb, sound = row["rgb"][t + horizon], row["sound"][t + horizon]
        last_rgb, last_sound = row["rgb"][t], row["sound"][t]
        images = {
            "model": predicted_rgb(last_rgb, horizon),
            "persistence": last_rgb,
            "rotation_warp": turned(last_rgb, yaw),
            "oracle_tokenizer": round_trip_rgb(rgb),
        }
        for method, image in images.items():
            values.setdefault(("mse", method), []).append(((image.astype(float) - rgb) ** 2).mean())
            values.setdefault(("ssim", method), []).append(
                float(np.mean([similarity(image[..., c], rgb[..., c], 255, 1.5, 5) for c in range(3)]))
            )
        sounds = {
            "model": predicted_audio(last_sound, horizon),
            "persistence": last_sound,
            "oracle_tokenizer": round_trip_audio(sound),
        }
        true = spectra(sound, full_scale)
        for method, clip in sounds.items():
            found = spectra(clip, full_scale)
            values.setdefault(("lsd", method), []).append(log_spectral_distance(found, true))
            values.setdefault(("spectral_ssim", method), []).append(
                float(np.mean([similarity(found[ear] + 80, true[ear] + 80, 80, 1.0, 3) for ear in (0, 1)]))
            )
            values.setdefault(("ild_error", method), []).append(level_difference_error(clip, sound, full_scale))
        progress = row["geodesic"][t] - row["geodesic"][t + horizon]
        values.setdefault(("reward_error", "model"), []).append(abs(predicted_progress(horizon, forward) - progress))
        values.setdefault(("reward_error", "persistence"), []).append(abs(progress))
    expected: dict[str, dict[str, float]] = {metric: {} for metric in METRICS}
    for (metric, method), row in values.items():
        if metric == "mse":
            expected["psnr"][method] = 10 * math.log10(255**2 / np.mean(row))  # of the pooled squared error
        else:
            expected[metric][method] = float(np.nanmean(row))
    found = result[0]["horizons"][str(horizon)]
    assert found.keys() == expected.keys()
    for metric in METRICS:
        assert found[metric] == pytest.approx(expected[metric], rel=2e-3, abs=2e-3), metric
    assert result[0]["windows"][str(horizon)] == CONFIG.count


def test_av_errors_compare_the_peaks_of_predicted_and_true_sequences(dataset: Dataset, result):
    starts = [(row, t) for row in episodes(dataset) for t in range(len(row["rgb"]) - CONFIG.length)]
    chosen = [starts[i] for i in np.linspace(0, len(starts) - 1, CONFIG.sequences).round().astype(int)]
    errors: dict[str, list[tuple[float, float]]] = {"model": [], "oracle_tokenizer": []}
    for row, t in chosen:
        rgb = list(row["rgb"][t + 1 : t + 1 + CONFIG.length])
        sound = list(row["sound"][t + 1 : t + 1 + CONFIG.length])
        true = lag_and_height(rgb, sound)
        offsets = range(1, CONFIG.length + 1)
        futures = {
            "model": (
                [predicted_rgb(row["rgb"][t], k) for k in offsets],
                [predicted_audio(row["sound"][t], k) for k in offsets],
            ),
            "oracle_tokenizer": ([round_trip_rgb(x) for x in rgb], [round_trip_audio(x) for x in sound]),
        }
        for method, future in futures.items():
            lag, height = lag_and_height(*future)
            errors[method].append((abs(lag - true[0]), abs(height - true[1])))
    for method, rows in errors.items():
        lag, height = np.mean(rows, axis=0)
        found = result[0]["sequences"][method]
        assert found["av_lag_error_seconds"] == pytest.approx(lag, abs=1e-4)
        assert found["av_corr_error"] == pytest.approx(height, abs=1e-3)
    assert errors["model"] != errors["oracle_tokenizer"]


def test_what_is_written_is_what_is_returned(dataset: Dataset, result):
    values, out, seen = result
    assert json.loads((out / "evaluation.json").read_text()) == values
    assert not list(out.glob("*.tmp"))
    assert sum(seen) == sum(values["windows"].values())
    assert values["scenes"] == sorted({ref.scene for ref in dataset.episodes("test")})
    assert (values["split"], values["denoising_steps"], values["skipped_horizons"]) == ("test", 2, {})


def test_samples_show_the_prediction_beside_the_truth(dataset: Dataset, result):
    out = result[1] / "samples"
    notes = json.loads((out / "samples.json").read_text())
    assert [note["name"] for note in notes] == ["sample-0", "sample-1"]
    refs = {ref.index: ref for ref in dataset.episodes("test")}
    for note in notes:
        row, t = dataset.read(refs[note["episode"]]), note["step"]
        sound = row["audio"].astype(np.float32) * dataset.audio_scale
        future = range(t + 1, t + 1 + CONFIG.length)
        assert note["steps"] == CONFIG.length
        assert note["true_progress"] == pytest.approx(
            [row["geodesic"][t] - row["geodesic"][k] for k in future], abs=1e-3
        )
        scale = 0.5 / np.abs(sound[future]).max()
        for label, rgb, clips in (
            ("truth", [row["rgb"][k] for k in future], [sound[k] for k in future]),
            (
                "model",
                [predicted_rgb(row["rgb"][t], k - t) for k in future],
                [predicted_audio(sound[t], k - t) for k in future],
            ),
        ):
            frames = read_frames(out / f"{note['name']}-{label}.gif")
            assert len(frames) == CONFIG.length
            assert np.abs(frames.astype(int) - np.stack(rgb)).mean() < 6  # a GIF has 256 colours per frame
            samples, rate = soundfile.read(out / f"{note['name']}-{label}.wav")
            assert rate == 16_000
            expected = np.clip(np.concatenate(clips, axis=1) * scale, -1, 1)
            np.testing.assert_allclose(samples.T, expected, atol=1e-4)
        with Image.open(out / f"{note['name']}.png") as picture:
            strip = np.asarray(picture.convert("RGB"))
        steps = shown_steps(CONFIG.length)
        truth = [row["rgb"][t + step] for step in (0, *steps)]
        predicted = [None, *(predicted_rgb(row["rgb"][t], step) for step in steps)]
        rows = [
            StripRow(label="truth", pictures=truth, colour=TRUTH),
            StripRow(label="imagined", pictures=predicted, colour=IMAGINED),
        ]
        expected_strip = film_strip(rows, ["now", *(f"+{step}" for step in steps)])
        np.testing.assert_array_equal(strip, np.asarray(expected_strip))


def test_windows_with_silence_do_not_count_in_the_ild_error(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    original = module.read_frames

    def first_silent(windows, frames):
        rgb, audio = original(windows, frames)
        audio[0] = 0
        return rgb, audio

    monkeypatch.setattr(module, "read_frames", first_silent)
    config = dataclasses.replace(CONFIG, horizons=(1,), count=3, sequences=1)
    every = [(row, t) for row in episodes(dataset) for t in range(len(row["rgb"]) - 1)]
    second, third = (every[i] for i in np.linspace(0, len(every) - 1, 3).round().astype(int)[1:])
    expected = [
        level_difference_error(row["sound"][t], row["sound"][t + 1], dataset.spec.audio_full_scale)
        for row, t in (second, third)
    ]
    found = evaluate(ScriptedModel(), dataset, config)["horizons"]["1"]["ild_error"]["persistence"]
    assert found == pytest.approx(np.mean(expected), abs=1e-4)


# Episodes shorter than a horizon


def test_a_horizon_longer_than_every_episode_is_skipped_with_its_reason(dataset: Dataset, tmp_path: Path):
    longest = max(ref.steps for ref in dataset.episodes("test"))
    config = dataclasses.replace(CONFIG, horizons=(longest, 1, longest + 1), count=3, length=longest + 4)
    result = evaluate(ScriptedModel(), dataset, config, tmp_path)
    assert list(result["horizons"]) == [str(longest), "1"]
    assert result["windows"][str(longest)] >= 1
    reason = f"the longest episode of the test split has {longest} steps"
    assert result["skipped_horizons"] == {str(longest + 1): reason}
    # Sequences take the length that there is.
    notes = json.loads((tmp_path / "samples" / "samples.json").read_text())
    assert {note["steps"] for note in notes} == {longest}
    assert set(result["sequences"]) == {"model", "oracle_tokenizer"}


def test_no_horizon_left_is_an_error_that_names_one_that_works(dataset: Dataset):
    longest = max(ref.steps for ref in dataset.episodes("test"))
    with pytest.raises(UsageError, match=rf"test split has {longest} steps.*--horizons 1,{longest // 2},{longest}"):
        evaluate(ScriptedModel(), dataset, dataclasses.replace(CONFIG, horizons=(longest + 1, 99)))


@pytest.fixture(scope="module")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network was not trained: only its tokenizers were fitted."""
    out = tmp_path_factory.mktemp("runs") / "run"
    config = preset("nano", dataset, steps=[1, 1, 1])
    config = dataclasses.replace(
        config,
        net=dataclasses.replace(config.net, width=32, depth=1, heads=2),
        tokenizers=TokenizerBudget(frames=40, steps=1),
    )
    train(dataset, out, config, stages=("tokenizers",)).save(out / FILE)
    return out


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few sequences, for speed: the command has no option for their number."""
    monkeypatch.setattr("avw.model.evaluate.EvaluationConfig", functools.partial(EvaluationConfig, sequences=1))


def test_the_command_says_which_horizons_it_skipped(run: Path, short: None):
    done = CliRunner().invoke(avw, ["evaluate", str(run), "--horizons", "1,99", "--count", "2", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((run / "evaluation.json").read_text())
    assert list(json.loads(done.stdout)["horizons"]) == ["1"]
    assert "Horizon 99 was skipped: the longest episode of the test split has" in done.stderr
    as_text = CliRunner().invoke(avw, ["evaluate", str(run), "--horizons", "1,99", "--count", "2"])
    assert "PSNR" in as_text.stdout
    assert "Horizon 99 was skipped" in as_text.stderr


def test_the_command_refuses_when_every_horizon_is_too_long(run: Path):
    done = CliRunner().invoke(avw, ["evaluate", str(run), "--horizons", "98,99", "--count", "2"])
    assert done.exit_code == 2
    assert "no window of 98 steps" in done.stderr
    assert "--horizons 1," in done.stderr
