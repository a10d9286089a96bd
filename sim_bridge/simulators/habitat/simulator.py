"""The simulator on Habitat-Sim: Habitat renders and navigates, AVW's engines compute the sound in the same mesh."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.scenes.materials.material_map import MaterialMap, apply_material_map, open_material_map
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.scene_ref import SceneRef, Stamp
from avw.sim_bridge.simulators.habitat.navmesh import SETTINGS, NavMesh
from avw.sim_bridge.simulators.habitat.sensor_trust import trusted_engine
from avw.sim_bridge.simulators.habitat.session import Session, Stage, open_session
from avw.sim_bridge.simulators.habitat.windings import both_windings, shows_backs
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.simulators.scene_simulator import SceneSimulator
from avw.sim_bridge.types import CAMERA_HEIGHT

_GLTF = (".glb", ".gltf")
KEPT_SCENES = 2  # each holds a mesh here and one in Habitat's process


@dataclass(frozen=True, kw_only=True)
class Place:
    """A scene for both sides: the mesh for the acoustics, and files for Habitat that are deleted with this object."""

    scene: Scene
    ray_scene: RayScene
    mesh: Path
    stage_config: Path
    navmesh: Path | None
    stamp: Stamp | None


class HabitatSimulator(SceneSimulator):
    """`avw.sim_bridge.simulators.protocol.Simulator` on Habitat-Sim 0.2.2 or newer, in this interpreter or another.

    Habitat computes images, collisions and geodesics. Sound is computed in this process from the same mesh, so that
    builds of Habitat without audio suffice, unless the config has `acoustics="habitat"`. Images show the textures
    without lighting, as Habitat shows scans. Episodes are equal in every byte on one machine with one graphics driver,
    but not on different machines, so this backend is not `reproducible`. Raises BackendError without Habitat-Sim,
    SceneError for a scene that cannot be used.
    """

    backend = "habitat"

    def __init__(self, scene: str | Path | SceneRef, config: SimulatorConfig | None = None) -> None:
        config = config or SimulatorConfig()
        scene = scene_ref(scene)
        self.session = open_session(config.habitat_python)
        place = open_place(scene, open_material_map(config.materials))
        engine = _engine(self.session, config, place)  # first, because the audio sensor may fail its check
        self.stage = Stage(
            scene_id=scene.scene_id,
            stage=str(place.stage_config),
            mesh=str(place.mesh),
            stamp=place.stamp,
            navmesh=str(place.navmesh) if place.navmesh else None,
            settings=SETTINGS,
            size=config.size,
            hfov=config.hfov,
            camera=CAMERA_HEIGHT,
            keeps=place,
        )
        super().__init__(
            scene,
            config,
            scene=place.scene,
            ray_scene=place.ray_scene,
            navgrid=NavMesh(self.session, self.stage, place.ray_scene),
            look=lambda pose: self.session.look(self.stage, pose.position_3, pose.yaw),
            engine=engine,
        )
        self.reproducible = False


def _engine(session: Session, config: SimulatorConfig, place: Place) -> AcousticEngine:
    if config.acoustics == "habitat":
        return trusted_engine(session, place.scene)
    return make_engine(config.acoustics, place.scene, place.ray_scene, emitters=config.emitters, hrtf=config.hrtf)


def open_place(ref: SceneRef, materials: MaterialMap | None = None) -> Place:
    """The scene, read once for all simulators of this process, and again if one of its files changes."""
    return _open_place(ref, materials, ref.stamp())


@lru_cache(maxsize=KEPT_SCENES)
def _open_place(ref: SceneRef, materials: MaterialMap | None, stamp: Stamp | None) -> Place:
    scene, report = ref.read()
    if materials is not None:
        scene, _ = apply_material_map(scene, materials)
    folder = Path(tempfile.mkdtemp(prefix="avw-habitat-"))
    beside = None if ref.files is None else ref.files.navmesh
    navmesh = None if beside is None else beside.resolve()
    ray_scene = RayScene(scene)
    # Export a scene that is generated, that is not glTF (Habitat renders a PLY but finds no floor in it, e.g. Replica's
    # scans), that is not in metres (Habitat reads `units_to_meters` but never uses it), or whose faces show their
    # backs, which Habitat hides. The faces of the collections show their fronts.
    of_collection = ref.files is not None and bool(ref.files.collection)
    backs = report is not None and not of_collection and shows_backs(scene, ray_scene)
    if report is None or report.unit != 1.0 or backs or not report.path.lower().endswith(_GLTF):
        mesh = folder / "scene.glb"
        export_glb(both_windings(scene) if backs else scene, mesh)
        config = {"up": [0.0, 1.0, 0.0], "front": [0.0, 0.0, -1.0]}
    else:
        mesh = Path(report.path).resolve()
        config = {"up": list(report.up_3), "front": list(report.front_3)}
    # AVW's up axis and unit, whatever the files beside the mesh say, so that images and sound have the same frame.
    stage = folder / "scene.stage_config.json"
    stage.write_text(json.dumps({"render_asset": str(mesh), "force_flat_shading": True, **config}), encoding="utf-8")
    place = Place(scene=scene, ray_scene=ray_scene, mesh=mesh, stage_config=stage, navmesh=navmesh, stamp=stamp)
    weakref.finalize(place, shutil.rmtree, folder, ignore_errors=True)
    return place
