"""The curves and pictures of a sound: its outline, its spectrogram, and the interaural level difference (ILD)."""

from __future__ import annotations

import numpy as np

from avw.avw4k.viewing.colour_ramp import level_ramp

WINDOW = 512  # samples of a spectrum, 32 ms
HOP = 160
SPECTRUM_FLOOR = -72.0  # dB below the loudest
BAND_ROWS = 96  # of the spectrogram's picture, 0 to 8 kHz
MOST_COLUMNS = 1600
ILD_HOP = 400  # 25 ms
ILD_WINDOW = 1600
SILENCE = -60.0  # dB below the loudest: an ear that hears less has no level difference


def outline(audio_ES: np.ndarray, columns: int) -> list[list[float]]:
    """[left low, left high, right low, right high], `columns` values each: the range of the samples in equal parts."""
    length = audio_ES.shape[1]
    edges = np.arange(columns) * length // columns
    rows = []
    for ear_S in audio_ES:
        rows += [np.minimum.reduceat(ear_S, edges), np.maximum.reduceat(ear_S, edges)]
    return [[round(float(value), 3) for value in row] for row in rows]


def spectrogram(audio_ES: np.ndarray) -> np.ndarray:
    """uint8 (2 * BAND_ROWS, columns, 3): left ear above right ear, each up to 8 kHz at the top; time to the right.

    Levels are relative to the maximum of both ears, so that their difference is visible.
    """
    window_S = np.hanning(WINDOW).astype(np.float32)
    padded_ES = np.pad(audio_ES, ((0, 0), (WINDOW // 2, WINDOW // 2)))
    frames_ECS = np.lib.stride_tricks.sliding_window_view(padded_ES, WINDOW, axis=1)[:, ::HOP]
    power_ECF = np.abs(np.fft.rfft(frames_ECS * window_S, axis=2)).astype(np.float32) ** 2
    bands = np.arange(BAND_ROWS) * (power_ECF.shape[2] - 1) // BAND_ROWS
    power_ECR = np.add.reduceat(power_ECF[..., :-1], bands, axis=2)
    if power_ECR.shape[1] > MOST_COLUMNS:
        columns = np.arange(MOST_COLUMNS) * power_ECR.shape[1] // MOST_COLUMNS
        power_ECR = np.maximum.reduceat(power_ECR, columns, axis=1)
    level = 10 * np.log10(np.maximum(power_ECR / max(float(power_ECR.max()), 1e-20), 10 ** (SPECTRUM_FLOOR / 10)))
    colours_ECRc = level_ramp(SPECTRUM_FLOOR).paint(level)
    return np.concatenate(list(colours_ECRc.transpose(0, 2, 1, 3)[:, ::-1]))


def level_difference(audio_ES: np.ndarray) -> list[float | None]:
    """ILD in dB, left minus right, every 25 ms over 100 ms; None where either ear is almost silent.

    ILD = 20 log10(RMS left / RMS right).
    """
    power_ES = np.pad(audio_ES.astype(np.float64) ** 2, ((0, 0), (ILD_WINDOW // 2, ILD_WINDOW // 2)))
    total_ES = np.pad(np.cumsum(power_ES, axis=1), ((0, 0), (1, 0)))
    starts = np.arange(0, audio_ES.shape[1], ILD_HOP)
    mean_EC = (total_ES[:, starts + ILD_WINDOW] - total_ES[:, starts]) / ILD_WINDOW
    floor = max(float(mean_EC.max()) * 10 ** (SILENCE / 10), 1e-20)
    heard_C = np.all(mean_EC > floor, axis=0)
    ild_C = 10 * np.log10(np.maximum(mean_EC[0], floor) / np.maximum(mean_EC[1], floor))
    return [round(ild, 2) if heard else None for ild, heard in zip(ild_C.tolist(), heard_C.tolist(), strict=True)]


def decibels(amplitude: float) -> float:
    return 20 * float(np.log10(max(amplitude, 1e-12)))
