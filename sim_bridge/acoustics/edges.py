"""The diffracting edges of a scene: those where more than half of the space around the edge is open.

A triangle soup is treated as two-sided sheets, so the winding order does not matter. Around every edge the faces are
sorted by angle, and the widest open sector between two neighbouring faces is the air side. If that sector is clearly
wider than pi (the corner of a wall, a door jamb, a lintel; 2 pi at the free edge of a sheet), the edge is a wedge that
diffracts. Faces that share only part of an edge (T-junctions), vertices repeated per surface and collinear pieces are
handled per carrier line: all pieces on one line are swept together, and adjacent pieces with the same wedge become one
edge.

A wedge also needs open space to diffract into. Edges that lie against another surface (the foot of a wall, a rug, a
skirting board, the outer rim of a door frame) are dropped, after the air on both sides of the edge has been probed.

Shapes: E edges · F faces · H face sides (three per face) · N corners · V vertices · G lines · U unique sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene

STAND_OFF = 0.01  # metres from an edge into the open air, where its visibility is tested
_WELD = 1e-3  # metres: vertices closer than this are merged
_SAME_LINE = 2e-3  # metres and sine of the angle: pieces that differ by less lie on one line
_SAME_WEDGE = math.radians(2.0)
_PROBES = 3  # points along an edge where the air around it is tested


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgesConfig:
    """Which edges diffract.

    min_length: metres · min_bend: radians by which the open sector must exceed pi, which excludes the facets of round
    objects · clearance: metres of air required on both sides of a wedge · max_edges: only the longest ones are kept
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

    start_E3, length_E: metres · axis_E3: unit vector along the edge · face_E3: unit vector from the edge into the
    reference face, from which angles are measured · normal_E3: unit normal of that face, towards the open side ·
    angle_E: the open sector in radians, from pi + min_bend to 2 pi
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
        """(E, 3): unit vectors perpendicular to each edge, at an angle (radians) from its reference face."""
        return np.cos(angle_E)[:, None] * self.face_E3 + np.sin(angle_E)[:, None] * self.normal_E3


_CACHE: WeakKeyDictionary[RayScene, Edges] = WeakKeyDictionary()


def scene_edges(ray_scene: RayScene) -> Edges:
    """`find_edges` with its default settings, cached for as long as `ray_scene` exists."""
    if ray_scene not in _CACHE:
        _CACHE[ray_scene] = find_edges(ray_scene)
    return _CACHE[ray_scene]


def find_edges(ray_scene: RayScene, config: EdgesConfig | None = None) -> Edges:
    """All diffracting edges of a scene; a pure function of its triangles that does not depend on their winding order.

    Scans have millions of small, rough triangles. Their edges rarely line up to `min_length`, so few edges are found; a
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
    """The sides of triangles that may diffract: start, end, and the unit vector perpendicular to it into the face."""
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
    # Most sides lie between two nearly coplanar faces: drop those first.
    new_H = np.append(True, (np.diff(a_H) != 0) | (np.diff(b_H) != 0))
    first_U = np.flatnonzero(new_H)
    count_U = np.diff(np.append(first_U, len(a_H)))
    pair_U = first_U[count_U == 2]
    bent = np.sum(across_H3[pair_U] * across_H3[pair_U + 1], axis=1) > -math.cos(min_bend)
    keep_H = np.repeat(count_U != 2, count_U)
    keep_H[pair_U] = keep_H[pair_U + 1] = bent
    keep_H &= height_H > 1e-4  # slivers do not define a plane
    return start_H3[keep_H], position_V3[b_H[keep_H]], across_H3[keep_H]


def _wedges_of_lines(start_H3: np.ndarray, end_H3: np.ndarray, across_H3: np.ndarray, config: EdgesConfig) -> Edges:
    """Group the sides by the line they lie on, and sweep each line for stretches with the same wedge."""
    along_H3 = end_H3 - start_H3
    along_H3 /= np.linalg.norm(along_H3, axis=1, keepdims=True)
    lead_H = np.where(np.abs(along_H3[:, 0]) > 1e-3, 0, np.where(np.abs(along_H3[:, 1]) > 1e-3, 1, 2))
    along_H3 *= np.sign(along_H3[np.arange(len(lead_H)), lead_H])[:, None]
    foot_H3 = start_H3 - np.sum(start_H3 * along_H3, axis=1, keepdims=True) * along_H3
    # The offset keeps multiples of a millimetre away from cell boundaries, where rounding could go either way.
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
def _sweep(first_G, low_H, high_H, angle_H, min_width):
    """Stretches of each line with an open sector of at least `min_width` radians.

    Returns the line, both ends (metres along the line), and the start and width of the sector (radians).
    """
    room = 2 * len(low_H)
    line_E = np.empty(room, dtype=np.int64)
    low_E, high_E, from_E, open_E = np.empty(room), np.empty(room), np.empty(room), np.empty(room)
    found = 0
    active = np.empty(len(low_H), dtype=np.int64)
    for line in range(len(first_G) - 1):
        begin, end = first_G[line], first_G[line + 1]
        stop_N = np.sort(np.concatenate((low_H[begin:end], high_H[begin:end])))
        upcoming, n_active, is_new = begin, 0, True
        for at in range(len(stop_N) - 1):
            low, high = stop_N[at], stop_N[at + 1]
            if high - low < _WELD:
                continue
            middle = 0.5 * (low + high)
            while upcoming < end and low_H[upcoming] < middle:
                active[n_active] = upcoming
                n_active += 1
                upcoming += 1
            kept = 0
            for k in range(n_active):
                if high_H[active[k]] > middle:
                    active[kept] = active[k]
                    kept += 1
            n_active = kept
            if n_active == 0:
                is_new = True
                continue
            here_N = np.sort(angle_H[active[:n_active]])
            width, start = here_N[0] + 2.0 * math.pi - here_N[-1], here_N[-1]
            for k in range(n_active - 1):
                if here_N[k + 1] - here_N[k] > width:
                    width, start = here_N[k + 1] - here_N[k], here_N[k]
            if width < min_width:
                is_new = True
                continue
            if not is_new and abs(open_E[found - 1] - width) < _SAME_WEDGE:
                turn = (from_E[found - 1] - start + math.pi) % (2.0 * math.pi) - math.pi
                if abs(turn) < _SAME_WEDGE:
                    high_E[found - 1] = high
                    continue
            line_E[found], low_E[found], high_E[found] = line, low, high
            from_E[found], open_E[found] = start, width
            found += 1
            is_new = False
    return line_E[:found], low_E[:found], high_E[:found], from_E[:found], open_E[:found]


def _has_air(edges: Edges, ray_scene: RayScene, clearance: float) -> np.ndarray:
    """bool_E: whether, at some point along the edge, there is air beyond both faces for a wave to bend into.

    Beyond a face means half-way between the continuation of that face past the edge and the other face.
    """
    air_E = np.zeros(len(edges), dtype=bool)
    off_E3 = edges.start_E3 + STAND_OFF * edges.direction(0.5 * edges.angle_E)
    half_E = 0.5 * (math.pi + edges.angle_E)
    beyond = [edges.direction(half_E), edges.direction(edges.angle_E - half_E)]
    for fraction in (np.arange(_PROBES) + 0.5) / _PROBES:
        origin_E3 = off_E3 + (fraction * edges.length_E)[:, None] * edges.axis_E3
        blocked_E = np.zeros(len(edges), dtype=bool)
        for direction_E3 in beyond:
            blocked_E |= ray_scene.occluded(origin_E3, direction_E3, clearance)
        air_E |= ~blocked_E
    return air_E
