"""The continuous sound of an episode: a looped clip, filtered by impulse responses that change from pose to pose.

Mode "glide": the sound at an instant is filtered with the response *at that instant*, including all reverberation of
earlier sound. During a step the response changes linearly from that of the last pose to that of this pose, so sample n
of the step is
    y[n] = (1 - w) * (x * h_last)[n] + w * (x * h_now)[n],   w = (n + 1) / 2400,
a cross-fade of two ordinary convolutions. This is exactly the time-varying filter, at the cost of one convolution per
step. The clip is a loop, so each convolution is circular and no past audio has to be stored.

Mode "soundspaces": what SoundSpaces 2.0's continuous simulator gives an agent in its step (as read in the last public
version of `soundspaces/continuous_simulator.py`, with the settings of its continuous task), for comparisons with it.
From clip sample i on, with a response of L samples:
    * the last response fades into this one linearly over the first 50 ms: weight k / 800 at sample k, then 1;
    * reverberation of earlier sound is included only from i = L on. Before that, the clip is assumed to have started at
      its sample 0: at every repetition of the loop, the reverberation of the previous repetition is cut off, and
      samples beyond the end of the clip are silent;
    * a clip of one second (up to just below two) is repeated three times, because otherwise no sample comes after L.
Differences from SoundSpaces: only the 2,400 samples of the step are returned, not a second padded with zeros; clips are
normalised as all of ours are; the first sample is drawn from the whole loop, not from the samples of the first step.

Shapes: E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.engine import STREAMS
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES

FULL_SCALE = 6.0
"""The pressure that 32767 in 16-bit audio represents, the same gain in every dataset: stored = audio / FULL_SCALE.

