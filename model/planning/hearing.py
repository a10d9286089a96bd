"""Direction and level of a sound, by signal processing of two ears over several steps.

The interaural delay gives the lateral angle of a source, but not whether it is in front or behind (Woodworth 1938).
A turn of the head resolves this (Wallach 1940): the evidence over bearings is kept in the frame of the head and rotated
with it, so only the true bearing accumulates evidence. The evidence is the generalised cross-correlation with phase
transform (Knapp & Carter 1976), steered to every bearing. It is weighted by increases in energy, because the sound that
arrives first is the direct sound (precedence effect).

Bearings: radians from straight ahead, positive to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.types import SAMPLE_RATE, TURN_RADIANS, Action

HEAD_DELAY = 0.274e-3  # seconds: (radius / speed of sound), so that 90 degrees give KEMAR's 0.705 ms


@dataclass(frozen=True, kw_only=True, slots=True)
class HearingConfig:
    """Bearing search and memory.

    bins: number of bearings, a multiple of 36 so that a turn is a whole number of bins
    low, high: hertz, the band in which delays are unambiguous and reliable · window, hop: samples
    forget: share of the evidence that is kept per step
    drift: share of the evidence that moves to each neighbouring bin with a forward step
    floor: RMS below which a step counts as silent
    hold: number of steps whose maximum is the level, because the sound may have pauses
    """

    bins: int = 72
    low: float = 250.0
    high: float = 7_000.0
    window: int = 512
    hop: int = 128
    forget: float = 0.9
    drift: float = 0.1
    floor: float = 1e-6
    hold: int = 3


class Hearing:
    """Evidence over bearings, and the level, updated at each step."""

    def __init__(self, config: HearingConfig | None = None):
        self.config = config or HearingConfig()
        c = self.config
        if c.bins % 36:
            raise ValueError(f"bins must be a multiple of 36, got {c.bins}")
        self.bearings_B = np.arange(c.bins) * (2 * math.pi / c.bins)
        self._turn_bins = round(TURN_RADIANS * c.bins / (2 * math.pi))
        frequencies_F = np.fft.rfftfreq(c.window, 1 / SAMPLE_RATE)
        self._band_F = (frequencies_F >= c.low) & (frequencies_F <= c.high)
        lateral_B = np.arcsin(np.sin(self.bearings_B))
        delays_B = HEAD_DELAY * (lateral_B + np.sin(lateral_B))  # seconds by which the right ear is later
        self._steer_FB = np.exp(-2j * math.pi * frequencies_F[self._band_F][:, None] * delays_B)
        self._window_S = np.hanning(c.window)
        self.reset()

    def reset(self) -> None:
        self.evidence_B = np.zeros(self.config.bins)
        self._recent: list[float] = []
        self._scores: list[float] = []
        self._last_energy = 0.0
        self.level = 0.0

    @property
    def level_db(self) -> float:
        """Highest level of the last steps, dB relative to an RMS of 1, mean of both ears."""
        return 20.0 * math.log10(max(self.level, 1e-12))

    @property
    def bearing(self) -> float:
        """The bearing with the most evidence, radians in [-pi, pi)."""
        best = self.bearings_B[int(np.argmax(self.evidence_B))]
        return float((best + math.pi) % (2 * math.pi) - math.pi)

    @property
    def directness(self) -> float:
        """Share of the sound of the last steps from one direction, 0 to 1. It is high only close to the source."""
        return max(self._scores, default=0.0)

    def support(self, bearing_N: np.ndarray) -> np.ndarray:
        """float64 (N,): the evidence for bearings relative to that for the best one; 0 where it is negative."""
        bin_N = np.round(np.asarray(bearing_N) / (2 * math.pi) * self.config.bins).astype(int) % self.config.bins
        evidence_B = np.maximum(self.evidence_B, 0.0)
        return np.asarray(evidence_B[bin_N] / max(float(evidence_B.max()), 1e-9))

    def moved(self, action: Action) -> None:
        """Update the evidence for the motion of the head."""
        c = self.config
        if action == Action.TURN_LEFT:
            self.evidence_B = np.roll(self.evidence_B, -self._turn_bins)
        elif action == Action.TURN_RIGHT:
            self.evidence_B = np.roll(self.evidence_B, self._turn_bins)
        elif action == Action.FORWARD:
            e_B = self.evidence_B
            self.evidence_B = (1 - 2 * c.drift) * e_B + c.drift * (np.roll(e_B, 1) + np.roll(e_B, -1))

    def hear(self, audio_ES: np.ndarray) -> None:
        """Update evidence and level with the sound of one step, float32 (2, S)."""
        c = self.config
        audio_ES = np.asarray(audio_ES, dtype=np.float64)
        rms = math.sqrt(float(np.square(audio_ES).mean()))
        self._recent = [*self._recent, rms][-c.hold :]
        self.level = max(self._recent)
        self.evidence_B *= c.forget
        if rms < c.floor:
            return
        frames_ETS = np.lib.stride_tricks.sliding_window_view(audio_ES, c.window, axis=1)[:, :: c.hop]
        spectra_ETF = np.fft.rfft(frames_ETS * self._window_S, axis=-1)[..., self._band_F]
        energy_T = np.square(np.abs(spectra_ETF)).sum(axis=(0, 2))
        rise_T = np.maximum(energy_T - np.concatenate([[self._last_energy], energy_T[:-1]]), 0.0)
        self._last_energy = float(energy_T[-1])
        weight_T = rise_T + 0.05 * energy_T
        cross_TF = spectra_ETF[0] * np.conj(spectra_ETF[1])
        cross_TF /= np.abs(cross_TF) + 1e-20
        # Steering is linear, so the frames are summed first. einsum avoids BLAS threads for such a small product.
        cross_F = np.einsum("t,tf->f", weight_T / max(float(weight_T.sum()), 1e-20), cross_TF)
        score_B = np.einsum("f,fb->b", cross_F, self._steer_FB).real / self._band_F.sum()
        # A pause gives no evidence: each step is weighted by its level relative to the loudest of the last steps.
        score_B *= rms / self.level
        self.evidence_B += score_B
        self._scores = [*self._scores, float(score_B.max())][-c.hold :]
