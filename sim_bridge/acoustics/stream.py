"""The sound of an episode: an endless loop heard through impulse responses that glide from pose to pose.

The sound heard at an instant is filtered by the response *of that instant*, with everything still ringing. Over a
step the response moves in a straight line from the last pose's to this pose's, so sample n of the step is
    y[n] = (1 - w) * (x * h_last)[n] + w * (x * h_now)[n],   w = (n + 1) / 2400,
two plain convolutions cross-faded: exactly the time-varying filter, at the price of one convolution a step. The
clip is a loop, so each convolution is circular and the past needs no memory at all.

Shapes: E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from sim_bridge.errors import UsageError
from sim_bridge.types import STEP_SAMPLES

FULL_SCALE = 6.0
"""The pressure that 16-bit audio's 32767 stands for, the one gain of every dataset: stored = audio / FULL_SCALE.

Sounds peak at 0.5 or less (`sounds.load_sound`) and grow no louder nearer than 0.5 m, so a peak must be amplified
12 times to clip. Measured with the ring at 0.5 m, every heading: 2.4 in furnished houses, 5.2 in a tiled closet of
2.2 m x 2.0 m with 2 % absorption.
"""


class BinauralStream:
    """The binaural samples of one episode, a step of 2,400 at a time.

    clip_S: mono, looped without end, sounding since ever · phase: samples into the clip at the instant of `reset`.
    Raises UsageError for an empty or non-mono clip.
    """

    def __init__(self, clip_S: np.ndarray, phase: int = 0, step_samples: int = STEP_SAMPLES):
        clip_S = np.asarray(clip_S, dtype=np.float32)
        if clip_S.ndim != 1 or len(clip_S) == 0:
            raise UsageError(f"a stream needs a mono clip of at least one sample, not an array of shape {clip_S.shape}")
        self._clip_S = clip_S
        self._step_samples = step_samples
        self._now = int(phase) % len(clip_S)  # the clip's sample at the instant just reached
        self._fade_S = (np.arange(1, step_samples + 1, dtype=np.float32)) / np.float32(step_samples)
        self._ahead_ES: np.ndarray | None = None  # the next step, if the head stood still
        self._loop_F = fft.rfft(clip_S)

    def reset(self, ir_ES: np.ndarray) -> np.ndarray:
        """float32 (2, 2400): the step that ends now, for a listener who has stood here since ever."""
        behind_ES, self._ahead_ES = self._standing(ir_ES)
        return behind_ES

    def step(self, ir_ES: np.ndarray) -> np.ndarray:
        """float32 (2, 2400): the next step, in which the response glides from the last one given to `ir_ES`."""
        if self._ahead_ES is None:
            raise UsageError("reset(ir) must come before the first step(ir) of a stream")
        last_ES = self._ahead_ES
        self._now = (self._now + self._step_samples) % len(self._clip_S)
        now_ES, self._ahead_ES = self._standing(ir_ES)
        return last_ES + self._fade_S * (now_ES - last_ES)

    def _standing(self, ir_ES: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The steps before and after this instant through one unchanging response."""
        ir_ES = np.ascontiguousarray(ir_ES, dtype=np.float32)
        if ir_ES.ndim != 2 or ir_ES.shape[1] == 0:
            raise UsageError(f"an impulse response must be an (ears, samples) array, not of shape {ir_ES.shape}")
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
