"""What tokenizers keep of images and sounds: `python -m benchmarks.tokenizers DATA [--minutes 30] [--json]`.

Each tokenizer is fitted on the training split and measured on frames of the test split, in houses that it has not seen.
kl and codec are trained for some minutes of CPU time each, and the schedule of the learning rate fits into them; the
linear ones take what they take. With --keep FOLDER, an interrupted run continues, its steps and CPU time add up, and
the fitted tokenizers are files: `avw train --image-tokenizer kl:FOLDER/kl.safetensors` uses one.

    PSNR, SSIM             of images · LSD, dB  log-spectral distance of sounds
    ILD, ITD, coherence    errors of level difference (dB), time difference (µs) and interaural coherence
    encode, decode         CPU time of one image, or of one step of sound
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.model import checkpoint
from avw.model.metrics.audio import lsd
from avw.model.metrics.binaural import coherence_error_per_clip, itd_error_per_clip
from avw.model.metrics.physical import ild_error
from avw.model.metrics.vision import psnr, ssim
from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.codec import CodecConfig, SoundCodec
from avw.model.tokenizers.fit import sample_frames
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.model.tokenizers.kept import kept_config, load_kept, save_kept
from avw.model.tokenizers.kl_image import KlImageConfig, KlImageTokenizer
from avw.model.tokenizers.learned import Progress
from avw.model.tokenizers.protocol import ImageCoder, OnStep, SoundCoder
from avw.model.training.configuration.run_config import fingerprint
from avw.sim_bridge.storage.atomic_write import atomic_write
from benchmarks.machine import machine, sentence

PROBE = 4  # steps whose time decides how many fit into the budget


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """numbers: of a latent · steps: of training, 0 for a linear code · seconds: of CPU time for the fit, of all
    processes that worked on it · values: by metric"""

    name: str
    numbers: int
    steps: int
    seconds: float
    values: dict[str, float]


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--minutes", default=30.0, show_default=True, help="CPU time of the training of kl and of codec, each.")
@click.option("--frames", default=3000, show_default=True, help="Frames of the training split.")
@click.option("--test-frames", default=400, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the fitted tokenizers, and to continue.")
@click.option("--only", default="pca,kl,cues,codec", show_default=True, help="Tokenizers to measure.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def tokenizers(
    data: Path, minutes: float, frames: int, test_frames: int, keep: Path | None, only: str, as_json: bool
) -> None:
    """Measure what pca, kl, cues and codec keep of the frames of DATA."""
    torch.set_num_threads(1)
    dataset = open_dataset(data)
    if keep is not None:
        same_frames(keep, {"dataset": fingerprint(dataset), "frames": frames})
    train = {name: torch.from_numpy(x) for name, x in sample_frames(dataset, frames, 0).items()}
    test = sample_frames(dataset, test_frames, 0, split="test")
    chosen = only.split(",")
    seen = images(dataset, train["rgb"], test["rgb"], minutes, keep, chosen)
    heard = sounds(dataset, train["audio"], test["audio"], minutes, keep, chosen)
    if as_json:
        found = {"benchmark": "tokenizers", "machine": machine(), "rows": [asdict(row) for row in seen + heard]}
        click.echo(json.dumps(found, indent=1))
        return
    for part in filter(None, (seen, heard)):
        click.echo(table(part) + "\n")
    click.echo(f"Test houses of {data}; {sentence(machine())}.")


def same_frames(keep: Path, wanted: dict[str, Any]) -> None:
    """Raise UsageError if the tokenizers in `keep` were fitted to other frames."""
    path = keep / "frames.json"
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != wanted:
            raise click.UsageError(
                f"{keep} has tokenizers of another dataset or of other --frames; name another folder"
            )
        return
    keep.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(wanted))


def images(
    dataset: Dataset, train_NHWC: torch.Tensor, test_NHWC: np.ndarray, minutes: float, keep: Path | None,
    chosen: Sequence[str],
) -> list[Kept]:  # fmt: skip
    size = dataset.spec.simulator.size
    rows = []

    def pca(steps: int, progress: Progress, on_step: OnStep) -> ImageCoder:
        return ImageTokenizer.fit(train_NHWC, ImageTokenizerConfig(size=size), progress=progress, on_step=on_step)

    def kl(steps: int, progress: Progress, on_step: OnStep) -> ImageCoder:
        config = KlImageConfig(size=size, width=64)
        return KlImageTokenizer.fit(train_NHWC, config, steps=steps, progress=progress, on_step=on_step)

    for name, fit, learned in (("pca", pca, False), ("kl", kl, True)):
        if name not in chosen:
            continue
        found, effort = fitted(name, "image", fit, minutes if learned else 0.0, keep)
        decoded, times = round_trip(found, test_NHWC)
        values = {"PSNR": psnr(decoded, test_NHWC), "SSIM": ssim(decoded, test_NHWC), **times}
        numbers = int(np.prod(found.latent_shape))
        rows.append(Kept(name=name, numbers=numbers, steps=effort.steps, seconds=effort.seconds, values=values))
    return rows


def sounds(
    dataset: Dataset, train_NES: torch.Tensor, test_NES: np.ndarray, minutes: float, keep: Path | None,
    chosen: Sequence[str],
) -> list[Kept]:  # fmt: skip
    full = dataset.spec.audio_full_scale
    rows = []

    def cues(steps: int, progress: Progress, on_step: OnStep) -> SoundCoder:
        return AudioTokenizer.fit(train_NES, AudioTokenizerConfig(full_scale=full))

    def codec(steps: int, progress: Progress, on_step: OnStep) -> SoundCoder:
        config = CodecConfig(full_scale=full, width=16)
        return SoundCodec.fit(train_NES, config, steps=steps, progress=progress, on_step=on_step)

    for name, fit, learned in (("cues", cues, False), ("codec", codec, True)):
        if name not in chosen:
            continue
        found, effort = fitted(name, "audio", fit, minutes if learned else 0.0, keep)
        decoded, times = round_trip(found, test_NES)
        values = {
            "LSD, dB": lsd(decoded, test_NES, full_scale=full),
            "ILD, dB": ild_error(decoded, test_NES, full_scale=full),
            "ITD, µs": float(np.nanmean(itd_error_per_clip(decoded, test_NES, full_scale=full))),
            "coherence": float(np.nanmean(coherence_error_per_clip(decoded, test_NES, full_scale=full))),
            **times,
        }
        numbers = int(np.prod(found.latent_shape))
        rows.append(Kept(name=name, numbers=numbers, steps=effort.steps, seconds=effort.seconds, values=values))
    return rows


@torch.inference_mode()
def round_trip(tokenizer: Any, test_N: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """What the tokenizer keeps of the data, and the CPU time of one image or sound in each direction."""
    parts = torch.from_numpy(test_N).split(50)
    start = time.process_time()
    latents = [tokenizer.encode(part) for part in parts]
    between = time.process_time()
    decoded = torch.cat([tokenizer.decode(latent) for latent in latents]).numpy()
    scale = 1e3 / len(test_N)
    times = {"encode, ms": scale * (between - start), "decode, ms": scale * (time.process_time() - between)}
    return decoded, times


@dataclass(slots=True)
class Effort:
    """What a fit takes, over all processes that work on it. minutes: as asked for · steps: that it has
    seconds: CPU time up to the state that the next process continues from"""

    minutes: float
    steps: int
    seconds: float = 0.0
    _began: float = field(default_factory=lambda: time.process_time())

    @classmethod
    def kept(cls, path: Path, minutes: float) -> Effort | None:
        """That of earlier processes. None if there were none, or if they were to train for another time."""
        if not path.exists():
            return None
        note = json.loads(path.read_text())
        return cls(minutes, note["steps"], note["seconds"]) if note["minutes"] == minutes else None

    def add(self) -> None:
        """Count the CPU time since the last call, or since the start."""
        now = time.process_time()
        self.seconds, self._began = self.seconds + now - self._began, now

    @property
    def note(self) -> dict[str, float]:
        return {"minutes": self.minutes, "steps": self.steps, "seconds": self.seconds}


def fitted(
    name: str, sense: str, fit: Callable[[int, Progress, OnStep], Any], minutes: float, keep: Path | None
) -> tuple[Any, Effort]:
    """The tokenizer, and what it took. minutes: of training; 0 for a tokenizer with a fit of its own"""
    if keep is None:
        effort = planned(fit, minutes)
        found = fit(effort.steps, Progress(), lambda step, loss: None)
        effort.add()
        return found, effort
    finished, record = keep / f"{name}.safetensors", keep / f"{name}.json"
    if finished.exists() and (note := checkpoint.read_note(finished))["minutes"] == minutes:
        config = kept_config(finished, sense, name)
        return load_kept(finished, sense, config), Effort(minutes, note["steps"], note["seconds"])
    keep.mkdir(parents=True, exist_ok=True)
    effort = Effort.kept(record, minutes) or planned(fit, minutes)
    progress = Progress(keep / f"{name}-fit.safetensors", f"{name} {minutes}")

    def on_step(step: int, loss: float) -> None:
        if step % progress.every == 0:  # a state that another process continues from was written
            effort.add()
            atomic_write(record, json.dumps(effort.note))

    found = fit(effort.steps, progress, on_step)
    effort.add()
    save_kept(finished, sense, found, effort.note)
    progress.remove()
    record.unlink(missing_ok=True)
    return found, effort


def planned(fit: Callable[[int, Progress, OnStep], Any], minutes: float) -> Effort:
    """As many steps as fit into the minutes, from the time of the first few."""
    if not minutes:
        return Effort(minutes, 0)
    times: list[float] = []
    fit(PROBE, Progress(), lambda step, loss: times.append(time.process_time()))
    return Effort(minutes, max(PROBE, round(60 * minutes / ((times[-1] - times[0]) / (PROBE - 1)))))


def table(rows: list[Kept]) -> str:
    """Markdown: one line per tokenizer."""
    names = list(rows[0].values)
    lines = [["tokenizer", "numbers", "steps", "CPU time, min", *names], ["---", *["---:"] * (3 + len(names))]]
    for row in rows:
        figures = [f"{row.values[name]:.3g}" for name in names]
        lines.append([row.name, str(row.numbers), f"{row.steps:,}", f"{row.seconds / 60:.1f}", *figures])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    tokenizers()
