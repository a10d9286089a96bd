"""Gaussian diffusion over a set of modalities: noise, losses, samplers (Ho et al. 2020; Song et al. 2021).

All modalities of a sample have the same diffusion step and independent noise (AV-CDiT). With prediction="noise" and a
learned variance, the loss is that of NWM: squared error of the noise, plus the variational bound for the variance only
(Nichol & Dhariwal 2021). With prediction="clean", the network regresses the clean latent. At the last step this is the
posterior mean, so a single sampling step gives the prediction with the least distortion, at the least cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Latents = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionConfig:
    """steps: length of the noise schedule, linear in beta
    last_share: share of training samples at the last step. The first network call of a sampler is always at the last
        step; a sampler with one step makes no other call
    """

    steps: int = 1_000
    beta_first: float = 1e-4
    beta_last: float = 2e-2
    prediction: Literal["clean", "noise"] = "clean"
    learn_variance: bool = False
    last_share: float = 0.0


def _like(values_P: Tensor, x: Tensor) -> Tensor:
    return values_P.view(-1, *[1] * (x.ndim - 1))


class Diffusion:
    """The forward process and its reverse. Steps are integers, from 0 (almost clean) to steps - 1 (almost noise)."""

    def __init__(self, config: DiffusionConfig, device: torch.device | str = "cpu") -> None:
        self.config = config
        beta = torch.linspace(config.beta_first, config.beta_last, config.steps, dtype=torch.float64)
        alpha_bar = torch.cumprod(1 - beta, 0)
        previous = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
        posterior = beta * (1 - previous) / (1 - alpha_bar)
        posterior[0] = posterior[1]  # avoids log 0; the last denoising step adds no noise

        def table(x: Tensor) -> Tensor:
            return x.float().to(device)

        self.alpha_bar = table(alpha_bar)
        self.log_beta, self.log_posterior = table(beta.log()), table(posterior.log())
        self.mean_clean = table(beta * previous.sqrt() / (1 - alpha_bar))
        self.mean_noisy = table((1 - previous) * (1 - beta).sqrt() / (1 - alpha_bar))

    def draw_steps(self, count: int, generator: torch.Generator) -> Tensor:
        """Training steps (P,): uniform, except for a share `last_share` at the last step."""
        uniform = torch.randint(0, self.config.steps, (count,), generator=generator)
        last = torch.rand(count, generator=generator) < self.config.last_share
        return torch.where(last, self.config.steps - 1, uniform)

    def noised(self, clean: Tensor, step_P: Tensor, noise: Tensor) -> Tensor:
        signal = _like(self.alpha_bar[step_P], clean)
        return signal.sqrt() * clean + (1 - signal).sqrt() * noise

    def clean_and_noise(self, output: Tensor, noisy: Tensor, step_P: Tensor) -> tuple[Tensor, Tensor]:
        """The output of the network (without the variance) as estimates of the clean latent and of the noise."""
        signal = _like(self.alpha_bar[step_P], noisy)
        if self.config.prediction == "clean":
            return output, (noisy - signal.sqrt() * output) / (1 - signal).sqrt()
        return (noisy - (1 - signal).sqrt() * output) / signal.sqrt(), output

    def loss(self, output: Tensor, clean: Tensor, noisy: Tensor, noise: Tensor, step_P: Tensor) -> Tensor:
        """(P,): mean squared error of the prediction, plus the variational term if the variance is learned."""
        mean, variance = output.chunk(2, -1) if self.config.learn_variance else (output, None)
        target = clean if self.config.prediction == "clean" else noise
        error_P = (mean - target).square().flatten(1).mean(1)
        if variance is None:
            return error_P
        # The mean is detached: the bound trains the variance only. Scaled as in the hybrid objective.
        bound_P = self._bound(mean.detach(), variance, clean, noisy, step_P)
        return error_P + bound_P * (self.config.steps / 1000.0)

    def _posterior(self, clean: Tensor, noisy: Tensor, step_P: Tensor) -> Tensor:
        return _like(self.mean_clean[step_P], clean) * clean + _like(self.mean_noisy[step_P], clean) * noisy

    def _log_variance(self, variance: Tensor, step_P: Tensor) -> Tensor:
        """Learned variance: interpolation in log space between the two bounds of the posterior variance."""
        share = (variance + 1) / 2
        return share * _like(self.log_beta[step_P], variance) + (1 - share) * _like(
            self.log_posterior[step_P], variance
        )

    def _bound(self, mean: Tensor, variance: Tensor, clean: Tensor, noisy: Tensor, step_P: Tensor) -> Tensor:
        """KL(q(x_{t-1} | x_t, x_0) ‖ p(x_{t-1} | x_t)) in bits per dimension; at t = 0 the negative log-likelihood."""
        true_mean = self._posterior(clean, noisy, step_P)
        predicted_mean = self._posterior(self.clean_and_noise(mean, noisy, step_P)[0], noisy, step_P)
        log_true = _like(self.log_posterior[step_P], clean)
        log_predicted = self._log_variance(variance, step_P)
        squared = (true_mean - predicted_mean).square() * torch.exp(-log_predicted)
        divergence = 0.5 * (log_predicted - log_true + torch.exp(log_true - log_predicted) - 1 + squared)
        error = (clean - predicted_mean).square() * torch.exp(-log_predicted)
        likelihood = 0.5 * (math.log(2 * math.pi) + log_predicted + error)
        nats = torch.where(_like(step_P == 0, clean), likelihood, divergence)
        return nats.flatten(1).mean(1) / math.log(2)

    @torch.no_grad()
    def sample(
        self,
        denoise: Callable[[Latents, int], Latents],
        noise: Latents,
        steps: int,
        *,
        eta: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Latents:
        """Clean latents from pure noise, in `steps` network calls.

        denoise: denoise(latents, step) returns the outputs of the network for latents at that diffusion step
        eta: 0 for the deterministic sampler (DDIM), 1 to add the noise of the posterior. With a learned variance and as
            many steps as the schedule has, eta = 1 is ancestral sampling with that variance
        """
        times = torch.linspace(self.config.steps - 1, 0, steps).round().long().tolist() if steps > 1 else []
        times = times or [self.config.steps - 1]
        latents = dict(noise)
        for index, now in enumerate(times):
            outputs = denoise(latents, now)
            following = times[index + 1] if index + 1 < len(times) else None
            for name, output in outputs.items():
                x = latents[name]
                step_P = torch.full((x.shape[0],), now, device=x.device)
                mean, variance = output.chunk(2, -1) if self.config.learn_variance else (output, None)
                clean, direction = self.clean_and_noise(mean.float(), x, step_P)
                if following is None:
                    latents[name] = clean
                    continue
                signal, next_signal = self.alpha_bar[now], self.alpha_bar[following]
                if eta and variance is not None and now - following == 1:
                    std = torch.exp(0.5 * self._log_variance(variance.float(), step_P))
                    latents[name] = self._posterior(clean, x, step_P) + eta * std * _normal(x, generator)
                    continue
                sigma = eta * ((1 - next_signal) / (1 - signal) * (1 - signal / next_signal)).sqrt()
                scale = (1 - next_signal - sigma**2).clamp(min=0).sqrt()
                latents[name] = next_signal.sqrt() * clean + scale * direction
                if eta:
                    latents[name] = latents[name] + sigma * _normal(x, generator)
        return latents


def _normal(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
