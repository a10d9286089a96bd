"""The embedded simulator: an episode is a pure function, in this process and in any other."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim_bridge.embedded import EmbeddedSimulator
from sim_bridge.errors import SceneError, SoundError, UsageError
from sim_bridge.scenes.glb_export import export_glb
from sim_bridge.simulator import SimulatorConfig
from sim_bridge.task import sample_episode
from sim_bridge.types import STEP_SAMPLES, Action, Observation, Pose, Source
from tests.sim_bridge.boxes import box_scene, flat
from tests.sim_bridge.sofa_files import point_head

SMALL = SimulatorConfig(size=32, emitters=2_000)
ACTIONS = [1, 1, 2, 2, 2, 1, 1, 1, 3, 1, 1, 0, 1, 1, 2, 1]


def digest(observations: list[Observation]) -> str:
    hashed = hashlib.sha256()
    for observation in observations:
        for array in (observation.rgb_HWC, observation.depth_HW, observation.audio_ES):
            hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def play(simulator: EmbeddedSimulator, episode: int, seed: int = 7) -> list[Observation]:
    start, source = sample_episode(simulator, episode)
    observations = [simulator.reset(start, source, seed=seed)]
    return observations + [simulator.step(Action(action)) for action in ACTIONS]


def digest_of_scene(scene: str, episode: int) -> str:
    """What another process computes; see the test across processes."""
    return digest(play(EmbeddedSimulator(scene, SMALL), episode))


@pytest.fixture(scope="module")
def simulator() -> EmbeddedSimulator:
    return EmbeddedSimulator("procedural-0002", SMALL)


def test_observations_are_what_the_legend_says(simulator: EmbeddedSimulator) -> None:
    for observation in play(simulator, 0):
        assert observation.rgb_HWC.shape == (32, 32, 3)
        assert observation.rgb_HWC.dtype == np.uint8
        assert observation.depth_HW.shape == (32, 32)
        assert observation.depth_HW.dtype == np.float32
        assert observation.audio_ES.shape == (2, STEP_SAMPLES)
        assert observation.audio_ES.dtype == np.float32
        assert (observation.depth_HW >= 0).all()
        assert np.isfinite(observation.audio_ES).all()
        assert 1e-4 < np.abs(observation.audio_ES).max() < 4.0
        assert observation.rgb_HWC.std() > 3


def test_a_repeated_episode_is_the_same_to_the_bit_whatever_came_before(simulator: EmbeddedSimulator) -> None:
    first = digest(play(simulator, 0))
    play(simulator, 1)
    assert digest(play(simulator, 0)) == first
    assert digest_of_scene("procedural-0002", 0) == first
    assert digest(play(simulator, 1)) != first


def test_another_process_computes_the_same_bytes(simulator: EmbeddedSimulator) -> None:
    code = "from tests.sim_bridge.test_embedded import digest_of_scene as d; print(d('procedural-0002', 3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == digest(play(simulator, 3))


def test_the_seed_redraws_the_noise_of_the_acoustics_and_nothing_else(simulator: EmbeddedSimulator) -> None:
    one, other = play(simulator, 0, seed=1)[-1], play(simulator, 0, seed=2)[-1]
    assert np.array_equal(one.rgb_HWC, other.rgb_HWC)
    assert not np.array_equal(one.audio_ES, other.audio_ES)


def test_the_arrays_belong_to_the_caller(simulator: EmbeddedSimulator) -> None:
    start, source = sample_episode(simulator, 0)
    simulator.reset(start, source)
    before = simulator.step(Action.STOP)
    kept = before.rgb_HWC.copy(), before.depth_HW.copy()
    before.rgb_HWC[:] = 0
    before.depth_HW[:] = 0
    after = simulator.step(Action.STOP)
    assert np.array_equal(after.rgb_HWC, kept[0])
    assert np.array_equal(after.depth_HW, kept[1])


def test_turning_full_circle_comes_back_to_the_same_view(simulator: EmbeddedSimulator) -> None:
    start, source = sample_episode(simulator, 0)
    first = simulator.reset(start, source)
    for _ in range(36):
        last = simulator.step(Action.TURN_LEFT)
    assert simulator.pose.position_3.tolist() == start.position_3.tolist()
    assert (np.abs(last.rgb_HWC.astype(int) - first.rgb_HWC) > 8).mean() < 0.01
    assert not simulator.collided


def test_walking_on_ends_at_a_wall_and_says_so(simulator: EmbeddedSimulator) -> None:
    start, source = sample_episode(simulator, 0)
    simulator.reset(start, source)
    collided = []
    for _ in range(100):
        simulator.step(Action.FORWARD)
        collided.append(simulator.collided)
        assert simulator.navgrid.is_free(simulator.pose.position_3)
    assert not collided[0]
    assert collided[-1]
    simulator.reset(start, source)
    assert not simulator.collided


def test_the_nearer_the_louder_and_the_distance_is_the_geodesic(simulator: EmbeddedSimulator) -> None:
    start, source = sample_episode(simulator, 4, min_distance=5.0)
    far = simulator.reset(start, source)
    assert simulator.distance_to_source() >= 5.0
    assert simulator.distance_to_source(np.array(source.floor_3)) == 0.0
    assert simulator.distance_to_source(np.array([99.0, 0.0, 0.0])) == math.inf
    x, y, z = source.floor_3
    near = simulator.reset(Pose(x + 0.3, y, z, 0.0), source)
    assert np.square(near.audio_ES).mean() > 4 * np.square(far.audio_ES).mean()


def test_a_mesh_file_can_be_walked_in(tmp_path) -> None:
    path = tmp_path / "flat.glb"
    export_glb(box_scene(*flat()), path)
    simulator = EmbeddedSimulator(str(path), SMALL)
    observations = play(simulator, 0)
    assert len(observations) == len(ACTIONS) + 1
    assert max(o.depth_HW.max() for o in observations) > 0.5  # the place drawn hangs on the file's path


def test_a_scene_without_floor_is_refused_by_name(tmp_path) -> None:
    path = tmp_path / "thing.glb"
    export_glb(box_scene(((0.0, 0.0, 0.0), (0.3, 0.4, 0.3))), path)
    with pytest.raises(SceneError, match="no free floor"):
        EmbeddedSimulator(str(path), SMALL)


def test_a_mesh_file_edited_in_between_is_loaded_again(tmp_path) -> None:
    path = tmp_path / "flat.glb"
    export_glb(box_scene(*flat()), path)
    before = EmbeddedSimulator(str(path), SMALL).navgrid.area
    export_glb(box_scene(*flat(), ((1.0, 0.0, 5.0), (3.0, 1.0, 7.0))), path)
    assert EmbeddedSimulator(str(path), SMALL).navgrid.area < before - 3.0


def test_before_reset_there_is_no_episode() -> None:
    simulator = EmbeddedSimulator("procedural-0002", SMALL)
    for ask in (lambda: simulator.pose, lambda: simulator.source, lambda: simulator.step(Action.FORWARD)):
        with pytest.raises(UsageError, match="call `reset"):
            ask()


def test_a_start_in_a_wall_is_refused(simulator: EmbeddedSimulator) -> None:
    _, source = sample_episode(simulator, 0)
    with pytest.raises(UsageError, match="the agent cannot stand at"):
        simulator.reset(Pose(-40.0, 0.0, 0.0, 0.0), source)


def test_an_unknown_sound_is_refused_and_the_episode_before_it_goes_on(simulator: EmbeddedSimulator) -> None:
    start, source = sample_episode(simulator, 0)
    simulator.reset(start, source)
    missing = Source(position_3=source.position_3, floor_3=source.floor_3, sound="no-such-sound")
    with pytest.raises(SoundError, match="no-such-sound"):
        simulator.reset(start, missing)
    simulator.step(Action.FORWARD)


def test_a_closed_simulator_can_be_reset(simulator: EmbeddedSimulator) -> None:
    own = EmbeddedSimulator("procedural-0002", SMALL)
    expected = digest(play(own, 0))
    own.close()
    assert digest(play(own, 0)) == expected


def test_the_head_may_be_the_users(simulator: EmbeddedSimulator, tmp_path: Path) -> None:
    point_head().write(tmp_path / "head.sofa")
    config = dataclasses.replace(SMALL, hrtf=str(tmp_path / "head.sofa"))
    theirs, ours = play(EmbeddedSimulator("procedural-0002", config), 0), play(simulator, 0)
    assert theirs[0].rgb_HWC.tobytes() == ours[0].rgb_HWC.tobytes()
    assert theirs[-1].audio_ES.tobytes() != ours[-1].audio_ES.tobytes()
    with pytest.raises(UsageError, match="SOFA"):
        EmbeddedSimulator("procedural-0002", dataclasses.replace(SMALL, hrtf=str(tmp_path / "none.sofa")))
    with pytest.raises(UsageError, match="RLR hears with a head of its own"):
        EmbeddedSimulator("procedural-0002", dataclasses.replace(config, acoustics="rlr"))
