"""The simulator on SoundSpaces 2.0: its continuous simulator, unchanged, in the environment that has it."""

from __future__ import annotations

import hashlib
import itertools
import math
import tempfile
import weakref
from functools import lru_cache
from pathlib import Path

import numpy as np

from avw.sim_bridge.acoustics.measures import ild_db
from avw.sim_bridge.acoustics.rlr import LEVEL
from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.episode_state import EpisodeState, check_episode, not_reset
from avw.sim_bridge.simulators.habitat import remedies
from avw.sim_bridge.simulators.habitat.navmesh import SETTINGS, NavMesh
from avw.sim_bridge.simulators.habitat.session import IN_PROCESS, Session, Stage, find_python, open_session
from avw.sim_bridge.simulators.habitat.simulator import Place, open_place
from avw.sim_bridge.simulators.protocol import SimulatorConfig, resolved
from avw.sim_bridge.simulators.rotation import yaw_of
from avw.sim_bridge.simulators.sound_events import NOTHING, SoundEvents
from avw.sim_bridge.types import (
    CAMERA_HEIGHT,
    SAMPLE_RATE,
    SOURCE_HEIGHT,
    Action,
    Observation,
    Pose,
    Source,
    wrap_angle,
)

SCRIPT = Path(__file__).with_name("soundspaces_worker.py")
_VOLUME = 0.25  # Habitat's gain for RLR (globalVolume), which SoundSpaces does not change
_LAYOUT = Path("data/scene_datasets/avw")  # SoundSpaces uses the fourth part of a scene's path as its name
_BESIDE = 0.5  # metres from the ears to the test source: nearer than most echoes
_TRIALS = 4
_ROUNDING = 1e-4  # metres or radians: largest rounding error of single precision over an episode
_LOUD = 4_800  # samples into the ring: the step that ends there is not silent anywhere
_LOUDER = 2.0  # dB: smallest level difference for the nearer ear
_trusted: weakref.WeakSet[Session] = weakref.WeakSet()
_episodes = itertools.count()


class SoundSpacesSimulator(EpisodeState):
    """`avw.sim_bridge.simulators.protocol.Simulator` on `ContinuousSoundSpacesSim`, in another interpreter.

    SoundSpaces computes images, motion, collisions and sound: RLR with 500 rays, temporal coherence and no materials,
    with the steps that `BinauralStream` calls "soundspaces", times AVW's gain for RLR. Free floor and geodesics come
    from its navigation mesh. It is not `reproducible`, because RLR's noise has no seed. If its process crashes, the
    episode is repeated in a new one, where the same calls give the same noise. Raises BackendError if SoundSpaces is
    not installed or places sources wrongly, UsageError for options that it does not have.
    """

    backend = "soundspaces"
    reproducible = False
    materials_named = None

    def __init__(self, scene: str | Path | SceneRef, config: SimulatorConfig | None = None) -> None:
        super().__init__()
        self.config = resolved(config or SimulatorConfig(backend="soundspaces"))
        self.ref = scene_ref(scene)
        self.scene_id = self.ref.scene_id
        if find_python(self.config.habitat_python) == IN_PROCESS:
            raise UsageError(
                "--backend soundspaces runs in the Python of SoundSpaces' own environment: name that with "
                "--habitat-python"
            )
        self.session = open_session(self.config.habitat_python, SCRIPT)
        self._place = open_place(self.ref)
        self._ray_scene = self._place.ray_scene
        self.stage = Stage(
            scene_id=self.scene_id,
            stage=str(_lay_out(self._place)),
            mesh=str(self._place.mesh),
            stamp=self._place.stamp,
            navmesh=str(self._place.navmesh) if self._place.navmesh else None,
            settings=SETTINGS,
            size=self.config.size,
            hfov=self.config.hfov,
            camera=CAMERA_HEIGHT,
        )
        self.navgrid = NavMesh(self.session, self.stage, self._place.ray_scene)
        if self.session not in _trusted:
            found = misplacing(self.session, self.stage, self.navgrid)
            if found:
                version = str(self.session.hello["version"])
                raise BackendError(remedies.mirrored(self.session.python, version, found))
            _trusted.add(self.session)
        self._request: dict[str, object] = {}
        self._actions: list[int] = []

    def reset(self, start: Pose, source: Source, *, seed: int = 0, events: SoundEvents | None = None) -> Observation:
        """Start an episode at `start`. RLR has no seed, so `seed` is ignored.

        Raises UsageError for a start that is not on the free floor, a source inside a wall or outdoors, or sounds that
        end or move and distractors, which this backend does not have; SoundError for a sound that cannot be read.
        """
        if events not in (None, NOTHING):
            raise UsageError(
                "--backend soundspaces plays one endless sound at one place, so it has none of the tasks silent, "
                "moving and distractor: use --backend embedded or habitat"
            )
        check_episode(self._place.ray_scene, self.navgrid, start, source)
        self._request = _episode(start, source, _clip(source.sound))
        self._source, self._field, self._actions = source, None, []
        return self._observe(start)

    def step(self, action: Action) -> Observation:
        """Act for 0.15 s (STOP: stand still), sliding along walls; returns the observation at the end."""
        if self._pose is None:
            raise not_reset("step")
        self._actions.append(int(Action(action)))
        return self._observe(self._pose.after(Action(action)))

    def close(self) -> None:
        """End the episode; `reset` starts another one. SoundSpaces stays open for the next simulator."""
        self._pose = self._field = None

    def _observe(self, commanded: Pose) -> Observation:
        reply, (rgb_HWC, depth_HW, audio_ES) = self.session.ask(
            self.stage, "episode", **self._request, actions=self._actions
        )
        x, y, z = reply["position"]
        yaw = yaw_of(tuple(reply["rotation"]))
        # Habitat stores the agent in single precision: if it moved as commanded, the command is more exact.
        if math.hypot(x - commanded.x, z - commanded.z) < _ROUNDING:
            x, z = commanded.x, commanded.z
        if abs(wrap_angle(yaw - commanded.yaw)) < _ROUNDING:
            yaw = commanded.yaw
        self._pose = Pose(x, y, z, yaw)
        self.collided = bool(reply["collided"])
        return Observation(
            rgb_HWC=rgb_HWC.copy(), depth_HW=depth_HW.copy(), audio_ES=audio_ES * np.float32(LEVEL / _VOLUME)
        )


