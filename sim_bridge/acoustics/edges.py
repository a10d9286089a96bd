"""The edges of a scene that sound bends around: where the faces leave more than half of the space around them open.

A triangle soup is read as two-sided sheets, so winding does not matter: around every edge the faces are sorted by
angle, and the widest open sector between two neighbours is the air side. If it is clearly wider than pi (a wall's
corner, a door jamb, a lintel; 2 pi at the free edge of a sheet) it is a wedge that diffracts. Faces that meet along
part of an edge only (T-junctions), vertices repeated per surface and collinear pieces are handled per carrier line:
all pieces on one line are swept together, and what has the same wedge is one edge.

A wedge also needs room to diffract into: edges that lie against another surface (the foot of a wall, a rug, a skirting
board, the outer rim of a door frame) are dropped by probing the air on both of its sides.

Shapes: E edges · F faces · H face sides (three a face).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene

STAND_OFF = 0.01  # metres off an edge, into the open, at which its visibility is tested
_WELD = 1e-3  # metres: vertices nearer than this are one
_SAME_LINE = 2e-3  # metres and sine: pieces that agree so well lie on one line
_SAME_WEDGE = math.radians(2.0)
_PROBES = 3  # places along an edge where the air around it is tested


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgesConfig:
    """Which edges count.

    min_length: metres · min_bend: radians by which the open sector must exceed pi, so that facets of round things
    do not count · clearance: metres of air that both sides of a wedge need · max_edges: the longest are kept
    """

    min_length: float = 0.3
    min_bend: float = math.radians(35.0)
    clearance: float = 0.1
    max_edges: int = 4096

    def __post_init__(self) -> None:
        if self.min_length <= 0.0 or self.clearance < 0.0 or self.max_edges < 1:
            raise UsageError("edges need min_length > 0, clearance >= 0 and max_edges >= 1")
        if not 0.0 < self.min_bend < math.pi:
            raise UsageError(f"min_bend = {self.min_bend}: expected an angle between 0 and pi (radians)")


@dataclass(frozen=True, slots=True)
class Edges:
    """Diffracting edges, longest first, float64.

    start_E3, length_E: metres · axis_E3: unit vector along the edge · face_E3: unit vector from the edge into the face
    where angles start · normal_E3: unit vector off that face into the open · angle_E: the open sector, radians,
    pi + min_bend to 2 pi.
    """

    start_E3: np.ndarray
    axis_E3: np.ndarray
    length_E: np.ndarray
    face_E3: np.ndarray
    normal_E3: np.ndarray
    angle_E: np.ndarray

    def __len__(self) -> int:
        return len(self.length_E)

    def __getitem__(self, index: np.ndarray) -> Edges:
        return Edges(
            self.start_E3[index],
            self.axis_E3[index],
            self.length_E[index],
            self.face_E3[index],
            self.normal_E3[index],
            self.angle_E[index],
        )

    def direction(self, angle_E: np.ndarray) -> np.ndarray:
        """(E, 3): the unit vectors across each edge at an angle (radians) from its reference face."""
        return np.cos(angle_E)[:, None] * self.face_E3 + np.sin(angle_E)[:, None] * self.normal_E3


_KNOWN: WeakKeyDictionary[RayScene, Edges] = WeakKeyDictionary()


def scene_edges(ray_scene: RayScene) -> Edges:
    """`find_edges` with its defaults, kept as long as the scene's tree."""
    if ray_scene not in _KNOWN:
        _KNOWN[ray_scene] = find_edges(ray_scene)
    return _KNOWN[ray_scene]


def find_edges(ray_scene: RayScene, config: EdgesConfig | None = None) -> Edges:
    """Every diffracting edge of a scene; a pure function of its triangles, whatever their order of corners.

    Scans have millions of small, rough triangles: their edges rarely line up to `min_length`, so few are found, and a
    million triangles take seconds.
    """
    config = config or EdgesConfig()
    corners_F33 = ray_scene.scene.triangles_F33
    start_H3, end_H3, across_H3 = _sides(corners_F33, config.min_bend)
    if len(start_H3) == 0:
        return Edges(*(np.zeros((0, 3)),) * 2, np.zeros(0), *(np.zeros((0, 3)),) * 2, np.zeros(0))
    edges = _wedges_of_lines(start_H3, end_H3, across_H3, config)
    # A stable order that does not depend on the order of the triangles.
    keys = np.round(edges.start_E3 / _WELD).T
    edges = edges[np.lexsort((*keys, np.round(-edges.length_E / _WELD)))]
    return edges[np.flatnonzero(_has_air(edges, ray_scene, config.clearance))[: config.max_edges]]


