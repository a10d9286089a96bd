"""An episode in a scene, for every backend that has a free floor, a camera and an acoustic engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.acoustics.stream import BinauralStream
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.material_map import open_material_map, share_named
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.episode_state import EpisodeState, check_episode, not_reset
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import Action, Observation, Pose, Source


class SceneSimulator(EpisodeState):
    """`avw.sim_bridge.simulators.protocol.Simulator` made of the parts that a backend provides.

    scene, ray_scene: the mesh for the acoustics, and a ray tracer for it · navgrid: where the agent can walk
    look: renders the view from a pose: uint8 (H, W, 3), and float32 (H, W) metres, planar z, 0 = nothing hit
    engine: the acoustic engine
    """

    backend = ""

    def __init__(
        self,
        ref: SceneRef,
        config: SimulatorConfig,
        *,
        scene: Scene,
        ray_scene: RayScene,
        navgrid: FreeSpace,
        look: Callable[[Pose], tuple[np.ndarray, np.ndarray]],
        engine: AcousticEngine,
    ) -> None:
        super().__init__()
        self.ref = ref
        self.scene_id = ref.scene_id
        self.config = config
        self.scene = scene
        self.navgrid = navgrid
        self.engine = engine
        self.reproducible = engine.reproducible
        self._ray_scene = ray_scene
        self._look = look
        self._heard: tuple[tuple[float, float, float], int] | None = None
        self._seen: tuple[Pose, np.ndarray, np.ndarray] | None = None
        self._stream: BinauralStream | None = None

    @property
    def materials_named(self) -> float | None:
        """Share of the scene's area, in [0, 1], that the configured material map has labels for; None without a map."""
        materials = open_material_map(self.config.materials)
        return None if materials is None else share_named(self.scene, materials)

    def reset(self, start: Pose, source: Source, *, seed: int = 0) -> Observation:
        """Start an episode at `start`; the source has been sounding for ever. Returns the first observation.

        seed: random seed of the acoustic engine.
        Raises UsageError for a start that is not on the free floor or a source inside a wall or outdoors, SoundError
        for a sound that cannot be read.
        """
        check_episode(self._ray_scene, self.navgrid, start, source)
        clip_S = load_sound(source.sound)
        if not self.engine.reproducible or self._heard != (source.position_3, seed):
            self.engine.set_source(np.asarray(source.position_3, dtype=np.float64), seed)
            self._heard = (source.position_3, seed)
        self._stream = BinauralStream(clip_S, source.phase, mode=self.config.stream)
        self._source = source
        self._field = None
        self._pose = start
        self.collided = False
        return self._observe(self._stream.reset(self.engine.impulse_response(start)))

    def step(self, action: Action) -> Observation:
        """Act for 0.15 s (STOP: stand still), sliding along walls; returns the observation at the end."""
        if self._stream is None:
            raise not_reset("step")
        pose = self.pose
        self._pose, self.collided = self.navgrid.move(pose, pose.after(Action(action)))
        return self._observe(self._stream.step(self.engine.impulse_response(self._pose)))

    def close(self) -> None:
        """End the episode and free its memory; `reset` starts another one."""
        self.engine.close()
        self._heard = self._stream = self._seen = None

    def _observe(self, audio_ES: np.ndarray) -> Observation:
        # The image of the last pose is kept: agents often stand still or walk against a wall.
        if self._seen is None or self._seen[0] != self.pose:
            rgb_HWC, depth_HW = self._look(self.pose)
            self._seen = (self.pose, rgb_HWC, depth_HW)
        return Observation(rgb_HWC=self._seen[1].copy(), depth_HW=self._seen[2].copy(), audio_ES=audio_ES)
