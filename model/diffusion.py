"""Diffusion over a set of modalities: noise, objectives, samplers (Ho et al. 2020; Song et al. 2021).

All modalities of a sample have the same diffusion step and independent noise (AV-CDiT). A noisy latent is
`signal · clean + sigma · noise`, with a schedule of its own for each objective, that is, for what the network predicts:

    clean     the clean latent. In one step from the last one this is the posterior mean: the forecast with the least
              error, at the least cost
    noise     the noise, as in NWM, with a learned variance: squared error, plus the variational bound for the variance
              only (Nichol & Dhariwal 2021)
    velocity  noise - clean, on straight paths x_t = (1 - t) clean + t noise (rectified flow, Liu et al. 2023)
    shortcut  the same, and the mean velocity of steps of 1/64, 1/32 ... 1 (Frans et al. 2024, arXiv 2410.12557): a long
              step is trained to end where two of half its length end. The network is told the length of the step

On straight paths the network outputs the clean latent too, and the velocity is (x_t - output) / t. A velocity contains
the noise, which has more numbers per token than a narrow transformer can carry; a clean latent does not (Li & He 2025,
arXiv 2511.13720). A head that corrects a prior also needs an output that the prior resembles.

One sampler serves all of them: the deterministic sampler (DDIM) is Euler's method on straight paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from avw.sim_bridge.errors import UsageError

Latents = dict[str, Tensor]

# Network calls of a forecast. For the clean latent and the shortcut, one call is what the network was trained for. One
# call that predicts noise gives a latent with 157 times its error, because the signal at the last step is 1/157; the
# deterministic sampler needs some 50 to come close to 1,000 (Song et al. 2021, Table 1). NWM takes 250 ancestral ones.
SAMPLING_STEPS = {"clean": 1, "noise": 50, "velocity": 4, "shortcut": 1}
# A shortcut network gets its step size with the diffusion step: LEVEL · log2(size in steps) + step. The embedding of
# the step has a longest period of 2048, so 8 sizes of 256 fit.
LEVEL, LEVELS = 256, 7
SHORTCUT_STEPS = 2**LEVELS
CONSISTENT_SHARE = 0.25  # of the training samples of a shortcut, as in the paper
LEAST_TIME = 0.05  # an error of the velocity is that of the clean latent over t, but at most 20 times it


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionConfig:
    """steps: length of the noise schedule, linear in beta; of straight paths, linear in t · shortcut needs 128
    last_share: share of training samples at the last step. The first network call of a sampler with one step is there
    zero_noise: the network sees zeros at the last step, in training and in forecasts of one step. Noise there would be
        the same in every forecast, and shows as a pattern. Samplers of more steps start one step earlier, from noise
    sampling_steps: network calls of a forecast; None: SAMPLING_STEPS of the objective
    """

    steps: int = 1_000
    beta_first: float = 1e-4
    beta_last: float = 2e-2
    prediction: Literal["clean", "noise", "velocity", "shortcut"] = "clean"
    learn_variance: bool = False
    last_share: float = 0.0
    zero_noise: bool = False
    sampling_steps: int | None = None

    def __post_init__(self) -> None:
        if self.prediction not in SAMPLING_STEPS:
            raise UsageError(f"prediction is {self.prediction!r}: expected one of {', '.join(SAMPLING_STEPS)}")
        if self.zero_noise and self.prediction not in ("clean", "velocity"):
            raise UsageError(f"zero_noise needs prediction='clean' or 'velocity', not {self.prediction!r}")
        if self.learn_variance and self.straight:
            raise UsageError(f"prediction={self.prediction!r} has no variance to learn: set learn_variance=False")
        if self.prediction == "shortcut" and (self.steps != SHORTCUT_STEPS or self.last_share):
            raise UsageError(f"prediction='shortcut' needs steps={SHORTCUT_STEPS} and last_share=0")
        if self.sampling_steps is not None and not 1 <= self.sampling_steps <= self.steps:
            raise UsageError(f"sampling_steps is {self.sampling_steps}: expected 1 to {self.steps}")

    @property
    def straight(self) -> bool:
        """Whether the path from noise to a latent is a straight line."""
        return self.prediction in ("velocity", "shortcut")

    @property
    def network_calls(self) -> int:
        """Network calls of a forecast, unless the caller asks for another number."""
        return self.sampling_steps or SAMPLING_STEPS[self.prediction]


class Diffusion:
    """The forward process and its reverse. Steps are integers, from 0 (almost clean) to steps - 1 (almost noise)."""

    def __init__(self, config: DiffusionConfig, device: torch.device | str = "cpu") -> None:
        self.config = config

        def table(x: Tensor) -> Tensor:
            return x.float().to(device)

        if config.straight:
            self.sigma = table(torch.arange(1, config.steps + 1, dtype=torch.float64) / config.steps)
            self.signal = 1 - self.sigma
            self.alpha_bar = self.signal.square()
            return
        beta = torch.linspace(config.beta_first, config.beta_last, config.steps, dtype=torch.float64)
        alpha_bar = torch.cumprod(1 - beta, 0)
        previous = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
        posterior = beta * (1 - previous) / (1 - alpha_bar)
        posterior[0] = posterior[1]  # avoids log 0; the last denoising step adds no noise
        self.alpha_bar = table(alpha_bar)
        self.signal, self.sigma = self.alpha_bar.sqrt(), (1 - self.alpha_bar).sqrt()
        self.log_beta, self.log_posterior = table(beta.log()), table(posterior.log())
        self.mean_clean = table(beta * previous.sqrt() / (1 - alpha_bar))
        self.mean_noisy = table((1 - previous) * (1 - beta).sqrt() / (1 - alpha_bar))

    def draw_steps(self, count: int, generator: torch.Generator) -> Tensor:
        """Training steps (P,): uniform, except for a share `last_share` at the last step.

        For a shortcut, CONSISTENT_SHARE of them carry the size of a longer step (see LEVEL).
        """
        uniform = torch.randint(0, self.config.steps, (count,), generator=generator)
        last = torch.rand(count, generator=generator) < self.config.last_share
        step_P = torch.where(last, self.config.steps - 1, uniform)
        if self.config.prediction != "shortcut":
            return step_P
        level = torch.randint(1, LEVELS + 1, (count,), generator=generator)
        size = 2**level
        multiple = (torch.rand(count, generator=generator) * (self.config.steps // size)).long() + 1
        longer = torch.rand(count, generator=generator) < CONSISTENT_SHARE
        return torch.where(longer, LEVEL * level + multiple * size - 1, step_P)

    def _at(self, table: Tensor, step_P: Tensor, x: Tensor) -> Tensor:
        """The entry of each sample, shaped to multiply x."""
        index = step_P % LEVEL if self.config.prediction == "shortcut" else step_P
        return table[index].view(-1, *[1] * (x.ndim - 1))

    def noised(self, clean: Tensor, step_P: Tensor, noise: Tensor) -> Tensor:
        return self._at(self.signal, step_P, clean) * clean + self._at(self.sigma, step_P, clean) * noise

    def training_input(self, clean: Tensor, step_P: Tensor, noise: Tensor) -> Tensor:
        """What the network sees in training: `noised`, and with `zero_noise` zeros at the last step."""
        noisy = self.noised(clean, step_P, noise)
        return torch.where(self._hidden(step_P, clean), 0.0, noisy) if self.config.zero_noise else noisy

    def _hidden(self, step_P: Tensor, x: Tensor) -> Tensor:
        return (step_P == self.config.steps - 1).view(-1, *[1] * (x.ndim - 1))

    def clean_and_noise(self, output: Tensor, noisy: Tensor, step_P: Tensor) -> tuple[Tensor, Tensor]:
        """The output of the network (without the variance) as estimates of the clean latent and of the noise."""
        signal, sigma = self._at(self.signal, step_P, noisy), self._at(self.sigma, step_P, noisy)
        if self.config.prediction == "noise":
            return (noisy - sigma * output) / signal, output
        return output, (noisy - signal * output) / sigma

    def loss(
        self,
        output: Tensor,
        clean: Tensor,
        noisy: Tensor,
        noise: Tensor,
        step_P: Tensor,
        consistent: Tensor | None = None,
    ) -> Tensor:
        """(P,): mean squared error of the prediction, plus the variational term if the variance is learned.

        consistent: targets of the samples with a longer step (`consistent_targets`), for a shortcut
        """
        mean, variance = output.chunk(2, -1) if self.config.learn_variance else (output, None)
        target = noise if self.config.prediction == "noise" else clean
        if consistent is not None:
            target = torch.where((step_P >= LEVEL).view(-1, *[1] * (clean.ndim - 1)), consistent, target)
        error = mean - target
        if self.config.straight:
            error = error / self._at(self.sigma, step_P, error).clamp(min=LEAST_TIME)
        error_P = error.square().flatten(1).mean(1)
        if variance is None:
            return error_P
        # The mean is detached: the bound trains the variance only. Scaled as in the hybrid objective.
        bound_P = self._bound(mean.detach(), variance, clean, noisy, step_P)
        return error_P + bound_P * (self.config.steps / 1000.0)

    @torch.no_grad()
    def consistent_targets(
        self, noisy: Latents, step_P: Tensor, network: Callable[[Latents, Tensor], Latents]
    ) -> Latents:
        """Targets of a shortcut for longer steps: the output with the mean velocity of two steps of half the length.

        network: network(latents, step_P) returns its outputs. Samples without a longer step get values without a
        meaning, which `loss` does not use. The paper takes these two steps with averaged weights; here they are the
        current ones.
        """
        index, half = step_P % LEVEL, (step_P // LEVEL - 1).clamp(min=0)
        later = (index - 2**half).clamp(min=0)
        first = network(noisy, LEVEL * half + index)
        reached = {name: self._moved(noisy[name], output, index, later) for name, output in first.items()}
        second = network(reached, LEVEL * half + later)
        targets = {}
        for name, output in second.items():
            x, time, time_later = noisy[name], self._at(self.sigma, index, output), self._at(self.sigma, later, output)
            velocity = (x - first[name]) / time + (reached[name] - output) / time_later
            targets[name] = x - time * velocity / 2
        return targets

    def _moved(self, x: Tensor, clean: Tensor, step_P: Tensor, next_P: Tensor) -> Tensor:
        """A step along the straight line from x at one time to the clean latent at time 0."""
        share = self._at(self.sigma, next_P, x) / self._at(self.sigma, step_P, x)
        return clean + share * (x - clean)

    def _posterior(self, clean: Tensor, noisy: Tensor, step_P: Tensor) -> Tensor:
        return self._at(self.mean_clean, step_P, clean) * clean + self._at(self.mean_noisy, step_P, clean) * noisy

    def _log_variance(self, variance: Tensor, step_P: Tensor) -> Tensor:
        """Learned variance: interpolation in log space between the two bounds of the posterior variance."""
        share = (variance + 1) / 2
        upper, lower = self._at(self.log_beta, step_P, variance), self._at(self.log_posterior, step_P, variance)
        return share * upper + (1 - share) * lower

    def _bound(self, mean: Tensor, variance: Tensor, clean: Tensor, noisy: Tensor, step_P: Tensor) -> Tensor:
        """KL(q(x_{t-1} | x_t, x_0) ‖ p(x_{t-1} | x_t)) in bits per dimension; at t = 0 the negative log-likelihood."""
        true_mean = self._posterior(clean, noisy, step_P)
        predicted_mean = self._posterior(self.clean_and_noise(mean, noisy, step_P)[0], noisy, step_P)
        log_true = self._at(self.log_posterior, step_P, clean)
        log_predicted = self._log_variance(variance, step_P)
        squared = (true_mean - predicted_mean).square() * torch.exp(-log_predicted)
        divergence = 0.5 * (log_predicted - log_true + torch.exp(log_true - log_predicted) - 1 + squared)
        error = (clean - predicted_mean).square() * torch.exp(-log_predicted)
        likelihood = 0.5 * (math.log(2 * math.pi) + log_predicted + error)
        nats = torch.where((step_P == 0).view(-1, *[1] * (clean.ndim - 1)), likelihood, divergence)
        return nats.flatten(1).mean(1) / math.log(2)

    def sampling_times(self, steps: int) -> list[int]:
        """The diffusion step of each of `steps` network calls: evenly spaced, from the last step towards 0.

        Raises UsageError for a number that the schedule does not have.
        """
        # A step that was trained with zeros alone is no use between others.
        count = self.config.steps - 1 if self.config.zero_noise and steps > 1 else self.config.steps
        if self.config.last_share >= 1 and steps != 1:
            raise UsageError(f"{steps} denoising steps: this model was trained at the last step only, and can take 1")
        if not 1 <= steps <= count:
            raise UsageError(f"{steps} denoising steps: this model can take 1 to {count}")
        if self.config.prediction == "shortcut" and count % steps:
            sizes = ", ".join(str(2**level) for level in range(LEVELS + 1))
            raise UsageError(f"{steps} denoising steps: a model trained with shortcuts can take {sizes}")
        return [round(count * (1 - call / steps)) - 1 for call in range(steps)]

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
            many steps as the schedule has, eta = 1 is ancestral sampling with that variance. Straight paths have 0 only
        """
        times = self.sampling_times(steps)
        level = int(math.log2(self.config.steps // steps)) if self.config.prediction == "shortcut" else 0
        hidden = self.config.zero_noise and steps == 1
        latents = {name: torch.zeros_like(x) if hidden else x for name, x in noise.items()}
        for now, following in zip(times, [*times[1:], None], strict=True):
            outputs = denoise(latents, LEVEL * level + now)
            for name, output in outputs.items():
                x = latents[name]
                step_P = torch.full((x.shape[0],), now, device=x.device)
                mean, variance = output.chunk(2, -1) if self.config.learn_variance else (output, None)
                clean, direction = self.clean_and_noise(mean.float(), x, step_P)
                if following is None:
                    latents[name] = clean
                    continue
                if not eta:
                    latents[name] = self.signal[following] * clean + self.sigma[following] * direction
                    continue
                if variance is not None and now - following == 1:
                    std = torch.exp(0.5 * self._log_variance(variance.float(), step_P))
                    latents[name] = self._posterior(clean, x, step_P) + eta * std * _normal(x, generator)
                    continue
                signal, next_signal = self.alpha_bar[now], self.alpha_bar[following]
                sigma = eta * ((1 - next_signal) / (1 - signal) * (1 - signal / next_signal)).sqrt()
                scale = (1 - next_signal - sigma**2).clamp(min=0).sqrt()
                latents[name] = next_signal.sqrt() * clean + scale * direction + sigma * _normal(x, generator)
        return latents


def _normal(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
