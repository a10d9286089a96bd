"""Ray casting in a scene: one Embree tree for rendering, acoustics and navigation."""

from __future__ import annotations

import numpy as np
from numba import njit

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.rendering.embree import (
    COHERENT,
    FACE,
    FAR,
    INCOHERENT,
    LANES,
    NEVER,
    NORMAL,
    PACKET_WORDS,
    EmbreeTree,
    U,
    V,
    aligned_words,
    query_arguments,
    rtc_intersect_16,
    rtc_occluded_16,
    set_ray,
)
from avw.sim_bridge.scenes.scene import Scene

_ARGUMENTS, _COHERENT = query_arguments(INCOHERENT), query_arguments(COHERENT)


class RayScene:
    """The Embree tree of one scene. It cannot be pickled: build it again in another process (about 20 ms).

    Directions need not be normalised. Distances are in multiples of the direction's length, so unit directions give
    metres. Rays start at distance 0: move an origin that lies on a face off it by a millimetre.
    Raises SceneError for a scene without triangles.
    """

    def __init__(self, scene: Scene):
        if len(scene.faces_F3) == 0:
            raise SceneError(f"scene {scene.scene_id!r} has no triangles, so it cannot be rendered: use another file")
        self.scene = scene
        self.tree = EmbreeTree(scene.vertices_V3, scene.faces_F3)

    def closest(self, origins_N3: np.ndarray, dirs_N3: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The first face along each ray.

        Returns face_N int32 (-1: no hit), distance_N float32 (inf: no hit) and uv_N2 float32, the barycentric weights
        of the second and third corner of the face.
        """
        hit = self.trace(_float32(origins_N3), _float32(dirs_N3))
        face_N, distance_N = hit["primID"], hit["tfar"]
        distance_N[face_N < 0] = np.inf
        return face_N, distance_N, np.stack([hit["u"], hit["v"]], axis=1)

    def occluded(
        self,
        origins_N3: np.ndarray,
        dirs_N3: np.ndarray,
        max_distance_N: np.ndarray | float | None = None,
        *,
        coherent: bool = False,
    ) -> np.ndarray:
        """bool_N: whether any face lies on each ray closer than `max_distance_N` (None: at any distance).

        coherent: consecutive rays have similar directions, for example from one point to targets that are sorted in
        space. This takes a third of the time if it is true, and twice the time if it is not. The results are the same,
        except for rays that graze an edge.
        """
        origins_N3, dirs_N3 = _float32(origins_N3), _float32(dirs_N3)
        far = NEVER if max_distance_N is None else max_distance_N
        far_N = np.ascontiguousarray(np.broadcast_to(np.asarray(far, dtype=np.float32), (len(origins_N3),)))
        hidden_N = np.empty(len(origins_N3), dtype=np.bool_)
        arguments = _COHERENT if coherent else _ARGUMENTS
        _occluded(self.tree.handle, arguments.ctypes.data, origins_N3, dirs_N3, far_N, hidden_N)
        return hidden_N

    def trace(self, origins_N3: np.ndarray, dirs_N3: np.ndarray) -> dict[str, np.ndarray]:
        """Embree's record of the closest hits: primID, tfar (1e37: no hit), u, v, Ng.

        For inner loops that have contiguous float32 arrays; all other code calls `closest`.
        """
        n = len(origins_N3)
        u_N, v_N, distance_N = (np.empty(n, dtype=np.float32) for _ in range(3))
        face_N, normal_N3 = np.empty(n, dtype=np.int32), np.empty((n, 3), dtype=np.float32)
        _intersect(
            self.tree.handle, _ARGUMENTS.ctypes.data, origins_N3, dirs_N3, face_N, distance_N, u_N, v_N, normal_N3
        )
        return {"primID": face_N, "tfar": distance_N, "u": u_N, "v": v_N, "Ng": normal_N3}


@njit(cache=True, nogil=True)
def _load_packet(packet, packet_i, in_use, first, origins_N3, dirs_N3):  # pragma: no cover - compiled
    """Fill a packet with the rays from `first` on, without a limit on their distance; return the number of rays."""
    lanes = min(LANES, len(origins_N3) - first)
    in_use[:lanes] = -1
    in_use[lanes:] = 0
    for k in range(lanes):
        n = first + k
        set_ray(
            packet, packet_i, k, origins_N3[n, 0], origins_N3[n, 1], origins_N3[n, 2],
            dirs_N3[n, 0], dirs_N3[n, 1], dirs_N3[n, 2], np.float32(NEVER),
        )  # fmt: skip
    return lanes


@njit(cache=True, nogil=True)
def _intersect(
    tree, arguments, origins_N3, dirs_N3, face_N, distance_N, u_N, v_N, normal_N3
):  # pragma: no cover - compiled
    """Fill face_N, distance_N, u_N, v_N and normal_N3 with the closest hit of every ray."""
    packet, in_use = aligned_words(PACKET_WORDS), aligned_words(LANES).view(np.int32)
    packet_i = packet.view(np.int32)
    for first in range(0, len(origins_N3), LANES):
        lanes = _load_packet(packet, packet_i, in_use, first, origins_N3, dirs_N3)
        rtc_intersect_16(in_use.ctypes.data, tree, packet.ctypes.data, arguments)
        for k in range(lanes):
            n = first + k
            face_N[n], distance_N[n] = packet_i[FACE + k], packet[FAR + k]
            u_N[n], v_N[n] = packet[U + k], packet[V + k]
            for axis in range(3):
                normal_N3[n, axis] = packet[NORMAL + LANES * axis + k]


@njit(cache=True, nogil=True)
def _occluded(tree, arguments, origins_N3, dirs_N3, far_N, hidden_N):  # pragma: no cover - compiled
    """Fill hidden_N with whether any face lies on each ray within `far_N`."""
    packet, in_use = aligned_words(PACKET_WORDS), aligned_words(LANES).view(np.int32)
    packet_i = packet.view(np.int32)
    for first in range(0, len(origins_N3), LANES):
        lanes = _load_packet(packet, packet_i, in_use, first, origins_N3, dirs_N3)
        packet[FAR : FAR + lanes] = far_N[first : first + lanes]
        rtc_occluded_16(in_use.ctypes.data, tree, packet.ctypes.data, arguments)
        for k in range(lanes):
            # Embree sets the distance of an occluded ray to minus infinity.
            hidden_N[first + k] = packet[FAR + k] == -np.inf


def _float32(array_N3: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array_N3, dtype=np.float32)
