"""Rays against a scene: one Embree tree serves sight, sound and navigation."""

from __future__ import annotations

import numpy as np

from sim_bridge.errors import SceneError
from sim_bridge.scenes.scene import Scene


class RayScene:
    """The Embree tree of one scene. Not picklable: build it again in another process (about 20 ms).

    Directions need not be normalised; every distance is measured in lengths of its direction, so unit
    directions give metres. Rays start at distance 0: lift origins that lie on a face off it by a millimetre.
    """

    def __init__(self, scene: Scene):
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        if len(scene.faces_F3) == 0:
            raise SceneError(f"scene {scene.scene_id!r} has no triangles: nothing can be seen or heard in it")
        self.scene = scene
        # `robust` closes the cracks that the fast traversal leaves along shared edges: a light leak is one pixel,
        # but a sound leak lasts the whole episode.
        self._embree = EmbreeScene(robust=True)
        self._mesh = TriangleMesh(self._embree, *_embree_arrays(scene))

    def closest(self, origins_N3: np.ndarray, dirs_N3: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The first face along each ray.

        Returns face_N int32 (-1: nothing hit), distance_N float32 (inf: nothing hit) and uv_N2 float32, the
        barycentric weights of the face's second and third corner.
        """
        hit = self._embree.run(_float32(origins_N3), _float32(dirs_N3), output=1)
        face_N, distance_N = hit["primID"], hit["tfar"]
        distance_N[face_N < 0] = np.inf
        return face_N, distance_N, np.stack([hit["u"], hit["v"]], axis=1)

    def occluded(
        self, origins_N3: np.ndarray, dirs_N3: np.ndarray, max_distance_N: np.ndarray | float | None = None
    ) -> np.ndarray:
        """bool_N: whether anything stands on each ray nearer than `max_distance_N` (None: at any distance)."""
        if len(origins_N3) == 0:
            return np.zeros(0, dtype=bool)
        if max_distance_N is not None:
            max_distance_N = np.broadcast_to(np.asarray(max_distance_N, dtype=np.float32), (len(origins_N3),)).copy()
        return self._embree.run(_float32(origins_N3), _float32(dirs_N3), max_distance_N, query="OCCLUDED") >= 0

    def trace(self, origins_N3: np.ndarray, dirs_N3: np.ndarray) -> dict[str, np.ndarray]:
        """Embree's own record of the closest hits, uncopied: primID, tfar (1e37: nothing hit), u, v, Ng.

        For inner loops that own contiguous float32 arrays; everyone else calls `closest`.
        """
        return self._embree.run(origins_N3, dirs_N3, output=1)


def _float32(array_N3: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array_N3, dtype=np.float32)


def _embree_arrays(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    return _float32(scene.vertices_V3), np.ascontiguousarray(scene.faces_F3, dtype=np.int32)