def misplacing(session: Session, stage: Stage, navgrid: NavMesh) -> str:
    """What is wrong with the sound of a test source beside either ear, in words; "" if nothing is.

    The test runs in the scene itself, because opening another one takes long. An ear may be beside a wall, so one place
    where both sides are right is enough: with the bug, both sources sound from the same point at every place.
    """
    rng = keyed_rng("trial of the ears", stage.scene_id)
    found = ""
    for _ in range(_TRIALS):
        x, y, z = (float(value) for value in navgrid.sample(rng, clearance=_BESIDE))
        louder = {}
        for name, side in (("left", -1.0), ("right", 1.0)):
            floor_3 = (x + side * _BESIDE, y, z)
            source = Source(position_3=(floor_3[0], y + SOURCE_HEIGHT, z), floor_3=floor_3, phase=_LOUD)
            asked = _episode(Pose(x, y, z, 0.0), source, _clip(source.sound))
            louder[name] = ild_db(session.ask(stage, "episode", **asked, actions=[])[1][2])
        if louder["left"] > _LOUDER and louder["right"] < -_LOUDER:
            return ""
        found = (
            f"the left ear is louder by {louder['left']:+.1f} dB for a source {_BESIDE} m to the left, and by "
            f"{louder['right']:+.1f} dB for one to the right"
        )
    return found


def _episode(start: Pose, source: Source, clip: Path) -> dict[str, object]:
    """What a new worker needs to repeat the episode."""
    x, y, z = source.position_3
    return {
        "start": [float(value) for value in start.position_3],
        "rotation": [0.0, math.sin(start.yaw / 2), 0.0, math.cos(start.yaw / 2)],
        "goal": [float(x), float(y) - SOURCE_HEIGHT, float(z)],
        "sound": str(clip),
        "phase": int(source.phase),
        "key": next(_episodes),
    }


def _lay_out(place: Place) -> Path:
    """Copy the stage to where SoundSpaces looks for it."""
    stage = place.stage_config.parent / _LAYOUT / place.stage_config.name
    stage.parent.mkdir(parents=True, exist_ok=True)
    stage.write_bytes(place.stage_config.read_bytes())
    return stage


@lru_cache(maxsize=64)
def _clip(sound: str) -> Path:
    """The sound as AVW's engines play it, in a file that SoundSpaces can read."""
    import soundfile

    clip_S = load_sound(sound)
    path = Path(_clips().name) / f"{hashlib.sha256(clip_S.tobytes()).hexdigest()[:16]}.wav"
    soundfile.write(path, clip_S, SAMPLE_RATE, subtype="FLOAT")
    return path


@lru_cache(maxsize=1)
def _clips() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="avw-clips-")
