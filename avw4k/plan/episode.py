"""From the spec of an episode to its trajectory: a function of the spec only, given a simulator of its scene."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avw.avw4k.plan.counterfactual import NUMBERS, POSES, CounterfactualPoses
from avw.avw4k.plan.motion import approach, leave, sample_mode_start, unrelated
from avw.avw4k.plan.spec import DatasetSpec, EpisodeSpec
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.task.task import AudioNavTask, sample_source
from avw.sim_bridge.types import STEP_SAMPLES, Action, Observation, Pose, Source, relative_motion

DEPTH_UNITS = 1000.0  # stored per metre
AUDIO_PEAK = 32767


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """A trajectory of T actions and the T + 1 observations around them, in the units that shards store.

    rgb: uint8 (T+1, H, W, 3) · depth: uint16 (T+1, H, W) mm · audio: int16 (T+1, 2, 2400)
    actions: uint8 (T,) · rewards: float32 (T,) · dones, collided: bool (T,)
    position: float64 (T+1, 3) m · yaw: float64 (T+1,) rad · geodesic: float32 (T+1,) m
    counterfactual: float32 (T+1, 16, 5), x, y, z, yaw and geodesic m of random poses around each observation
    commanded, realised: float32 (T, 3), (forward m, left m, turn rad) in the heading frame before the action
    clipped: number of audio samples beyond full scale and of depth pixels beyond 65.535 m
    materials_named: share of the scene's area that a user's material map has a label for; None without such a map
    """

    spec: EpisodeSpec
    source: Source
    rgb: np.ndarray
    depth: np.ndarray
    audio: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    dones: np.ndarray
    collided: np.ndarray
    position: np.ndarray
    yaw: np.ndarray
    geodesic: np.ndarray
    counterfactual: np.ndarray
    commanded: np.ndarray
    realised: np.ndarray
    clipped: int
    materials_named: float | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """The start pose, the source and the actions of an episode."""

    start: Pose
    source: Source
    actions: tuple[Action, ...]


def write_script(spec: DatasetSpec, episode: EpisodeSpec, navgrid: FreeSpace) -> Script:
    """Draw the source (shared with the other episodes of this source), the start and the actions of an episode."""
    source = sample_source(navgrid, keyed_rng(episode.source_seed, episode.scene, "place"), sound=episode.sound)
    phase = int(keyed_rng(episode.seed, episode.scene, "phase").integers(2**31))
    source = dataclasses.replace(source, phase=phase)
    field = navgrid.geodesic(source.floor_3)
    rng = keyed_rng(episode.seed, episode.scene, "script")
    steps, success, motion = episode.steps, spec.task.success_distance, spec.motion
    start = sample_mode_start(episode.mode, field, steps, success, motion, rng)
    if episode.mode == "approach":
        actions = approach(field, start, steps, success, motion, rng)
    elif episode.mode == "leave":
        actions = leave(field, start, steps, motion, rng)
    else:
        actions = unrelated(navgrid, start, steps, motion, rng)
    return Script(start, source, tuple(actions))


def run_episode(
    simulator: Simulator,
    spec: DatasetSpec,
    episode: EpisodeSpec,
    on_step: Callable[[int], None] = lambda steps: None,
) -> Episode:
    """Simulate the episode. `on_step(1)` is called after every step, and may raise to stop."""
    script = write_script(spec, episode, simulator.navgrid)
    task = AudioNavTask(simulator, spec.task)
    steps, size = episode.steps, spec.simulator.size
    rgb = np.empty((steps + 1, size, size, 3), np.uint8)
    depth = np.empty((steps + 1, size, size), np.uint16)
    audio = np.empty((steps + 1, 2, STEP_SAMPLES), np.int16)
    rewards, geodesic = np.empty(steps, np.float32), np.empty(steps + 1, np.float32)
    dones, collided = np.zeros(steps, bool), np.zeros(steps, bool)
    commanded, realised = np.empty((steps, 3), np.float32), np.empty((steps, 3), np.float32)
    counterfactual = np.empty((steps + 1, POSES, NUMBERS), np.float32)
    poses: list[Pose] = []
    clipped = 0
    elsewhere = CounterfactualPoses(
        simulator.navgrid.geodesic(script.source.floor_3), episode.seed, episode.scene, steps + 1
    )

    def keep(t: int, observation: Observation) -> int:
        rgb[t] = observation.rgb_HWC
        depth[t], far = _millimetres(observation.depth_HW)
        audio[t], loud = _samples(observation.audio_ES, spec.audio_full_scale)
        geodesic[t] = task.geodesic
        poses.append(simulator.pose)
        counterfactual[t] = elsewhere.draw(t, simulator.pose, task.geodesic)
        return far + loud

    clipped += keep(0, task.reset(script.start, script.source, seed=episode.source_seed))
    for t, action in enumerate(script.actions):
        result = task.step(action)
        clipped += keep(t + 1, result.observation)
        rewards[t], dones[t], collided[t] = result.reward, result.terminated, result.collided
        commanded[t] = relative_motion(poses[t], poses[t].after(action))
        realised[t] = relative_motion(poses[t], poses[t + 1])
        on_step(1)
    return Episode(
        spec=episode,
        source=script.source,
        rgb=rgb,
        depth=depth,
        audio=audio,
        actions=np.array(script.actions, np.uint8),
        rewards=rewards,
        dones=dones,
        collided=collided,
        position=np.stack([pose.position_3 for pose in poses]),
        yaw=np.array([pose.yaw for pose in poses]),
        geodesic=geodesic,
        counterfactual=counterfactual,
        commanded=commanded,
        realised=realised,
        clipped=clipped,
        materials_named=simulator.materials_named,
    )


def _millimetres(depth_HW: np.ndarray) -> tuple[np.ndarray, int]:
    """(uint16 millimetres, number of pixels beyond their range)."""
    exact = np.rint(depth_HW * DEPTH_UNITS)
    return np.minimum(exact, 65535).astype(np.uint16), int((exact > 65535).sum())


def _samples(audio_ES: np.ndarray, full_scale: float) -> tuple[np.ndarray, int]:
    """(int16 samples, number of samples beyond full scale)."""
    exact = np.rint(audio_ES * (AUDIO_PEAK / full_scale))
    return np.clip(exact, -AUDIO_PEAK, AUDIO_PEAK).astype(np.int16), int((np.abs(exact) > AUDIO_PEAK).sum())
