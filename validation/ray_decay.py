"""An independent reference for rectangular rooms: a ray tracer in plain NumPy that counts rays crossing spheres.

It shares no code with the engine under test: no Embree, no emitters, its own random numbers, walls by arithmetic. Rays
leave the source in uniform directions. At a wall a ray keeps 1 - absorption of its energy and is reflected by Lambert's
law with the scattering of the wall as probability, otherwise specularly. A receiver is a sphere: it receives the energy
of each ray, times the length of its chord, divided by the volume of the sphere (the definition of energy density;
Vorlaender 1989). There is no air absorption. One trace serves all absorptions, because they do not change the paths.

Shapes: N rays · A absorptions · R receivers · W time bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SPEED_OF_SOUND = 343.0
BIN_SECONDS = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class RayDecay:
    """The decay of a room.

    energy_ARW: mean square pressure integrated over each millisecond; the direct sound at r metres has 1/r^2 in total
    free_path: mean length of paths between walls (metres)
    path_spread: variance of these lengths divided by their squared mean; it makes real rooms decay more slowly than
        Eyring's formula
    """

    energy_ARW: np.ndarray
    free_path: float
    path_spread: float


def ray_decay(
    size_3: tuple[float, float, float],
    absorption_A: tuple[float, ...],
    scattering: float,
    source_3: np.ndarray,
    receivers_R3: np.ndarray,
    *,
    seconds: float,
    rays: int = 60_000,
    radius: float = 0.4,
    seed: int = 1,
) -> RayDecay:
    """Trace a room in the coordinates of `shoebox`: from -size/2 to size/2 in x and z, and from 0 to its height in y.

    size_3, source_3, receivers_R3, radius: metres · radius: of the receiver spheres
    """
    rng = np.random.default_rng(seed)
    low_3 = np.array([-size_3[0] / 2, 0.0, -size_3[2] / 2])
    high_3 = low_3 + np.array(size_3)
    direction_N3 = rng.normal(size=(rays, 3))
    direction_N3 /= np.linalg.norm(direction_N3, axis=1, keepdims=True)
    position_N3 = np.broadcast_to(source_3, (rays, 3)).astype(np.float64).copy()
    path_N = np.zeros(rays)
    bins = math.ceil(seconds / BIN_SECONDS)
    energy_ARW = np.zeros((len(absorption_A), len(receivers_R3), bins))
    scale = 4.0 * math.pi / rays / (4.0 / 3.0 * math.pi * radius**3)
    paths, squares, segments = 0.0, 0.0, 0
    bounce = 0
    while path_N.min() < seconds * SPEED_OF_SOUND:
        with np.errstate(divide="ignore"):
            to_wall_N3 = np.where(direction_N3 > 0.0, high_3 - position_N3, low_3 - position_N3) / direction_N3
        axis_N = to_wall_N3.argmin(axis=1)
        length_N = to_wall_N3[np.arange(rays), axis_N]
        kept_A = (1.0 - np.asarray(absorption_A)) ** bounce
        for receiver, centre_3 in enumerate(receivers_R3):
            index_N, chord_N, at_N = _chords(position_N3, direction_N3, length_N, centre_3, radius)
            bin_N = ((path_N[index_N] + at_N) / (SPEED_OF_SOUND * BIN_SECONDS)).astype(np.int64)
            inside_N = bin_N < bins
            heard_W = np.bincount(bin_N[inside_N], chord_N[inside_N] * scale, minlength=bins)
            energy_ARW[:, receiver] += kept_A[:, None] * heard_W
        if bounce:  # the first segment starts at the source, not at a wall
            paths, squares, segments = paths + length_N.sum(), squares + np.square(length_N).sum(), segments + rays
        position_N3 += direction_N3 * length_N[:, None]
        path_N += length_N
        _reflect(position_N3, direction_N3, axis_N, low_3, high_3, scattering, rng)
        bounce += 1
    mean = paths / segments
    return RayDecay(energy_ARW=energy_ARW, free_path=mean, path_spread=squares / segments / mean**2 - 1.0)


def _chords(
    position_N3: np.ndarray, direction_N3: np.ndarray, length_N: np.ndarray, centre_3: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays that cross a sphere before they hit a wall: their indices, and per ray the length of the chord and the
    distance to its middle (metres).
    """
    to_centre_N3 = centre_3 - position_N3
    along_N = np.einsum("ni,ni->n", to_centre_N3, direction_N3)
    inside_N = radius**2 - np.einsum("ni,ni->n", to_centre_N3, to_centre_N3) + along_N**2
    index_N = np.flatnonzero(inside_N > 0.0)
    along_N, half_N = along_N[index_N], np.sqrt(inside_N[index_N])
    first_N = np.maximum(along_N - half_N, 0.0)
    last_N = np.minimum(along_N + half_N, length_N[index_N])
    crossed_N = last_N > first_N
    return index_N[crossed_N], (last_N - first_N)[crossed_N], ((first_N + last_N) / 2.0)[crossed_N]


def _reflect(
    position_N3: np.ndarray,
    direction_N3: np.ndarray,
    axis_N: np.ndarray,
    low_3: np.ndarray,
    high_3: np.ndarray,
    scattering: float,
    rng: np.random.Generator,
) -> None:
    """Reflect every ray at the wall it has reached, in place: specularly or by Lambert's law.

    axis_N: the axis normal to that wall
    """
    every_N = np.arange(len(axis_N))
    inward_N = -np.sign(direction_N3[every_N, axis_N])
    position_N3[every_N, axis_N] = np.where(inward_N > 0.0, low_3[axis_N], high_3[axis_N])
    direction_N3[every_N, axis_N] *= -1.0
    scattered_N = np.flatnonzero(rng.random(len(axis_N)) < scattering)
    sine_N = np.sqrt(rng.random(len(scattered_N)))  # Lambert: the squared sine is uniform
    turn_N = 2.0 * math.pi * rng.random(len(scattered_N))
    axis_N = axis_N[scattered_N]
    direction_N3[scattered_N, axis_N] = inward_N[scattered_N] * np.sqrt(1.0 - sine_N**2)
    direction_N3[scattered_N, (axis_N + 1) % 3] = sine_N * np.cos(turn_N)
    direction_N3[scattered_N, (axis_N + 2) % 3] = sine_N * np.sin(turn_N)
