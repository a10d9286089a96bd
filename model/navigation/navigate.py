"""Closed loop: policies search for the source in many episodes.

Episode i of (scenes, seed) takes place in scenes[i mod n] and depends on (seed, scene, i) only. So all policies run
on the same starts, sources and sounds, for any number of workers, and the first episodes of a longer run are those of a
shorter one: that makes paired comparisons possible. Episodes may also come from a file
(`avw.sim_bridge.task.episode_file`): then its i-th is episode i, and the seed decides the phase of the sound only.

Episodes are run by the executors of `avw.avw4k.execution`. Each is written to the disk as it ends (`episode_store`),
and a run in the same folder continues from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from avw.avw4k.execution.local_processes import run_in_processes
from avw.avw4k.execution.protocol import Execute
from avw.model.navigation.episode_run import EpisodeRecord, SkippedEpisode, recording_name
from avw.model.navigation.episode_store import EpisodeStore, Outcome
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.navigation.navigation_work import NavigationTask, NavigationWork, PolicyFactory
from avw.model.policies.policy_file import policy_label
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.catalogue import scene_refs
from avw.sim_bridge.task.episode_file import FiledEpisode, read_episodes


@dataclass(frozen=True, kw_only=True, slots=True)
class NavigationResult:
    """records: by policy label, in the order of the episodes · skipped: episodes of a file that cannot take place"""

    records: dict[str, list[EpisodeRecord]]
    skipped: tuple[SkippedEpisode, ...] = ()


def run_policies(
    config: NavigateConfig,
    *,
    folder: Path | None = None,
    resume: bool = True,
    execute: Execute = run_in_processes,
    factories: Mapping[str, PolicyFactory] | None = None,
    identities: Mapping[str, Mapping[str, str]] | None = None,
    on_start: Callable[[int, int], None] = lambda done, total: None,
    on_episode: Callable[[Outcome], None] = lambda outcome: None,
    log: Callable[[str], None] = lambda text: None,
) -> NavigationResult:
    """Run every policy of `config` on the same episodes.

    folder: each episode is written there as it ends, and a run continues from there; None: nothing is written
    resume: False refuses a folder that holds episodes already · execute: see `avw.avw4k.execution.protocol`
    factories: the caller's own policies by the names that `config.policies` has; picklable for worker processes
    identities: of those policies, values that differ if the policy differs, by name; kept episodes must have the same
    on_start: episodes kept so far and episodes in all · on_episode: called as each episode ends

    Raises UsageError if the folder holds another configuration or no episode can take place, BackendError when workers
    die on the same episode again and again, and whatever an episode raises.
    """
    tasks = navigation_tasks(config)
    with EpisodeStore(folder, config, resume=resume, identities=identities) as store:
        missing = [task for task in tasks if not _is_finished(task, store, config)]
        on_start(len(tasks) - len(missing), len(tasks))
        work = NavigationWork(config, scene_refs({task.scene for task in missing}), dict(factories or {}))
        for task, outcome in execute(
            work, missing, config.workers, scene_of=lambda task: task.scene, on_steps=lambda steps: None, log=log
        ):
            store.add(task.policy, outcome)
            on_episode(outcome)
        ended = [(task, store.outcomes[task.policy, task.episode]) for task in tasks]
    ended.sort(key=lambda pair: pair[0].episode)
    records: dict[str, list[EpisodeRecord]] = {policy_label(policy): [] for policy in config.policies}
    skipped: dict[int, SkippedEpisode] = {}
    for task, outcome in ended:
        if isinstance(outcome, SkippedEpisode):
            skipped[task.episode] = outcome
        else:
            records[policy_label(task.policy)].append(outcome)
    if not any(records.values()):
        first = next(iter(skipped.values()))
        raise UsageError(f"none of the {len(skipped)} episodes of {config.episode_file} can take place: {first.reason}")
    return NavigationResult(records=records, skipped=tuple(skipped.values()))


def _is_finished(task: NavigationTask, store: EpisodeStore, config: NavigateConfig) -> bool:
    """Whether the episode is on the disk, and its video and its recording if they are asked for."""
    outcome = store.outcomes.get((task.policy, task.episode))
    if isinstance(outcome, EpisodeRecord) and config.record_dir is not None and task.episode < config.record:
        name = f"{recording_name(outcome.policy, task.episode)}.npz"
        if not (Path(config.record_dir) / name).exists():
            return False
    if outcome is None or config.video_dir is None or isinstance(outcome, SkippedEpisode):
        return outcome is not None
    return any(Path(config.video_dir).glob(f"{recording_name(outcome.policy, task.episode)}-*"))


def navigation_tasks(config: NavigateConfig) -> list[NavigationTask]:
    """Every episode of every policy, those of a scene side by side so that a worker seldom opens another one."""
    by_scene: dict[str, list[tuple[int, FiledEpisode | None]]] = {scene: [] for scene in config.scenes}
    if config.episode_file is None:
        for index in range(config.episodes):
            by_scene[config.scenes[index % len(config.scenes)]].append((index, None))
    else:
        for index, filed in enumerate(read_episodes(config.episode_file, config.episodes)):
            by_scene.setdefault(filed.scene, []).append((index, filed))
    return [
        NavigationTask(policy=policy, scene=scene, episode=index, filed=filed)
        for scene, episodes in by_scene.items()
        for policy in config.policies
        for index, filed in episodes
    ]