def _sides(corners_F33: np.ndarray, min_bend: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sides of all triangles that may diffract: start, end and a unit vector across, into the face."""
    corners_F33 = corners_F33[np.isfinite(corners_F33).all(axis=(1, 2))]
    if len(corners_F33) == 0:
        return (np.zeros((0, 3)),) * 3
    cell_N3 = np.rint(corners_F33.reshape(-1, 3) / _WELD).astype(np.int64)
    cell_N3 -= cell_N3.min(axis=0)
    key_N = (cell_N3[:, 0] << 42) | (cell_N3[:, 1] << 21) | cell_N3[:, 2]
    _, first_V, vertex_N = np.unique(key_N, return_index=True, return_inverse=True)
    position_V3 = corners_F33.reshape(-1, 3)[first_V].astype(np.float64)
    vertex_F3 = vertex_N.reshape(-1, 3)
    a_H, b_H, c_H = (np.concatenate([vertex_F3[:, (k + j) % 3] for k in range(3)]) for j in range(3))
    a_H, b_H = np.minimum(a_H, b_H), np.maximum(a_H, b_H)
    keep_H = (a_H != b_H) & (a_H != c_H) & (b_H != c_H)
    a_H, b_H, c_H = a_H[keep_H], b_H[keep_H], c_H[keep_H]
    order_H = np.argsort(a_H * len(position_V3) + b_H)
    a_H, b_H, c_H = a_H[order_H], b_H[order_H], c_H[order_H]
    start_H3 = position_V3[a_H]
    along_H3 = position_V3[b_H] - start_H3
    along_H3 /= np.linalg.norm(along_H3, axis=1, keepdims=True)
    across_H3 = position_V3[c_H] - start_H3
    across_H3 -= np.sum(across_H3 * along_H3, axis=1, keepdims=True) * along_H3
    height_H = np.linalg.norm(across_H3, axis=1)
    across_H3 /= np.maximum(height_H, 1e-12)[:, None]
    # Most sides lie between two faces in (nearly) one plane: drop those before anything else is done.
    new_H = np.append(True, (np.diff(a_H) != 0) | (np.diff(b_H) != 0))
    first_U = np.flatnonzero(new_H)
    count_U = np.diff(np.append(first_U, len(a_H)))
    pair_U = first_U[count_U == 2]
    bent = np.sum(across_H3[pair_U] * across_H3[pair_U + 1], axis=1) > -math.cos(min_bend)
    keep_H = np.repeat(count_U != 2, count_U)
    keep_H[pair_U] = keep_H[pair_U + 1] = bent
    keep_H &= height_H > 1e-4  # slivers have no plane of their own
    return start_H3[keep_H], position_V3[b_H[keep_H]], across_H3[keep_H]


def _wedges_of_lines(start_H3: np.ndarray, end_H3: np.ndarray, across_H3: np.ndarray, config: EdgesConfig) -> Edges:
    """Sort the sides by the line they lie on, and sweep each line for stretches with one and the same wedge."""
    along_H3 = end_H3 - start_H3
    along_H3 /= np.linalg.norm(along_H3, axis=1, keepdims=True)
    lead_H = np.where(np.abs(along_H3[:, 0]) > 1e-3, 0, np.where(np.abs(along_H3[:, 1]) > 1e-3, 1, 2))
    along_H3 *= np.sign(along_H3[np.arange(len(lead_H)), lead_H])[:, None]
    foot_H3 = start_H3 - np.sum(start_H3 * along_H3, axis=1, keepdims=True) * along_H3
    # Off the middle between two cells, where multiples of a millimetre would fall either way.
    key_H6 = np.floor(np.concatenate([along_H3, foot_H3], axis=1) / _SAME_LINE + 0.37).astype(np.int64)
    order_H = np.lexsort(key_H6.T)
    key_H6, along_H3 = key_H6[order_H], along_H3[order_H]
    start_H3, end_H3, across_H3, foot_H3 = (x[order_H] for x in (start_H3, end_H3, across_H3, foot_H3))
    first_G = np.flatnonzero(np.append(True, (np.diff(key_H6, axis=0) != 0).any(axis=1)))
    line_H = np.repeat(np.arange(len(first_G)), np.diff(np.append(first_G, len(along_H3))))
    axis_G3, foot_G3 = along_H3[first_G], foot_H3[first_G]
    u_G3 = np.cross(axis_G3, np.eye(3)[np.argmin(np.abs(axis_G3), axis=1)])
    u_G3 /= np.linalg.norm(u_G3, axis=1, keepdims=True)
    v_G3 = np.cross(axis_G3, u_G3)
    angle_H = np.arctan2(np.sum(across_H3 * v_G3[line_H], axis=1), np.sum(across_H3 * u_G3[line_H], axis=1))
    ends_2H = np.sort([np.sum(x * axis_G3[line_H], axis=1) for x in (start_H3, end_H3)], axis=0)
    by_start_H = np.lexsort((angle_H, ends_2H[0], line_H))
    low_H, high_H, angle_H = ends_2H[0][by_start_H], ends_2H[1][by_start_H], angle_H[by_start_H]
    line_E, low_E, high_E, from_E, open_E = _sweep(
        np.append(first_G, len(low_H)), low_H, high_H, angle_H, math.pi + config.min_bend
    )
    keep_E = high_E - low_E >= config.min_length
    line_E, low_E, high_E = line_E[keep_E], low_E[keep_E], high_E[keep_E]
    from_E, open_E = from_E[keep_E], open_E[keep_E]
    cos_E, sin_E = np.cos(from_E)[:, None], np.sin(from_E)[:, None]
    u_E3, v_E3 = u_G3[line_E], v_G3[line_E]
    return Edges(
        foot_G3[line_E] + low_E[:, None] * axis_G3[line_E],
        axis_G3[line_E],
        high_E - low_E,
        cos_E * u_E3 + sin_E * v_E3,
        cos_E * v_E3 - sin_E * u_E3,
        open_E,
    )


@njit(cache=True, nogil=True)
def _sweep(first_G, low_H, high_H, angle_H, least):
    """Stretches of each line with an open sector of at least `least`: line, ends, where the sector starts, width."""
    room = 2 * len(low_H)
    line_E = np.empty(room, dtype=np.int64)
    low_E, high_E, from_E, open_E = np.empty(room), np.empty(room), np.empty(room), np.empty(room)
    found = 0
    active = np.empty(len(low_H), dtype=np.int64)
    for line in range(len(first_G) - 1):
        begin, end = first_G[line], first_G[line + 1]
        stop_N = np.sort(np.concatenate((low_H[begin:end], high_H[begin:end])))
        upcoming, living, fresh = begin, 0, True
        for at in range(len(stop_N) - 1):
            low, high = stop_N[at], stop_N[at + 1]
            if high - low < _WELD:
                continue
            middle = 0.5 * (low + high)
            while upcoming < end and low_H[upcoming] < middle:
                active[living] = upcoming
                living += 1
                upcoming += 1
            kept = 0
            for k in range(living):
                if high_H[active[k]] > middle:
                    active[kept] = active[k]
                    kept += 1
            living = kept
            if living == 0:
                fresh = True
                continue
            here_N = np.sort(angle_H[active[:living]])
            width, start = here_N[0] + 2.0 * math.pi - here_N[-1], here_N[-1]
            for k in range(living - 1):
                if here_N[k + 1] - here_N[k] > width:
                    width, start = here_N[k + 1] - here_N[k], here_N[k]
            if width < least:
                fresh = True
                continue
            if not fresh and abs(open_E[found - 1] - width) < _SAME_WEDGE:
                turn = (from_E[found - 1] - start + math.pi) % (2.0 * math.pi) - math.pi
                if abs(turn) < _SAME_WEDGE:
                    high_E[found - 1] = high
                    continue
            line_E[found], low_E[found], high_E[found] = line, low, high
            from_E[found], open_E[found] = start, width
            found += 1
            fresh = False
    return line_E[:found], low_E[:found], high_E[:found], from_E[:found], open_E[:found]


def _has_air(edges: Edges, ray_scene: RayScene, clearance: float) -> np.ndarray:
    """bool_E: whether somewhere along the edge there is air beyond both faces, where a wave would bend to.

    Beyond a face means half-way between its continuation past the edge and the other face.
    """
    air_E = np.zeros(len(edges), dtype=bool)
    off_E3 = edges.start_E3 + STAND_OFF * edges.direction(0.5 * edges.angle_E)
    half_E = 0.5 * (math.pi + edges.angle_E)
    beyond = [edges.direction(half_E), edges.direction(edges.angle_E - half_E)]
    for place in (np.arange(_PROBES) + 0.5) / _PROBES:
        origin_E3 = off_E3 + (place * edges.length_E)[:, None] * edges.axis_E3
        blocked_E = np.zeros(len(edges), dtype=bool)
        for direction_E3 in beyond:
            blocked_E |= ray_scene.occluded(origin_E3, direction_E3, clearance)
        air_E |= ~blocked_E
    return air_E
