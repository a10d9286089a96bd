"""The audio tokenizer: one step of binaural sound as a few tokens that encode level, direction and spectrum.

A step of 0.15 s is five tokens of 30 ms. A token consists of
  * cues, stored explicitly because navigation depends on them: level (dB), interaural level difference (broadband and
    in four bands, dB), and interaural coherence in six bands below 1.55 kHz. The coherence has a real and an imaginary
    part: the interaural phase, weighted by its reliability. Their sums over bands are the interaural cross-correlation;
  * the principal components of the log-magnitude spectra of both ears, without the part that the cues explain.
Every number has mean 0 and variance 1 over the fitted sounds. The components are uncorrelated with each other and with
the cues. Logarithms of magnitudes can be averaged: a model that is uncertain predicts the mean of many possible
futures, and this mean decodes to a sound with the mean spectrum in dB, which also has the lowest LSD.

Decoding: spectra in dB, then phases by Griffin-Lim with the encoded interaural phase as a constraint, then the encoded
level of each ear. No network is trained; `AudioTokenizer.fit` is linear algebra and takes seconds.

Shape legend: N clips · E ears (0 left, 1 right) · S samples · A tokens per step · D numbers per token · T frames ·
F bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import exp1
from torch import Tensor, nn
from torch.nn import functional

from avw.model.tokenizers.griffin_lim import OVERLAP, griffin_lim, reflected, stft
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES

ILD_EDGES_HZ = (250.0, 700.0, 1500.0, 3500.0, 8000.0)
PHASE_EDGES_HZ = (200.0, 400.0, 600.0, 800.0, 1000.0, 1250.0, 1550.0)
ILD_BANDS, PHASE_BANDS = len(ILD_EDGES_HZ) - 1, len(PHASE_EDGES_HZ) - 1
CUES = 2 + ILD_BANDS + 2 * PHASE_BANDS
"""First numbers of a token: level, ILD, ILD per band, real parts of the coherence per band, imaginary parts."""

FLOOR_STEP_DB = 0.1  # step of the table that compensates the floor
LEVEL_STEPS = 4  # iterations that fit the gains of a sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioTokenizerConfig:
    """full_scale: amplitude of 0 dBFS in the linear units of the sound (the 16-bit full scale of a dataset)
    tokens: per step · components: spectral principal components per token
    window: samples, four hops; the hop must divide a token · floor_db: dBFS; lower levels are not distinguished
    griffin_lim_steps: phase iterations
    """

    full_scale: float = 1.0
    tokens: int = 5
    components: int = 30
    window: int = 480
    floor_db: float = -80.0
    griffin_lim_steps: int = 16

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(A, D): tokens per step, numbers per token."""
        return self.tokens, CUES + self.components


