"""Forward process, losses and samplers against closed forms."""

import math

import pytest
import torch

from avw.model.diffusion import Diffusion, DiffusionConfig


def test_noised_latents_have_the_variance_of_the_schedule():
    diffusion = Diffusion(DiffusionConfig())
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.full((1, 50_000), 2.0), torch.randn(1, 50_000, generator=generator)
    for step in (0, 300, 999):
        noisy = diffusion.noised(clean, torch.tensor([step]), noise)
        signal = float(diffusion.alpha_bar[step])
        assert noisy.mean().item() == pytest.approx(2 * math.sqrt(signal), abs=0.02)
        assert noisy.var().item() == pytest.approx(1 - signal, rel=0.03)


def test_linear_schedule_product():
    beta = torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64)
    expected = float(torch.exp(torch.log1p(-beta).sum()))
    assert float(Diffusion(DiffusionConfig()).alpha_bar[-1]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("prediction", ["clean", "noise"])
def test_output_converts_to_clean_and_noise(prediction):
    diffusion = Diffusion(DiffusionConfig(prediction=prediction))
    generator = torch.Generator().manual_seed(1)
    clean, noise = torch.randn(3, 7, generator=generator), torch.randn(3, 7, generator=generator)
    step = torch.tensor([3, 400, 900])
    noisy = diffusion.noised(clean, step, noise)
    found_clean, found_noise = diffusion.clean_and_noise(clean if prediction == "clean" else noise, noisy, step)
    torch.testing.assert_close(found_clean, clean, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(found_noise, noise, atol=2e-3, rtol=2e-3)


def gaussian_denoiser(diffusion: Diffusion, mean: float, spread: float, learn_variance: bool):
    """The exact posterior mean of data ~ N(mean, spread²), as the output of a network."""

    def denoise(latents, step):
        signal = float(diffusion.alpha_bar[step])
        gain = math.sqrt(signal) * spread**2 / (signal * spread**2 + 1 - signal)
        out = {}
        for name, x in latents.items():
            clean = mean + gain * (x - math.sqrt(signal) * mean)
            guess = clean
            if diffusion.config.prediction == "noise":
                guess = (x - math.sqrt(signal) * clean) / math.sqrt(1 - signal)
            # -1 is the lower end of the learned range: the posterior variance of a point mass.
            out[name] = torch.cat([guess, -torch.ones_like(guess)], -1) if learn_variance else guess
        return out

    return denoise


@pytest.mark.parametrize(
    ("steps", "eta", "prediction"), [(50, 0.0, "clean"), (400, 1.0, "noise"), (250, 1.0, "clean"), (1000, 1.0, "noise")]
)
def test_samplers_reproduce_a_gaussian(steps, eta, prediction):
    config = DiffusionConfig(prediction=prediction, learn_variance=steps == 1000)
    diffusion = Diffusion(config)
    generator = torch.Generator().manual_seed(2)
    noise = {"vision": torch.randn(4, 4000, generator=generator)}
    denoise = gaussian_denoiser(diffusion, 1.5, 0.6, config.learn_variance)
    found = diffusion.sample(denoise, noise, steps, eta=eta, generator=generator)["vision"]
    assert found.mean().item() == pytest.approx(1.5, abs=0.05)
    assert found.std().item() == pytest.approx(0.6, abs=0.06)


def test_an_ancestral_step_goes_to_the_posterior_mean():
    """x_{t-1} given x_t and x_0 is a product of two Gaussians: N(sqrt(a) x_0, 1 - a) and x_t ~ N(sqrt(1 - b) x, b)."""
    config = DiffusionConfig(steps=3, beta_first=0.1, beta_last=0.5, learn_variance=True)
    seen: dict[int, torch.Tensor] = {}

    def denoise(latents, step):
        seen[step] = latents["vision"]
        return {"vision": torch.cat([torch.full_like(seen[step], 2.0), -torch.ones_like(seen[step])], -1)}

    noise = torch.randn(1, 50, generator=torch.Generator().manual_seed(6))
    Diffusion(config).sample(denoise, {"vision": noise}, 3, eta=1e-9)
    for step, beta, product in ((2, 0.5, 0.9 * 0.7), (1, 0.3, 0.9)):  # product: of 1 - beta, up to the step before
        weights = 1 / (1 - product), (1 - beta) / beta
        pull = math.sqrt(product) * 2.0 / (1 - product) + math.sqrt(1 - beta) / beta * seen[step]
        torch.testing.assert_close(seen[step - 1], pull / sum(weights), atol=1e-5, rtol=1e-5)


def test_one_step_is_the_posterior_mean():
    diffusion = Diffusion(DiffusionConfig())
    noise = {"vision": torch.randn(2, 100, generator=torch.Generator().manual_seed(3))}
    found = diffusion.sample(gaussian_denoiser(diffusion, 1.5, 0.6, False), noise, 1)["vision"]
    torch.testing.assert_close(found, torch.full_like(found, 1.5), atol=0.02, rtol=0)


def test_learned_variance_bound_is_least_at_the_true_posterior():
    """For a point mass, the true reverse variance is that of the posterior, so the bound has its minimum at -1."""
    diffusion = Diffusion(DiffusionConfig(prediction="noise", learn_variance=True))
    generator = torch.Generator().manual_seed(4)
    clean, noise = torch.zeros(64, 32), torch.randn(64, 32, generator=generator)
    step = torch.full((64,), 400)
    noisy = diffusion.noised(clean, step, noise)
    losses = []
    for share in (-1.0, 0.0, 1.0):
        output = torch.cat([noise, torch.full_like(noise, share)], -1)
        losses.append(float(diffusion.loss(output, clean, noisy, noise, step).mean()))
    assert losses[0] == pytest.approx(0.0, abs=1e-4)
    assert losses[0] < losses[1] < losses[2]


def test_the_bound_has_no_gradient_for_the_mean():
    diffusion = Diffusion(DiffusionConfig(prediction="noise", learn_variance=True))
    clean, noise, step = torch.zeros(2, 4), torch.ones(2, 4), torch.tensor([5, 500])
    noisy = diffusion.noised(clean, step, noise)
    output = torch.cat([noise, torch.zeros(2, 4)], -1).requires_grad_()
    diffusion.loss(output, clean, noisy, noise, step).sum().backward()
    assert (
        torch.count_nonzero(output.grad[:, :4]) == 0
    )  # the squared error is zero here, and the bound adds no gradient
    assert torch.count_nonzero(output.grad[:, 4:]) == 8


def test_share_of_last_steps():
    steps = Diffusion(DiffusionConfig(last_share=0.5)).draw_steps(4000, torch.Generator().manual_seed(5))
    assert 0.45 < (steps == 999).float().mean().item() < 0.55
