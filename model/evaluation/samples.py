"""Predicted futures beside the true ones, as files for the report. Which windows are shown follows from a rule.

Shapes: N steps · H W image · C channels · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avw.model.evaluation.futures import Future, Recorded
from avw.model.evaluation.horizons import recorded_future
from avw.model.evaluation.sequences import longest_episode, offsets_of, sound_of, waveform
from avw.model.evaluation.source import Source
from avw.model.pictures.animation import common_scale, write_gif, write_wave
from avw.model.pictures.film_strip import StripRow, film_strip, guessed_picture, shown_steps
from avw.model.pictures.ink import GUESSED, IMAGINED, TRUTH
from avw.sim_bridge.storage.atomic_write import atomic_write

LEAST_COVERAGE = 0.4
RULE = (
    "per scene the window with the largest change of the true image, of those in which at least 40 % of the last "
    "image was seen before; then the scenes with the largest change"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """t: frame number · change: RMS difference of the true images before and after, grey levels · coverage: 0 to 1."""

    t: int
    change: float
    coverage: float


def write_samples(
    source: Source, recorded: Recorded, folder: Path, *, count: int, length: int, candidates: int
) -> None:
    """Write NAME.png (a film strip), NAME-truth and NAME-model (.gif, .wav) of the chosen windows, and samples.json."""
    folder.mkdir(parents=True, exist_ok=True)
    length = min(length, longest_episode(source.windows))
    notes = [
        _write_sample(source, recorded, folder, f"sample-{number}", chosen, length)
        for number, chosen in enumerate(choose(source, recorded, count=count, length=length, candidates=candidates))
    ]
    atomic_write(folder / "samples.json", json.dumps(notes, indent=2))


def choose(source: Source, recorded: Recorded, *, count: int, length: int, candidates: int) -> list[Chosen]:
    """The windows that are shown: see `RULE`. Where too few scenes fulfil it, the others follow, by coverage."""
    windows = source.windows
    best: dict[str, Chosen] = {}
    for t in windows.at(length, candidates).context_BT[:, -1].tolist():
        window = windows.window(np.array([t]), np.array([[length]]))
        last, true = (_images(recorded.frames(np.array([frame]))) for frame in (t, int(window.target_BK[0, 0])))
        change = float(np.sqrt(np.square(last.astype(np.float32) - true.astype(np.float32)).mean()))
        coverage = float(source.reproject(np.array([t]), source.rolled(window)).coverage_PHW.mean())
        found = Chosen(t=t, change=change, coverage=coverage)
        scene = windows.episodes[int(windows.episode_F[t])].scene
        if scene not in best or _order(found) > _order(best[scene]):
            best[scene] = found
    return sorted(best.values(), key=_order, reverse=True)[:count]


def _order(chosen: Chosen) -> tuple[bool, float]:
    enough = chosen.coverage >= LEAST_COVERAGE
    return enough, chosen.change if enough else chosen.coverage


def _write_sample(
    source: Source, recorded: Recorded, folder: Path, name: str, chosen: Chosen, length: int
) -> dict[str, Any]:
    """Write the files of one window; returns what samples.json says about it."""
    windows = source.windows
    t_B = np.array([chosen.t])
    window = windows.window(t_B, offsets_of(length))
    true, predicted = recorded_future(recorded, window), source.predict(window)
    last_HWC = _images(recorded.frames(t_B))[0]
    coverage_NHW = source.reproject(t_B, source.rolled(window)).coverage_PHW
    steps = shown_steps(length)
    film_strip(_rows(last_HWC, true, predicted, coverage_NHW, steps), ["now", *(f"+{step}" for step in steps)]).save(
        folder / f"{name}.png"
    )
    # Both sounds are scaled by the same factor, so that a wrong level is audible.
    scale = common_scale(sound_of(true))
    for label, future in (("truth", true), ("model", predicted)):
        write_gif(folder / f"{name}-{label}.gif", list(_images(future)))
        write_wave(folder / f"{name}-{label}.wav", waveform(sound_of(future)) * scale)
    ref = windows.episodes[int(windows.episode_F[chosen.t])]
    return {
        "name": name,
        "scene": ref.scene,
        "mode": ref.mode,
        "episode": ref.index,
        "step": int(chosen.t - windows.start_F[chosen.t]),
        "steps": length,
        "rule": RULE,
        "change": round(chosen.change, 2),
        "coverage": round(chosen.coverage, 3),
        "true_progress": np.round(window.progress_BK[0], 3).tolist(),
        "imagined_progress": None if predicted.progress_N is None else np.round(predicted.progress_N, 3).tolist(),
    }


def _rows(
    last_HWC: np.ndarray, true: Future, predicted: Future, coverage_NHW: np.ndarray, steps: Sequence[int]
) -> list[StripRow]:
    """Truth, prediction, and the prediction with the pixels tinted that were not seen before."""
    shown = [step - 1 for step in steps]
    images = _images(predicted)
    guessed = [guessed_picture(images[index], coverage_NHW[index]) for index in shown]
    return [
        StripRow(label="truth", pictures=[last_HWC, *_images(true)[shown]], colour=TRUTH),
        StripRow(label="imagined", pictures=[None, *images[shown]], colour=IMAGINED),
        StripRow(label="guessed", note="never seen before", pictures=[None, *guessed], colour=GUESSED),
    ]


def _images(future: Future) -> np.ndarray:
    assert future.rgb_NHWC is not None
    return future.rgb_NHWC
