"""Exact solutions for sound behind a rigid half-plane or wedge, with which diffraction is compared.

A point source of pressure 1/R. r, r0: metres of listener and source from the edge · phi, phi0: their angles from one
face · x: metres between them along the edge · k: wave number.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import hankel1

OCTAVE = 2.0 ** np.linspace(-0.45, 0.45, 7)  # frequencies of an octave band relative to its centre
_SPEED_OF_SOUND = 343.0


def macdonald(k: float, r: float, r0: float, phi: float, phi0: float, x: float) -> float:
    """|p| behind a rigid half-plane lit by a point source 1/R: H. M. MacDonald's exact integral (1915).

    Both terms are integrated from sqrt(k (R1 - R)) along a contour on which they decay; over the whole line each term
    is e^{ikR}/R.
    """
    steps = (np.arange(4000) + 0.5) * 0.002
    turn = np.exp(0.25j * np.pi)
    total = 0.0
    around = math.hypot(r + r0, x)
    for between in (phi - phi0, phi + phi0):
        straight = math.sqrt(r * r + r0 * r0 - 2.0 * r * r0 * math.cos(between) + x * x)

        def integral(low: float, straight: float = straight) -> complex:
            mu = low + steps * turn
            return complex(
                np.sum(hankel1(1, k * straight + mu**2) / np.sqrt(mu**2 + 2.0 * k * straight)) * 0.002 * turn
            )

        free = np.exp(1j * k * straight) / straight
        total = total + free * integral(math.sqrt(k * (around - straight))) / (2.0 * integral(0.0))
    return abs(total)


def biot_tolstoy(k: float, wedge: float, r: float, r0: float, phi: float, phi0: float, x: float) -> float:
    """|p| behind an infinite rigid wedge, from the exact impulse response of Biot and Tolstoy (1957).

    The Fourier transform is taken along the contour on which path length - shortest length is imaginary, where the
    integrand decays without oscillation. wedge: the open angle, radians
    """
    nu = math.pi / wedge
    shortest = math.hypot(r + r0, x)
    q, dq = np.linspace(0.0, math.sqrt(40.0 / k), 20_001, retstep=True)
    q = q[1:] - 0.5 * dq
    path = shortest - 1j * q * q
    y = np.arccosh((path**2 - r * r - r0 * r0 - x * x) / (2.0 * r * r0))
    dy = path * -2j * q / (r * r0 * np.sinh(y))
    beta = 0.0
    for a in (phi + phi0, phi - phi0):
        for sign in (1.0, -1.0):
            at = nu * (math.pi + sign * a)
            beta = beta + math.sin(at) / (np.cosh(nu * y) - math.cos(at))
    return abs(nu / (2.0 * np.pi) * np.sum(beta * np.exp(-k * q * q) / path * dy) * dq)


def in_band(exact: Callable[[float], float], band: float) -> float:
    """Root mean square over one octave band of an exact solution, which is a function of the wave number."""
    return math.sqrt(np.mean([exact(2.0 * np.pi * f / _SPEED_OF_SOUND) ** 2 for f in band * OCTAVE]))
