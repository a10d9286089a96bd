"""From a source to its virtual emitters: rays, bounces, walls, and the hits that are kept.

Rays leave the source on a Fibonacci lattice and are followed until their energy or the response's length is spent.
Every hit could re-radiate what its surface reflects; `_thin` keeps a budget of them without changing the energy that
is expected. Where material lets sound through, a few rays are followed behind the wall.

Shapes: N rays or emitters · B octave bands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from avw.sim_bridge.acoustics import emitter_kernels as kernels
from avw.sim_bridge.acoustics.directivity import Directivity
from avw.sim_bridge.acoustics.images import Images, find_images
from avw.sim_bridge.acoustics.surfaces import AcousticSurfaces
from avw.sim_bridge.acoustics.walls import LIFT_METRES, far_side
from avw.sim_bridge.rendering.raycast import RayScene

FULL_POWER = 4.0 * math.pi  # of a source whose pressure is 1/r, in units where intensity is pressure squared
_FAINTEST = 1e-7  # of a ray's first energy: below, it is followed no further
_THROUGH_SHARES = ((8, 1.0 / 32.0), (32, 1.0 / 96.0))
"""(bounces, share): until so many bounces, rays that enter walls at each, in units of those that left the source."""
_THROUGH_BUDGET = 1.0 / 8.0  # of the emitters, for sound that came through walls
_AT_SOURCE, _NO_IMAGE = -2, -1
_CELL_METRES = 2.5  # within which hits are neighbours
_CRACK_EVERY = 16  # bounces, between looks for rays
_CRACK_STRIDE = 0.35  # metres a bounce: with less, on average, a ray is caught between near faces
_SHORTEST_STRIDE = 0.25  # metres, mean, between bounces: a bound on their number even in a crack without absorption


@dataclass(frozen=True, slots=True)
class Emitters:
    """What one source turned into. position_N3, normal_N3: metres · path_N: metres from the source, all float32.

    amplitude_NB: signed pressure of each band, such that `amplitude**2 * cos / distance**2` is its mean square.
    """

    position_N3: np.ndarray
    normal_N3: np.ndarray
    path_N: np.ndarray
    amplitude_NB: np.ndarray


@dataclass(frozen=True, slots=True)
class _Hits:
    """The surviving hits of one bounce; float32 throughout."""

    position_N3: np.ndarray
    normal_N3: np.ndarray
    path_N: np.ndarray
    energy_NB: np.ndarray
    through_N: np.ndarray


@dataclass(slots=True)
class _Flight:
    """Rays on their way: where they are, where they go, what they have left. The kernels change them in place.

    faintest_N: energy below which a ray is followed no further · through_N: whether it came through a wall
    mirror_N: the plane last mirrored in, `_AT_SOURCE`, or `_NO_IMAGE` where no image has this history
    """

    origin_N3: np.ndarray
    direction_N3: np.ndarray
    path_N: np.ndarray
    energy_NB: np.ndarray
    faintest_N: np.ndarray
    through_N: np.ndarray
    mirror_N: np.ndarray

    def kept(self, which_N: np.ndarray) -> _Flight:
        """Copies of some of the rays, by mask or index."""
        return _Flight(*(getattr(self, field.name)[which_N] for field in fields(self)))

    def joined(self, other: _Flight) -> _Flight:
        return _Flight(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))


def trace_emitters(
    rays: RayScene,
    surfaces: AcousticSurfaces,
    source_3: np.ndarray,
    rng: np.random.Generator,
    *,
    count: int,
    budget: int,
    longest: float,
    image_order: int,
    transmission: bool,
    directivity: Directivity,
    forward_3: np.ndarray,
) -> tuple[Emitters, Images]:
    """Follow `count` rays over `longest` metres; keep `budget` emitters, and the images that their histories name."""
    flight = _launch(count, rng, source_3, surfaces, directivity, forward_3)
    opens = transmission and bool((surfaces.transmission_MB > 0.0).any())
    hits: list[_Hits] = []
    histories: list[tuple[np.ndarray, ...]] = []
    for bounce in range(max(1_000, math.ceil(longest / _SHORTEST_STRIDE))):
        if len(flight.path_N) == 0:
            break
        hit = rays.trace(flight.origin_N3, flight.direction_N3)
        share = next((share for bounces, share in _THROUGH_SHARES if bounce < bounces), 0.0)
        behind = None
        if opens and share > 0.0:
            behind = _through(rays, surfaces, rng, max(1, round(count * share)), flight, hit)
        alive_N, normal_N3, scattered_N = kernels.bounce(
            flight.origin_N3,
            flight.direction_N3,
            flight.path_N,
            flight.energy_NB,
            hit["primID"],
            hit["tfar"],
            rng.random((len(flight.path_N), 3), dtype=np.float32),
            surfaces.normal_F3,
            surfaces.surface_F,
            surfaces.reflection_MB,
            surfaces.scattering_M,
            np.float32(LIFT_METRES),
            np.float32(longest),
            flight.faintest_N,
        )
        flight, face_N = flight.kept(alive_N), hit["primID"][alive_N]
        # Copies: the next bounce changes all of them in place.
        hits.append(
            _Hits(
                flight.origin_N3.copy(),
                normal_N3[alive_N],
                flight.path_N.copy(),
                flight.energy_NB.copy(),
                flight.through_N,
            )
        )
        plane_N = surfaces.plane_F[face_N].astype(np.int64)
        if bounce < 2:
            histories.append((flight.mirror_N, plane_N, surfaces.scattering_M[surfaces.surface_F[face_N]]))
        flight.mirror_N = np.where(
            scattered_N[alive_N] | (flight.mirror_N == _NO_IMAGE) | (bounce > 0), _NO_IMAGE, plane_N
        )
        if behind is not None:
            flight = flight.joined(behind)
        if bounce % _CRACK_EVERY == _CRACK_EVERY - 1:
            flight = _out_of_cracks(flight, bounce, rng)
    images = _leave_to_images(hits, histories, surfaces, source_3, image_order)
    return _thin(hits, budget, rng), images


def _launch(
    count: int,
    rng: np.random.Generator,
    source_3: np.ndarray,
    surfaces: AcousticSurfaces,
    directivity: Directivity,
    forward_3: np.ndarray,
) -> _Flight:
    """All rays at the source, each as loud as the source is in its direction."""
    direction_N3 = _sphere(count, rng)
    gain_NB = directivity.gain(direction_N3, forward_3).astype(np.float32)
    power = np.float32(FULL_POWER / count)
    return _Flight(
        origin_N3=np.broadcast_to(source_3.astype(np.float32), direction_N3.shape).copy(),
        direction_N3=direction_N3,
        path_N=np.zeros(count, dtype=np.float32),
        energy_NB=np.broadcast_to(power, (count, surfaces.reflection_MB.shape[1])) * gain_NB**2,
        faintest_N=np.full(count, _FAINTEST * FULL_POWER / count, dtype=np.float32),
        through_N=np.zeros(count, dtype=np.bool_),
        mirror_N=np.full(count, _AT_SOURCE, dtype=np.int64),
    )


def _out_of_cracks(flight: _Flight, bounce: int, rng: np.random.Generator) -> _Flight:
    """Russian roulette for rays caught between near faces: one in four goes on, with the energy of all."""
    caught_N = flight.path_N < (bounce - 2 * _CRACK_EVERY) * _CRACK_STRIDE
    if not caught_N.any():
        return flight
    kept_N = ~caught_N | (rng.random(len(caught_N)) < 0.25)
    flight = flight.kept(kept_N)
    raised_N = np.where(caught_N, np.float32(4.0), np.float32(1.0))[kept_N]
    flight.energy_NB = flight.energy_NB * raised_N[:, None]
    flight.faintest_N = flight.faintest_N * raised_N
    return flight


def _leave_to_images(
    hits: list[_Hits],
    histories: list[tuple[np.ndarray, ...]],
    surfaces: AcousticSurfaces,
    source_3: np.ndarray,
    order: int,
) -> Images:
    """Find the images, and take from the hits on their histories what the images carry, in place."""
    nothing_N = np.zeros(0, dtype=np.int64)
    plane_N = histories[0][1] if histories else nothing_N
    before_N, second_N = (histories[1][0], histories[1][1]) if len(histories) > 1 else (nothing_N, nothing_N)
    mirrored_N = before_N >= 0
    images = find_images(
        surfaces,
        source_3,
        order,
        np.concatenate([plane_N, before_N[mirrored_N]]),
        np.concatenate([np.full(len(plane_N), -1), second_N[mirrored_N]]),
    )
    if order >= 1 and histories:
        covered_N = images.covered(plane_N) & (histories[0][0] == _AT_SOURCE)
        hits[0].energy_NB[covered_N] *= histories[0][2][covered_N, None]
    if order >= 2 and len(histories) > 1:
        covered_N = images.covered(before_N, second_N) & mirrored_N
        hits[1].energy_NB[covered_N] *= histories[1][2][covered_N, None]
    return images


def _through(
    rays: RayScene,
    surfaces: AcousticSurfaces,
    rng: np.random.Generator,
    wanted: int,
    flight: _Flight,
    hit: dict[str, np.ndarray],
) -> _Flight | None:
    """About `wanted` new rays that go on behind what the rays in flight hit; None where nothing lets sound through.

    Drawn systematically with probabilities that follow the energy that the face in front lets through, and raised by
    one over them.
    """
    face_N = hit["primID"]
    met_N = np.flatnonzero(face_N >= 0)
    passed_NB = flight.energy_NB[met_N] * surfaces.transmission_MB[surfaces.surface_F[face_N[met_N]]]
    total_N = passed_NB.mean(axis=1, dtype=np.float64)
    if not total_N.sum() > 0.0:
        return None
    probability_N = _inclusion(total_N, min(wanted, int((total_N > 0.0).sum())))
    picked_N = np.flatnonzero(np.diff(np.floor(np.cumsum(probability_N) + rng.random()), prepend=0.0) > 0)
    born = flight.kept(met_N[picked_N])
    reached_N = hit["tfar"][met_N[picked_N]]
    hit_N3 = born.origin_N3 + reached_N[:, None] * born.direction_N3
    exit_N3, depth_N, share_NB = far_side(rays, surfaces, hit_N3, born.direction_N3, face_N[met_N[picked_N]])
    energy_NB = (born.energy_NB * share_NB / probability_N[picked_N, None]).astype(np.float32)
    return _Flight(
        origin_N3=exit_N3,
        direction_N3=born.direction_N3,
        path_N=born.path_N + reached_N + depth_N,
        energy_NB=energy_NB,
        faintest_N=_FAINTEST * energy_NB.max(axis=1, initial=0.0),
        through_N=np.ones(len(energy_NB), dtype=np.bool_),
        mirror_N=np.full(len(energy_NB), _NO_IMAGE, dtype=np.int64),
    )


def _thin(hits: list[_Hits], budget: int, rng: np.random.Generator) -> Emitters:
    """Keep `budget` hits, the early and the strong ones rather, and raise the energy of the kept by 1/probability.

    Probability is min(1, c * merit): as many emitters in every octave of time, more in quiet rooms than their energy
    earns. Drawn systematically, which keeps the counts exact. Sound that came through walls has a share of its own:
    where nothing else arrives, it is all there is.
    """
    hits = [hit for hit in hits if len(hit.path_N)]
    if not hits:
        empty = np.zeros((0, 3), dtype=np.float32)
        return Emitters(empty, empty, empty[:, 0].copy(), np.zeros((0, 6), dtype=np.float32))
    position_N3 = np.concatenate([hit.position_N3 for hit in hits])
    normal_N3 = np.concatenate([hit.normal_N3 for hit in hits])
    path_N = np.concatenate([hit.path_N for hit in hits])
    energy_NB = np.concatenate([hit.energy_NB for hit in hits])
    through_N = np.concatenate([hit.through_N for hit in hits])
    merit_N = _merit(energy_NB, path_N, position_N3)
    probability_N = np.zeros(len(merit_N))
    beyond = min(int(through_N.sum()), max(1, round(budget * _THROUGH_BUDGET))) if through_N.any() else 0
    if beyond:
        probability_N[through_N] = _inclusion(
            _merit(energy_NB[through_N], path_N[through_N], position_N3[through_N]), beyond
        )
    probability_N[~through_N] = _inclusion(merit_N[~through_N], max(1, budget - beyond))
    picked_N = np.flatnonzero(np.diff(np.floor(np.cumsum(probability_N) + rng.random()), prepend=0.0) > 0)
    # Neighbours in memory are neighbours in space: shadow rays and kernels then walk warm caches.
    picked_N = picked_N[np.argsort(_morton(position_N3[picked_N]), kind="stable")]
    sign_N = rng.integers(0, 2, len(picked_N)) * 2.0 - 1.0
    scale_N = 1.0 / (math.pi * probability_N[picked_N])  # Lambert's law: power / pi per unit of solid angle
    amplitude_NB = sign_N[:, None] * np.sqrt(energy_NB[picked_N] * scale_N[:, None])
    return Emitters(
        np.ascontiguousarray(position_N3[picked_N]),
        np.ascontiguousarray(normal_N3[picked_N]),
        np.ascontiguousarray(path_N[picked_N]),
        amplitude_NB.astype(np.float32),
    )


def _merit(energy_NB: np.ndarray, path_N: np.ndarray, position_N3: np.ndarray) -> np.ndarray:
    """How much a hit matters: its energy over that of its neighbours in space and in octaves of time.

    Dividing by all of their energy would keep as many emitters in a quiet room as in a loud one, by none of it
    almost none there; we divide by its root.
    """
    energy_N = energy_NB.mean(axis=1, dtype=np.float64)
    octave_N1 = np.floor(2.0 * np.log2(np.maximum(path_N, 1.0)))[:, None]
    cell_N4 = np.concatenate([np.floor(position_N3 / _CELL_METRES), octave_N1], axis=1).astype(np.int64)
    cell_N4 -= cell_N4.min(axis=0)
    extent_4 = cell_N4.max(axis=0) + 1
    _, cell_N = np.unique(np.ravel_multi_index(tuple(cell_N4.T), tuple(extent_4)), return_inverse=True)
    around_Q = np.bincount(cell_N, energy_N)
    age_N = octave_N1[:, 0].astype(np.int64)
    at_time_Q = np.bincount(age_N, energy_N)
    share_N = around_Q[cell_N] / np.maximum(at_time_Q[age_N], 1e-300)
    return energy_N / np.maximum(at_time_Q[age_N], 1e-300) / np.maximum(share_N, 1e-12) ** 0.5


def _morton(position_N3: np.ndarray) -> np.ndarray:
    """int64 (N,): places along a curve that stays near itself, of cells of 0.25 m (G. M. Morton, IBM, 1966)."""
    cell_N3 = np.floor(position_N3 / 0.25).astype(np.int64)
    cell_N3 -= cell_N3.min(axis=0, initial=0)
    code_N = np.zeros(len(cell_N3), dtype=np.int64)
    for bit in range(12):
        for axis in range(3):
            code_N |= ((cell_N3[:, axis] >> bit) & 1) << (3 * bit + axis)
    return code_N


def _inclusion(merit_N: np.ndarray, budget: int) -> np.ndarray:
    """min(1, c * merit) with c such that the sum is `budget` (all ones where there are no more than that)."""
    if len(merit_N) <= budget:
        return np.ones(len(merit_N))
    falling_N = np.sort(merit_N)[::-1]
    rest_N = np.cumsum(falling_N[::-1])[::-1]  # sum of this merit and all smaller ones
    certain_N = np.arange(len(merit_N))
    scale_N = (budget - certain_N[:budget]) / np.maximum(rest_N[:budget], 1e-300)  # the first `certain` kept for sure
    first = int(np.argmax(scale_N * falling_N[:budget] <= 1.0))
    return np.minimum(1.0, scale_N[first] * merit_N)


def _sphere(count: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (count, 3): unit vectors on a Fibonacci lattice, turned about its axis by a random angle."""
    index_N = np.arange(count) + 0.5
    height_N = 1.0 - 2.0 * index_N / count
    radius_N = np.sqrt(1.0 - height_N**2)
    angle_N = index_N * math.pi * (3.0 - math.sqrt(5.0)) + rng.random() * 2.0 * math.pi
    return np.stack([radius_N * np.cos(angle_N), height_N, radius_N * np.sin(angle_N)], axis=1).astype(np.float32)
