"""Ray tracing from a source to its virtual emitters: rays, reflections, transmission, and the selection of hits.

Rays leave the source on a Fibonacci lattice and are followed until their energy or the length of the response runs
out. Every hit could re-radiate the energy that its surface reflects; `_select_emitters` keeps a limited number of hits
without changing the expected energy. Where a material transmits sound, a few rays are continued behind the wall.

Shapes: N rays or emitters · B octave bands · Q groups.
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

FULL_POWER = 4.0 * math.pi  # power of a source whose pressure is 1/r, in units where intensity is pressure squared
_MIN_ENERGY = 1e-7  # a ray ends when its energy falls below this fraction of its initial energy
_TRANSMITTED_SHARES = ((8, 1.0 / 32.0), (32, 1.0 / 96.0))
"""(bounces, share): up to this many bounces, this many rays per bounce enter walls, relative to the initial number."""
_TRANSMITTED_BUDGET = 1.0 / 8.0  # share of the emitters that is reserved for sound that came through walls
_AT_SOURCE, _NO_IMAGE = -2, -1
_CELL_METRES = 2.5  # hits within one cell of this size are neighbours
_TRAPPED_EVERY = 16  # bounces between two searches for trapped rays
_TRAPPED_STRIDE = 0.35  # metres per bounce: a ray with a lower average is trapped between close faces
_SHORTEST_STRIDE = 0.25  # mean metres per bounce: limits the number of bounces even in a gap without absorption


@dataclass(frozen=True, slots=True)
class Emitters:
    """The virtual emitters of one source, all float32.

    position_N3: metres · normal_N3: unit vectors · path_N: metres travelled from the source
    amplitude_NB: signed pressure in each band, such that `amplitude**2 * cos / distance**2` is its mean square
    """

    position_N3: np.ndarray
    normal_N3: np.ndarray
    path_N: np.ndarray
    amplitude_NB: np.ndarray


@dataclass(frozen=True, slots=True)
class _Hits:
    """The rays that survived one bounce, as hits; float32, `through_N` bool."""

    position_N3: np.ndarray
    normal_N3: np.ndarray
    path_N: np.ndarray
    energy_NB: np.ndarray
    through_N: np.ndarray


@dataclass(slots=True)
class _RayState:
    """The state of all rays: position, direction, travelled path and remaining energy. Kernels change it in place.

    faintest_N: energy below which a ray ends · through_N: whether the ray came through a wall
    mirror_N: the plane of the last specular reflection, `_AT_SOURCE`, or `_NO_IMAGE` if no image has this history
    """

    origin_N3: np.ndarray
    direction_N3: np.ndarray
    path_N: np.ndarray
    energy_NB: np.ndarray
    faintest_N: np.ndarray
    through_N: np.ndarray
    mirror_N: np.ndarray

    def kept(self, which_N: np.ndarray) -> _RayState:
        """Copies of the rays selected by a mask or by indices."""
        return _RayState(*(getattr(self, field.name)[which_N] for field in fields(self)))

    def joined(self, other: _RayState) -> _RayState:
        """These rays followed by those of `other`."""
        return _RayState(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))


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
    """Trace the source at `source_3` (metres) and return its emitters and its mirror images.

    count: rays · budget: emitters to keep · longest: metres after which a ray ends · image_order: 0, 1 or 2 ·
    transmission: whether rays pass through walls · directivity, forward_3: the source's pattern and its axis.
    The images are those whose planes the rays met.
    """
    state = _launch(count, rng, source_3, surfaces, directivity, forward_3)
    transmits = transmission and bool((surfaces.transmission_MB > 0.0).any())
    hits: list[_Hits] = []
    histories: list[tuple[np.ndarray, ...]] = []
    for bounce in range(max(1_000, math.ceil(longest / _SHORTEST_STRIDE))):
        if len(state.path_N) == 0:
            break
        hit = rays.trace(state.origin_N3, state.direction_N3)
        share = next((share for bounces, share in _TRANSMITTED_SHARES if bounce < bounces), 0.0)
        transmitted = None
        if transmits and share > 0.0:
            transmitted = _transmitted_rays(rays, surfaces, rng, max(1, round(count * share)), state, hit)
        alive_N, normal_N3, scattered_N = kernels.bounce(
            state.origin_N3,
            state.direction_N3,
            state.path_N,
            state.energy_NB,
            hit["primID"],
            hit["tfar"],
            rng.random((len(state.path_N), 3), dtype=np.float32),
            surfaces.normal_F3,
            surfaces.surface_F,
            surfaces.reflection_MB,
            surfaces.scattering_M,
            np.float32(LIFT_METRES),
            np.float32(longest),
            state.faintest_N,
        )
        state, face_N = state.kept(alive_N), hit["primID"][alive_N]
        # Copy, because the next bounce changes these arrays in place.
        hits.append(
            _Hits(
                state.origin_N3.copy(),
                normal_N3[alive_N],
                state.path_N.copy(),
                state.energy_NB.copy(),
                state.through_N,
            )
        )
        plane_N = surfaces.plane_F[face_N].astype(np.int64)
        if bounce < 2:
            histories.append((state.mirror_N, plane_N, surfaces.scattering_M[surfaces.surface_F[face_N]]))
        state.mirror_N = np.where(
            scattered_N[alive_N] | (state.mirror_N == _NO_IMAGE) | (bounce > 0), _NO_IMAGE, plane_N
        )
        if transmitted is not None:
            state = state.joined(transmitted)
        if bounce % _TRAPPED_EVERY == _TRAPPED_EVERY - 1:
            state = _thin_trapped_rays(state, bounce, rng)
    images = _separate_images(hits, histories, surfaces, source_3, image_order)
    return _select_emitters(hits, budget, rng), images


def _launch(
    count: int,
    rng: np.random.Generator,
    source_3: np.ndarray,
    surfaces: AcousticSurfaces,
    directivity: Directivity,
    forward_3: np.ndarray,
) -> _RayState:
    """All rays at the source, with energies that follow the directivity."""
    direction_N3 = _sphere(count, rng)
    gain_NB = directivity.gain(direction_N3, forward_3).astype(np.float32)
    power = np.float32(FULL_POWER / count)
    return _RayState(
        origin_N3=np.broadcast_to(source_3.astype(np.float32), direction_N3.shape).copy(),
        direction_N3=direction_N3,
        path_N=np.zeros(count, dtype=np.float32),
        energy_NB=np.broadcast_to(power, (count, surfaces.reflection_MB.shape[1])) * gain_NB**2,
        faintest_N=np.full(count, _MIN_ENERGY * FULL_POWER / count, dtype=np.float32),
        through_N=np.zeros(count, dtype=np.bool_),
        mirror_N=np.full(count, _AT_SOURCE, dtype=np.int64),
    )


def _thin_trapped_rays(state: _RayState, bounce: int, rng: np.random.Generator) -> _RayState:
    """Russian roulette for rays trapped between close faces: one in four continues, with four times the energy."""
    trapped_N = state.path_N < (bounce - 2 * _TRAPPED_EVERY) * _TRAPPED_STRIDE
    if not trapped_N.any():
        return state
    kept_N = ~trapped_N | (rng.random(len(trapped_N)) < 0.25)
    state = state.kept(kept_N)
    raised_N = np.where(trapped_N, np.float32(4.0), np.float32(1.0))[kept_N]
    state.energy_NB = state.energy_NB * raised_N[:, None]
    state.faintest_N = state.faintest_N * raised_N
    return state


def _separate_images(
    hits: list[_Hits],
    histories: list[tuple[np.ndarray, ...]],
    surfaces: AcousticSurfaces,
    source_3: np.ndarray,
    order: int,
) -> Images:
    """Find the images, and remove in place the energy that they carry from the hits with the same histories."""
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


def _transmitted_rays(
    rays: RayScene,
    surfaces: AcousticSurfaces,
    rng: np.random.Generator,
    wanted: int,
    state: _RayState,
    hit: dict[str, np.ndarray],
) -> _RayState | None:
    """About `wanted` new rays that continue behind the faces that the rays hit; None if no face transmits sound.

    Systematic sampling, with probabilities proportional to the energy that the front face transmits; the energy of a
    sampled ray is divided by its probability.
    """
    face_N = hit["primID"]
    met_N = np.flatnonzero(face_N >= 0)
    passed_NB = state.energy_NB[met_N] * surfaces.transmission_MB[surfaces.surface_F[face_N[met_N]]]
    total_N = passed_NB.mean(axis=1, dtype=np.float64)
    if not total_N.sum() > 0.0:
        return None
    probability_N = _inclusion_probability(total_N, min(wanted, int((total_N > 0.0).sum())))
    picked_N = np.flatnonzero(np.diff(np.floor(np.cumsum(probability_N) + rng.random()), prepend=0.0) > 0)
    spawned = state.kept(met_N[picked_N])
    reached_N = hit["tfar"][met_N[picked_N]]
    hit_N3 = spawned.origin_N3 + reached_N[:, None] * spawned.direction_N3
    exit_N3, depth_N, share_NB = far_side(rays, surfaces, hit_N3, spawned.direction_N3, face_N[met_N[picked_N]])
    energy_NB = (spawned.energy_NB * share_NB / probability_N[picked_N, None]).astype(np.float32)
    return _RayState(
        origin_N3=exit_N3,
        direction_N3=spawned.direction_N3,
        path_N=spawned.path_N + reached_N + depth_N,
        energy_NB=energy_NB,
        faintest_N=_MIN_ENERGY * energy_NB.max(axis=1, initial=0.0),
        through_N=np.ones(len(energy_NB), dtype=np.bool_),
        mirror_N=np.full(len(energy_NB), _NO_IMAGE, dtype=np.int64),
    )


def _select_emitters(hits: list[_Hits], budget: int, rng: np.random.Generator) -> Emitters:
    """Keep `budget` hits, preferring early and strong ones, and divide the energy of each by its probability.

    The probability is min(1, c * importance): equally many emitters per octave of time, and more in quiet rooms than
    their energy alone would give. Systematic sampling keeps the counts exact. Sound that came through walls has its own
    share of the budget, because in some places nothing else arrives.
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
    importance_N = _importance(energy_NB, path_N, position_N3)
    probability_N = np.zeros(len(importance_N))
    reserved = min(int(through_N.sum()), max(1, round(budget * _TRANSMITTED_BUDGET))) if through_N.any() else 0
    if reserved:
        probability_N[through_N] = _inclusion_probability(
            _importance(energy_NB[through_N], path_N[through_N], position_N3[through_N]), reserved
        )
    probability_N[~through_N] = _inclusion_probability(importance_N[~through_N], max(1, budget - reserved))
    picked_N = np.flatnonzero(np.diff(np.floor(np.cumsum(probability_N) + rng.random()), prepend=0.0) > 0)
    # Neighbours in space become neighbours in memory, so that shadow rays and kernels use the caches well.
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


