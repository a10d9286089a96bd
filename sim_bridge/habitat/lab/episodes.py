"""Episodes in habitat-lab's form: where an episode's source stands and how it sounds, and episodes drawn at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from habitat.core.dataset import ALL_SCENES_MASK
from habitat.core.registry import registry
from habitat.datasets.pointnav.pointnav_dataset import PointNavDatasetV1
from habitat.tasks.nav.nav import NavigationEpisode, NavigationGoal
from omegaconf import DictConfig

from sim_bridge.errors import UsageError
from sim_bridge.habitat.lab.configs import DATASET, simulator_config
from sim_bridge.randomness import keyed_rng
from sim_bridge.scenes.catalogue import expand_scenes
from sim_bridge.simulator import Simulator, open_simulator
from sim_bridge.task import sample_episode
from sim_bridge.types import SOURCE_HEIGHT, Pose, Source

if TYPE_CHECKING:
    from habitat.core.dataset import Episode

_PHASES = 2**31


def pose_of(position: Sequence[float], rotation: Sequence[float]) -> Pose:
    """The pose of habitat-lab's (x, y, z) metres and (x, y, z, w) quaternion; tilt is left out."""
    qx, qy, qz, qw = (float(value) for value in rotation)
    # Where the rotation sends -Z, seen from above.
    ahead_x, ahead_z = -2.0 * (qx * qz + qw * qy), -(1.0 - 2.0 * (qx * qx + qy * qy))
    x, y, z = (float(value) for value in position)
    return Pose(x, y, z, math.atan2(-ahead_x, -ahead_z))


def rotation_of(yaw: float) -> list[float]:
    """The (x, y, z, w) quaternion of a yaw in radians."""
    return [0.0, math.sin(yaw / 2.0), 0.0, math.cos(yaw / 2.0)]


def source_of(episode: Episode, sound: str, sounds_dir: str | None, seed: int) -> tuple[Source, int]:
    """(the source of a navigation episode, the seed of its acoustics).

    It stands at `episode.info["source_position"]`, else 1.5 m above the first goal, and sounds like `info["sound"]`,
    else `sound`. `info["phase"]` and `info["seed"]`, where absent, follow from (scene, episode, `seed`). SoundSpaces'
    episodes are of this form. Raises UsageError for an episode without a goal, or whose sound is not in `sounds_dir`.
    """
    goals = getattr(episode, "goals", None)
    if not goals:
        raise UsageError(
            f"episode {episode.episode_id!r} of {episode.scene_id!r} has no goal, so nothing can sound there: give "
            "AVW-v0 navigation episodes, or habitat.dataset.type=AVW-v0, which draws them"
        )
    info = episode.info or {}
    floor_3 = tuple(float(value) for value in goals[0].position)
    rng = keyed_rng("habitat-lab", str(episode.scene_id), str(episode.episode_id), seed)
    phase, acoustics = (int(value) for value in rng.integers(_PHASES, size=2))
    position_3 = info.get("source_position", (floor_3[0], floor_3[1] + SOURCE_HEIGHT, floor_3[2]))
    x, y, z = (float(value) for value in position_3)
    source = Source(
        position_3=(x, y, z),
        floor_3=(floor_3[0], floor_3[1], floor_3[2]),
        sound=_sound(info["sound"], sounds_dir) if info.get("sound") else sound,
        phase=int(info.get("phase", phase)),
    )
    return source, int(info.get("seed", acoustics))


def episode_of(simulator: Simulator, number: int, min_distance: float, sound: str) -> NavigationEpisode:
    """Episode `number` of `sim_bridge.task.sample_episode`, in habitat-lab's form: what avw/AudioNav-v0 plays too."""
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
    """`AvwDatasetConfig`'s episodes, drawn when it is made: opening a scene takes a second or two each."""

    def __init__(self, config: DictConfig | None = None) -> None:
        self.episodes: list[NavigationEpisode] = []
        if config is None:
            return
        settings = simulator_config(config.avw)
        for scene in _scenes(config):
            if not {ALL_SCENES_MASK, scene, self.scene_from_scene_path(scene)} & set(config.content_scenes):
                continue
            simulator = open_simulator(scene, settings)
            for number in range(config.first_episode, config.first_episode + config.episodes_per_scene):
                self.episodes.append(episode_of(simulator, number, config.min_distance, config.sound))
            simulator.close()

    @staticmethod
    def check_config_paths_exist(config: DictConfig) -> bool:
        return True  # no file is read but the scenes', and those say themselves what they miss

    @classmethod
    def get_scenes_to_load(cls, config: DictConfig) -> list[str]:
        """Names of the scenes, from which habitat-lab hands every worker its share."""
        return [cls.scene_from_scene_path(scene) for scene in _scenes(config)]


def _scenes(config: DictConfig) -> Sequence[str]:
    return expand_scenes(config.scenes, config.avw.get("scene_root"))


def _sound(name: str, sounds_dir: str | None) -> str:
    if name == "ring" or Path(name).is_file():
        return name
    if sounds_dir is None:
        raise UsageError(
            f"the episode's sound is {name!r}, and habitat.simulator.sounds_dir does not say where sounds are: name "
            "the folder, e.g. habitat.simulator.sounds_dir=data/sounds/1s_all"
        )
    candidates = [Path(sounds_dir) / name, Path(sounds_dir) / f"{name}.wav"]
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate)
    raise UsageError(f"the episode's sound {name!r} is not in {sounds_dir}: expected {candidates[1]}")
