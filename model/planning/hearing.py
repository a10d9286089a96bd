"""Where a sound comes from and how loud it is, by signal processing alone: two ears, and the memory of one's own turns.

The delay between the ears tells how far to the side a source is, but not whether in front or behind (Woodworth 1938).
A turn of the head tells the two apart (Wallach 1940): the belief over bearings is kept in the head's frame and turned
with it, so that only the true bearing keeps collecting evidence. Evidence is the generalised cross-correlation with
phase transform (Knapp & Carter 1976), steered to every bearing, and counted where the energy rises: the sound that
arrives first has not been reflected yet (the precedence effect).

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

    bins: of the belief, a multiple of 36 so that a turn is a whole number of bins · low, high: hertz, the band in
    which delays are unambiguous and clear · forget: share of the evidence kept a step · drift: share that moves to
    each neighbouring bin with a step forward · floor: rms below which nothing is heard · hold: steps over which the
    loudest counts as the level, for the ring has pauses
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
    """The belief over bearings and the level, kept up to date step by step."""

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
        delays_B = HEAD_DELAY * (lateral_B + np.sin(lateral_B))  # seconds that the right ear hears later
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
        """Loudest of the last steps, dB re an rms of 1 in the mean of both ears."""
        return 20.0 * math.log10(max(self.level, 1e-12))

    @property
    def bearing(self) -> float:
        """The likeliest bearing, radians in [-pi, pi)."""
        best = self.bearings_B[int(np.argmax(self.evidence_B))]
        return float((best + math.pi) % (2 * math.pi) - math.pi)

    @property
    def directness(self) -> float:
        """How much of the sound of the last steps came from one direction, 0 to 1: high close to the source only."""
        return max(self._scores, default=0.0)

    def moved(self, action: Action) -> None:
        """Carry the belief along with the head."""
        c = self.config
        if action == Action.TURN_LEFT:
            self.evidence_B = np.roll(self.evidence_B, -self._turn_bins)
        elif action == Action.TURN_RIGHT:
            self.evidence_B = np.roll(self.evidence_B, self._turn_bins)
        elif action == Action.FORWARD:
            e_B = self.evidence_B
            self.evidence_B = (1 - 2 * c.drift) * e_B + c.drift * (np.roll(e_B, 1) + np.roll(e_B, -1))

    def hear(self, audio_ES: np.ndarray) -> None:
        """Take in the sound of one step, float32 (2, S)."""
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
        # Steering is linear, so the frames are summed first. einsum: BLAS would start threads for so small a product.
        cross_F = np.einsum("t,tf->f", weight_T / max(float(weight_T.sum()), 1e-20), cross_TF)
        score_B = np.einsum("f,fb->b", cross_F, self._steer_FB).real / self._band_F.sum()
        # A pause holds no evidence: a step counts in proportion to how loud it is among the last few.
        score_B *= rms / self.level
        self.evidence_B += score_B
        self._scores = [*self._scores, float(score_B.max())][-c.hold :]
