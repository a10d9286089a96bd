"""Make the film strip and the sound of README.md: `python -m benchmarks.readme_strip runs/rooms-v1/seed-0`.

The window is chosen by a rule, so that it is neither the best nor the worst that the model can do. Of `--count` windows
of the test split, spread evenly over all of them, those are kept whose actions turn by at least 60° in total within 16
steps, and of which the model's memory shows between 30 % and 80 % of the last frame. The window with the median PSNR at
step 16 is drawn. For a model without a memory, only the turn counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click
import numpy as np
import soundfile

from avw.avw4k.reading.dataset import EpisodeRef
from avw.avw4k.reading.episodes import DatasetEpisode, EpisodeDataset, open_dataset
from avw.model.imagine.drawing import joined, strip_picture
from avw.model.imagine.futures import imagine_futures, remembered_obstacles
from avw.model.imagine.numbers import imagined_numbers
from avw.model.imagine.request import ImagineConfig, resolve
from avw.model.metrics.vision import mse_per_image, psnr_from_mse
from avw.model.pictures.animation import common_scale
from avw.model.run_folder import run_data
from avw.model.world_model import WorldModel
from avw.sim_bridge.types import SAMPLE_RATE

STEPS = 16
LEAST_TURN = math.radians(60.0)
COVERAGE = (0.3, 0.8)
FIRST_STEP = 16  # before it, little was seen
PAUSE = SAMPLE_RATE // 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A window that the rule allows: the episode and the last step of the context, and the PSNR of the last frame."""

    ref: EpisodeRef
    step: int
    psnr: float


def turning_windows(dataset: EpisodeDataset, count: int) -> Iterator[tuple[DatasetEpisode, int]]:
    """`count` windows of the test split, spread evenly, of which those that turn far enough."""
    refs = [ref for ref in dataset.episodes("test") if ref.steps >= FIRST_STEP + STEPS]
    places = [(ref, t) for ref in refs for t in range(FIRST_STEP, ref.steps - STEPS + 1)]
    chosen = [places[n] for n in np.unique(np.linspace(0, len(places) - 1, count).round().astype(int))]
    for ref, windows in groupby(chosen, key=lambda place: place[0]):
        episode = DatasetEpisode(dataset, ref)  # a new object per episode: it keeps the arrays that it has read
        for _, t in windows:
            if abs(float(episode.commanded[t : t + STEPS, 2].sum())) >= LEAST_TURN - 1e-6:
                yield episode, t


def candidates(model: WorldModel, dataset: EpisodeDataset, count: int) -> Iterator[Candidate]:
    """The windows that the rule allows."""
    for episode, t in turning_windows(dataset, count):
        last = model.imagine(episode, t=t, actions=episode.actions[t : t + STEPS].tolist())
        if last.coverage is None or COVERAGE[0] <= float(last.coverage.mean()) <= COVERAGE[1]:
            error = mse_per_image(last.rgb[None], episode.rgb[t + STEPS][None])
            yield Candidate(episode.ref, t, psnr_from_mse(float(error[0])))


def median(found: list[Candidate]) -> Candidate:
    """The candidate with the median PSNR; of an even number, the lower of the two in the middle."""
    return sorted(found, key=lambda c: (c.psnr, c.ref.index, c.step))[(len(found) - 1) // 2]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/images"), show_default=True, help="Folder.")
@click.option("--count", type=click.IntRange(min=1), default=1000, show_default=True, help="Windows to look at.")
def strip(run: Path, data: Path | None, out: Path, count: int) -> None:
    """Write imagination.webp and imagination.mp3 with the model in RUN, and print which window was chosen."""
    model = WorldModel.load(run)
    dataset = open_dataset(run_data(run, model.note) if data is None else data)
    found = list(candidates(model, dataset, count))
    if not found:
        raise click.ClickException(f"no window of {count} follows the rule; look at more of them: --count {10 * count}")
    chosen = median(found)
    episode = DatasetEpisode(dataset, chosen.ref)
    config = ImagineConfig(step=chosen.step, horizon=STEPS)
    futures = imagine_futures(model, episode, resolve(model, episode, config), config)
    first = futures[0]
    assert first.truth is not None
    title = f"{episode.scene}: a house that the model was not trained on"
    walls_N2 = remembered_obstacles(model, episode, chosen.step)
    picture = strip_picture(episode, chosen.step, futures, title=title, way="by the model", obstacles_N2=walls_N2)
    out.mkdir(parents=True, exist_ok=True)
    picture.save(out / "imagination.webp", quality=88, method=6)
    silence_ES = np.zeros((2, PAUSE), np.float32)
    true_ES, imagined_ES = joined(first.truth.audio_NES), joined(first.imagined.audio)
    sound_ES = np.concatenate([first.heard_ES, true_ES, silence_ES, first.heard_ES, imagined_ES], axis=1)
    soundfile.write(out / "imagination.mp3", (sound_ES * common_scale(sound_ES)).T, SAMPLE_RATE, format="MP3")
    full_scale = dataset.spec.audio_full_scale
    values = imagined_numbers(first.imagined, first.truth, full_scale=full_scale)
    click.echo(
        f"{len(found)} windows follow the rule; median PSNR at step {STEPS}: {chosen.psnr:.2f} dB. Chosen: episode "
        f"{episode.index}, step {chosen.step}, {episode.scene}. PSNR by step: {values['psnr']}"
    )
    click.echo(f"{out / 'imagination.webp'}, {out / 'imagination.mp3'}")


if __name__ == "__main__":
    strip()
