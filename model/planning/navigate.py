"""Closed loop: policies search for the source over many episodes, in worker processes.

Episode i of (scenes, seed) takes place in scenes[i mod n] and is drawn from (seed, scene, i) alone: every policy meets
the same starts, sources and sounds, whatever the number of workers, and the first episodes of a longer run are those
of a shorter one. That is what makes paired comparison possible.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avw4k.executors import one_thread
from model.metrics.navigation import sna, soft_spl, spl
from model.planning.policies import LEARNED, OraclePolicy, Policy, as_action, make_policy, policy_seed
from sim_bridge.errors import BackendError, UsageError
from sim_bridge.randomness import keyed_rng
from sim_bridge.simulator import Simulator, SimulatorConfig, open_simulator
from sim_bridge.task import AudioNavTask, TaskConfig, sample_episode
from sim_bridge.types import Action, Pose, Source

CHUNK = 4  # episodes of one scene that a worker takes at a time: few scene changes, an even load


@dataclass(frozen=True, kw_only=True, slots=True)
class NavigateConfig:
    """Which policies search where.

    scenes: ids or mesh files · episodes: in all, dealt round the scenes · min_distance: metres of geodesic between
    start and source · sound: what the source plays, looped · model_dir, device: for policies that plan with a model
    video_dir: where recordings go
    """

    policies: tuple[str, ...]
    scenes: tuple[str, ...]
    episodes: int = 40
    seed: int = 0
    workers: int = 1
    min_distance: float = 3.0
    sound: str = "ring"
    simulator: SimulatorConfig = field(default_factory=SimulatorConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    model_dir: str | None = None
    device: str = "cpu"
    video_dir: str | None = None

    def __post_init__(self) -> None:
        if not self.policies or not self.scenes:
            raise UsageError("navigation needs at least one policy and one scene")
        if self.episodes < 1 or self.workers < 1:
            raise UsageError(f"episodes and workers must be at least 1, got {self.episodes} and {self.workers}")


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeRecord:
    """One finished episode.

    start, path: (x, y, z, yaw), metres and radians · source: (x, y, z), the point that sounds
    shortest, walked, dtg: metres of the shortest path, of the path taken, and of the geodesic left at the end
    actions: taken, STOP included · reference_actions: of a greedy follower up to its first permitted STOP, inclusive
    decision_ms: mean wall-clock time of a decision, milliseconds
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

    @property
    def path_T4(self) -> np.ndarray:
        """float64 (T+1, 4): the pose before every action, and the last one."""
        return np.array(self.path, dtype=np.float64)


def episode_seed(seed: int, scene: str, episode: int) -> int:
    """The seed of everything that is random about an episode, the same for every policy."""
    return int(keyed_rng(seed, "navigate", scene, episode).integers(2**31))


def run_episode(simulator: Simulator, policy: Policy, episode: int, config: NavigateConfig) -> EpisodeRecord:
    """Let `policy` search in one episode; see EpisodeRecord for what is kept of it."""
    from sim_bridge.follower import reference_actions

    scene = simulator.scene_id
    seed = episode_seed(config.seed, scene, episode)
    start, source = sample_episode(simulator, seed, config.min_distance, sound=config.sound)
    task = AudioNavTask(simulator, config.task)
    observation = task.reset(start, source, seed)
    policy.reset(policy_seed(seed))
    shortest = simulator.distance_to_source()
    recorder = _recorder(config, simulator, source, policy.name, episode)
    path, collisions, thinking, success, stopped = [_pose_4(start)], 0, 0.0, False, False
    while True:
        if recorder:
            recorder.add(observation, simulator.pose)
        before = time.perf_counter()
        action = as_action(policy.act(observation))
        thinking += time.perf_counter() - before
        result = task.step(action)
        observation, stopped = result.observation, action == Action.STOP
        success = bool(result.success)
        path.append(_pose_4(simulator.pose))
        collisions += bool(result.collided)
        if result.terminated or result.truncated:
            break
    if recorder:
        recorder.write(success)
    actions, left = len(path) - 1, float(simulator.distance_to_source())
    steps_T3 = np.diff(np.array(path)[:, :3], axis=0)
    walked = float(np.linalg.norm(steps_T3, axis=1).sum())
    reference = len(reference_actions(simulator.navgrid, start, source.floor_3, config.task.success_distance))
    return EpisodeRecord(
        policy=policy.name,
        scene=scene,
        episode=episode,
        seed=seed,
        start=_pose_4(start),
        source=source.position_3,
        success=success,
        stopped=stopped,
        spl=spl(success, shortest, walked),
        softspl=soft_spl(left, shortest, walked),
        sna=sna(success, reference, actions),
        dtg=left,
        actions=actions,
        reference_actions=reference,
        shortest=float(shortest),
        walked=walked,
        collisions=collisions,
        decision_ms=1e3 * thinking / actions,
        path=tuple(path),
    )


