"""PSNR and SSIM against closed forms and their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avw.model.metrics.vision import (
    image_errors,
    mse_per_image,
    psnr,
    psnr_from_mse,
    ssim,
    ssim_map,
    ssim_per_image,
)
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng


def pictures(count: int = 3, size: int = 32) -> np.ndarray:
    return keyed_rng("pictures").integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_psnr_of_a_constant_error_is_the_closed_form():
    true = np.full((2, 8, 8, 3), 100, np.uint8)
    assert psnr(true + np.uint8(5), true) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr(true, true) == math.inf


def test_uint8_differences_do_not_wrap_around():
    black, white = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    assert psnr(black, white) == pytest.approx(0.0)
    assert psnr(white, black) == pytest.approx(0.0)


def test_psnr_pools_errors_so_that_a_perfect_frame_does_not_dominate():
    true = np.full((2, 8, 8, 3), 100, np.uint8)
    half_wrong = true.copy()
    half_wrong[0] += np.uint8(10)
    assert psnr(half_wrong, true) == pytest.approx(psnr_from_mse(50.0))
    assert mse_per_image(half_wrong, true).tolist() == [100.0, 0.0]


def test_ssim_is_one_for_equal_symmetric_and_falls_with_noise():
    true = pictures()
    assert ssim_per_image(true, true) == pytest.approx(np.ones(3), abs=1e-5)
    noise = keyed_rng("noise").normal(0.0, 1.0, true.shape)
    noisy = [np.clip(true + noise * sigma, 0, 255).astype(np.uint8) for sigma in (5, 20, 60)]
    values = [ssim(image, true) for image in noisy]
    assert 1.0 > values[0] > values[1] > values[2] > 0.0
    assert ssim(noisy[1], true) == pytest.approx(ssim(true, noisy[1]), abs=1e-6)


def test_ssim_of_two_constant_images_is_its_luminance_term():
    a, b = np.full((1, 16, 16, 3), 100, np.uint8), np.full((1, 16, 16, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), rel=1e-3)


def test_ssim_window_matches_a_direct_sum():
    rng = keyed_rng("window")
    a, b = rng.random((11, 11)), rng.random((11, 11))
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    mean_a, mean_b = (window * a).sum(), (window * b).sum()
    var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
    cov = (window * (a - mean_a) * (b - mean_b)).sum()
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    assert ssim_map(a, b, data_range=1.0, sigma=1.5, radius=5) == pytest.approx(np.array([[expected]]))


def test_the_negative_of_an_image_has_negative_structure():
    true = pictures(1)
    assert ssim(255 - true, true) < -0.5


@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (2, 9, 8, 3)])
def test_different_shapes_are_refused(shape):
    with pytest.raises(UsageError, match="cannot compare"):
        psnr(np.zeros(shape, np.uint8), np.zeros((2, 8, 8, 3), np.uint8))


def test_no_images_and_images_that_are_too_small_are_refused():
    with pytest.raises(UsageError, match="at least one image"):
        psnr(np.zeros((0, 8, 8, 3), np.uint8), np.zeros((0, 8, 8, 3), np.uint8))
    with pytest.raises(UsageError, match="more than 10 pixels"):
        ssim(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8))


def test_regions_of_a_known_error():
    true = np.full((2, 32, 32, 3), 100, np.uint8)
    predicted, seen = true.copy(), np.zeros((2, 32, 32), bool)
    seen[:, :, :16] = True
    predicted[:, :, :16] += np.uint8(3)
    predicted[:, :, 16:] += np.uint8(10)
    [(squared, _), (other, _)] = image_errors(predicted, true, [seen, ~seen])
    assert squared.mean == pytest.approx(9.0)
    assert squared.weight_N.tolist() == [512.0, 512.0]
    assert other.mean == pytest.approx(100.0)


def test_regions_add_up_to_the_whole_image():
    true = pictures()
    predicted = np.clip(true.astype(int) + keyed_rng("error").integers(-20, 20, true.shape), 0, 255).astype(np.uint8)
    seen = keyed_rng("seen").random(true.shape[:3]) < 0.3
    (squared, similarity), *parts = image_errors(predicted, true, [np.ones_like(seen), seen, ~seen])
    assert squared.total_N / squared.weight_N == pytest.approx(mse_per_image(predicted, true), rel=1e-5)
    assert similarity.total_N / similarity.weight_N == pytest.approx(ssim_per_image(predicted, true), abs=1e-5)
    assert similarity.weight_N.tolist() == [22.0 * 22.0] * 3
    for index, total in enumerate((squared, similarity)):
        assert sum(part[index].total_N for part in parts) == pytest.approx(total.total_N, rel=1e-5)
    assert np.isnan(image_errors(predicted, true, [np.zeros_like(seen)])[0][0].mean)
    with pytest.raises(UsageError, match="mask"):
        image_errors(predicted, true, [seen[:, :5]])
