"""Forward process, losses and samplers against closed forms."""

import math

import pytest
import torch

from avw.model.diffusion import LEVEL, Diffusion, DiffusionConfig
from avw.sim_bridge.errors import UsageError


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


@pytest.mark.parametrize("prediction", ["clean", "noise", "velocity"])
def test_output_converts_to_clean_and_noise(prediction):
    diffusion = Diffusion(DiffusionConfig(prediction=prediction))
    generator = torch.Generator().manual_seed(1)
    clean, noise = torch.randn(3, 7, generator=generator), torch.randn(3, 7, generator=generator)
    step = torch.tensor([3, 400, 900])
    noisy = diffusion.noised(clean, step, noise)
    found_clean, found_noise = diffusion.clean_and_noise(noise if prediction == "noise" else clean, noisy, step)
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
    noise = {"vision": torch.randn(4, 1000, generator=generator)}
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


def exact_velocity(mean: float, spread: float, mixed: bool = False):
    """network(x, t): E[noise - clean | x_t = x] for data ~ N(mean, spread²); `mixed`: ½ N(mean, …) + ½ N(-mean, …)."""

    def velocity(x, t):
        variance = (1 - t) ** 2 * spread**2 + t**2
        centre = (1 - t) * mean
        if mixed:  # the posterior of the component is a logistic function of x
            centre = centre * torch.tanh(x * centre / variance)
        clean = centre / max(1 - t, 1e-6) + (1 - t) * spread**2 / variance * (x - centre)
        if t == 1:
            clean = torch.full_like(x, 0.0 if mixed else mean)
        return (x - clean) / t

    return velocity


def integrated(velocity, x, start: float, length: float, calls: int = 256):
    """The mean velocity of the exact flow from time `start` over `length` towards 0 (Heun's method)."""
    moved, step = x, length / calls
    for i in range(calls):
        t = start - i * step
        first = velocity(moved, t)
        second = velocity(moved - step * first, t - step) if t - step > 1e-9 else first
        moved = moved - step * (first + second) / 2
    return (x - moved) / length


@pytest.mark.parametrize("mixed", [False, True])
def test_the_velocity_sampler_reproduces_a_distribution(mixed):
    diffusion = Diffusion(DiffusionConfig(prediction="velocity"))
    velocity = exact_velocity(1.5, 0.4, mixed)
    noise = {"vision": torch.randn(4, 4000, generator=torch.Generator().manual_seed(7))}

    def denoise(latents, step):
        x, t = latents["vision"], (step + 1) / 1000
        return {"vision": x - t * velocity(x, t)}

    found = diffusion.sample(denoise, noise, 100)["vision"]
    if mixed:
        assert (found > 0).float().mean().item() == pytest.approx(0.5, abs=0.02)
        found = found.abs()
    assert found.mean().item() == pytest.approx(1.5, abs=0.05)
    assert found.std().item() == pytest.approx(0.4, abs=0.04)


