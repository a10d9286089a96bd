"""An episode in a scene: what every backend does alike once it has free floor, a camera and an acoustic engine."""

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
    """`avw.sim_bridge.simulators.protocol.Simulator` on the parts that a backend hands it.

    scene, ray_scene: the mesh that is heard, and rays through it · navgrid: where the agent can walk
    look: from a pose to what its camera sees: uint8 (H, W, 3), and float32 (H, W) metres, planar z, 0 = nothing hit
    engine: the sound
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
        """Share of the scene's area, in [0, 1], that the configured material map has a label for; None without one."""
        materials = open_material_map(self.config.materials)
        return None if materials is None else share_named(self.scene, materials)

    def reset(self, start: Pose, source: Source, *, seed: int = 0) -> Observation:
        """Stand at `start` with `source` sounding since ever; `seed` keys the acoustic engine's draws.

        Raises UsageError for a start off the free floor or a source in a wall or out of doors, SoundError for an
        unreadable sound.
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
        """Act for 0.15 s (STOP: stand still for a step), sliding along walls; returns the observation after it."""
        if self._stream is None:
            raise not_reset("step")
        pose = self.pose
        self._pose, self.collided = self.navgrid.move(pose, pose.after(Action(action)))
        return self._observe(self._stream.step(self.engine.impulse_response(self._pose)))

    def close(self) -> None:
        """Let go of the episode; `reset` begins another."""
        self.engine.close()
        self._heard = self._stream = self._seen = None

    def _observe(self, audio_ES: np.ndarray) -> Observation:
        # Standing, and walking against a wall, show the same picture again.
        if self._seen is None or self._seen[0] != self.pose:
            rgb_HWC, depth_HW = self._look(self.pose)
            self._seen = (self.pose, rgb_HWC, depth_HW)
        return Observation(rgb_HWC=self._seen[1].copy(), depth_HW=self._seen[2].copy(), audio_ES=audio_ES)
