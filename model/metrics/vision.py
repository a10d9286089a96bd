"""Distance between predicted and true images: PSNR and SSIM, of whole images and of some of their pixels.

Shape legend: N images · H W pixels · C channels. Images are uint8, 0 to 255.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import correlate1d

from avw.model.metrics.bootstrap import Sums
from avw.sim_bridge.errors import UsageError

PEAK = 255.0
SSIM_SIGMA, SSIM_RADIUS = 1.5, 5  # pixels


def mse_per_image(predicted_NHWC: np.ndarray, true_NHWC: np.ndarray) -> np.ndarray:
    """float64 (N,): mean squared error of each image, in squared grey levels (0..65025).

    Raises UsageError if the shapes differ or there is no image.
    """
    _check_pair(predicted_NHWC, true_NHWC)
    error = np.asarray(predicted_NHWC, np.float32) - np.asarray(true_NHWC, np.float32)
    return np.square(error).reshape(len(error), -1).mean(axis=1, dtype=np.float64)


def psnr_from_mse(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error in squared grey levels; inf for 0."""
    return math.inf if mse <= 0.0 else 10.0 * math.log10(PEAK**2 / mse)


def psnr(predicted_NHWC: np.ndarray, true_NHWC: np.ndarray) -> float:
    """PSNR in dB of the squared error *pooled over all images*.

    A blocked agent sees the same frame twice, which has infinite PSNR, so a mean of PSNRs would be infinite too.
    """
    return psnr_from_mse(float(mse_per_image(predicted_NHWC, true_NHWC).mean()))


def ssim_per_image(predicted_NHWC: np.ndarray, true_NHWC: np.ndarray) -> np.ndarray:
    """float64 (N,): structural similarity in [-1, 1], mean over pixels and channels.

    Wang et al. (2004): 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance, per
    colour channel, without padding.
    """
    _check_pair(predicted_NHWC, true_NHWC)
    # (N, C, H, W): windows run over the last two axes.
    a, b = (np.moveaxis(np.asarray(x, np.float32), -1, 1) for x in (predicted_NHWC, true_NHWC))
    similarity = ssim_map(a, b, data_range=PEAK, sigma=SSIM_SIGMA, radius=SSIM_RADIUS)
    return similarity.reshape(len(similarity), -1).mean(axis=1, dtype=np.float64)


def ssim(predicted_NHWC: np.ndarray, true_NHWC: np.ndarray) -> float:
    """Mean of `ssim_per_image`."""
    return float(ssim_per_image(predicted_NHWC, true_NHWC).mean())


def image_errors(
    predicted_NHWC: np.ndarray, true_NHWC: np.ndarray, masks: Sequence[np.ndarray]
) -> list[tuple[Sums, Sums]]:
    """(squared error, SSIM) of the pixels of each mask (bool (N, H, W)), as sums per image: to pool and to resample.

    A squared error has the unit of `mse_per_image`: pool it, then take `psnr_from_mse`. A value of SSIM belongs to the
    centre of its window, which may reach beyond the mask; pixels less than five from the border have none.
    """
    _check_pair(predicted_NHWC, true_NHWC)
    if any(mask.shape != true_NHWC.shape[:3] for mask in masks):
        raise UsageError(f"the masks have shapes {[mask.shape for mask in masks]}, the images {true_NHWC.shape}")
    a, b = (np.moveaxis(np.asarray(x, np.float32), -1, 1) for x in (predicted_NHWC, true_NHWC))
    squared_NHW = np.square(a - b).mean(axis=1)
    similarity_NHW = ssim_map(a, b, data_range=PEAK, sigma=SSIM_SIGMA, radius=SSIM_RADIUS).mean(axis=1)
    inner = slice(SSIM_RADIUS, -SSIM_RADIUS)
    return [(_masked(squared_NHW, mask), _masked(similarity_NHW, mask[:, inner, inner])) for mask in masks]


def _masked(value_NHW: np.ndarray, mask_NHW: np.ndarray) -> Sums:
    total_N = np.where(mask_NHW, value_NHW, np.float32(0.0)).sum(axis=(1, 2), dtype=np.float64)
    return Sums(total_N, mask_NHW.sum(axis=(1, 2)).astype(np.float64))


def ssim_map(a: np.ndarray, b: np.ndarray, *, data_range: float, sigma: float, radius: int) -> np.ndarray:
    """SSIM of every window inside the image, over the last two axes of two float arrays (..., H, W).

    data_range: difference between the largest and smallest possible value
    Returns (..., H - 2 radius, W - 2 radius).
    """
    if min(a.shape[-2:]) <= 2 * radius:
        raise UsageError(f"SSIM needs more than {2 * radius} pixels per side, got {a.shape[-2]}x{a.shape[-1]}")
    taps = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / sigma))
    taps = (taps / taps.sum()).astype(a.dtype)

    def blur(x: np.ndarray) -> np.ndarray:
        x = correlate1d(correlate1d(x, taps, axis=-1), taps, axis=-2)
        return x[..., radius:-radius, radius:-radius]

    mean_a, mean_b = blur(a), blur(b)
    variance_a = blur(a * a) - mean_a * mean_a
    variance_b = blur(b * b) - mean_b * mean_b
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2.0 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    structure = (2.0 * covariance + c2) / (variance_a + variance_b + c2)
    return luminance * structure


def _check_pair(predicted: np.ndarray, true: np.ndarray) -> None:
    if predicted.shape != true.shape:
        raise UsageError(f"cannot compare images of shape {predicted.shape} with images of shape {true.shape}")
    if predicted.ndim != 4 or len(predicted) == 0:
        raise UsageError(f"expected at least one image as (N, H, W, C), got an array of shape {predicted.shape}")
