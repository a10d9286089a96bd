"""The embedded simulator: Embree and Numba for sight, virtual emitters (or RLR) for sound, nothing to install."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from sim_bridge.acoustics.engine import AcousticEngine, make_engine
from sim_bridge.acoustics.sounds import load_sound
from sim_bridge.acoustics.stream import BinauralStream
from sim_bridge.errors import UsageError
from sim_bridge.navigation.geodesic import GeodesicField
from sim_bridge.navigation.navgrid import NavGrid
from sim_bridge.placement import check_source
from sim_bridge.rendering.lighting import BakedLight, bake_light
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.rendering.renderer import Renderer
from sim_bridge.scenes.catalogue import load_scene
from sim_bridge.scenes.mesh_options import split_options
from sim_bridge.scenes.scene import Scene
from sim_bridge.simulator import SimulatorConfig
from sim_bridge.types import Action, Observation, Pose, Source

KEPT_SCENES = 4  # a furnished house takes some 20 MB with its light and tree; workers come back to their scenes


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A loaded scene and what is built from it once: shared by every simulator of this process, never changed."""

    scene: Scene
    ray_scene: RayScene
    light: BakedLight
    navgrid: NavGrid


class EmbeddedSimulator:
    """`sim_bridge.simulator.Simulator` in this process, on our own renderer, acoustics and navigation.

    An episode is a pure function of (scene, config, start, source, seed, actions): the same bytes in any process,
    whatever was simulated before. Raises SceneError for a scene that cannot be loaded or stood in.
    """

    backend = "embedded"

    def __init__(self, scene: str, config: SimulatorConfig | None = None) -> None:
        self.config = config or SimulatorConfig()
        self.scene_id = scene
        where = (scene, self.config.scene_root, _stamp(scene))
        place = _open_place(*where)
        self.scene = place.scene
        self._ray_scene = place.ray_scene
        self.navgrid = place.navgrid
        self.renderer = _open_renderer(*where, self.config.size, self.config.hfov)
        self.engine: AcousticEngine = make_engine(
            self.config.acoustics,
            place.scene,
            place.ray_scene,
            emitters=self.config.emitters,
            hrtf=self.config.hrtf,
        )
        self.reproducible = self.engine.reproducible
        self.collided = False
        self._heard: tuple[tuple[float, float, float], int] | None = None
        self._seen: tuple[Pose, np.ndarray, np.ndarray] | None = None
        self._pose: Pose | None = None
        self._source: Source | None = None
        self._stream: BinauralStream | None = None
        self._field: GeodesicField | None = None

    @property
    def pose(self) -> Pose:
        """Where the agent stands. Raises UsageError before the first `reset`."""
        if self._pose is None:
            raise _not_reset("pose")
        return self._pose

    @property
    def source(self) -> Source:
        """The episode's source. Raises UsageError before the first `reset`."""
        if self._source is None:
            raise _not_reset("source")
        return self._source

    def reset(self, start: Pose, source: Source, *, seed: int = 0) -> Observation:
        """Stand at `start` with `source` sounding since ever; `seed` keys the acoustic engine's draws.

        Raises UsageError for a start off the free floor or a source in a wall or out of doors, SoundError for an
        unreadable sound.
        """
        if not self.navgrid.is_free(start.position_3):
            raise UsageError(
                f"the agent cannot stand at ({start.x:.2f}, {start.y:.2f}, {start.z:.2f}) in scene {self.scene_id!r}: "
                f"the point is inside an obstacle, nearer than {self.navgrid.radius} m to one, or off the main floor "
                f"at y = {self.navgrid.floor_y:.2f}. Choose a start with `navgrid.sample`"
            )
        misplaced = check_source(self._ray_scene, self.navgrid, np.asarray(source.position_3, dtype=np.float64))
        if misplaced is not None:
            raise UsageError(misplaced.sentence())
        clip_S = load_sound(source.sound)
        if not self.engine.reproducible or self._heard != (source.position_3, seed):
            self.engine.set_source(np.asarray(source.position_3, dtype=np.float64), seed)
            self._heard = (source.position_3, seed)
        self._stream = BinauralStream(clip_S, source.phase)
        self._source = source
        self._field = None
        self._pose = start
        self.collided = False
        return self._observe(self._stream.reset(self.engine.impulse_response(start)))

    def step(self, action: Action) -> Observation:
        """Act for 0.15 s (STOP: stand still for a step), sliding along walls; returns the observation after it."""
        if self._stream is None:
            raise _not_reset("step")
        pose = self.pose
        self._pose, self.collided = self.navgrid.move(pose, pose.after(Action(action)))
        return self._observe(self._stream.step(self.engine.impulse_response(self._pose)))

    def distance_to_source(self, position_3: np.ndarray | None = None) -> float:
        """Geodesic metres from a floor point (default: the agent's) to the source's floor point; inf if apart."""
        if self._field is None:
            self._field = GeodesicField.to(self.navgrid, self.source.floor_3)
        return self._field.distance(self.pose.position_3 if position_3 is None else position_3)

    def close(self) -> None:
        """Let go of the episode; `reset` begins another."""
        self.engine.close()
        self._heard = self._stream = self._seen = None

    def _observe(self, audio_ES: np.ndarray) -> Observation:
        # Standing, and walking against a wall, show the same picture again.
        if self._seen is None or self._seen[0] != self.pose:
            rgb_HWC, depth_HW = self.renderer.render(self.pose.camera_3, self.pose.yaw)
            self._seen = (self.pose, rgb_HWC, depth_HW)
        return Observation(rgb_HWC=self._seen[1].copy(), depth_HW=self._seen[2].copy(), audio_ES=audio_ES)


def _not_reset(what: str) -> UsageError:
    return UsageError(f"the simulator has no episode yet, so it has no {what}: call `reset(start, source)` first")


def _stamp(scene: str) -> tuple[int, int] | None:
    """Changes when a mesh file does, so that a file edited in between is loaded again."""
    path = Path(split_options(scene)[0])
    if not path.is_file():
        return None
    # The files beside it that say how it is to be read count too.
    beside = (path, path.with_suffix(".avw.json"), path.with_suffix(".stage_config.json"))
    states = [file.stat() for file in beside if file.is_file()]
    return max(state.st_mtime_ns for state in states), sum(state.st_size for state in states)


@lru_cache(maxsize=KEPT_SCENES)
def _open_place(scene_id: str, scene_root: str | None, stamp: tuple[int, int] | None) -> Place:
    scene = load_scene(scene_id, scene_root)
    navgrid = NavGrid.from_scene(scene)  # first, because it is what unusable scenes fail at
    ray_scene = RayScene(scene)
    return Place(scene=scene, ray_scene=ray_scene, light=bake_light(ray_scene), navgrid=navgrid)


@lru_cache(maxsize=KEPT_SCENES)
def _open_renderer(
    scene_id: str, scene_root: str | None, stamp: tuple[int, int] | None, size: int, hfov: float
) -> Renderer:
    place = _open_place(scene_id, scene_root, stamp)
    return Renderer(place.ray_scene, size, hfov, place.light)
