"""The embedded simulator: Embree and Numba render images, virtual emitters (or RLR) render sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.navigation.open_free_space import NavGrid, free_space_of
from avw.sim_bridge.rendering.lighting import BakedLight, bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import Renderer
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.scenes.materials.material_map import MaterialMap, apply_material_map, open_material_map
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.scene_ref import SceneRef, Stamp
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.simulators.scene_simulator import SceneSimulator

KEPT_SCENES = 4  # a furnished house takes some 20 MB with its light and its tree; workers return to their scenes


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A loaded scene and what is computed from it. It is immutable and shared by all simulators of this process."""

    scene: Scene
    ray_scene: RayScene
    light: BakedLight
    navgrid: NavGrid


class EmbeddedSimulator(SceneSimulator):
    """`avw.sim_bridge.simulators.protocol.Simulator` in this process, with AVW's own renderer, acoustics and floor.

    An episode is a pure function of (scene, config, start, source, seed, actions): its bytes do not depend on the
    process or on earlier episodes. Raises SceneError for a scene that cannot be loaded or has no floor.
    """

    backend = "embedded"
    navgrid: NavGrid

    def __init__(self, scene: str | Path | SceneRef, config: SimulatorConfig | None = None) -> None:
        config = config or SimulatorConfig()
        scene = scene_ref(scene)
        where = (scene, scene.stamp(), open_material_map(config.materials))
        place = _open_place(*where)
        self.renderer = _open_renderer(*where, config.size, config.hfov)
        super().__init__(
            scene,
            config,
            scene=place.scene,
            ray_scene=place.ray_scene,
            navgrid=place.navgrid,
            look=lambda pose: self.renderer.render(pose.camera_3, pose.yaw),
            engine=make_engine(
                config.acoustics, place.scene, place.ray_scene, emitters=config.emitters, hrtf=config.hrtf
            ),
        )


@lru_cache(maxsize=KEPT_SCENES)
def _open_place(ref: SceneRef, stamp: Stamp | None, materials: MaterialMap | None) -> Place:
    scene = ref.load()
    if materials is not None:
        scene, _ = apply_material_map(scene, materials)
    navgrid = free_space_of(scene)  # first, because this is where unusable scenes fail
    ray_scene = RayScene(scene)
    return Place(scene=scene, ray_scene=ray_scene, light=bake_light(ray_scene), navgrid=navgrid)


@lru_cache(maxsize=KEPT_SCENES)
def _open_renderer(
    ref: SceneRef, stamp: Stamp | None, materials: MaterialMap | None, size: int, hfov: float
) -> Renderer:
    place = _open_place(ref, stamp, materials)
    return Renderer(place.ray_scene, size, hfov, place.light)
