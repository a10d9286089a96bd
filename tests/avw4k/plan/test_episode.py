"""An episode is a function of its spec, and its arrays are consistent with each other and with the task."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from avw.avw4k.plan.episode import AUDIO_PEAK, Episode, run_episode, write_script
from avw.avw4k.plan.spec import DatasetSpec, EpisodeSpec, plan
from avw.avw4k.shards.shard import FEATURES
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.task.task import AudioNavTask
from avw.sim_bridge.types import STEP_SAMPLES, Action


def of_mode(spec: DatasetSpec, simulator: Simulator, mode: str) -> EpisodeSpec:
    return next(
        episode
        for shard in plan(spec)
        for episode in shard.episodes
        if (episode.scene, episode.mode) == (simulator.scene_id, mode)
    )


@pytest.fixture(scope="module")
def long_spec(spec: DatasetSpec) -> DatasetSpec:
    import dataclasses

    return dataclasses.replace(spec, trajectories=9, steps=30)


@pytest.fixture(scope="module")
def episode(long_spec: DatasetSpec, simulator: Simulator) -> Episode:
    return run_episode(simulator, long_spec, of_mode(long_spec, simulator, "approach"))


def test_shapes_and_types_are_those_of_the_schema(episode: Episode) -> None:
    for name, feature in FEATURES.items():
        array = getattr(episode, name)
        assert array.dtype == np.dtype(feature.dtype), name
        assert array.shape == (30 + feature.extra, *feature.row_shape(32)), name
    assert episode.audio.shape[1:] == (2, STEP_SAMPLES)


def test_the_same_spec_gives_the_same_bits(long_spec: DatasetSpec, simulator: Simulator, episode: Episode) -> None:
    run_episode(simulator, long_spec, of_mode(long_spec, simulator, "unrelated"))  # has no effect on the next one
    again = run_episode(simulator, long_spec, episode.spec)
    for name in FEATURES:
        assert getattr(again, name).tobytes() == getattr(episode, name).tobytes(), name


def test_stored_values_are_those_of_the_task(long_spec: DatasetSpec, simulator: Simulator, episode: Episode) -> None:
    script = write_script(long_spec, episode.spec, simulator.navgrid)
    task = AudioNavTask(simulator, long_spec.task)
    first = task.reset(script.start, script.source, seed=episode.spec.source_seed)
    seen, results = [first], []
    for action in episode.actions:
        results.append(task.step(int(action)))
        seen.append(results[-1].observation)
    np.testing.assert_array_equal(episode.rewards, np.array([r.reward for r in results], np.float32))
    np.testing.assert_array_equal(episode.collided, [r.collided for r in results])
    np.testing.assert_array_equal(episode.rgb, [o.rgb_HWC for o in seen])
    depth_T = np.stack([o.depth_HW for o in seen])
    np.testing.assert_allclose(episode.depth / 1000.0, depth_T, atol=0.00051)
    scale = long_spec.audio_full_scale / AUDIO_PEAK
    np.testing.assert_allclose(episode.audio * scale, np.stack([o.audio_ES for o in seen]), atol=0.51 * scale)


def test_an_approach_ends_with_success(episode: Episode) -> None:
    assert episode.dones.tolist() == [False] * 29 + [True]
    assert episode.rewards[-1] > 9.0
    assert episode.actions[-1] == Action.STOP


def test_commanded_and_realised_motion_differ_after_collisions_only(episode: Episode) -> None:
    free = ~episode.collided
    np.testing.assert_allclose(episode.commanded[free], episode.realised[free], atol=1e-6)
    forward = episode.actions == Action.FORWARD
    np.testing.assert_allclose(episode.commanded[forward], np.tile([0.15, 0, 0], (forward.sum(), 1)), atol=1e-6)


def test_the_sound_is_audible_and_not_clipped(episode: Episode) -> None:
    assert episode.clipped == 0
    assert episode.audio.astype(float).std() > 20.0


def test_samples_beyond_full_scale_are_clipped_and_counted(
    long_spec: DatasetSpec, simulator: Simulator, episode: Episode
) -> None:
    import dataclasses

    loud = dataclasses.replace(long_spec, audio_full_scale=1e-4)
    clipped = run_episode(simulator, loud, episode.spec)
    assert clipped.clipped > 1000
    assert np.abs(clipped.audio.astype(int)).max() == AUDIO_PEAK


def test_an_exception_of_the_callback_is_raised(long_spec: DatasetSpec, simulator: Simulator, episode: Episode) -> None:
    def give_up(steps: int) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_episode(simulator, long_spec, episode.spec, give_up)


def test_the_episode_can_be_replayed_from_its_file(reference: Path, simulator: Simulator) -> None:
    """The start, source, seed and actions in a shard are enough to simulate all observations again."""
    from avw.avw4k.reading.dataset import open_dataset
    from avw.sim_bridge.types import Pose

    dataset = open_dataset(reference)
    ref = next(ref for ref in dataset.episodes() if ref.scene == simulator.scene_id)
    rows = dataset.read(ref)
    start = Pose(*(float(x) for x in rows["position"][0]), float(rows["yaw"][0]))  # type: ignore[call-arg]
    task = AudioNavTask(simulator, dataset.spec.task)
    task.reset(start, dataset.source(ref), seed=ref.spec.source_seed)
    for t, action in enumerate(rows["actions"]):
        result = task.step(int(action))
        np.testing.assert_array_equal(result.observation.rgb_HWC, rows["rgb"][t + 1])
        assert np.float32(result.reward) == rows["rewards"][t]
    assert json.dumps(dataset.spec.to_json())
