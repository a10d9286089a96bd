"""Latents of consecutive steps as one endless sound, step by step: what `decode_sequence` does, without waiting.

Short-time spectra overlap, so the end of a step depends on the next one. The sound is therefore given out with a delay
of half a token (15 ms): samples that were given out never change. The spectra of earlier steps stay as they are, the
phases of the new step are fitted to them, and gains are interpolated from the last token of the earlier steps.

Shape legend: E ears (0 left, 1 right) · S samples · A tokens per step · D numbers per token · T frames · F bins.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from avw.model.tokenizers.audio import LEVEL_STEPS, AudioTokenizer, between_tokens
from avw.model.tokenizers.griffin_lim import OVERLAP, constant_tones, istft, with_phases
from avw.sim_bridge.types import STEP_SAMPLES

PAST = OVERLAP - 1  # frames of earlier steps that overlap the new one


class SoundStream:
    """A decoder with the state of one sound.

    delay: samples by which the sound is late
    """

    def __init__(self, tokenizer: AudioTokenizer) -> None:
        self.tokenizer = tokenizer
        self.delay = STEP_SAMPLES // tokenizer.config.tokens // 2
        self._past_1ETF: Tensor | None = None  # the last spectra
        self._tail_1ES: Tensor | None = None  # samples that were not given out yet, and are final
        self._gain_1E1: Tensor | None = None  # of the last token

    @torch.inference_mode()
    def push(self, latent_AD: Tensor) -> tuple[Tensor, Tensor]:
        """The next step, float32 (A, D) -> its sound, twice: float32 (2, 2400) each, in linear units.

        The first is the next part of the endless sound, which is late by `delay`. The second is the step itself; its
        last `delay` samples are what is known of them so far.
        """
        magnitude_1ETF, constrain, cues = self.tokenizer.spectra(latent_AD[None])
        raw_1ES = self._continued(magnitude_1ETF, constrain)
        target_1EA = self.tokenizer.target_levels(cues[..., 0], cues[..., 1])
        step_1ES = raw_1ES[..., -STEP_SAMPLES:]
        gain_1EA = torch.ones_like(target_1EA)
        for _ in range(LEVEL_STEPS):
            levelled_1ES = self._levelled(raw_1ES, gain_1EA)[..., -STEP_SAMPLES:]
            rms_1EA = levelled_1ES.unflatten(-1, (target_1EA.shape[-1], -1)).square().mean(-1).sqrt()
            gain_1EA = gain_1EA * (target_1EA / rms_1EA.clamp(min=1e-12)).clamp(max=100.0)
        levelled_1ES = self._levelled(raw_1ES, gain_1EA)
        self._tail_1ES, self._gain_1E1 = step_1ES[..., -self.delay :], gain_1EA[..., -1:]
        return levelled_1ES[0, :, :STEP_SAMPLES], levelled_1ES[0, :, -STEP_SAMPLES:]

    def _continued(self, magnitude_1ETF: Tensor, constrain: Callable[[Tensor], Tensor]) -> Tensor:
        """The `delay` samples before the new step and the step itself, before its levels are set: (1, 2, S)."""
        window_W, hop = self.tokenizer.window_W, self.tokenizer.hop
        steps, past = self.tokenizer.config.griffin_lim_steps, self._past_1ETF
        if past is None:
            spectrum = with_phases(magnitude_1ETF, window_W, steps=steps, constrain=constrain)
            whole_1ES = istft(spectrum, window_W)
        else:
            held = torch.sgn(past)

            def fitted(phasor_1ETF: Tensor) -> Tensor:
                return torch.cat([held, constrain(phasor_1ETF[:, :, PAST:])], 2)

            # Tones go on: every bin turns from frame to frame as it did between the last two.
            frames, bins = magnitude_1ETF.shape[-2:]
            turn = torch.sgn(past[:, :, -1:] * past[:, :, -2:-1].conj())
            turns_T = torch.arange(1, frames + 1, device=turn.device)[:, None]
            tones = torch.polar(torch.ones_like(turn.abs()), turn.angle() * turns_T) * held[:, :, -1:]
            silent = past[:, :, -1:].abs() < 1e-9
            start = torch.where(silent, constant_tones(frames, bins, turn.device), tones)
            whole = torch.cat([past.abs(), magnitude_1ETF], 2)
            spectrum = with_phases(
                whole, window_W, steps=steps, constrain=fitted, start_BTF=torch.cat([held, start], 2)
            )
            whole_1ES = istft(spectrum, window_W)
        self._past_1ETF = spectrum[:, :, -PAST:]
        end = whole_1ES.shape[-1] - 3 * hop // 2
        step_1ES = whole_1ES[..., end - STEP_SAMPLES : end]
        if self._tail_1ES is None:
            return torch.cat([torch.zeros_like(step_1ES[..., : self.delay]), step_1ES], -1)
        # The new frames reach 1.5 hops into the tail; before that it is final.
        kept = self.delay - 3 * hop // 2
        tail_1ES = whole_1ES[..., end - STEP_SAMPLES - self.delay + kept : end - STEP_SAMPLES]
        return torch.cat([self._tail_1ES[..., :kept], tail_1ES, step_1ES], -1)

    def _levelled(self, raw_1ES: Tensor, gain_1EA: Tensor) -> Tensor:
        """The samples times their gains, which begin at the centre of the last token of the earlier steps."""
        before = gain_1EA[..., :1] if self._gain_1E1 is None else self._gain_1E1
        gains = torch.cat([before, gain_1EA], -1)
        samples = gains.shape[-1] * 2 * self.delay
        return raw_1ES * between_tokens(gains, samples)[..., self.delay :]
