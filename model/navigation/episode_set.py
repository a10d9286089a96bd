"""Episode sets: every episode of a benchmark in one file, with a hash that names it.

The file has the form of SoundSpaces' AudioNav episodes, with an object `avw` per episode for what these do not store.
The same configuration gives the same bytes on every machine, and the same episodes as a run that draws them.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avw.model.navigation.episode_run import episode_seed
from avw.model.navigation.navigate_config import NavigateConfig
from avw.sim_bridge.acoustics.sounds import SOUNDS
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.catalogue import scene_refs
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig, resolved
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.task.task import sample_episode
from avw.sim_bridge.task.variants import scenario, shortest_walk


def write_episode_set(
    path: Path, config: NavigateConfig, on_episode: Callable[[int], None] = lambda count: None
) -> str:
    """Draw the episodes of `config`, write them to a `.json.gz` file, and return its SHA-256.

    Raises UsageError for a configuration whose episodes are in a file already, or a scene too small for the task.
    """
    if config.episode_file is not None:
        raise UsageError("the episodes are in a file already; leave out --episode-file, or copy that file")
    if not path.name.endswith(".json.gz"):
        raise UsageError(f"{path}: an episode set is a .json.gz file, e.g. episodes.json.gz")
    local = [scene for scene in config.scenes if Path(scene).is_absolute()]
    if local:
        raise UsageError(
            f"an episode set names scenes that others have, and {local[0]} is a file of this machine: put it below "
            "--scene-root and name it from there, or use generated houses"
        )
    if config.sound is not None and config.sound not in SOUNDS:
        raise UsageError(
            f"an episode set names sounds that others have, and {config.sound} is a file: use --sound with one of "
            f"{', '.join(SOUNDS)}"
        )
    content = packed_sets({"": config}, on_episode)[""]
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)
    return hashlib.sha256(content).hexdigest()


def packed_sets(
    sets: Mapping[str, NavigateConfig], on_episode: Callable[[int], None] = lambda count: None
) -> dict[str, bytes]:
    """The content of the files of several sets by name. Each scene is opened once."""
    refs = scene_refs({scene for config in sets.values() for scene in config.scenes})
    rows: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in sets}
    for scene in sorted(refs):
        settings = next(config.simulator for config in sets.values() if scene in config.scenes)
        ground = _ground(refs[scene], settings)
        for name, config in sets.items():
            first = config.scenes.index(scene) if scene in config.scenes else config.episodes
            for episode in range(first, config.episodes, len(config.scenes)):
                rows[name][episode] = _row(ground, episode, config)
                on_episode(1)
    return {name: _packed(config.variant, rows[name]) for name, config in sets.items()}


def _packed(task: str, rows: Mapping[int, dict[str, Any]]) -> bytes:
    document = {"avw_task": task, "episodes": [rows[episode] for episode in sorted(rows)]}
    packed = gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)
    return packed[:9] + b"\x03" + packed[10:]  # the byte of the system, which versions of Python write differently


@dataclass(frozen=True, slots=True)
class SceneGround:
    """What episodes are drawn from; a simulator has the same two attributes."""

    scene_id: str
    navgrid: FreeSpace


def _ground(ref: SceneRef, settings: SimulatorConfig) -> SceneGround:
    """The free floor of a scene: of the embedded backend without the renderer, which takes most of the time."""
    if resolved(settings).backend == "embedded":
        return SceneGround(ref.scene_id, free_space_of(ref.load()))
    simulator = open_simulator(ref, settings)
    return SceneGround(simulator.scene_id, simulator.navgrid)


def _row(ground: SceneGround, episode: int, config: NavigateConfig) -> dict[str, Any]:
    seed = episode_seed(config.seed, ground.scene_id, episode)
    start, source = sample_episode(ground, seed, config.min_distance, sound=config.sound or "ring")
    drawn = scenario(config.variant, ground.navgrid, start, source, seed)
    return {
        "episode_id": str(episode),
        "scene_id": ground.scene_id,
        "start_position": [start.x, start.y, start.z],
        "start_rotation": [0.0, math.sin(start.yaw / 2), 0.0, math.cos(start.yaw / 2)],
        "goals": [{"position": list(drawn.source.floor_3)}],
        "info": {
            "geodesic_distance": round(shortest_walk(ground.navgrid, start, drawn.source, drawn.events), 4),
            "sound": drawn.source.sound,
        },
        "avw": {
            "yaw": start.yaw,
            "seed": seed,
            "phase": drawn.source.phase,
            "events": _without_defaults(drawn.events),
        },
    }


def _without_defaults(events: Any) -> dict[str, Any]:
    defaults = type(events)()
    return {name: value for name, value in dataclasses.asdict(events).items() if value != getattr(defaults, name)}