def _importance(energy_NB: np.ndarray, path_N: np.ndarray, position_N3: np.ndarray) -> np.ndarray:
    """Importance of each hit: its energy relative to that of its neighbours in space and in octaves of time.

    Division by the neighbours' full energy would keep as many emitters in a quiet room as in a loud one; no division
    would keep almost none in a quiet room. We divide by its square root.
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
    """int64 (N,): Morton codes of cells of 0.25 m, a space-filling order that keeps neighbours together (IBM, 1966)."""
    cell_N3 = np.floor(position_N3 / 0.25).astype(np.int64)
    cell_N3 -= cell_N3.min(axis=0, initial=0)
    code_N = np.zeros(len(cell_N3), dtype=np.int64)
    for bit in range(12):
        for axis in range(3):
            code_N |= ((cell_N3[:, axis] >> bit) & 1) << (3 * bit + axis)
    return code_N


def _inclusion_probability(importance_N: np.ndarray, budget: int) -> np.ndarray:
    """min(1, c * importance), with c such that the sum is `budget` (all ones if there are at most `budget`)."""
    if len(importance_N) <= budget:
        return np.ones(len(importance_N))
    falling_N = np.sort(importance_N)[::-1]
    rest_N = np.cumsum(falling_N[::-1])[::-1]  # sum of this importance and all smaller ones
    certain_N = np.arange(len(importance_N))
    scale_N = (budget - certain_N[:budget]) / np.maximum(rest_N[:budget], 1e-300)  # for `certain` sure ones
    first = int(np.argmax(scale_N * falling_N[:budget] <= 1.0))
    return np.minimum(1.0, scale_N[first] * importance_N)


def _sphere(count: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (count, 3): unit vectors on a Fibonacci lattice, rotated about its axis by a random angle."""
    index_N = np.arange(count) + 0.5
    height_N = 1.0 - 2.0 * index_N / count
    radius_N = np.sqrt(1.0 - height_N**2)
    angle_N = index_N * math.pi * (3.0 - math.sqrt(5.0)) + rng.random() * 2.0 * math.pi
    return np.stack([radius_N * np.cos(angle_N), height_N, radius_N * np.sin(angle_N)], axis=1).astype(np.float32)
