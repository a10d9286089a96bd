"""Closed loop: policies search for the source over many episodes, in worker processes.

Episode i of (scenes, seed) takes place in scenes[i mod n] and is drawn from (seed, scene, i) alone: every policy meets
the same starts, sources and sounds, whatever the number of workers, and the first episodes of a longer run are those
of a shorter one. That is what makes paired comparison possible. Episodes may also come from a file that others wrote
(`avw.sim_bridge.task.episode_file`): then its i-th is episode i, and the seed draws only the phase of the sound.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avw.avw4k.execution.executors import one_thread
from avw.model.planning.episode_run import EpisodeRecord, LeftOut, run_episode
from avw.model.planning.navigate_config import NavigateConfig
from avw.model.planning.policies import LEARNED, OraclePolicy, Policy, make_policy
from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig
from avw.sim_bridge.task.episode_file import FiledEpisode, read_episodes

CHUNK = 4  # episodes of one scene that a worker takes at a time: few scene changes, an even load


def run_policies(
    config: NavigateConfig, *, progress: bool = True, left_out: list[LeftOut] | None = None
) -> dict[str, list[EpisodeRecord]]:
    """Every policy over the same episodes; records in the order of the episodes, by policy.

    left_out: filled with the episodes of a file that cannot take place here, in order. Raises UsageError if none can,
    BackendError when a worker process dies (most likely for lack of memory), and whatever an episode raises.
    """
    from tqdm import tqdm

    chunks = _chunks(config)
    workers = min(config.workers, len(chunks))
    records: list[EpisodeRecord] = []
    missed: dict[int, LeftOut] = {}
    total = config.episodes * len(config.policies)
    with tqdm(total=total, desc="navigate", unit="episode", disable=not progress, dynamic_ncols=True) as bar:
        for done in _results(config, chunks, workers):
            records += [found for found in done if isinstance(found, EpisodeRecord)]
            missed |= {found.episode: found for found in done if isinstance(found, LeftOut)}
            bar.update(len(done))
            bar.set_postfix_str(_running(config.policies, records))
    if not records:
        first = missed[min(missed)]
        raise UsageError(f"none of the {len(missed)} episodes of {config.episode_file} can take place: {first.reason}")
    if left_out is not None:
        left_out += [missed[episode] for episode in sorted(missed)]
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


Chunk = tuple[str, str, tuple[tuple[int, FiledEpisode | None], ...]]


def _chunks(config: NavigateConfig) -> list[Chunk]:
    """(policy, scene, episodes), a scene's chunks side by side so that a worker seldom opens another one."""
    dealt: dict[str, list[tuple[int, FiledEpisode | None]]] = {scene: [] for scene in config.scenes}
    if config.episode_file is None:
        for index in range(config.episodes):
            dealt[config.scenes[index % len(config.scenes)]].append((index, None))
    else:
        for index, filed in enumerate(read_episodes(config.episode_file, config.episodes)):
            dealt.setdefault(filed.scene, []).append((index, filed))
    return [
        (policy, scene, tuple(episodes[first : first + CHUNK]))
        for scene, episodes in dealt.items()
        for policy in config.policies
        for first in range(0, len(episodes), CHUNK)
    ]


def _results(config: NavigateConfig, chunks: Sequence[Chunk], workers: int) -> Iterable[list[EpisodeRecord | LeftOut]]:
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


def _run_chunk(
    config: NavigateConfig, policy: str, scene: str, episodes: tuple[tuple[int, FiledEpisode | None], ...]
) -> list[EpisodeRecord | LeftOut]:
    simulator = _simulator(scene, config.simulator)
    with _one_thread(policy):
        if policy == "oracle":
            chosen: Policy = OraclePolicy(simulator, config.task.success_distance)
        else:
            chosen = _policy(policy, config)
        return [run_episode(simulator, chosen, episode, config, filed) for episode, filed in episodes]


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


def _running(policies: Sequence[str], records: Sequence[EpisodeRecord]) -> str:
    """Success rates so far, for the progress bar."""
    rates = {name: [r.success for r in records if r.policy == name] for name in policies}
    return " ".join(f"{name} {sum(won)}/{len(won)}" for name, won in rates.items() if won)