def test_one_step_of_velocity_is_the_posterior_mean():
    """Of two equally likely values it gives their mean, which is neither; with more steps it decides."""
    diffusion = Diffusion(DiffusionConfig(prediction="velocity"))
    velocity = exact_velocity(1.5, 0.1, mixed=True)
    noise = {"vision": torch.randn(1, 500, generator=torch.Generator().manual_seed(8))}

    def denoise(latents, step):
        x, t = latents["vision"], (step + 1) / 1000
        return {"vision": x - t * velocity(x, t)}

    def sample(steps):
        return diffusion.sample(denoise, noise, steps)["vision"].abs()

    assert sample(1).max().item() == pytest.approx(0.0, abs=1e-4)
    assert (sample(8) > 1).float().mean().item() > 0.9


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_a_shortcut_reaches_in_few_steps_what_the_flow_reaches_in_many(steps):
    """The network's exact answer for a step of any size is the mean velocity of the flow over it."""
    diffusion = Diffusion(DiffusionConfig(prediction="shortcut", steps=128))
    velocity = exact_velocity(1.5, 0.3, mixed=True)
    noise = {"vision": torch.randn(1, 1000, generator=torch.Generator().manual_seed(9))}
    sizes = []

    def denoise(latents, step):
        size, t = 2 ** (step // LEVEL) / 128, (step % LEVEL + 1) / 128
        sizes.append(size)
        return {"vision": latents["vision"] - t * integrated(velocity, latents["vision"], t, size)}

    found = diffusion.sample(denoise, noise, steps)["vision"]
    assert sizes == [1 / steps] * steps
    exact = noise["vision"] - integrated(velocity, noise["vision"], 1.0, 1.0, 2000)
    # The flow drives values apart where both are equally likely: compare where it has decided.
    decided = noise["vision"].abs() > 0.1
    torch.testing.assert_close(found[decided], exact[decided], atol=0.03, rtol=0)


def test_the_targets_of_a_shortcut_are_two_half_steps():
    """In the field v = k x, two steps of length h have the mean velocity (k x + k (x - h k x)) / 2."""
    diffusion = Diffusion(DiffusionConfig(prediction="shortcut", steps=128))
    x, k = {"vision": torch.tensor([[1.0], [1.0], [-2.0]])}, 0.5
    seen = []

    def network(latents, step_P):
        seen.append(step_P.tolist())
        time = (step_P % LEVEL + 1)[:, None] / 128
        return {"vision": latents["vision"] - time * k * latents["vision"]}

    step_P = torch.tensor([40, LEVEL * 7 + 127, LEVEL * 1 + 3])  # none; from t = 1 to 0; from 4/128 to 2/128
    found = diffusion.consistent_targets(x, step_P, network)["vision"]
    assert [row[1:] for row in seen] == [[LEVEL * 6 + 127, 3], [LEVEL * 6 + 63, 2]]
    for row, half, time in ((1, 1 / 2, 1.0), (2, 1 / 128, 4 / 128)):
        start = x["vision"][row]
        mean_velocity = (k * start + k * (start - half * k * start)) / 2
        torch.testing.assert_close(found[row], start - time * mean_velocity)

    clean, noise = torch.zeros(3, 1), torch.ones(3, 1)
    noisy = diffusion.training_input(clean, step_P, noise)
    target = torch.stack([clean[0], found[1], found[2]])
    assert diffusion.loss(target, clean, noisy, noise, step_P, found).tolist() == [0, 0, 0]
    # An error of the velocity is that of the clean latent over the time, which counts as at least .05.
    expected = [1 / (41 / 128) ** 2, 1.0, 1 / 0.05**2]
    assert diffusion.loss(target + 1, clean, noisy, noise, step_P, found).tolist() == pytest.approx(expected, rel=1e-4)


def test_the_training_steps_of_a_shortcut_start_at_multiples_of_their_size():
    step = Diffusion(DiffusionConfig(prediction="shortcut", steps=128)).draw_steps(
        8000, torch.Generator().manual_seed(10)
    )
    level, time = step // LEVEL, step % LEVEL + 1
    assert (level > 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert set(level.tolist()) == set(range(8))
    assert (time % 2**level == 0).all()
    assert (int(time.min()), int(time.max())) == (1, 128)
    assert set(time[level == 6].tolist()) == {64, 128}


@pytest.mark.parametrize("prediction", ["clean", "velocity"])
def test_zero_noise_shows_the_network_zeros_at_the_last_step(prediction):
    diffusion = Diffusion(DiffusionConfig(prediction=prediction, zero_noise=True))
    generator = torch.Generator().manual_seed(11)
    clean, noise = torch.randn(2, 6, 6, 3, generator=generator), torch.randn(2, 6, 6, 3, generator=generator)
    step = torch.tensor([999, 998])
    seen = diffusion.training_input(clean, step, noise)
    assert torch.count_nonzero(seen[0]) == 0
    torch.testing.assert_close(seen[1], diffusion.noised(clean, step, noise)[1])
    # What a network learns there leads a sampler of one step to the clean latent, whatever the noise was.
    assert diffusion.loss(clean, clean, seen, noise, step).tolist() == [0, 0]
    found = diffusion.sample(lambda latents, now: {"vision": clean[:1]}, {"vision": noise[:1]}, 1)["vision"]
    torch.testing.assert_close(found, clean[:1])


def test_a_sampler_without_noise_starts_from_zeros_in_one_step_only():
    diffusion = Diffusion(DiffusionConfig(zero_noise=True))
    noise = {"vision": torch.randn(1, 4, generator=torch.Generator().manual_seed(12))}
    seen: list[tuple[int, torch.Tensor]] = []

    def denoise(latents, step):
        seen.append((step, latents["vision"]))
        return {"vision": torch.ones(1, 4)}

    diffusion.sample(denoise, noise, 1)
    step, latents = seen.pop()
    assert step == 999
    assert torch.count_nonzero(latents) == 0
    diffusion.sample(denoise, noise, 3)
    assert [step for step, _ in seen] == [998, 665, 332]
    torch.testing.assert_close(seen[0][1], noise["vision"])


def test_sampling_steps_belong_to_the_objective():
    calls = {p: DiffusionConfig(prediction=p).network_calls for p in ("clean", "noise", "velocity")}
    assert calls == {"clean": 1, "noise": 50, "velocity": 4}
    assert DiffusionConfig(prediction="shortcut", steps=128).network_calls == 1
    assert DiffusionConfig(prediction="noise", sampling_steps=250).network_calls == 250
    times = Diffusion(DiffusionConfig()).sampling_times(50)
    assert (times[0], times[-1], len(set(times))) == (999, 19, 50)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"prediction": "score"}, "expected one of clean, noise"),
        ({"prediction": "noise", "zero_noise": True}, "zero_noise needs"),
        ({"prediction": "velocity", "learn_variance": True}, "no variance"),
        ({"prediction": "shortcut"}, "steps=128"),
        ({"prediction": "shortcut", "steps": 128, "last_share": 0.5}, "last_share=0"),
        ({"sampling_steps": 1001}, "1 to 1000"),
    ],
)
def test_objectives_that_do_not_exist_are_refused(options, reason):
    with pytest.raises(UsageError, match=reason):
        DiffusionConfig(**options)


@pytest.mark.parametrize(
    ("options", "steps", "reason"),
    [
        ({}, 0, "1 to 1000"),
        ({"zero_noise": True}, 1000, "1 to 999"),
        ({"zero_noise": True, "last_share": 1.0}, 2, "trained at the last step only, and can take 1"),
        ({"prediction": "shortcut", "steps": 128}, 3, "1, 2, 4, 8, 16, 32, 64, 128"),
    ],
)
def test_numbers_of_steps_that_do_not_exist_are_refused(options, steps, reason):
    with pytest.raises(UsageError, match=reason):
        Diffusion(DiffusionConfig(**options)).sampling_times(steps)
