"""Both windings of the faces of a mesh, for Habitat, which shows a face from its front only.

Habitat hides back faces whatever `doubleSided` in a glTF file says, so a mesh whose normals point out of the rooms is
black there, and one with some sheets the wrong way round has holes. AVW shows both sides of every face.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.inspection.lint import MIXED
from avw.sim_bridge.inspection.mesh_measures import views
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.scene import Scene

_PLACES = 24  # from which the faces are seen


def shows_backs(scene: Scene, ray_scene: RayScene) -> bool:
    """Whether an agent in the scene sees faces from behind, by the measure of `avw info`."""
    try:
        navgrid = free_space_of(scene)
    except SceneError:  # without a floor, Habitat refuses it
        return False
    rng = keyed_rng("habitat", "windings")
    return views(ray_scene, np.array([navgrid.sample(rng) for _ in range(_PLACES)])).inside_out > MIXED


def both_windings(scene: Scene) -> Scene:
    """The scene with a second, reversed face for every face."""
    return replace(
        scene,
        faces_F3=np.concatenate([scene.faces_F3, scene.faces_F3[:, ::-1]]),
        uv_F32=np.concatenate([scene.uv_F32, scene.uv_F32[:, ::-1]]),
        surface_F=np.concatenate([scene.surface_F, scene.surface_F]),
        object_F=None if scene.object_F is None else np.concatenate([scene.object_F, scene.object_F]),
    )
