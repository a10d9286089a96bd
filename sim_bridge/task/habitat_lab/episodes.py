"""Episodes in habitat-lab's format: the source of a given episode, and randomly drawn episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from habitat.core.dataset import ALL_SCENES_MASK
from habitat.core.registry import registry
from habitat.datasets.pointnav.pointnav_dataset import PointNavDatasetV1
from habitat.tasks.nav.nav import NavigationEpisode, NavigationGoal
from omegaconf import DictConfig

from avw.sim_bridge.acoustics.sounds import SOUNDS
from avw.sim_bridge.errors import SoundError, UsageError
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.catalogue import resolve_scenes
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.simulators.rotation import yaw_of
from avw.sim_bridge.task.episode_file import FiledEpisode, place_episode
from avw.sim_bridge.task.habitat_lab.configs import DATASET, SCENE_ROOT, simulator_config
from avw.sim_bridge.task.sound_sets import find_sound, sound_root
from avw.sim_bridge.task.task import sample_episode
from avw.sim_bridge.types import Pose, Source

if TYPE_CHECKING:
    from habitat.core.dataset import Episode

_PHASES = 2**31


@dataclass(frozen=True, slots=True)
class Played:
    """An episode of habitat-lab as an AVW simulator plays it. seed: of the acoustics."""

    start: Pose
    source: Source
    seed: int


def pose_of(position: Sequence[float], rotation: Sequence[float]) -> Pose:
    """The pose for an (x, y, z) position in metres and an (x, y, z, w) quaternion. Raises UsageError if tilted."""
    x, y, z = (float(value) for value in position)
    return Pose(x, y, z, yaw_of(tuple(float(value) for value in rotation)))


def rotation_of(yaw: float) -> list[float]:
    """The (x, y, z, w) quaternion of a yaw in radians."""
    return [0.0, math.sin(yaw / 2.0), 0.0, math.cos(yaw / 2.0)]


def played(episode: Episode, navgrid: FreeSpace, sound: str, root: str | None, seed: int) -> Played:
    """The start and the source of a navigation episode.

    An episode that AVW drew has both in `episode.info`. For any other, such as PointNav's or SoundSpaces', the source
    is 1.5 m above the first goal, start and goal are moved to the floor of `navgrid`, `info["sound"]` names a file
    under `root` (default: `sound`), and phase and acoustics depend on (scene, episode, `seed`).
    Raises UsageError for an episode without a goal or off the floor, SoundError for one whose sound is missing.
    """
    goals = getattr(episode, "goals", None)
    if not goals:
        raise UsageError(
            f"episode {episode.episode_id!r} of {episode.scene_id!r} has no goal, which is the position of its source: "
            "use navigation episodes, or habitat.dataset.type=AVW-v0, which draws episodes"
        )
    info = episode.info or {}
    start = pose_of(episode.start_position, episode.start_rotation)
    x, y, z = (float(value) for value in goals[0].position)
    if "source_position" in info:
        source_x, source_y, source_z = (float(value) for value in info["source_position"])
        source = Source((source_x, source_y, source_z), (x, y, z), info["sound"], int(info["phase"]))
        return Played(start, source, int(info["seed"]))
    rng = keyed_rng("habitat-lab", str(episode.scene_id), str(episode.episode_id), seed)
    phase, acoustics = (int(value) for value in rng.integers(_PHASES, size=2))
    filed = FiledEpisode(episode_id=str(episode.episode_id), scene=navgrid.scene_id, start=start, goal_3=(x, y, z))
    heard = _sound(str(info["sound"]), root, filed) if info.get("sound") else sound
    start, source = place_episode(navgrid, filed, heard, phase)
    return Played(start, source, acoustics)


def episode_of(simulator: Simulator, number: int, min_distance: float, sound: str) -> NavigationEpisode:
    """Episode `number` of `sample_episode` in habitat-lab's format, the same as that of avw/AudioNav-v0."""
    start, source = sample_episode(simulator, number, min_distance, sound=sound)
    distance = simulator.navgrid.geodesic(source.floor_3).distance(start.position_3)
    return NavigationEpisode(
        episode_id=str(number),
        scene_id=simulator.scene_id,
        start_position=start.position_3.tolist(),
        start_rotation=rotation_of(start.yaw),
        goals=[NavigationGoal(position=list(source.floor_3), radius=1.0)],
        info={
            "source_position": list(source.position_3),
            "sound": source.sound,
            "phase": source.phase,
            "seed": number,
            "geodesic_distance": distance,
        },
    )


@registry.register_dataset(name=DATASET)
class DrawnEpisodes(PointNavDatasetV1):
    """The episodes of `AvwDatasetConfig`. The constructor draws them, in one or two seconds per scene."""

    def __init__(self, config: DictConfig | None = None) -> None:
        self.episodes: list[NavigationEpisode] = []
        if config is None:
            return
        settings = simulator_config(config.avw)
        for scene in _scenes(config):
            names = {ALL_SCENES_MASK, scene.scene_id, self.scene_from_scene_path(scene.scene_id)}
            if not names & set(config.content_scenes):
                continue
            simulator = open_simulator(scene, settings)
            for number in range(config.first_episode, config.first_episode + config.episodes_per_scene):
                self.episodes.append(episode_of(simulator, number, config.min_distance, config.sound))
            simulator.close()

    @staticmethod
    def check_config_paths_exist(config: DictConfig) -> bool:
        return True  # only scene files are read, and opening a scene reports what is missing

    @classmethod
    def get_scenes_to_load(cls, config: DictConfig) -> list[str]:
        """Names of the scenes, which habitat-lab distributes over its workers."""
        return [cls.scene_from_scene_path(scene.scene_id) for scene in _scenes(config)]


def _scenes(config: DictConfig) -> tuple[SceneRef, ...]:
    return resolve_scenes(config.scenes, config.avw.get(SCENE_ROOT))


def _sound(name: str, root: str | None, episode: FiledEpisode) -> str:
    if name in SOUNDS:
        return name
    try:
        return find_sound(name, root)
    except SoundError:
        base = sound_root(root)
        raise SoundError(
            f"episode {episode.episode_id} of {episode.scene} plays {name!r}, and {base}/1s_all has no such sound: "
            "give the folder of SoundSpaces' sounds with habitat.simulator.sound_root=DIR"
        ) from None
