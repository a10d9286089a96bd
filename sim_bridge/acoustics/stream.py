"""The sound of an episode: an endless loop heard through impulse responses that glide from pose to pose.

The sound heard at an instant is filtered by the response *of that instant*, with everything still ringing. Over a
step the response moves in a straight line from the last pose's to this pose's, so sample n of the step is
    y[n] = (1 - w) * (x * h_last)[n] + w * (x * h_now)[n],   w = (n + 1) / 2400,
two plain convolutions cross-faded: exactly the time-varying filter, at the price of one convolution a step. The
clip is a loop, so each convolution is circular and the past needs no memory at all. That is the manner "glide".

The manner "soundspaces" is what SoundSpaces 2.0's continuous simulator lets an agent hear in its step (read in
`soundspaces/continuous_simulator.py` of its last public state, with the settings of its continuous task), for who must
compare with it. From clip sample i on, with a response of L samples:
    * the last response fades into this one over the first 50 ms, linearly: weight k / 800 at sample k, then 1;
    * the past still rings only from i = L on. Before that the clip is taken to have begun at its sample 0: at every
      turn of the loop the reverberation of the turn before is cut off, and what lies past the clip's end is silent;
    * a clip of one second (to just under two) is played as three of it, so that there is a place after L at all.
It differs in these from SoundSpaces: only the step's 2,400 samples are given, not a second padded with zeros; clips
have our one loudness; the first sample is drawn from the whole loop, not from the first step's.

Shapes: E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.engine import STREAMS
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES

FULL_SCALE = 6.0
"""The pressure that 16-bit audio's 32767 stands for, the one gain of every dataset: stored = audio / FULL_SCALE.

