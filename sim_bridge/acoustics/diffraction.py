"""Diffraction: paths from a source to a listener over one or two edges, with their pressure in each octave band.

    edges = find_edges(ray_scene)                              # once per scene (edges.py)
    sight = edges_in_sight(edges, ray_scene, source_3)         # once per source
    paths = diffracted_paths(sight, ray_scene, listener_3)     # once per listener position
    for path, direction_3, pressure_6 in zip(paths.length_N, paths.direction_N3, paths.pressure_N6):
        ...  # add an impulse of pressure_6 after path / c, from direction_3; the direct sound would be 1 / r

Model: rigid wedges by the uniform theory of diffraction (R. G. Kouyoumjian and P. H. Pathak, Proc. IEEE 62, 1448, 1974;
for rooms: N. Tsingos et al., SIGGRAPH 2001), at the centre of each band. It agrees within 0.6 dB with the exact
solution (M. A. Biot and I. Tolstoy, JASA 29, 381, 1957) from 125 Hz upwards and from 0.3 m away from the edge. The
gains of two edges are multiplied, with the distance parameters of A. D. Pierce's wide barrier (JASA 55, 941, 1974).
Where a wall is thin compared with the wavelength, the single wedge that its two edges merge into is an upper bound.
Walls of 6 to 30 cm agree within 2 dB with the boundary element method. A finite edge has the fraction of an infinite
edge's pressure that its Fresnel zones contribute, without their ripples: half if the apex lies at an end, less beyond.

Shadow and lit side: a path that bends around an edge into its shadow is emitted unchanged, with half the direct
pressure at the shadow boundary. The direct sound stops abruptly at that boundary, so a listener on the lit side also
receives the diffracted wave. There it is *negative*, with half the direct pressure at the boundary, so that the sum of
direct and diffracted sound is continuous. This correction is emitted only while the path that it corrects is visible
(the direct sound; for two edges, the path over one of them). It fades out between half a period and one and a half
periods of lag, beyond which direct and reflected sound suffice. Pressures are therefore signed; add them to the impulse
response as they are. A narrow post casts no shadow at low frequencies, because the paths around both sides are emitted.

Not modelled: three or more edges, reflections before or after an edge, absorption by the faces, paths through
partitions. Parts of one edge share its pressure, so nothing is counted twice.

Shapes: E edges · N paths · P pairs of edges · L sample points on edges · K pairs of sample points · U unique pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.acoustics import diffraction_kernels as kernels
from avw.sim_bridge.acoustics.bands import SPEED_OF_SOUND
from avw.sim_bridge.acoustics.edges import STAND_OFF, Edges
from avw.sim_bridge.acoustics.engine import checked_position
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS

_LIFT = 1e-3  # metres at the far end of a path segment that are not tested for obstacles
_SPACING = 0.5  # metres between the points along an edge where its visibility is sampled
_MAX_POINTS = 8  # per edge


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffractionConfig:
    """Limits of the search; the time per listener grows with `edges` and `pairs`.

    edges, pairs: candidates kept per source: those that appear largest from it
    gap: largest distance in metres between the two edges of one path, 0 for single edges only
    faintest_db: a path is dropped if it stays this far below the unobstructed direct sound in all bands
    """

    edges: int = 128
    pairs: int = 192
    gap: float = 6.0
    faintest_db: float = -50.0

    def __post_init__(self) -> None:
        if self.edges < 1 or self.pairs < 0 or self.gap < 0.0:
            raise UsageError("diffraction needs edges >= 1, pairs >= 0 and gap >= 0")


@dataclass(frozen=True, slots=True)
class EdgesInSight:
    """The edges that matter for one source: those that it sees, and those that sound reaches over them.

    source_3: metres · pair_P2: indices into `edges`; the sound reaches the edge in column 0 first
    """

    source_3: np.ndarray
    edges: Edges
    pair_P2: np.ndarray
    config: DiffractionConfig


@dataclass(frozen=True, slots=True)
class DiffractedPaths:
    """The diffracted paths to one listener.

    length_N: metres · direction_N3: unit vectors from the listener to the last apex · departure_N3: unit vectors from
    the source to the first apex · pressure_N6: signed, with spreading, in units in which the direct sound is 1/r ·
    order_N: number of edges on the path
    """

    length_N: np.ndarray
    direction_N3: np.ndarray
    departure_N3: np.ndarray
    pressure_N6: np.ndarray
    order_N: np.ndarray

    def __len__(self) -> int:
        return len(self.length_N)


def edges_in_sight(
    edges: Edges, ray_scene: RayScene, source_3: np.ndarray, config: DiffractionConfig | None = None
) -> EdgesInSight:
    """The edges that a source at `source_3` (metres) sees, and the pairs of edges that its sound may follow.

    Raises UsageError unless `source_3` is three finite numbers.
    """
    config = config or DiffractionConfig()
    source_3 = checked_position(source_3, "source")
    point_L3, edge_L = _sample_points(edges)
    visible_L = ~_hidden(ray_scene, point_L3, np.broadcast_to(source_3, point_L3.shape))
    distance_L = np.maximum(np.linalg.norm(point_L3 - source_3, axis=1), 0.1)
    # The angle that an edge subtends at the source tells how much of the source's sound can pass over it.
    spanned_E = np.bincount(edge_L, visible_L * edges.length_E[edge_L] / distance_L, minlength=len(edges))
    span_E = spanned_E / np.maximum(np.bincount(edge_L, minlength=len(edges)), 1)
    visible_E = np.argsort(-span_E, kind="stable")[: config.edges]
    visible_E = visible_E[span_E[visible_E] > 0.0]
    pair_P2 = _pairs(edges, ray_scene, source_3, visible_E, point_L3, edge_L, config)
    later_E = np.setdiff1d(pair_P2[:, 1], visible_E)
    chosen_E = np.concatenate([visible_E, later_E])
    renumbered_E = np.zeros(len(edges), dtype=np.int64)
    renumbered_E[chosen_E] = np.arange(len(chosen_E))
    return EdgesInSight(source_3, edges[chosen_E], renumbered_E[pair_P2], config)


def diffracted_paths(sight: EdgesInSight, ray_scene: RayScene, listener_3: np.ndarray) -> DiffractedPaths:
    """All paths over one or two edges to a listener at `listener_3` (metres); a pure function of its arguments.

    Raises UsageError unless `listener_3` is three finite numbers.
    """
    listener_3 = checked_position(listener_3, "listener")
    edges, source_3, pair_P2 = sight.edges, sight.source_3, sight.pair_P2
    shape = (edges.start_E3, edges.axis_E3, edges.length_E, edges.face_E3, edges.normal_E3, edges.angle_E)
    k_B = np.array(OCTAVE_BANDS) * (2.0 * math.pi / SPEED_OF_SOUND)
    apex_E, path_E, side_E, bent_EB, straight_EB = kernels.first_order(*shape, source_3, listener_3, k_B, STAND_OFF)
    apex_P2, path_P, side_P2, bent_PB, straight_PB = kernels.second_order(
        *shape, pair_P2, source_3, listener_3, k_B, STAND_OFF
    )
    faintest = 10.0 ** (sight.config.faintest_db / 20.0) / max(float(np.linalg.norm(listener_3 - source_3)), 0.1)
    single_E = np.flatnonzero(np.maximum(bent_EB, straight_EB).max(axis=1, initial=0.0) > faintest * path_E)
    double_P = np.flatnonzero(np.maximum(bent_PB, straight_PB).max(axis=1, initial=0.0) > faintest * path_P)

    off_E3 = edges.start_E3 + STAND_OFF * edges.direction(0.5 * edges.angle_E)
    apex_N3 = off_E3[single_E] + apex_E[single_E, None] * edges.axis_E3[single_E]
    first_E, second_E = pair_P2[double_P, 0], pair_P2[double_P, 1]
    first_N3 = off_E3[first_E] + apex_P2[double_P, :1] * edges.axis_E3[first_E]
    second_N3 = off_E3[second_E] + apex_P2[double_P, 1:] * edges.axis_E3[second_E]
    n, m = len(single_E), len(double_P)
    from_3 = np.concatenate([source_3[None], apex_N3, apex_N3, first_N3, first_N3, second_N3])
    to_3 = np.concatenate([listener_3[None], *(np.broadcast_to(p, (n, 3)) for p in (source_3, listener_3))])
    to_3 = np.concatenate([to_3, np.broadcast_to(source_3, (m, 3)), second_N3, np.broadcast_to(listener_3, (m, 3))])
    hidden = _hidden(ray_scene, from_3, to_3)
    open_N = ~hidden[1 : 1 + n] & ~hidden[1 + n : 1 + 2 * n]
    open_M = ~hidden[1 + 2 * n :].reshape(3, m).any(axis=0)

    # At the boundary itself the visibility of the straight path decides, so that sound is neither doubled nor lost.
    lit_N = (side_E[single_E] < 0) | ((side_E[single_E] == 0) & ~hidden[0])
    keep_N = open_N & ~(lit_N & hidden[0])
    # On the lit side of one of two edges, the path to correct is the one over the other edge alone.
    free_E = np.zeros(len(edges), dtype=bool)
    free_E[single_E] = keep_N
    alone_M2 = free_E[pair_P2[double_P, ::-1]]
    lit_M2 = (side_P2[double_P] < 0) | ((side_P2[double_P] == 0) & alone_M2)
    keep_M = open_M & ~(lit_M2 & ~alone_M2).any(axis=1) & ~lit_M2.all(axis=1)

    single_E, double_P = single_E[keep_N], double_P[keep_M]
    length_N = np.concatenate([path_E[single_E], path_P[double_P]])
    lit_N = np.concatenate([lit_N[keep_N], lit_M2[keep_M].any(axis=1)])
    gain_N6 = np.concatenate([bent_EB[single_E], bent_PB[double_P]])
    gain_N6 -= lit_N[:, None] * np.concatenate([straight_EB[single_E], straight_PB[double_P]])
    first_N3 = np.concatenate([apex_N3[keep_N], first_N3[keep_M]])
    last_N3 = np.concatenate([apex_N3[keep_N], second_N3[keep_M]])
    return DiffractedPaths(
        length_N,
        _unit(last_N3 - listener_3),
        _unit(first_N3 - source_3),
        gain_N6 / length_N[:, None],
        np.repeat([1, 2], [len(single_E), len(double_P)]),
    )


def _pairs(
    edges: Edges,
    ray_scene: RayScene,
    source_3: np.ndarray,
    visible_E: np.ndarray,
    point_L3: np.ndarray,
    edge_L: np.ndarray,
    config: DiffractionConfig,
) -> np.ndarray:
    """(P, 2): pairs of edges that see each other, where sound bent around the first can bend around the second."""
    none_P2 = np.zeros((0, 2), dtype=np.int64)
    if config.gap == 0.0 or config.pairs == 0 or len(visible_E) == 0:
        return none_P2
    shape = (edges.start_E3, edges.face_E3, edges.normal_E3, edges.angle_E)
    from_L = np.flatnonzero(np.isin(edge_L, visible_E))
    first_K, second_K = kernels.candidate_pairs(*shape, point_L3, edge_L, from_L, source_3, config.gap)
    keep_K = ~_hidden(ray_scene, point_L3[first_K], point_L3[second_K])
    first_K, second_K = first_K[keep_K], second_K[keep_K]
    if len(first_K) == 0:
        return none_P2
    near_K = np.linalg.norm(point_L3[first_K] - source_3, axis=1)
    far_K = np.linalg.norm(point_L3[second_K] - point_L3[first_K], axis=1)
    priority_K = np.minimum(edges.length_E[edge_L[first_K]], edges.length_E[edge_L[second_K]]) / (near_K + far_K + 0.1)
    pair_U, group_K = np.unique(edge_L[first_K] * len(edges) + edge_L[second_K], return_inverse=True)
    priority_U = np.zeros(len(pair_U))
    np.maximum.at(priority_U, group_K, priority_K)
    best_U = np.argsort(-priority_U, kind="stable")[: config.pairs]
    return np.stack([pair_U[best_U] // len(edges), pair_U[best_U] % len(edges)], axis=1)


def _sample_points(edges: Edges) -> tuple[np.ndarray, np.ndarray]:
    """Sample points (L, 3) along all edges, `STAND_OFF` away from them into the open air, and the edge of each."""
    count_E = np.clip(np.ceil(edges.length_E / _SPACING).astype(np.int64) + 1, 3, _MAX_POINTS)
    edge_L = np.repeat(np.arange(len(edges)), count_E)
    index_L = np.arange(len(edge_L)) - np.repeat(np.cumsum(count_E) - count_E, count_E)
    along_L = STAND_OFF + (edges.length_E[edge_L] - 2.0 * STAND_OFF) * index_L / (count_E[edge_L] - 1)
    off_E3 = edges.start_E3 + STAND_OFF * edges.direction(0.5 * edges.angle_E)
    return off_E3[edge_L] + along_L[:, None] * edges.axis_E3[edge_L], edge_L


def _unit(vector_N3: np.ndarray) -> np.ndarray:
    return vector_N3 / np.maximum(np.linalg.norm(vector_N3, axis=1, keepdims=True), 1e-12)


def _hidden(ray_scene: RayScene, from_N3: np.ndarray, to_N3: np.ndarray) -> np.ndarray:
    """bool_N: whether any face lies between two points."""
    offset_N3 = to_N3 - from_N3
    distance_N = np.linalg.norm(offset_N3, axis=1)
    return ray_scene.occluded(
        from_N3, offset_N3 / np.maximum(distance_N, 1e-9)[:, None], np.maximum(distance_N - _LIFT, 0.0)
    )
