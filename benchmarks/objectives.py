"""Objectives and samplers, compared: `python -m benchmarks.objectives DATA --out DIR [--quick] [--json]`.

Trains the first stage of `nano` (images and depth, no sound) once per objective, with the same data, weights at the
start and number of steps. Then predicts the same windows of the validation split with 1, 2 and 4 denoising steps.
Pixels that the memory has seen are pasted, so the objectives differ where nothing was seen: by the error there (PSNR),
and by sharpness, the energy of the horizontal and vertical differences of brightness relative to that of the truth. The
mean of all possible futures has the smallest error and almost no such energy; 1 is as sharp as the truth.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.reading.windows import Windows
from avw.model import checkpoint
from avw.model.av_cdit import AvCdit
from avw.model.diffusion import DiffusionConfig
from avw.model.frames import EncodedFrames
from avw.model.metrics.vision import psnr_from_mse
from avw.model.tokenizers.fit import fit_tokenizers
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.presets import preset
from avw.model.training.configuration.run_config import fingerprint
from avw.model.training.stage import run_stage
from avw.model.training.weights import init_weights
from avw.model.world_model import WorldModel
from benchmarks.machine import machine, sentence

OBJECTIVES = {
    "clean latent, from zeros": DiffusionConfig(zero_noise=True, last_share=1.0),
    "clean latent, half from zeros": DiffusionConfig(zero_noise=True, last_share=0.5),
    "clean latent, from noise": DiffusionConfig(last_share=0.5),
    "velocity": DiffusionConfig(prediction="velocity"),
    "shortcut": DiffusionConfig(prediction="shortcut", steps=128),
}
STEPS = (1, 2, 4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """seen_psnr, unseen_psnr: dB, pooled over the pixels of all windows that the memory has and has not seen
    sharpness: energy of the brightness differences between unseen pixels, relative to the truth's
    seconds: of CPU time for the training"""

    objective: str
    steps: int
    horizon: int
    seen_psnr: float
    unseen_psnr: float
    sharpness: float
    seconds: float


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for tokenizers, latents, networks.")
@click.option("--steps", default=600, show_default=True, help="Training steps per objective.")
@click.option("--windows", default=200, show_default=True, help="Windows per horizon.")
@click.option("--seed", default=0, show_default=True, help="Random seed.")
@click.option("--quick", is_flag=True, help="Two steps of a tiny network: only to see that it works.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def objectives(data: Path, out: Path, steps: int, windows: int, seed: int, quick: bool, as_json: bool) -> None:
    """Train one network per objective, and measure its forecasts on the validation split."""
    torch.set_num_threads(1)
    dataset = open_dataset(data)
    config = preset("nano", dataset, seed=seed, steps=[2 if quick else steps, 1, 1])
    config = replace(config, net=replace(config.net, modalities=("vision",)))
    if quick:
        budget = replace(config.tokenizers, frames=40, steps=2)
        config = replace(config, net=replace(config.net, width=32, depth=1, heads=2), tokenizers=budget, contexts=2)
    rows = study(dataset, out, config, horizons=(1, 4) if quick else (4, 16), count=4 if quick else windows)
    if as_json:
        listed = [asdict(row) for row in rows]
        click.echo(json.dumps({"benchmark": "objectives", "machine": machine(), "rows": listed}, indent=1))
        return
    click.echo(table(rows))
    click.echo(f"\n{config.steps['1']} training steps; {sentence(machine())}.")


def study(dataset: Dataset, out: Path, config: TrainConfig, *, horizons: Sequence[int], count: int) -> list[Measured]:
    """Train and measure every objective. `out` keeps the tokenizers and the latents for the next study."""
    path = out / "tokenizers.safetensors"
    tokenizers = fit_tokenizers(dataset, path, config.tokenizers, config.seed)
    key = f"{fingerprint(dataset)}/{checkpoint.fingerprint(path)}"

    def encoded(split: str, folder: str) -> EncodedFrames:
        windows = Windows(dataset, split, replace(config.windows, ages=config.net.ages))
        return EncodedFrames(windows, tokenizers, config.net, out / folder, key=key)

    train, validation = encoded("train", "latents"), encoded("val", "latents-val")
    rows = []
    for name, diffusion in OBJECTIVES.items():
        model, seconds = trained(train, tokenizers, replace(config, diffusion=diffusion), out / name.replace(" ", "-"))
        only_zeros = diffusion.zero_noise and diffusion.last_share == 1.0
        for steps in (1,) if only_zeros else STEPS:
            for horizon in horizons:
                rows.append(measured(model, validation, name, steps, horizon, count, seconds))
                click.echo(f"{rows[-1]}", err=True)
    return rows


def trained(
    frames: EncodedFrames, tokenizers: Tokenizers, config: TrainConfig, folder: Path
) -> tuple[WorldModel, float]:
    """(a model whose first stage is trained, CPU seconds)."""
    net = AvCdit(config.net)
    init_weights(net, config.seed)
    start = time.process_time()
    folder.mkdir(parents=True, exist_ok=True)
    run_stage(net, "1", frames, tokenizers, config, folder, torch.device("cpu"), lambda *_: None)
    seconds = time.process_time() - start
    return WorldModel(net, tokenizers, config.diffusion, hfov=frames.hfov), seconds


def measured(
    model: WorldModel, frames: EncodedFrames, objective: str, steps: int, horizon: int, count: int, seconds: float
) -> Measured:
    """Errors and sharpness of the forecasts of `count` windows."""
    windows = frames.windows
    starts = windows.at(horizon, count).context_BT[:, -1]
    squared = {True: 0.0, False: 0.0}
    pixels = {True: 0, False: 0}
    energy = np.zeros(2)  # of the prediction, of the truth
    for first in range(0, len(starts), 20):
        chosen = starts[first : first + 20]
        window = windows.window(chosen, np.full((len(chosen), 1), horizon))
        prediction = model.predict_window(frames, window, steps=steps)
        rgb = model.decode(prediction).rgb_PHWC.numpy()
        true = frames.rgb_FHWC[window.target_BK[:, 0]]
        assert prediction.seen is not None
        coverage = prediction.seen.coverage_PHW
        error = np.square(rgb.astype(np.float64) - true).mean(-1)
        for seen in (True, False):
            squared[seen] += float(error[coverage == seen].sum())
            pixels[seen] += int((coverage == seen).sum())
        energy += [difference_energy(image, ~coverage) for image in (rgb, true)]
    psnr = {seen: psnr_from_mse(squared[seen] / max(1, pixels[seen])) for seen in (True, False)}
    return Measured(
        objective=objective, steps=steps, horizon=horizon, seen_psnr=psnr[True], unseen_psnr=psnr[False],
        sharpness=float(energy[0] / max(1e-9, energy[1])), seconds=seconds,
    )  # fmt: skip


def difference_energy(rgb_PHWC: np.ndarray, mask_PHW: np.ndarray) -> float:
    """Sum of the squared differences of brightness between neighbours that are both in the mask."""
    grey = rgb_PHWC.astype(np.float64).mean(-1)
    across = np.square(np.diff(grey, axis=2)) * (mask_PHW[:, :, 1:] & mask_PHW[:, :, :-1])
    down = np.square(np.diff(grey, axis=1)) * (mask_PHW[:, 1:] & mask_PHW[:, :-1])
    return float(across.sum() + down.sum())


def table(rows: list[Measured]) -> str:
    """Markdown: one line per objective and number of steps, horizons side by side."""
    horizons = sorted({row.horizon for row in rows})
    head = ["objective", "steps", *(f"{name}, Δ = {h}" for h in horizons for name in ("seen", "unseen", "sharpness"))]
    lines = [[*head, "training, s"], ["---"] * (len(head) + 1)]
    for name, steps in dict.fromkeys((row.objective, row.steps) for row in rows):
        cells = [name, str(steps)]
        group = [row for row in rows if (row.objective, row.steps) == (name, steps)]
        for row in sorted(group, key=lambda row: row.horizon):
            cells += [f"{row.seen_psnr:.2f}", f"{row.unseen_psnr:.2f}", f"{row.sharpness:.2f}"]
        lines.append([*cells, f"{group[0].seconds:.0f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    objectives()
