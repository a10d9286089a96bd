"""Long futures, step by step, compared with the direct jump: an autoregressive roll-out reads what it imagined before.

Shapes: N steps · H W image · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from avw.avw4k.reading.episodes import DatasetEpisode
from avw.avw4k.reading.windows import Windows
from avw.model.evaluation.measures import rounded
from avw.model.evaluation.sequences import longest_episode
from avw.model.imagination import Imagination, Observed
from avw.model.metrics.audio import FLOOR_DB
from avw.model.metrics.bootstrap import Sums
from avw.model.metrics.vision import psnr_from_mse
from avw.sim_bridge.types import Action

MARKS = (1, 4, 16, 32, 64)  # steps whose images are compared
PAST = 48  # steps that the agent has walked before, so that it has seen the room
BLOCK = 16  # steps over which a level is averaged


class Imaginer(Protocol):
    """A world model, as far as it is used here."""

    @property
    def max_offset(self) -> int: ...

    def imagine(
        self,
        episode: Observed,
        *,
        t: int,
        actions: list[Action],
        every_step: bool,
        autoregressive: bool,
        denoising_steps: int | None,
    ) -> Imagination: ...


def measure_rollouts(
    model: Imaginer, windows: Windows, *, count: int, length: int = 64, denoising_steps: int | None = None
) -> dict[str, Any] | str:
    """The "rollouts" part of evaluation.json, or why it is not available.

    psnr_seen: step → direct, autoregressive, and their difference, over pixels that were seen before the roll-out
    level_drift_db: mean over the roll-outs of the level of the last steps, autoregressive minus direct; the largest;
        and both against the truth
    """
    longest = longest_episode(windows)
    length = min(length, model.max_offset, longest)
    past = min(PAST, longest - length)
    starts = windows.at(length + past, count).context_BT[:, -1] + past
    marks = [mark for mark in MARKS if mark <= length]
    errors: dict[str, list[np.ndarray]] = {"direct": [], "autoregressive": []}
    weights: list[np.ndarray] = []
    levels: list[tuple[float, float, float]] = []
    for t in starts.tolist():
        episode = DatasetEpisode(windows.dataset, windows.episodes[int(windows.episode_F[t])])
        step = int(t - windows.start_F[t])
        actions = [Action(int(action)) for action in episode.actions[step : step + length]]
        direct, rolled = (
            model.imagine(
                episode, t=step, actions=actions, every_step=True, autoregressive=each, denoising_steps=denoising_steps
            )
            for each in (False, True)
        )
        ahead = slice(step + 1, step + 1 + length)
        true_NHWC = episode.rgb[ahead]
        mask_NHW = direct.coverage if direct.coverage is not None else np.ones(true_NHWC.shape[:3], bool)
        weights.append(mask_NHW.sum(axis=(1, 2)).astype(np.float64))
        for name, imagined in (("direct", direct), ("autoregressive", rolled)):
            squared = np.square(imagined.rgb.astype(np.float32) - true_NHWC.astype(np.float32)).mean(axis=-1)
            errors[name].append((squared * mask_NHW).sum(axis=(1, 2), dtype=np.float64))
        full_scale = windows.dataset.spec.audio_full_scale
        sounds = (imagined[-BLOCK:] for imagined in (direct.audio, rolled.audio, episode.audio[ahead]))
        direct_db, rolled_db, true_db = (_level(sound, full_scale) for sound in sounds)
        levels.append((rolled_db - direct_db, rolled_db - true_db, direct_db - true_db))
    if not levels:
        return "no episode is long enough"
    table = {str(mark): _marked(errors, weights, mark - 1) for mark in marks}
    between, rolled_true, direct_true = np.array(levels).T
    return {
        "rollouts": len(levels),
        "steps": length,
        "past_steps": past,
        "psnr_seen": table,
        "level_drift_db": {
            "mean": rounded(between.mean()),
            "largest": rounded(between[np.argmax(np.abs(between))]),
            "autoregressive_minus_true": rounded(rolled_true.mean()),
            "direct_minus_true": rounded(direct_true.mean()),
        },
    }


def _marked(errors: dict[str, list[np.ndarray]], weights: list[np.ndarray], index: int) -> dict[str, float | None]:
    """PSNR of one step, pooled over the roll-outs."""
    values = {
        name: psnr_from_mse(
            Sums(np.array([row[index] for row in rows]), np.array([row[index] for row in weights])).mean
        )
        for name, rows in errors.items()
    }
    return {
        **{name: rounded(value) for name, value in values.items()},
        "difference": rounded(values["autoregressive"] - values["direct"]),
    }


def _level(audio_NES: np.ndarray, full_scale: float) -> float:
    """Mean level of some steps and both ears, dB relative to full scale, at least -80."""
    power = float(np.square(audio_NES, dtype=np.float64).mean()) / full_scale**2
    return 10.0 * float(np.log10(max(power, 10.0 ** (FLOOR_DB / 10.0))))
