"""One episode of navigation: a policy searches for the source, and the record of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avw.avw4k.viewing.played import PlayedNote
from avw.model.metrics.navigation import sna, soft_spl, spl
from avw.model.policies.as_action import as_action
from avw.model.policies.registry import Policy, policy_seed
from avw.sim_bridge.errors import SoundError, StuckError, UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.storage.typed_json import from_json
from avw.sim_bridge.task.difficulty import difficulty
from avw.sim_bridge.task.episode_file import FiledEpisode, place_episode
from avw.sim_bridge.task.task import AudioNavTask, sample_episode
from avw.sim_bridge.task.variants import Scenario, random_phase, scenario, shortest_walk
from avw.sim_bridge.types import FORWARD_METRES, Action, Pose, Source

if TYPE_CHECKING:
    from avw.model.navigation.navigate_config import NavigateConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeRecord:
    """One finished episode.

    start, path: (x, y, z, yaw), metres and radians · source: (x, y, z) of the point that sounds
    shortest, walked, dtg: metres of the shortest path, of the path taken, and of the geodesic distance at the end
    actions: number of actions taken, STOP included · reference_actions: of a greedy follower up to its first permitted
        STOP, inclusive · decision_ms: mean wall-clock time per decision, milliseconds
    task: the variant of the task · euclidean: metres from start to source · ratio: geodesic / Euclidean distance
    occluded, difficulty: see `sim_bridge.task.difficulty` · silent_after: steps after which the source was silent
    Records of earlier versions have none of these.
    With an episode file: episode_id, object_category and sound as the file has them; filed_shortest (metres) and
    filed_actions, the file's own lengths of the shortest path, and filed_spl and filed_sna computed with them.
    """

    policy: str
    scene: str
    episode: int
    seed: int
    start: tuple[float, float, float, float]
    source: tuple[float, float, float]
    success: bool
    stopped: bool
    spl: float
    softspl: float
    sna: float
    dtg: float
    actions: int
    reference_actions: int
    shortest: float
    walked: float
    collisions: int
    decision_ms: float
    path: tuple[tuple[float, float, float, float], ...]
    episode_id: str = ""
    object_category: str = ""
    sound: str = ""
    filed_shortest: float | None = None
    filed_actions: int | None = None
    filed_spl: float | None = None
    filed_sna: float | None = None
    task: str = "standard"
    euclidean: float | None = None
    ratio: float | None = None
    occluded: bool | None = None
    difficulty: str = ""
    silent_after: int | None = None

    @property
    def success_when_silent(self) -> bool:
        """Whether it succeeded after the sound had ended (SWS of SAVi, arXiv 2012.11583)."""
        return self.success and self.silent_after is not None and self.actions > self.silent_after

    @property
    def path_T4(self) -> np.ndarray:
        """float64 (T+1, 4): the pose before every action, and the last one."""
        return np.array(self.path, dtype=np.float64)


def record_from_json(row: Mapping[str, Any]) -> EpisodeRecord:
    """The record whose `dataclasses.asdict` went through JSON. Raises ValueError for anything else."""
    return from_json(EpisodeRecord, row)


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedEpisode:
    """An episode of a file that cannot take place in this simulator, and the reason."""

    episode: int
    episode_id: str
    scene: str
    reason: str


def episode_seed(seed: int, scene: str, episode: int) -> int:
    """The seed of everything that is random about an episode, the same for every policy."""
    return int(keyed_rng(seed, "navigate", scene, episode).integers(2**31))


def run_episode(
    simulator: Simulator,
    policy: Policy,
    episode: int,
    config: NavigateConfig,
    filed: FiledEpisode | None = None,
    *,
    name: str,
    on_step: Callable[[int], None] = lambda steps: None,
) -> EpisodeRecord | SkippedEpisode:
    """Let `policy` search in one episode, drawn from the seed or `filed`. The record calls it `name`.

    `on_step(1)` is called after every step.
    """
    scene = simulator.scene_id
    seed = episode_seed(config.seed, scene, episode)
    if filed is not None and filed.seed is not None:
        seed = filed.seed
    task = AudioNavTask(simulator, config.task)
    try:
        begun = _scenario(simulator, seed, config, filed)
        start, source, events = begun.start, begun.source, begun.events
        observation = task.reset(start, source, seed, events)
    except (UsageError, SoundError) as error:
        if filed is None:
            raise
        return SkippedEpisode(episode=episode, episode_id=filed.episode_id, scene=scene, reason=str(error))
    policy.reset(policy_seed(seed))
    at_start = task.geodesic
    shortest = shortest_walk(simulator.navgrid, start, source, events) if events.route else at_start
    hard = difficulty(simulator)
    recorder = _recorder(config, simulator, source, name, episode)
    replay = _replay(config, simulator, policy, name, episode)
    path, collisions, decision_seconds, success, stopped = [_pose_4(start)], 0, 0.0, False, False
    while True:
        if recorder:
            recorder.add(observation, simulator.pose)
        before = time.perf_counter()
        action = as_action(policy.act(observation))
        decision_seconds += time.perf_counter() - before
        if replay:
            replay.decided(observation, action)
        result = task.step(action)
        observation, stopped = result.observation, action == Action.STOP
        success = bool(result.success)
        path.append(_pose_4(simulator.pose))
        collisions += bool(result.collided)
        if replay:
            replay.moved(bool(result.collided))
        on_step(1)
        if result.terminated or result.truncated:
            break
    if recorder:
        recorder.write(success)
    actions, remaining = len(path) - 1, float(simulator.distance_to_source())
    steps_T3 = np.diff(np.array(path)[:, :3], axis=0)
    walked = float(np.linalg.norm(steps_T3, axis=1).sum())
    if replay:
        replay.write(_note(simulator, config, name, episode, success, shortest, remaining, _variant(config, filed)))
    reference = _reference(simulator, start, None if events.route else source, config, shortest)
    return EpisodeRecord(
        policy=name,
        scene=scene,
        episode=episode,
        seed=seed,
        start=_pose_4(start),
        source=source.position_3,
        success=success,
        stopped=stopped,
        spl=spl(success, shortest, walked),
        softspl=soft_spl(remaining, shortest, walked, at_start),
        sna=sna(success, reference, actions),
        dtg=remaining,
        actions=actions,
        reference_actions=reference,
        shortest=float(shortest),
        walked=walked,
        collisions=collisions,
        decision_ms=1e3 * decision_seconds / actions,
        path=tuple(path),
        task=_variant(config, filed),
        euclidean=hard.euclidean,
        ratio=hard.ratio,
        occluded=hard.occluded,
        difficulty=hard.level,
        silent_after=events.silent_after,
        **({} if filed is None else _filed_fields(filed, success, walked, actions)),
    )


def _reference(
    simulator: Simulator, start: Pose, source: Source | None, config: NavigateConfig, shortest: float
) -> int:
    """Actions of the follower; if it is stuck or the source moves (None), those of the shortest path, of `shortest`
    metres, without turns."""
    from avw.sim_bridge.task.follower import reference_actions

    try:
        if source is None:
            raise StuckError("a follower to one place is not a reference for a source that moves")
        return len(reference_actions(simulator.navgrid, start, source.floor_3, config.task.success_distance))
    except StuckError:
        return 1 + math.ceil(shortest / FORWARD_METRES)


def _variant(config: NavigateConfig, filed: FiledEpisode | None) -> str:
    return filed.task if filed is not None and filed.task else config.variant


def _scenario(simulator: Simulator, seed: int, config: NavigateConfig, filed: FiledEpisode | None) -> Scenario:
    """The episode as its file has it, or drawn from the seed."""
    grid = simulator.navgrid
    if filed is None:
        start, source = sample_episode(simulator, seed, config.min_distance, sound=config.sound or "ring")
        return scenario(config.variant, grid, start, source, seed)
    from avw.sim_bridge.task.sound_sets import find_sound

    sound = find_sound(filed.sound, config.sound_root) if config.sound is None else config.sound
    start, source = place_episode(grid, filed, sound, random_phase(seed) if filed.phase is None else filed.phase)
    if filed.events is None:
        return scenario(config.variant, grid, start, source, seed)
    events, other = filed.events, filed.events.distractor
    if other is not None:
        events = replace(events, distractor=replace(other, sound=find_sound(other.sound, config.sound_root)))
    return Scenario(start, source, events)


def _filed_fields(filed: FiledEpisode, success: bool, walked: float, actions: int) -> dict[str, Any]:
    return {
        "episode_id": filed.episode_id,
        "object_category": filed.object_category,
        "sound": filed.sound,
        "filed_shortest": filed.geodesic,
        "filed_actions": filed.actions,
        "filed_spl": None if filed.geodesic is None else spl(success, filed.geodesic, walked),
        "filed_sna": None if filed.actions is None else sna(success, filed.actions, actions),
    }


def _recorder(config: NavigateConfig, simulator: Simulator, source: Source, policy: str, episode: int) -> Any:
    if config.video_dir is None:
        return None
    from avw.model.navigation.recording import Recorder

    return Recorder(Path(config.video_dir), recording_name(policy, episode), simulator, source)


def _replay(config: NavigateConfig, simulator: Simulator, policy: Policy, name: str, episode: int) -> Any:
    if config.record_dir is None or episode >= config.record:
        return None
    from avw.model.navigation.replay import Replay

    return Replay(Path(config.record_dir) / f"{recording_name(name, episode)}.npz", simulator, policy)


def _note(
    simulator: Simulator, config: NavigateConfig, name: str, episode: int, success: bool, shortest: float, dtg: float,
    task: str,
) -> PlayedNote:  # fmt: skip
    x, y, z = (float(value) for value in simulator.source.position_3)
    return PlayedNote(
        policy=name,
        scene=simulator.scene_id,
        episode=episode,
        success=success,
        shortest=float(shortest),
        dtg=dtg,
        task=task,
        hfov=float(simulator.config.hfov),
        success_distance=float(config.task.success_distance),
        source=(x, y, z),
    )


def recording_name(policy: str, episode: int) -> str:
    """How the names of an episode's recordings begin."""
    return f"{policy}-{episode:03d}"


def _pose_4(pose: Pose) -> tuple[float, float, float, float]:
    return float(pose.x), float(pose.y), float(pose.z), float(pose.yaw)
