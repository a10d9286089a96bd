"""Reliability card of an audio metric: does it notice what it should notice, and can a single value be trusted?

A metric is applied to true clips that were damaged with increasing strength, in five ways. A reliable metric gets
worse with the strength. Metrics of the kind of AV-Align were found to be the weakest (arXiv 2608.25157), so every audio
metric of AVW comes with its card.

shift     the clip starts later, the end is lost           speed   the clip is played slower, with lower pitch
shuffle   segments of 15 ms change places                  mute    a part of the clip is silent
swap      the ears are mixed until they have changed places

Shape legend: N clips · E ears (0 left, 1 right) · S samples · L strengths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE

Measure = Callable[[np.ndarray], np.ndarray]  # damaged clips (N, E, S) → errors (N,), larger is worse
SEGMENT = round(0.015 * SAMPLE_RATE)  # samples

# family → strengths, mild to strong. Milliseconds; relative speed; share of the segments; share of the clip; share.
STRENGTHS: dict[str, tuple[float, ...]] = {
    "shift": (5.0, 15.0, 45.0, 90.0),
    "speed": (0.99, 0.97, 0.9, 0.75),
    "shuffle": (0.2, 0.4, 0.7, 1.0),
    "mute": (0.1, 0.25, 0.5, 0.9),
    "swap": (0.1, 0.25, 0.5, 1.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """How a metric responds to one family of damage.

    errors: mean error without damage and at each strength
    delta: mean error at the largest strength minus that without damage
    monotone: Kendall's rank correlation of strength and mean error, in [-1, 1]; 1 if every increase of the strength
        increases the mean error, 0 for a metric that does not respond
    variation: coefficient of variation over clips, standard deviation / mean, averaged over the strengths; None if
        the mean is 0
    flip: probability that a single clip puts two strengths in the wrong order; 0.5 for a metric that does not respond
    clips: clips with a value
    """

    errors: tuple[float, ...]
    delta: float
    monotone: float
    variation: float | None
    flip: float
    clips: int


def reliability_card(
    measure: Measure, true_NES: np.ndarray, *, families: Sequence[str] = tuple(STRENGTHS), seed: int = 0
) -> dict[str, Reliability]:
    """The response of a metric to every family of damage. Families for which no clip has a value are missing.

    measure: e.g. `lambda clips: lsd_per_clip(clips, true)`; for a metric of similarity, pass its negative. For a metric
        of sequences, join the steps: clips may be of any length
    """
    card = {}
    undamaged_N = np.asarray(measure(true_NES), np.float64)
    for family in families:
        rows = [undamaged_N]
        rows += [np.asarray(measure(damaged(true_NES, family, s, seed=seed)), float) for s in STRENGTHS[family]]
        error_LN = np.stack(rows)
        error_LN = error_LN[:, np.isfinite(error_LN).all(axis=0)]
        if error_LN.shape[1]:
            card[family] = _reliability(error_LN)
    return card


def damaged(audio_NES: np.ndarray, family: str, strength: float, *, seed: int = 0) -> np.ndarray:
    """The clips, damaged. float32 (N, E, S)."""
    audio_NES = np.asarray(audio_NES, np.float32)
    S = audio_NES.shape[-1]
    if family == "shift":
        samples = min(S, round(strength * SAMPLE_RATE / 1000.0))
        return np.pad(audio_NES, ((0, 0), (0, 0), (samples, 0)))[..., :S]
    if family == "speed":
        position = np.arange(S) * strength
        before = position.astype(np.int64)
        after, share = np.minimum(before + 1, S - 1), (position - before).astype(np.float32)
        return audio_NES[..., before] * (1 - share) + audio_NES[..., after] * share
    if family == "shuffle":
        return _shuffled(audio_NES, strength, seed)
    if family == "mute":
        out = audio_NES.copy()
        out[..., S - round(strength * S) :] = 0.0
        return out
    if family == "swap":
        return (1 - np.float32(strength)) * audio_NES + np.float32(strength) * audio_NES[:, ::-1]
    raise ValueError(f"unknown damage {family!r}: expected one of {list(STRENGTHS)}")


def _shuffled(audio_NES: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Clips in which a share of the segments changes places in a circle. Larger shares contain the smaller ones."""
    N, E, S = audio_NES.shape
    count = S // SEGMENT
    moved = round(share * count)
    if moved < 2:
        return audio_NES.copy()
    whole = audio_NES[..., : count * SEGMENT].reshape(N, E, count, SEGMENT).copy()
    for clip in range(N):
        chosen = keyed_rng(seed, "shuffle", clip).permutation(count)[:moved]
        whole[clip][:, chosen] = whole[clip][:, np.roll(chosen, 1)]
    return np.concatenate([whole.reshape(N, E, count * SEGMENT), audio_NES[..., count * SEGMENT :]], axis=-1)


def _reliability(error_LN: np.ndarray) -> Reliability:
    mean_L = error_LN.mean(axis=1)
    later, earlier = np.tril_indices(len(error_LN), -1)
    difference_PN = error_LN[later] - error_LN[earlier]
    # Numbers that differ by rounding only are equal.
    small = 1e-9 * max(1e-9, float(np.abs(error_LN).max()))
    wrong = (difference_PN < -small).mean() + 0.5 * (np.abs(difference_PN) <= small).mean()
    order_P = mean_L[later] - mean_L[earlier]
    spread = [row.std() / abs(row.mean()) for row in error_LN[1:] if abs(row.mean()) > small]
    return Reliability(
        errors=tuple(mean_L.tolist()),
        delta=float(mean_L[-1] - mean_L[0]),
        monotone=float((order_P > small).mean() - (order_P < -small).mean()),
        variation=float(np.mean(spread)) if spread else None,
        flip=float(wrong),
        clips=error_LN.shape[1],
    )


def card_as_json(cards: Mapping[str, Mapping[str, Reliability]]) -> dict[str, Any]:
    """metric → family → the fields of `Reliability`, rounded."""

    def rounded(value: Any) -> Any:
        if isinstance(value, tuple):
            return [round(x, 4) for x in value]
        return round(value, 4) if isinstance(value, float) else value

    return {
        metric: {family: {k: rounded(v) for k, v in asdict(row).items()} for family, row in card.items()}
        for metric, card in cards.items()
    }
