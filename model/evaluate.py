"""How good is the imagination? The model beside what needs no learning, on houses that it has never seen.

model             AV-CDiT, decoded
persistence       nothing changes: the last frame and the last step's sound stay, no distance is gained
rotation_warp     the last frame turned by the commanded yaw
oracle_tokenizer  the true future encoded and decoded: the best that any model on these tokenizers can do
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.metrics.audio import lsd_per_clip, spectral_ssim_per_clip
from avw.model.metrics.physical import av_errors, av_peak, ild_error_per_clip
from avw.model.metrics.vision import mse_per_image, psnr_from_mse, ssim_per_image
from avw.model.rotation import Rotation
from avw.model.training.calibrate import predict_windows, read_frames
from avw.model.world_model import WorldModel
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES

METRICS = ("psnr", "ssim", "lsd", "spectral_ssim", "ild_error", "reward_error")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationConfig:
    """count: windows a horizon · sequences: futures of `length` steps, imagined for AV-lag, AV-corr and the report."""

    split: str = "test"
    horizons: tuple[int, ...] = (1, 4, 16)
    count: int = 1000
    denoising_steps: int = 1
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
    """Every metric at every horizon for the model and its baselines; also written to `out`, with samples, if given."""
    windows = Windows(dataset, config.split, WindowConfig(ages=model.ages))
    result: dict[str, Any] = {
        "split": config.split,
        "scenes": sorted({ref.scene for ref in windows.episodes}),
        "denoising_steps": config.denoising_steps,
        "windows": {},
        "horizons": {},
    }
    for horizon in config.horizons:
        columns = _horizon(model, windows, horizon, config, progress)
        result["windows"][str(horizon)] = len(columns[("mse", "model")])
        result["horizons"][str(horizon)] = _summary(columns)
    result["sequences"] = _sequences(model, windows, config, out / "samples" if out else None)
    if out is not None:
        partial = out / "evaluation.tmp"
        partial.write_text(json.dumps(result, indent=2))
        partial.replace(out / "evaluation.json")
    return result


Columns = dict[tuple[str, str], np.ndarray]


def _horizon(
    model: WorldModel, windows: Windows, horizon: int, config: EvaluationConfig, progress: Callable[[int], object]
) -> Columns:
    """Per-window values: (metric, method) → (N,)."""
    window = windows.at(horizon, config.count)
    rotation = Rotation(windows.dataset.spec.simulator.size, model.hfov)
    full_scale = windows.dataset.spec.audio_full_scale
    parts: dict[tuple[str, str], list[np.ndarray]] = {}
    for chosen, history, prediction in predict_windows(model, windows, window, steps=config.denoising_steps):
        true_rgb, true_audio = read_frames(windows, window.target_BK[chosen, 0])
        _, last_audio = read_frames(windows, window.context_BT[chosen, -1])
        last_rgb = history.last_rgb_BHWC.cpu()
        rgb, audio = (x.cpu() for x in model.decode(prediction.latents))
        latents = {"vision": model.image.encode(true_rgb.to(model.device))}
        latents["audio"] = model.audio.encode(true_audio.to(model.device))
        oracle_rgb, oracle_audio = (x.cpu() for x in model.decode(latents))
        turned, _ = rotation.turned(last_rgb, torch.from_numpy(window.motion_BK3[chosen, 0, 2]), smooth=True)

        pictures = {"model": rgb, "persistence": last_rgb, "rotation_warp": turned, "oracle_tokenizer": oracle_rgb}
        for method, picture in pictures.items():
            pair = picture.numpy(), true_rgb.numpy()
            parts.setdefault(("mse", method), []).append(mse_per_image(*pair))
            parts.setdefault(("ssim", method), []).append(ssim_per_image(*pair))
        sounds = {"model": audio, "persistence": last_audio, "oracle_tokenizer": oracle_audio}
        for method, sound in sounds.items():
            heard = sound.numpy(), true_audio.numpy()
            parts.setdefault(("lsd", method), []).append(lsd_per_clip(*heard, full_scale=full_scale))
            parts.setdefault(("spectral_ssim", method), []).append(
                spectral_ssim_per_clip(*heard, full_scale=full_scale)
            )
            parts.setdefault(("ild_error", method), []).append(ild_error_per_clip(*heard, full_scale=full_scale))
        truth = window.progress_BK[chosen, 0]
        guess = prediction.reward.progress_BK[:, 0].float().cpu().numpy()
        parts.setdefault(("reward_error", "model"), []).append(np.abs(guess - truth))
        parts.setdefault(("reward_error", "persistence"), []).append(np.abs(truth))
        progress(len(truth))
    return {key: np.concatenate(values) for key, values in parts.items()}


def _summary(columns: Columns) -> dict[str, dict[str, float]]:
    """metric → method → mean. PSNR pools the squared error over the set: a blocked agent repeats its frame exactly."""
    rows: dict[str, dict[str, float]] = {name: {} for name in METRICS}
    for (metric, method), values in columns.items():
        if metric == "mse":
            rows["psnr"][method] = psnr_from_mse(float(values.mean()))
        else:
            finite = values[np.isfinite(values)]
            rows[metric][method] = float(finite.mean()) if len(finite) else float("nan")
    return {metric: {m: round(v, 4) for m, v in row.items()} for metric, row in rows.items()}


def _sequences(model: WorldModel, windows: Windows, config: EvaluationConfig, folder: Path | None) -> dict[str, Any]:
    """Futures of `length` steps, each step imagined directly from the same context under the true actions."""
    starts = windows.at(config.length, config.sequences).context_BT[:, -1]
    steps = np.arange(1, config.length + 1)
    window = windows.window(starts, np.broadcast_to(steps, (len(starts), config.length)))
    errors: dict[str, list[tuple[float, float]]] = {"model": [], "oracle_tokenizer": []}
    shown: list[dict[str, Any]] = []
    for chosen, _, prediction in predict_windows(model, windows, window, steps=config.denoising_steps, batch=1):
        index = chosen.start
        frames = window.target_BK[index]
        true_rgb, true_audio = read_frames(windows, frames)
        rgb, audio = (x.cpu().numpy() for x in model.decode(prediction.latents))
        latents = {"vision": model.image.encode(true_rgb.to(model.device))}
        latents["audio"] = model.audio.encode(true_audio.to(model.device))
        oracle_rgb, oracle_audio = (x.cpu().numpy() for x in model.decode(latents))
        true = av_peak(true_rgb.numpy(), true_audio.numpy())
        errors["model"].append(av_errors(av_peak(rgb, audio), true))
        errors["oracle_tokenizer"].append(av_errors(av_peak(oracle_rgb, oracle_audio), true))
        spaced = len(starts) // max(1, min(config.shown, len(starts)))
        if folder is not None and index % spaced == 0 and len(shown) < config.shown:
            ref = windows.episodes[int(windows.episode_F[starts[index]])]
            name = f"sample-{len(shown)}"
            note = {
                "name": name,
                "scene": ref.scene,
                "mode": ref.mode,
                "episode": ref.index,
                "step": int(starts[index] - windows.start_F[starts[index]]),
                "steps": config.length,
                "true_progress": np.round(window.progress_BK[index], 3).tolist(),
                "imagined_progress": np.round(prediction.reward.progress_BK[0].float().cpu().numpy(), 3).tolist(),
            }
            last = read_frames(windows, starts[index : index + 1])[0][0].numpy()
            _write_sample(folder, name, last, true_rgb.numpy(), rgb, true_audio.numpy(), audio)
            shown.append(note)
    if folder is not None:
        (folder / "samples.json").write_text(json.dumps(shown, indent=2))
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
    imagined_THWC: np.ndarray,
    true_TES: np.ndarray,
    imagined_TES: np.ndarray,
) -> None:
    """NAME.png: the last frame seen, then truth above imagination · NAME-{truth,model}.gif · NAME-{truth,model}.wav."""
    import soundfile
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    columns = np.unique(np.geomspace(1, len(true_THWC), 6).round().astype(int)) - 1
    gap = np.full((last_HWC.shape[0], 4, 3), 255, np.uint8)
    rows = []
    for future in (true_THWC, imagined_THWC):
        rows.append(np.concatenate([last_HWC, gap, gap, *[x for i in columns for x in (future[i], gap)]], 1))
    line = np.full((4, rows[0].shape[1], 3), 255, np.uint8)
    Image.fromarray(np.concatenate([rows[0], line, rows[1]])).save(folder / f"{name}.png")
    # One scale for both, so that a wrong loudness is heard; at least 12 dB of headroom is normal for this data.
    scale = 0.5 / max(1e-6, float(np.abs(true_TES).max()))
    for label, frames, sound in (("truth", true_THWC, true_TES), ("model", imagined_THWC, imagined_TES)):
        images = [Image.fromarray(frame) for frame in frames]
        images[0].save(folder / f"{name}-{label}.gif", save_all=True, append_images=images[1:], duration=150, loop=0)
        samples = np.moveaxis(sound, 0, 1).reshape(2, -1)
        assert samples.shape[1] == len(frames) * STEP_SAMPLES
        clipped = np.clip(samples.T * scale, -1, 1)
        soundfile.write(folder / f"{name}-{label}.wav", clipped, SAMPLE_RATE, subtype="PCM_16")
