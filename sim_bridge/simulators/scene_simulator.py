"""An episode in a scene, for every backend that has a free floor, a camera and an acoustic engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avw.sim_bridge.acoustics.emitters import EmittersEngine, PlacedSource
from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.acoustics.stream import BinauralStream
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.material_map import open_material_map, share_named
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.episode_state import EpisodeState, check_episode, not_reset
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.simulators.sound_events import NOTHING, SoundEvents, moved_to
from avw.sim_bridge.types import STEP_SAMPLES, Action, Observation, Pose, Source


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
        self._heard: tuple[list[tuple[float, float, float]], int] | None = None
        self._seen: tuple[Pose, np.ndarray, np.ndarray] | None = None
        self._stream: BinauralStream | None = None
        self._distracting: BinauralStream | None = None
        self._events, self._seed, self._steps = NOTHING, 0, 0

    @property
    def materials_named(self) -> float | None:
        """Share of the scene's area, in [0, 1], that the configured material map has labels for; None without a map."""
        materials = open_material_map(self.config.materials)
        return None if materials is None else share_named(self.scene, materials)

    def reset(self, start: Pose, source: Source, *, seed: int = 0, events: SoundEvents | None = None) -> Observation:
        """Start an episode at `start`; the source has been sounding for ever. Returns the first observation.

        seed: random seed of the acoustic engine · events: what happens to the sound later; None: nothing
        Raises UsageError for a start that is not on the free floor, a source inside a wall or outdoors, or a second
        source where the acoustic engine plays only one; SoundError for a sound that cannot be read.
        """
        self._events, self._seed, self._steps = events or NOTHING, seed, 0
        check_episode(self._ray_scene, self.navgrid, start, source)
        stream = BinauralStream(
            load_sound(source.sound), source.phase, mode=self.config.stream, ends=self._events.silent_after
        )
        self._distracting = None
        if (other := self._events.distractor) is not None:
            check_episode(self._ray_scene, self.navgrid, start, other)
            self._distracting = BinauralStream(load_sound(other.sound), other.phase, mode=self.config.stream)
        self._place(source)
        self._stream = stream
        self._pose = start
        self.collided = False
        audio_ES = stream.reset(self.engine.impulse_response(start))
        if self._distracting is not None:
            audio_ES = audio_ES + self._distracting.reset(self._second_response(start))
        return self._observe(audio_ES)

    def _place(self, source: Source) -> None:
        """Put the source and the distractor, if there is one, into the acoustic engine."""
        self._source, self._field = source, None
        other = self._events.distractor
        places = [source.position_3] if other is None else [source.position_3, other.position_3]
        if self.engine.reproducible and self._heard == (places, self._seed):
            return
        if other is None:
            self.engine.set_source(np.asarray(source.position_3, dtype=np.float64), self._seed)
        elif isinstance(self.engine, EmittersEngine):
            self.engine.set_sources([PlacedSource(position_3=place) for place in places], self._seed)
        else:
            raise UsageError(
                f"the acoustic engine {self.engine.name} plays one source, and this episode has a distractor: use "
                "--acoustics emitters"
            )
        self._heard = (places, self._seed)

    def _second_response(self, pose: Pose) -> np.ndarray:
        assert isinstance(self.engine, EmittersEngine)
        return self.engine.impulse_response(pose, 1)

    def step(self, action: Action) -> Observation:
        """Act for 0.15 s (STOP: stand still), sliding along walls; returns the observation at the end."""
        if self._stream is None:
            raise not_reset("step")
        pose = self.pose
        self._pose, self.collided = self.navgrid.move(pose, pose.after(Action(action)))
        self._steps += 1
        place = self._events.place(self._steps)
        if place is not None and place != self.source.floor_3:
            self._place(moved_to(self.source, place))
        audio_ES = self._stream.step(self.engine.impulse_response(self._pose))
        if self._distracting is not None:
            audio_ES = audio_ES + self._distracting.step(self._second_response(self._pose))
        return self._observe(audio_ES)

    def observe_from(self, pose: Pose, steps: int) -> Observation:
        """What an agent at `pose` would observe `steps` steps from now, standing there. Privileged; the episode does
        not change, and what happens to the sound until then is not considered."""
        rgb_HWC, depth_HW = self._look(pose)
        phase = self.source.phase + (self._steps + steps) * STEP_SAMPLES
        stream = BinauralStream(load_sound(self.source.sound), phase, mode=self.config.stream)
        audio_ES = stream.reset(self.engine.impulse_response(pose))
        return Observation(rgb_HWC=rgb_HWC, depth_HW=depth_HW, audio_ES=audio_ES)

    def close(self) -> None:
        """End the episode and free its memory; `reset` starts another one."""
        self.engine.close()
        self._heard = self._stream = self._distracting = self._seen = None

    def _observe(self, audio_ES: np.ndarray) -> Observation:
        # The image of the last pose is kept: agents often stand still or walk against a wall.
        if self._seen is None or self._seen[0] != self.pose:
            rgb_HWC, depth_HW = self._look(self.pose)
            self._seen = (self.pose, rgb_HWC, depth_HW)
        return Observation(rgb_HWC=self._seen[1].copy(), depth_HW=self._seen[2].copy(), audio_ES=audio_ES)
