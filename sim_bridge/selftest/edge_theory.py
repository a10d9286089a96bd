"""The exact field behind an infinite rigid edge: M. A. Biot and I. Tolstoy, JASA 29, 381 (1957).

The source is a point whose direct pressure at distance R is 1/R. In the shadow of the wedge this is the whole field.
The integral over time uses the variable eta of the solution, which removes the singularity at the onset. Its grid does
not resolve receivers within a thousandth of a radian of the shadow boundary.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

SPEED_OF_SOUND = 343.0
_FARTHEST_ETA = 9.0  # where the integrand has fallen by exp(-9)
_POINTS = 120_000


def behind_an_edge(
    hertz_F: np.ndarray, source: tuple[float, float], receiver: tuple[float, float], along: float, wedge: float
) -> np.ndarray:
    """Complex pressure at each frequency. source, receiver: (metres from the edge, radians from one of its faces)
    along: metres between them in the direction of the edge · wedge: radians of open space, 2 pi for a thin screen
    """
    (r0, theta0), (r, theta) = source, receiver
    nu = math.pi / wedge
    eta = np.linspace(0.0, _FARTHEST_ETA, _POINTS)
    seconds = np.sqrt(r**2 + r0**2 + along**2 + 2.0 * r * r0 * np.cosh(eta)) / SPEED_OF_SOUND
    decay = np.exp(-nu * eta)
    beta = np.zeros(_POINTS)
    for sign, sign0 in itertools.product((1.0, -1.0), repeat=2):
        angle = nu * (math.pi + sign * theta + sign0 * theta0)
        beta += math.sin(angle) / (1.0 - 2.0 * decay * math.cos(angle) + decay**2)
    weight = -beta * decay / (SPEED_OF_SOUND * wedge * seconds)
    weight *= 0.5 * (1.0 + np.cos(math.pi * np.clip((eta - 6.0) / (_FARTHEST_ETA - 6.0), 0.0, 1.0)))
    return np.array([np.trapezoid(weight * np.exp(-2j * math.pi * hertz * seconds), eta) for hertz in hertz_F])