Sounds have a peak of at most 0.5 (`sounds.load_sound`) and do not get louder below 0.5 m, so a peak must be amplified
12 times to clip. Measured amplification with the ring at 0.5 m, over all headings: 2.4 in furnished houses, 5.2 in a
tiled closet of 2.2 m x 2.0 m with 2 % absorption.
"""
SOUNDSPACES_FADE = SAMPLE_RATE // 20  # samples in 50 ms
SOUNDSPACES_REPEATS = 3  # repetitions of a clip of one second


class BinauralStream:
    """The binaural samples of one episode, one step of 2,400 samples at a time.

    clip_S: mono; an endless loop that has always been playing · phase: samples into the clip at the instant of `reset`
    mode: "glide", or "soundspaces" for SoundSpaces' own step (see above); `SimulatorConfig.stream` of a dataset
    ends: number of steps after `reset` at which the clip ends, in mode "glide"; its reverberation decays; None: never
    Raises UsageError for an empty or non-mono clip, and for an unknown mode.
    """

    def __init__(
        self,
        clip_S: np.ndarray,
        phase: int = 0,
        step_samples: int = STEP_SAMPLES,
        *,
        mode: str = "glide",
        ends: int | None = None,
    ) -> None:
        clip_S = np.asarray(clip_S, dtype=np.float32)
        if clip_S.ndim != 1 or len(clip_S) == 0:
            raise UsageError(f"a stream needs a mono clip of at least one sample, not an array of shape {clip_S.shape}")
        if mode not in STREAMS:
            raise UsageError(f"unknown stream {mode!r}: expected one of {', '.join(STREAMS)}")
        if mode == "soundspaces" and ends is not None:
            raise UsageError("a sound that ends needs --stream glide: the steps of SoundSpaces are of an endless loop")
        self._left = None if ends is None else ends * step_samples  # samples until the clip ends
        self._steps_around_now = self._glide_steps if mode == "glide" else self._soundspaces_steps
        if mode == "soundspaces" and len(clip_S) // SAMPLE_RATE == 1:
            clip_S = np.tile(clip_S, SOUNDSPACES_REPEATS)
        self._clip_S = clip_S
        self._step_samples = step_samples
        self._now = int(phase) % len(clip_S)  # sample of the clip at the current instant
        if mode == "glide":
            self._fade_S = (np.arange(1, step_samples + 1, dtype=np.float32)) / np.float32(step_samples)
        else:
            self._fade_S = np.minimum(np.arange(step_samples, dtype=np.float32) / np.float32(SOUNDSPACES_FADE), 1.0)
        self._ahead_ES: np.ndarray | None = None  # the next step if the head does not move
        self._loop_F = fft.rfft(clip_S)

    def reset(self, ir_ES: np.ndarray) -> np.ndarray:
        """float32 (2, 2400): the step that ends now, for a listener that has always been at this pose.

        ir_ES: its impulse response. Raises UsageError unless that is an (ears, samples) array.
        """
        behind_ES, self._ahead_ES = self._steps_around_now(ir_ES)
        return behind_ES

    def step(self, ir_ES: np.ndarray) -> np.ndarray:
        """float32 (2, 2400): the next step, in which the response changes from the last one to `ir_ES`.

        Raises UsageError before the first `reset`, and unless `ir_ES` is an (ears, samples) array.
        """
        if self._ahead_ES is None:
            raise UsageError("call reset(ir) before the first step(ir) of a stream")
        last_ES = self._ahead_ES
        self._now = (self._now + self._step_samples) % len(self._clip_S)
        if self._left is not None:
            self._left -= self._step_samples
        now_ES, self._ahead_ES = self._steps_around_now(ir_ES)
        return last_ES + self._fade_S * (now_ES - last_ES)

    def _glide_steps(self, ir_ES: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The steps before and after this instant, filtered with one constant response."""
        ir_ES = _response(ir_ES)
        loop, wanted = len(self._clip_S), 2 * self._step_samples
        start = self._now - self._step_samples
        ending = self._left is not None and self._left < self._step_samples
        if loop <= ir_ES.shape[1] + wanted and not ending:
            spectrum_EF = fft.rfft(_folded(ir_ES, loop), axis=-1) * self._loop_F
            period_ES = fft.irfft(spectrum_EF, loop, axis=-1)
            sound_ES = _cyclic(period_ES, start, wanted)
        else:  # a long clip or its end: convolve only the part that is still audible
            before = ir_ES.shape[1] - 1
            segment_S = _cyclic(self._clip_S, start - before, before + wanted)
            if self._left is not None and ending:
                segment_S = segment_S.copy()
                segment_S[max(0, before + self._step_samples + self._left) :] = 0.0
            n_fft = fft.next_fast_len(len(segment_S), real=True)  # wraps only into the part that is discarded
            spectrum_EF = fft.rfft(ir_ES, n_fft, axis=-1) * fft.rfft(segment_S, n_fft)
            sound_ES = fft.irfft(spectrum_EF, n_fft, axis=-1)[:, before : before + wanted]
        return sound_ES[:, : self._step_samples], sound_ES[:, self._step_samples :]

    def _soundspaces_steps(self, ir_ES: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same two steps, computed as in SoundSpaces."""
        ir_ES, loop = _response(ir_ES), len(self._clip_S)
        behind = (self._now - self._step_samples) % loop
        return self._soundspaces_step(ir_ES, behind), self._soundspaces_step(ir_ES, self._now)

    def _soundspaces_step(self, ir_ES: np.ndarray, start: int) -> np.ndarray:
        """(2, 2400): the step that begins at clip sample `start`."""
        count, length = self._step_samples, ir_ES.shape[1]
        has_past = start >= length
        before = length - 1 if has_past else start
        if has_past:
            segment_S = _cyclic(self._clip_S, start - before, before + count)
        else:
            segment_S = self._clip_S[: start + count]
        n_fft = fft.next_fast_len(before + count + length - 1, real=True)
        spectrum_EF = fft.rfft(ir_ES, n_fft, axis=-1) * fft.rfft(segment_S, n_fft)
        step_ES: np.ndarray = fft.irfft(spectrum_EF, n_fft, axis=-1)[:, before : before + count]
        return step_ES


def _response(ir_ES: np.ndarray) -> np.ndarray:
    ir_ES = np.ascontiguousarray(ir_ES, dtype=np.float32)
    if ir_ES.ndim != 2 or ir_ES.shape[1] == 0:
        raise UsageError(f"an impulse response must be an (ears, samples) array, not one of shape {ir_ES.shape}")
    return ir_ES


def _folded(ir_ES: np.ndarray, loop: int) -> np.ndarray:
    """The response wrapped around a loop of `loop` samples, for circular convolution with a periodic sound."""
    folds = -(-ir_ES.shape[1] // loop)
    if folds == 1:
        folded_ES = np.zeros((ir_ES.shape[0], loop), dtype=np.float32)
        folded_ES[:, : ir_ES.shape[1]] = ir_ES
        return folded_ES
    padded_ES = np.zeros((ir_ES.shape[0], folds * loop), dtype=np.float32)
    padded_ES[:, : ir_ES.shape[1]] = ir_ES
    return padded_ES.reshape(ir_ES.shape[0], folds, loop).sum(axis=1)


def _cyclic(signal: np.ndarray, start: int, count: int) -> np.ndarray:
    """`count` samples of a periodic signal (..., period), from sample `start` on."""
    period = signal.shape[-1]
    start %= period
    if start + count <= period:
        return signal[..., start : start + count]
    return np.take(signal, np.arange(start, start + count) % period, axis=-1)