class AudioTokenizer(nn.Module):
    """Encodes steps of binaural sound as tokens, and decodes them. All state is in buffers, so in `state_dict`."""

    window_W: Tensor
    cue_mean_D: Tensor
    cue_std_D: Tensor
    from_cues_CX: Tensor
    mean_X: Tensor
    basis_XK: Tensor
    component_std_K: Tensor
    ild_bands_FB: Tensor
    phase_bands_FB: Tensor
    phase_spread_BF: Tensor
    unfloored_G: Tensor

    def __init__(self, config: AudioTokenizerConfig) -> None:
        super().__init__()
        hop = config.window // OVERLAP
        if config.window % (2 * OVERLAP) or STEP_SAMPLES % (config.tokens * hop):
            raise UsageError(
                f"an audio token of {STEP_SAMPLES}/{config.tokens} samples cannot be cut into hops of a quarter of"
                f" {config.window} samples: choose a window whose quarter is even and divides the token, e.g. 480"
            )
        self.config = config
        self.hop = hop
        self.frames = STEP_SAMPLES // hop
        bins = config.window // 2 + 1
        width = 2 * (self.frames // config.tokens) * bins
        self.register_buffer("window_W", torch.hann_window(config.window))
        self.register_buffer("cue_mean_D", torch.zeros(CUES))
        self.register_buffer("cue_std_D", torch.ones(CUES))
        self.register_buffer("from_cues_CX", torch.zeros(CUES, width))
        self.register_buffer("mean_X", torch.zeros(width))
        self.register_buffer("basis_XK", torch.zeros(width, config.components))
        self.register_buffer("component_std_K", torch.ones(config.components))
        frequency_F = torch.arange(bins) * (SAMPLE_RATE / config.window)
        low = frequency_F < PHASE_EDGES_HZ[-1]
        for name, constant in (
            ("ild_bands_FB", _bands(frequency_F, ILD_EDGES_HZ)),
            ("phase_bands_FB", _bands(frequency_F, PHASE_EDGES_HZ)),
            ("phase_spread_BF", _interpolation(frequency_F[low], PHASE_EDGES_HZ)),
            ("unfloored_G", _unfloored()),
        ):
            self.register_buffer(name, constant, persistent=False)

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(A, D): tokens per step, numbers per token."""
        return self.config.latent_shape

    def encode(self, audio_NES: Tensor) -> Tensor:
        """float32 (N, 2, 2400) in linear units -> float32 (N, A, D)."""
        cues_NAD, spectra_NAX = self._features(audio_NES)
        cues = (cues_NAD - self.cue_mean_D) / self.cue_std_D
        residual = spectra_NAX - self.mean_X - cues @ self.from_cues_CX
        return torch.cat([cues, (residual @ self.basis_XK) / self.component_std_K], dim=-1)

    def levels(self, latent_NAD: Tensor) -> Tensor:
        """The level of each token in dBFS, (N, A): its first number."""
        return latent_NAD[..., 0] * self.cue_std_D[0] + self.cue_mean_D[0]

    @torch.no_grad()
    def decode(self, latent_NAD: Tensor) -> Tensor:
        """float32 (N, A, D) -> float32 (N, 2, 2400) in linear units.

        Deterministic. Rounding depends on the batch size, by about 1e-4 of the amplitude.
        """
        audio_NES, cues = self._unlevelled(latent_NAD)
        return self._levelled(audio_NES, cues[..., 0], cues[..., 1])

    @torch.no_grad()
    def decode_sequence(self, latent_NAD: Tensor) -> Tensor:
        """Consecutive steps, float32 (N, A, D) -> one continuous waveform, float32 (2, N * 2400), in linear units.

        The phase is reconstructed over the whole sequence and the gains are interpolated across the borders of steps,
        so there are no clicks between steps. `decode` of the same latents gives each step on its own.
        """
        audio_1ES, cues = self._unlevelled(latent_NAD.flatten(0, 1)[None])
        target_1EA = self.target_levels(cues[..., 0], cues[..., 1])
        # A gain that is interpolated between tokens changes the levels of the neighbours too, so it is found by
        # iteration. No step is scaled as a whole, because that would be a jump at its borders.
        gain_1EA, levelled_1ES = torch.ones_like(target_1EA), audio_1ES
        for _ in range(LEVEL_STEPS):
            rms_1EA = levelled_1ES.unflatten(-1, (target_1EA.shape[-1], -1)).square().mean(-1).sqrt()
            gain_1EA = gain_1EA * (target_1EA / rms_1EA.clamp(min=1e-12)).clamp(max=100.0)
            levelled_1ES = audio_1ES * between_tokens(gain_1EA, audio_1ES.shape[-1])
        return levelled_1ES[0]

    def _unlevelled(self, latent_NAD: Tensor) -> tuple[Tensor, Tensor]:
        """Sound (N, 2, S) of A tokens whose levels are approximate, and the cues in natural units (N, A, CUES)."""
        magnitude_NETF, constrain, cues = self.spectra(latent_NAD)
        steps = self.config.griffin_lim_steps
        return griffin_lim(magnitude_NETF, self.window_W, steps=steps, constrain=constrain), cues

    def spectra(self, latent_NAD: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor], Tensor]:
        """What the latents say about the sound: short-time magnitudes (N, 2, T, F); a function that corrects phases to
        the encoded interaural phase; and the cues in natural units (N, A, CUES)."""
        latent_NAD = latent_NAD.float()
        cues, components = latent_NAD[..., :CUES], latent_NAD[..., CUES:]
        spectra_NAX = self.mean_X + cues @ self.from_cues_CX + (components * self.component_std_K) @ self.basis_XK.T
        cues = cues * self.cue_std_D + self.cue_mean_D
        coherence_NAB = torch.complex(cues[..., -2 * PHASE_BANDS : -PHASE_BANDS], cues[..., -PHASE_BANDS:])
        return self._magnitudes(spectra_NAX), self._interaural_phase(coherence_NAB), cues

    @classmethod
    def fit(cls, audio_NES: Tensor, config: AudioTokenizerConfig) -> AudioTokenizer:
        """Fit a tokenizer to clips, float32 (N, 2, 2400): a few thousand, from all training scenes.

        Each clip is also used with its ears swapped, because rooms are symmetric. So the mean ILD is 0, and every
        component is either common to both ears or a difference between them. Raises UsageError if there is no sound or
        if it is not finite.
        """
        if len(audio_NES) == 0 or not bool(torch.isfinite(audio_NES).all()):
            raise UsageError(f"cannot fit an audio tokenizer on {len(audio_NES)} clips: expected finite sound")
        self = cls(config)
        both = torch.cat([audio_NES.float(), audio_NES.float().flip(1)])
        cues, spectra = (x.flatten(0, 1) for x in self._features(both))
        self.cue_mean_D.copy_(cues.mean(0))
        self.cue_std_D.copy_(_spread(cues.var(0, correction=0)))
        self.mean_X.copy_(spectra.mean(0))
        cues = (cues - self.cue_mean_D) / self.cue_std_D
        spectra -= self.mean_X
        gram = cues.T @ cues + 1e-3 * len(cues) * torch.eye(CUES)
        self.from_cues_CX.copy_(torch.linalg.solve(gram, cues.T @ spectra))
        spectra -= cues @ self.from_cues_CX
        variance, vectors = torch.linalg.eigh(spectra.T @ spectra / len(spectra))
        variance, vectors = variance[-config.components :].flip(0), vectors[:, -config.components :].flip(1)
        # The sign of an eigenvector is arbitrary. It is fixed, so that a fit gives the same latents on any machine.
        vectors = vectors * torch.sgn(vectors.gather(0, vectors.abs().argmax(0, keepdim=True)))
        self.basis_XK.copy_(vectors)
        self.component_std_K.copy_(_spread(variance))
        return self

    def _features(self, audio_NES: Tensor) -> tuple[Tensor, Tensor]:
        """Cues in natural units (N, A, CUES), and spectra in dBFS as mean and half difference of the ears (N, A, X)."""
        config, floor = self.config, 10.0 ** (self.config.floor_db / 20.0)
        audio_NES = audio_NES.float() / config.full_scale
        power_NEA = audio_NES.unflatten(-1, (config.tokens, -1)).square().mean(-1)
        level_NEA = 10.0 * torch.log10(power_NEA + floor**2)

        spectrum_NETF = stft(reflected(audio_NES, self.hop), self.window_W) * (2.0 / self.window_W.sum())
        magnitude_NETF = spectrum_NETF.abs()
        power_NEAF = magnitude_NETF.square().unflatten(2, (config.tokens, -1)).sum(3)
        cross_NAF = (spectrum_NETF[:, 0] * spectrum_NETF[:, 1].conj()).unflatten(1, (config.tokens, -1)).sum(2)
        bands_NEAB = power_NEAF @ self.ild_bands_FB + floor**2
        left, right = (power_NEAF @ self.phase_bands_FB + floor**2).unbind(1)
        # Real and imaginary parts separately: a product with a complex tensor would convert the real matrix to complex.
        coherence_NABx = torch.view_as_real(cross_NAF).transpose(2, 3) @ self.phase_bands_FB
        coherence = (coherence_NABx / torch.sqrt(left * right)[:, :, None]).flatten(2)
        cues = [
            level_NEA.mean(1)[..., None],
            (level_NEA[:, 0] - level_NEA[:, 1])[..., None],
            10.0 * torch.log10(bands_NEAB[:, 0] / bands_NEAB[:, 1]),
            coherence,
        ]
        db_NETF = 20.0 * torch.log10(magnitude_NETF.clamp(min=floor))
        mid, side = db_NETF.mean(1), (db_NETF[:, 0] - db_NETF[:, 1]) / 2.0
        spectra = torch.stack([mid, side], 1).unflatten(2, (config.tokens, -1)).transpose(1, 2)
        return torch.cat(cues, -1), spectra.flatten(2)

    def _magnitudes(self, spectra_NAX: Tensor) -> Tensor:
        """Inverse of the spectra of `_features`: linear magnitudes times the gain of the window, (N, 2, T, F)."""
        per_token = self.frames // self.config.tokens
        mid, side = spectra_NAX.unflatten(-1, (2, per_token, -1)).unbind(2)
        db_NETF = torch.stack([mid + side, mid - side], 1).flatten(2, 3)
        above_floor = (db_NETF.clamp(max=20.0) - self.config.floor_db).clamp(min=0.0)
        position = (above_floor / FLOOR_STEP_DB).clamp(max=len(self.unfloored_G) - 1.001)
        lower = position.long()
        below, above = self.unfloored_G[lower], self.unfloored_G[lower + 1]
        db_NETF = self.config.floor_db + above_floor + torch.lerp(below, above, position - lower)
        return 10.0 ** (db_NETF / 20.0) * (self.config.full_scale * self.window_W.sum() / 2.0)

    def _interaural_phase(self, coherence_NAB: Tensor) -> Callable[[Tensor], Tensor]:
        """A function that corrects unit phasors (N, 2, T, F) to the encoded coherence and phase between the ears."""
        low = self.phase_spread_BF.shape[1]
        per_token = self.frames // self.config.tokens
        coherence_NAF = torch.complex(
            coherence_NAB.real @ self.phase_spread_BF, coherence_NAB.imag @ self.phase_spread_BF
        )
        rotation_NTF = torch.sgn(coherence_NAF).repeat_interleave(per_token, dim=1)
        share_NTF = coherence_NAF.abs().clamp(max=1.0).repeat_interleave(per_token, dim=1)

        def constrain(phasor_NETF: Tensor) -> Tensor:
            left, right = phasor_NETF[..., :low].unbind(1)
            common = torch.sgn(left + rotation_NTF * right)
            left = torch.sgn(left + share_NTF * (common - left))
            right = torch.sgn(right + share_NTF * (common * rotation_NTF.conj() - right))
            return torch.cat([torch.stack([left, right], 1), phasor_NETF[..., low:]], -1)

        return constrain

    def _levelled(self, audio_NES: Tensor, level_NA: Tensor, ild_NA: Tensor) -> Tensor:
        """Scale every token of each ear to its encoded level, with gains that are interpolated between tokens."""
        target = self.target_levels(level_NA, ild_NA)
        rms_NEA = audio_NES.unflatten(-1, (self.config.tokens, -1)).square().mean(-1).sqrt()
        gain_NEA = target / rms_NEA.clamp(min=1e-12)
        audio_NES = audio_NES * between_tokens(gain_NEA, audio_NES.shape[-1])
        # Interpolated gains reach the target levels approximately. The level of the whole step is exact, per ear.
        step_level_NE1 = target.square().mean(-1, keepdim=True).sqrt()
        return audio_NES * (step_level_NE1 / audio_NES.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-12))

    def target_levels(self, level_NA: Tensor, ild_NA: Tensor) -> Tensor:
        """The RMS of each token and ear in linear units, (N, 2, A)."""
        db_NEA = torch.stack([level_NA + ild_NA / 2.0, level_NA - ild_NA / 2.0], 1).clamp(max=20.0)
        power_NEA = (10.0 ** (db_NEA / 10.0) - 10.0 ** (self.config.floor_db / 10.0)).clamp(min=0.0)
        return power_NEA.sqrt() * self.config.full_scale


def between_tokens(gain_NEA: Tensor, samples: int) -> Tensor:
    """Gains of tokens, interpolated linearly between the centres of the tokens: (N, 2, samples)."""
    return functional.interpolate(gain_NEA, samples, mode="linear", align_corners=False)


def _bands(frequency_F: Tensor, edges_hz: tuple[float, ...]) -> Tensor:
    """Matrix (F, bands) of 0 and 1: which bins lie in [edge, next edge)."""
    edges = torch.tensor(edges_hz)
    return ((frequency_F[:, None] >= edges[:-1]) & (frequency_F[:, None] < edges[1:])).float()


def _interpolation(frequency_F: Tensor, edges_hz: tuple[float, ...]) -> Tensor:
    """(bands, F): piecewise linear interpolation between band centres, inside the outer edges; zero elsewhere."""
    edges = torch.tensor(edges_hz)
    centres = (edges[:-1] + edges[1:]) / 2.0
    position = torch.bucketize(frequency_F, centres).clamp(1, len(centres) - 1)
    share = ((frequency_F - centres[position - 1]) / (centres[position] - centres[position - 1])).clamp(0.0, 1.0)
    inside = ((frequency_F >= edges[0]) & (frequency_F < edges[-1])).float()
    matrix = torch.zeros(len(centres), len(frequency_F))
    column = torch.arange(len(frequency_F))
    matrix[position - 1, column] = (1.0 - share) * inside
    matrix[position, column] = share * inside
    return matrix


def _unfloored() -> Tensor:
    """Correction in dB for a mean of dB values with a floor, tabulated at 0, 0.1, ... 40 dB above the floor.

    The power of a noise-like bin is P times an exponential random variable. With a floor of L, its mean in dB is
        L + (10 / ln 10) E1(10^((L - P) / 10)),
    which is higher than its mean without a floor, P - 2.51 dB. Without the correction, the decoder would output noise
    at the level of the floor in place of silence.
    """
    power_db = np.linspace(-30.0, 60.0, 9001)  # P - L
    mean_db = 10.0 / np.log(10.0) * exp1(10.0 ** (-power_db / 10.0))
    grid = np.arange(0.0, 40.0, FLOOR_STEP_DB)
    unfloored = np.interp(grid, mean_db, power_db) - 10.0 / np.log(10.0) * np.euler_gamma
    return torch.from_numpy(unfloored - grid).float()


def _spread(variance: Tensor) -> Tensor:
    """Standard deviations; 1 where the variance is 0, so that a constant number is encoded as 0."""
    return torch.where(variance > 1e-6, variance, 1.0).sqrt()
