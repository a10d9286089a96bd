"""Quality of the predictions on scenes that were not used for training, compared with baselines that need no learning.

model             AV-CDiT, decoded
persistence       nothing changes: the last frame and the sound of the last step are repeated, progress is 0
rotation_warp     the last frame, turned by the commanded yaw
oracle_tokenizer  the true future, encoded and decoded: the upper bound for any model that uses these tokenizers
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.metrics.audio import lsd_per_clip, spectral_ssim_per_clip
from avw.model.metrics.physical import MIN_STEPS, av_errors, av_peak, ild_error_per_clip
from avw.model.metrics.vision import mse_per_image, psnr_from_mse, ssim_per_image
from avw.model.pictures.animation import common_scale, write_gif, write_wave
from avw.model.pictures.film_strip import StripRow, film_strip, shown_steps
from avw.model.pictures.ink import IMAGINED, TRUTH
from avw.model.rotation import Rotation
from avw.model.training.calibrate import predict_windows, read_frames
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write

METRICS = ("psnr", "ssim", "lsd", "spectral_ssim", "ild_error", "reward_error")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationConfig:
    """horizons: steps ahead · count: windows per horizon
    sequences, length: number of predicted futures of `length` steps, for AV-lag, AV-corr and the report. Where all
        episodes are shorter than `length`, the futures are as long as the longest episode
    shown: sequences that are written as samples · denoising_steps: None: as many as the model was trained for
    """

    split: str = "test"
    horizons: tuple[int, ...] = (1, 4, 16)
    count: int = 1000
    denoising_steps: int | None = None
    sequences: int = 24
    length: int = 16
    shown: int = 6


def evaluate(
    model: WorldModel,
    dataset: Dataset,
    config: EvaluationConfig,
    out: Path | None = None,
    progress: Callable[[int], object] = lambda windows: None,
) -> dict[str, Any]:
    """Every metric at every horizon, for the model and its baselines.

    out: folder for evaluation.json and samples/ · progress: called with the number of windows after each batch

    Horizons that are longer than every episode of the split are skipped and listed under "skipped_horizons", with the
    reason. Raises UsageError if no horizon is left.
    """
    if config.denoising_steps is None:
        config = replace(config, denoising_steps=model.denoising_steps)
    windows = Windows(dataset, config.split, WindowConfig(ages=model.ages))
    horizons, skipped = _possible_horizons(windows, config)
    result: dict[str, Any] = {
        "split": config.split,
        "scenes": sorted({ref.scene for ref in windows.episodes}),
        "denoising_steps": config.denoising_steps,
        "windows": {},
        "horizons": {},
        "skipped_horizons": skipped,
    }
    for horizon in horizons:
        columns = _horizon(model, windows, horizon, config, progress)
        result["windows"][str(horizon)] = len(columns[("mse", "model")])
        result["horizons"][str(horizon)] = _summary(columns)
    result["sequences"] = _sequences(model, windows, config, out / "samples" if out else None)
    if out is not None:
        atomic_write(out / "evaluation.json", json.dumps(result, indent=2))
    return result


def _longest(windows: Windows) -> int:
    """Steps of the longest episode: a window of more steps does not exist."""
    return int(windows.lengths_E.max()) - 1


def _possible_horizons(windows: Windows, config: EvaluationConfig) -> tuple[list[int], dict[str, str]]:
    """(the horizons that have at least one window, {skipped horizon: reason})."""
    longest = _longest(windows)
    possible = [horizon for horizon in config.horizons if horizon <= longest]
    if not possible:
        raise UsageError(
            f"{windows.dataset.path}: the longest episode of its {config.split} split has {longest} steps, so there is "
            f"no window of {min(config.horizons)} steps. Choose shorter horizons, e.g. --horizons "
            f"{_suggestion(longest)}, or generate longer episodes: avw generate --steps N"
        )
    reason = f"the longest episode of the {config.split} split has {longest} steps"
    return possible, {str(horizon): reason for horizon in config.horizons if horizon > longest}


def _suggestion(longest: int) -> str:
    return ",".join(str(horizon) for horizon in sorted({1, max(1, longest // 2), max(1, longest)}))


Columns = dict[tuple[str, str], np.ndarray]


def _horizon(
    model: WorldModel, windows: Windows, horizon: int, config: EvaluationConfig, progress: Callable[[int], object]
) -> Columns:
    """Per-window values: (metric, method) → (N,)."""
    window = windows.at(horizon, config.count)
    rotation = Rotation(windows.dataset.spec.simulator.size, model.hfov)
    full_scale = windows.dataset.spec.audio_full_scale
    parts: dict[tuple[str, str], list[np.ndarray]] = {}

    def add(metric: str, method: str, values_N: np.ndarray) -> None:
        parts.setdefault((metric, method), []).append(values_N)

    for chosen, history, prediction in predict_windows(model, windows, window, steps=config.denoising_steps):
        true_rgb, true_audio = read_frames(windows, window.target_BK[chosen, 0])
        _, last_audio = read_frames(windows, window.context_BT[chosen, -1])
        last_rgb = history.last_rgb_BHWC.cpu()
        rgb, audio = (x.cpu() for x in model.decode(prediction.latents))
        oracle_rgb, oracle_audio = _round_trip(model, true_rgb, true_audio)
        turned, _ = rotation.turned(last_rgb, torch.from_numpy(window.motion_BK3[chosen, 0, 2]), smooth=True)

        images = {"model": rgb, "persistence": last_rgb, "rotation_warp": turned, "oracle_tokenizer": oracle_rgb}
        for method, image in images.items():
            pair = image.numpy(), true_rgb.numpy()
            add("mse", method, mse_per_image(*pair))
            add("ssim", method, ssim_per_image(*pair))
        sounds = {"model": audio, "persistence": last_audio, "oracle_tokenizer": oracle_audio}
        for method, sound in sounds.items():
            pair = sound.numpy(), true_audio.numpy()
            add("lsd", method, lsd_per_clip(*pair, full_scale=full_scale))
            add("spectral_ssim", method, spectral_ssim_per_clip(*pair, full_scale=full_scale))
            add("ild_error", method, ild_error_per_clip(*pair, full_scale=full_scale))
        true_progress = window.progress_BK[chosen, 0]
        add("reward_error", "model", np.abs(prediction.reward.progress_BK[:, 0].float().cpu().numpy() - true_progress))
        add("reward_error", "persistence", np.abs(true_progress))
        progress(len(true_progress))
    return {key: np.concatenate(values) for key, values in parts.items()}


def _round_trip(model: WorldModel, rgb_NHWC: Tensor, audio_NES: Tensor) -> tuple[Tensor, Tensor]:
    """Images and sounds, encoded and decoded by the tokenizers."""
    latents = {
        "vision": model.image.encode(rgb_NHWC.to(model.device)),
        "audio": model.audio.encode(audio_NES.to(model.device)),
    }
    rgb, audio = model.decode(latents)
    return rgb.cpu(), audio.cpu()


def _summary(columns: Columns) -> dict[str, dict[str, float]]:
    """metric → method → mean. PSNR uses the squared error pooled over all windows: a blocked agent sees the same frame
    twice, which has infinite PSNR."""
    rows: dict[str, dict[str, float]] = {name: {} for name in METRICS}
    for (metric, method), values in columns.items():
        if metric == "mse":
            rows["psnr"][method] = psnr_from_mse(float(values.mean()))
        else:
            finite = values[np.isfinite(values)]
            rows[metric][method] = float(finite.mean()) if len(finite) else float("nan")
    return {metric: {m: round(v, 4) for m, v in row.items()} for metric, row in rows.items()}


def _sequences(model: WorldModel, windows: Windows, config: EvaluationConfig, folder: Path | None) -> dict[str, Any]:
    """Futures of `length` steps; each step is predicted directly from the same context, under the true actions.

    Empty where the episodes are too short for AV-lag.
    """
    length = min(config.length, _longest(windows))
    if length < MIN_STEPS:
        return {}
    starts = windows.at(length, config.sequences).context_BT[:, -1]
    window = windows.window(starts, np.broadcast_to(np.arange(1, length + 1), (len(starts), length)))
    errors: dict[str, list[tuple[float, float]]] = {"model": [], "oracle_tokenizer": []}
    notes: list[dict[str, Any]] = []
    spacing = len(starts) // max(1, min(config.shown, len(starts)))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    for chosen, history, prediction in predict_windows(model, windows, window, steps=config.denoising_steps, batch=1):
        index = chosen.start
        true_rgb, true_audio = read_frames(windows, window.target_BK[index])
        rgb, audio = (x.cpu().numpy() for x in model.decode(prediction.latents))
        oracle_rgb, oracle_audio = (x.numpy() for x in _round_trip(model, true_rgb, true_audio))
        true = av_peak(true_rgb.numpy(), true_audio.numpy())
        errors["model"].append(av_errors(av_peak(rgb, audio), true))
        errors["oracle_tokenizer"].append(av_errors(av_peak(oracle_rgb, oracle_audio), true))
        if folder is not None and index % spacing == 0 and len(notes) < config.shown:
            ref = windows.episodes[int(windows.episode_F[starts[index]])]
            note = {
                "name": f"sample-{len(notes)}",
                "scene": ref.scene,
                "mode": ref.mode,
                "episode": ref.index,
                "step": int(starts[index] - windows.start_F[starts[index]]),
                "steps": length,
                "true_progress": np.round(window.progress_BK[index], 3).tolist(),
                "imagined_progress": np.round(prediction.reward.progress_BK[0].float().cpu().numpy(), 3).tolist(),
            }
            last = history.last_rgb_BHWC[0].cpu().numpy()
            _write_sample(folder, note["name"], last, true_rgb.numpy(), rgb, true_audio.numpy(), audio)
            notes.append(note)
    if folder is not None:
        (folder / "samples.json").write_text(json.dumps(notes, indent=2))
    return {
        method: {
            "av_lag_error_seconds": round(float(np.mean([lag for lag, _ in rows])), 4),
            "av_corr_error": round(float(np.mean([correlation for _, correlation in rows])), 4),
        }
        for method, rows in errors.items()
    }


def _write_sample(
    folder: Path,
    name: str,
    last_HWC: np.ndarray,
    true_THWC: np.ndarray,
    predicted_THWC: np.ndarray,
    true_TES: np.ndarray,
    predicted_TES: np.ndarray,
) -> None:
    """Write a predicted future beside the true one.

    NAME.png: the last observed frame, then the future: truth above, prediction below
    NAME-truth.gif, NAME-model.gif, NAME-truth.wav, NAME-model.wav: frames and sound of each
    """
    steps = shown_steps(len(true_THWC))
    rows = [
        StripRow(label="truth", pictures=[last_HWC, *(true_THWC[step - 1] for step in steps)], colour=TRUTH),
        StripRow(label="imagined", pictures=[None, *(predicted_THWC[step - 1] for step in steps)], colour=IMAGINED),
    ]
    film_strip(rows, ["now", *(f"+{step}" for step in steps)]).save(folder / f"{name}.png")
    # Both sounds are scaled by the same factor, so that a wrong level is audible; the peak of the truth becomes 0.5.
    scale = common_scale(true_TES)
    for label, frames, sound in (("truth", true_THWC, true_TES), ("model", predicted_THWC, predicted_TES)):
        write_gif(folder / f"{name}-{label}.gif", list(frames))
        write_wave(folder / f"{name}-{label}.wav", np.moveaxis(sound, 0, 1).reshape(2, -1) * scale)