Sounds peak at 0.5 or less (`sounds.load_sound`) and grow no louder nearer than 0.5 m, so a peak must be amplified
12 times to clip. Measured with the ring at 0.5 m, every heading: 2.4 in furnished houses, 5.2 in a tiled closet of
2.2 m x 2.0 m with 2 % absorption.
"""
SOUNDSPACES_FADE = SAMPLE_RATE // 20  # 50 ms
SOUNDSPACES_REPEATS = 3  # of a clip of one second


class BinauralStream:
    """The binaural samples of one episode, a step of 2,400 at a time.

    clip_S: mono, looped without end, sounding since ever · phase: samples into the clip at the instant of `reset`
    manner: "glide", or "soundspaces" for SoundSpaces' own step (see above); a dataset's `SimulatorConfig.stream`.
    Raises UsageError for an empty or non-mono clip, and for an unknown manner.
    """

    def __init__(
        self, clip_S: np.ndarray, phase: int = 0, step_samples: int = STEP_SAMPLES, *, manner: str = "glide"
    ) -> None:
        clip_S = np.asarray(clip_S, dtype=np.float32)
        if clip_S.ndim != 1 or len(clip_S) == 0:
            raise UsageError(f"a stream needs a mono clip of at least one sample, not an array of shape {clip_S.shape}")
        if manner not in STREAMS:
            raise UsageError(f"unknown stream {manner!r}: expected one of {', '.join(STREAMS)}")
        self._standing = self._since_ever if manner == "glide" else self._since_the_loop_began
        if manner == "soundspaces" and len(clip_S) // SAMPLE_RATE == 1:
            clip_S = np.tile(clip_S, SOUNDSPACES_REPEATS)
        self._clip_S = clip_S
        self._step_samples = step_samples
        self._now = int(phase) % len(clip_S)  # the clip's sample at the instant just reached
        if manner == "glide":
            self._fade_S = (np.arange(1, step_samples + 1, dtype=np.float32)) / np.float32(step_samples)
        else:
            self._fade_S = np.minimum(np.arange(step_samples, dtype=np.float32) / np.float32(SOUNDSPACES_FADE), 1.0)
        self._ahead_ES: np.ndarray | None = None  # the next step, if the head stood still
        self._loop_F = fft.rfft(clip_S)

    def reset(self, ir_ES: np.ndarray) -> np.ndarray:
        """float32 (2, 2400): the step that ends now, for a listener who has stood here since ever."""
        behind_ES, self._ahead_ES = self._standing(ir_ES)
        return behind_ES

    def step(self, ir_ES: np.ndarray) -> np.ndarray:
        """float32 (2, 2400): the next step, in which the response goes from the last one given to `ir_ES`."""
        if self._ahead_ES is None:
            raise UsageError("reset(ir) must come before the first step(ir) of a stream")
        last_ES = self._ahead_ES
        self._now = (self._now + self._step_samples) % len(self._clip_S)
        now_ES, self._ahead_ES = self._standing(ir_ES)
        return last_ES + self._fade_S * (now_ES - last_ES)

    def _since_ever(self, ir_ES: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The steps before and after this instant through one unchanging response."""
        ir_ES = _response(ir_ES)
        loop, wanted = len(self._clip_S), 2 * self._step_samples
        start = self._now - self._step_samples
        if loop <= ir_ES.shape[1] + wanted:
            spectrum_EF = fft.rfft(_folded(ir_ES, loop), axis=-1) * self._loop_F
            period_ES = fft.irfft(spectrum_EF, loop, axis=-1)
            sound_ES = _cyclic(period_ES, start, wanted)
        else:  # a long clip: only the part of it that can still be heard
            before = ir_ES.shape[1] - 1
            segment_S = _cyclic(self._clip_S, start - before, before + wanted)
            n_fft = fft.next_fast_len(len(segment_S), real=True)  # wraps only into the part that is thrown away
            spectrum_EF = fft.rfft(ir_ES, n_fft, axis=-1) * fft.rfft(segment_S, n_fft)
            sound_ES = fft.irfft(spectrum_EF, n_fft, axis=-1)[:, before : before + wanted]
        return sound_ES[:, : self._step_samples], sound_ES[:, self._step_samples :]

    def _since_the_loop_began(self, ir_ES: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same two steps as SoundSpaces hears them."""
        ir_ES, loop = _response(ir_ES), len(self._clip_S)
        behind = (self._now - self._step_samples) % loop
        return self._one_step(ir_ES, behind), self._one_step(ir_ES, self._now)

    def _one_step(self, ir_ES: np.ndarray, start: int) -> np.ndarray:
        count, length = self._step_samples, ir_ES.shape[1]
        rings_on = start >= length
        before = length - 1 if rings_on else start
        if rings_on:
            segment_S = _cyclic(self._clip_S, start - before, before + count)
        else:
            segment_S = self._clip_S[: start + count]
        n_fft = fft.next_fast_len(before + count + length - 1, real=True)
        spectrum_EF = fft.rfft(ir_ES, n_fft, axis=-1) * fft.rfft(segment_S, n_fft)
        heard_ES: np.ndarray = fft.irfft(spectrum_EF, n_fft, axis=-1)[:, before : before + count]
        return heard_ES


def _response(ir_ES: np.ndarray) -> np.ndarray:
    ir_ES = np.ascontiguousarray(ir_ES, dtype=np.float32)
    if ir_ES.ndim != 2 or ir_ES.shape[1] == 0:
        raise UsageError(f"an impulse response must be an (ears, samples) array, not of shape {ir_ES.shape}")
    return ir_ES


def _folded(ir_ES: np.ndarray, loop: int) -> np.ndarray:
    """The response wrapped around a loop of `loop` samples: what a periodic sound hears of it."""
    folds = -(-ir_ES.shape[1] // loop)
    if folds == 1:
        folded_ES = np.zeros((ir_ES.shape[0], loop), dtype=np.float32)
        folded_ES[:, : ir_ES.shape[1]] = ir_ES
        return folded_ES
    padded_ES = np.zeros((ir_ES.shape[0], folds * loop), dtype=np.float32)
    padded_ES[:, : ir_ES.shape[1]] = ir_ES
    return padded_ES.reshape(ir_ES.shape[0], folds, loop).sum(axis=1)


def _cyclic(signal: np.ndarray, start: int, count: int) -> np.ndarray:
    """`count` samples of a periodic signal (..., period) from `start` on."""
    period = signal.shape[-1]
    start %= period
    if start + count <= period:
        return signal[..., start : start + count]
    return np.take(signal, np.arange(start, start + count) % period, axis=-1)