def run_policies(config: NavigateConfig, *, progress: bool = True) -> dict[str, list[EpisodeRecord]]:
    """Every policy over the same episodes; records in the order of the episodes, by policy.

    Raises BackendError when a worker process dies (most likely for lack of memory), and whatever an episode raises.
    """
    from tqdm import tqdm

    chunks = _chunks(config)
    workers = min(config.workers, len(chunks))
    records: list[EpisodeRecord] = []
    total = config.episodes * len(config.policies)
    with tqdm(total=total, desc="navigate", unit="episode", disable=not progress, dynamic_ncols=True) as bar:
        for done in _results(config, chunks, workers):
            records += done
            bar.update(len(done))
            bar.set_postfix_str(_running(config.policies, records))
    records.sort(key=lambda record: record.episode)
    return {name: [record for record in records if record.policy == name] for name in config.policies}


def run_episodes(
    policy: str,
    scenes: Sequence[str],
    episodes: int,
    seed: int = 0,
    *,
    workers: int = 1,
    simulator: SimulatorConfig | None = None,
    model_dir: Path | str | None = None,
    progress: bool = False,
) -> list[EpisodeRecord]:
    """One policy over (scenes, seed, episodes); a shorthand of `run_policies`."""
    config = NavigateConfig(
        policies=(policy,),
        scenes=tuple(scenes),
        episodes=episodes,
        seed=seed,
        workers=workers,
        simulator=simulator or SimulatorConfig(),
        model_dir=None if model_dir is None else str(model_dir),
    )
    return run_policies(config, progress=progress)[policy]


def available_cores() -> int:
    """Cores that this process may run on (a container may have fewer than the machine)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(config: NavigateConfig) -> list[tuple[str, str, tuple[int, ...]]]:
    """(policy, scene, episodes), a scene's chunks side by side so that a worker seldom opens another one."""
    count = len(config.scenes)
    return [
        (policy, scene, indices[first : first + CHUNK])
        for number, scene in enumerate(config.scenes)
        for policy in config.policies
        if (indices := tuple(range(number, config.episodes, count)))
        for first in range(0, len(indices), CHUNK)
    ]


def _results(
    config: NavigateConfig, chunks: Sequence[tuple[str, str, tuple[int, ...]]], workers: int
) -> Iterable[list[EpisodeRecord]]:
    if workers == 1:
        yield from (_run_chunk(config, *chunk) for chunk in chunks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        with one_thread():  # libraries read it when a worker imports them
            futures = [pool.submit(_run_chunk, config, *chunk) for chunk in chunks]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise BackendError(
            "a navigation worker died before its episode ended, most likely for lack of memory; try --workers 1"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C reaches every process of the terminal: workers leave quietly and the parent reports it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


_open: dict[Any, Simulator] = {}
_made: dict[Any, Policy] = {}


def _run_chunk(config: NavigateConfig, policy: str, scene: str, episodes: tuple[int, ...]) -> list[EpisodeRecord]:
    simulator = _simulator(scene, config.simulator)
    with _one_thread(policy):
        if policy == "oracle":
            chosen: Policy = OraclePolicy(simulator, config.task.success_distance)
        else:
            chosen = _policy(policy, config)
        return [run_episode(simulator, chosen, episode, config) for episode in episodes]


def _simulator(scene: str, config: SimulatorConfig) -> Simulator:
    """The scene's simulator, kept open for the next chunk; one at a time, for houses are large."""
    if (scene, config) not in _open:
        for other in _open.values():
            other.close()
        _open.clear()
        _open[scene, config] = open_simulator(scene, config)
    return _open[scene, config]


def _policy(name: str, config: NavigateConfig) -> Policy:
    key = (name, config.model_dir, config.device, config.simulator.hfov, config.task.max_steps)
    if key not in _made:
        model_dir = None if config.model_dir is None else Path(config.model_dir)
        _made[key] = make_policy(
            name,
            model_dir=model_dir,
            device=config.device,
            hfov=config.simulator.hfov,
            max_steps=config.task.max_steps,
        )
    return _made[key]


@contextmanager
def _one_thread(policy: str) -> Iterator[None]:
    """One torch thread while a planner runs: as many workers as cores, and the same sums for any number of them."""
    if policy not in LEARNED:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _recorder(config: NavigateConfig, simulator: Simulator, source: Source, policy: str, episode: int) -> Any:
    if config.video_dir is None:
        return None
    from model.planning.recording import Recorder

    return Recorder(Path(config.video_dir), f"{policy}-{episode:03d}", simulator, source)


def _running(policies: Sequence[str], records: Sequence[EpisodeRecord]) -> str:
    """Success rates so far, for the progress bar."""
    rates = {name: [r.success for r in records if r.policy == name] for name in policies}
    return " ".join(f"{name} {sum(won)}/{len(won)}" for name, won in rates.items() if won)


def _pose_4(pose: Pose) -> tuple[float, float, float, float]:
    return float(pose.x), float(pose.y), float(pose.z), float(pose.yaw)
