"""Counterfactuals: does the predicted future change in the right direction if the action, or the sound, is another?

Action: from the same state the agent turns left, or right. The source then lies on different sides, so the predicted
sound of the two futures must differ as the simulated sound does: in the sign of ILD, ITD and pan score. Only states
count in which both true sounds are audible and clearly different.

Sound: the context gets the sound of another episode. The predicted sound must change, and the predicted image must not.

Shapes: B states · N steps · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from scipy.stats import binomtest

from avw.avw4k.reading.episodes import DatasetEpisode
from avw.avw4k.reading.windows import Windows, in_heading_frame
from avw.model.evaluation.measures import rounded
from avw.model.evaluation.sequences import longest_episode, waveform
from avw.model.evaluation.true_turns import SIDES, true_turns
from avw.model.imagination import Imagination, Observed
from avw.model.imagine.subject import OtherSound
from avw.model.metrics.audio import lsd_per_clip
from avw.model.metrics.binaural import itd_seconds, pan_score
from avw.model.metrics.physical import audible, ild_db, level_db
from avw.sim_bridge.errors import AvwError
from avw.sim_bridge.types import TURN_RADIANS, Action

HEARD = 3  # steps at the end of a turn whose sound is compared: the ring has pauses
# Cue → smallest true difference that counts. Just-noticeable differences are about 1 dB and 10 to 40 µs.
CLEAR = {"ild": 1.0, "itd": 50.0, "pan": 0.1}
UNITS = {"ild": "dB", "itd": "µs", "pan": ""}
LOUDER = 3.0  # dB: the smallest difference of the two sounds in a swap


class Imaginer(Protocol):
    """A world model, as far as it is used here."""

    def imagine(
        self, episode: Observed, *, t: int, actions: list[Action], every_step: bool, denoising_steps: int | None
    ) -> Imagination: ...


def measure_counterfactuals(
    model: Imaginer,
    windows: Windows,
    *,
    count: int,
    turn: int = 90,
    denoising_steps: int | None = None,
    round_trip: Callable[[np.ndarray], np.ndarray] | None = None,
    progress: Callable[[str], object] = lambda scene: None,
) -> dict[str, Any] | str:
    """The "counterfactuals" part of evaluation.json, or why it is not available.

    turn: degrees to each side
    round_trip: encodes and decodes true sounds (N, E, S). Scored too, it says which cues the tokenizer keeps at all
    progress: called with each scene that is simulated
    """
    steps = max(1, round(np.radians(turn) / TURN_RADIANS))
    if steps > longest_episode(windows):
        return f"the episodes have {longest_episode(windows)} steps, and a turn of {turn} degrees takes {steps}"
    t_B = windows.at(steps, count).context_BT[:, -1]
    try:
        true_2BNES = true_turns(windows, t_B, steps, progress)
    except (AvwError, OSError) as error:
        return f"the true sound after other actions could not be simulated: {error}"
    turned: list[list[np.ndarray]] = [[], []]
    swaps = []
    for b, t in enumerate(t_B.tolist()):
        episode, step = _episode(windows, t), int(t - windows.start_F[t])
        own = []
        for side, action in enumerate(SIDES):
            own.append(
                model.imagine(
                    episode, t=step, actions=[action] * steps, every_step=True, denoising_steps=denoising_steps
                )
            )
            turned[side].append(waveform(own[side].audio[-HEARD:]))
        other = _other_sound(windows, t, b)
        if other is not None:
            heard = OtherSound(episode, other)
            swapped = model.imagine(
                heard, t=step, actions=[SIDES[0]] * steps, every_step=True, denoising_steps=denoising_steps
            )
            swaps.append(_swap(own[0], swapped, episode.audio[: step + 1], other[: step + 1]))
    full_scale = windows.dataset.spec.audio_full_scale
    true_2BES = np.stack([[waveform(sound[-HEARD:]) for sound in side] for side in true_2BNES])
    found = {
        "states": len(t_B),
        "turn_degrees": turn,
        "action": action_scores(
            np.array(turned), true_2BES, full_scale=full_scale, direct_B=direct_differences(windows, t_B, steps)
        ),
        "sound": sound_scores(swaps),
    }
    if round_trip is not None:
        bound_2BES = np.stack([[waveform(round_trip(sound[-HEARD:])) for sound in side] for side in true_2BNES])
        found["action_oracle_tokenizer"] = action_scores(bound_2BES, true_2BES, full_scale=full_scale)
    return found


def action_scores(
    predicted_2BES: np.ndarray, true_2BES: np.ndarray, *, full_scale: float, direct_B: np.ndarray | None = None
) -> dict[str, Any]:
    """cue → the states that count, the share of them in which the predicted difference between the two futures (left
    minus right) has the true sign, a 95 % interval, and the probability of so many by chance.

    direct_B: the difference if all sound came straight from the true source. The share of states in which it has the
    true sign is the score of a model that knows the source and nothing of the walls.
    """
    audible_B = np.logical_and(*(audible(sound, full_scale=full_scale) for sound in true_2BES))
    scores = {}
    for cue, least in CLEAR.items():
        predicted_B, true_B = (
            np.subtract(*(_cue(cue, sound, full_scale) for sound in pair)) for pair in (predicted_2BES, true_2BES)
        )
        counted_B = audible_B & (np.abs(true_B) >= least)
        cases = int(counted_B.sum())
        right = int((np.sign(predicted_B[counted_B]) == np.sign(true_B[counted_B])).sum())
        test = binomtest(right, cases, 0.5, alternative="greater") if cases else None
        interval = binomtest(right, cases).proportion_ci(method="wilson") if cases else None
        scores[cue] = {
            "cases": cases,
            "right": right,
            "score": rounded(right / cases) if cases else None,
            "interval": [rounded(interval.low), rounded(interval.high)] if interval is not None else None,
            "p_by_chance": float(test.pvalue) if test is not None else None,
            "least_true_difference": least,
        }
        if direct_B is not None and cases:
            scores[cue]["direct"] = rounded(float((np.sign(direct_B) == np.sign(true_B))[counted_B].mean()))
    return {"audible_states": int(audible_B.sum()), **scores}


def direct_differences(windows: Windows, t_B: np.ndarray, steps: int) -> np.ndarray:
    """(B,): how much further to the left the true source lies after a turn to the left than after one to the right,
    as sines of its bearings."""
    episodes = [windows.episodes[int(number)] for number in windows.episode_F[t_B]]
    source_B3 = np.array([windows.dataset.source(ref).position_3 for ref in episodes])
    dx_B, _, dz_B = (source_B3 - windows.position_F3[t_B]).T
    ahead_B, left_B = in_heading_frame(dx_B, dz_B, windows.yaw_F[t_B], windows.yaw_F[t_B])[:, :2].T
    bearing_B, turn = np.arctan2(left_B, ahead_B), steps * TURN_RADIANS
    return np.sin(bearing_B - turn) - np.sin(bearing_B + turn)


def sound_scores(swaps: list[dict[str, float]]) -> dict[str, Any]:
    """Means over the swaps, and the share in which the predicted level follows that of the context.

    sound_lsd: dB between the two predicted sounds · image_difference: mean absolute difference of the two predicted
    images, grey levels
    """
    if not swaps:
        return {"states": 0}
    context = np.array([swap["context_level"] for swap in swaps])
    future = np.array([swap["future_level"] for swap in swaps])
    clear = np.abs(context) >= LOUDER
    right = int((np.sign(context[clear]) == np.sign(future[clear])).sum())
    return {
        "states": len(swaps),
        "sound_lsd": rounded(float(np.mean([swap["sound_lsd"] for swap in swaps]))),
        "image_difference": rounded(float(np.mean([swap["image_difference"] for swap in swaps]))),
        "level_cases": int(clear.sum()),
        "level_follows": rounded(right / int(clear.sum())) if clear.any() else None,
    }


def _swap(own: Imagination, swapped: Imagination, own_TES: np.ndarray, other_TES: np.ndarray) -> dict[str, float]:
    def level(audio_NES: np.ndarray) -> float:
        return float(np.maximum(level_db(waveform(audio_NES)[None]), -100.0).mean())

    images = (imagined.rgb.astype(np.float32) for imagined in (own, swapped))
    sounds = (waveform(imagined.audio)[None] for imagined in (swapped, own))
    return {
        "sound_lsd": float(lsd_per_clip(*sounds)[0]),
        "image_difference": float(np.abs(np.subtract(*images)).mean()),
        "context_level": level(other_TES[-8:]) - level(own_TES[-8:]),
        "future_level": level(swapped.audio) - level(own.audio),
    }


def _cue(cue: str, audio_BES: np.ndarray, full_scale: float) -> np.ndarray:
    """(B,): positive where the sound is on the left."""
    if cue == "itd":
        return 1e6 * itd_seconds(audio_BES, full_scale=full_scale)
    if cue == "pan":
        return -pan_score(audio_BES, full_scale=full_scale).mean(axis=1)
    return np.nan_to_num(ild_db(audio_BES + 1e-9 * full_scale))


def _episode(windows: Windows, t: int) -> DatasetEpisode:
    return DatasetEpisode(windows.dataset, windows.episodes[int(windows.episode_F[t])])


def _other_sound(windows: Windows, t: int, number: int) -> np.ndarray | None:
    """The sound of another episode, of another scene if there is one, that is at least as long; None without one."""
    own = windows.episodes[int(windows.episode_F[t])]
    long_enough = [ref for ref in windows.episodes if ref.index != own.index and ref.steps >= t - windows.start_F[t]]
    elsewhere = [ref for ref in long_enough if ref.scene != own.scene] or long_enough
    if not elsewhere:
        return None
    # Another one for every state, spread over the split.
    ref = elsewhere[(number * 7 + 3) % len(elsewhere)]
    return DatasetEpisode(windows.dataset, ref).audio
