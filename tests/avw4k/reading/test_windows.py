"""Windows against the definition: integrate the actions, look up the distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.reading.windows import FrameCache, WindowConfig, Windows
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.types import Action, Pose, relative_motion

AGES = (5, 2, 0)


@pytest.fixture(scope="module")
def dataset(reference: Path) -> Dataset:
    return open_dataset(reference)


@pytest.fixture(scope="module")
def windows(dataset: Dataset) -> Windows:
    return Windows(dataset, "train", WindowConfig(ages=AGES, min_offset=-6, max_offset=10))


def test_motion_is_the_commanded_actions_integrated(dataset: Dataset, windows: Windows):
    batch = windows.draw(0, "test", 0, 40, 3)
    rows = [dataset.read(ref, ["actions", "yaw", "geodesic", "rewards"]) for ref in windows.episodes]
    for b in range(40):
        frame = int(batch.context_BT[b, -1])
        episode = int(windows.episode_F[frame])
        row, t = rows[episode], frame - int(windows.first_n[episode])
        for k in range(3):
            until = int(batch.target_BK[b, k]) - int(windows.first_n[episode])
            offset = int(batch.offset_BK[b, k])
            assert until == t + offset != t
            low, high = min(t, until), max(t, until)
            first = last = Pose(0.0, 0.0, 0.0, float(row["yaw"][low]))
            for action in row["actions"][low:high]:
                last = last.after(Action(int(action)))
            expected = relative_motion(first, last) if offset > 0 else relative_motion(last, first)
            assert batch.motion_BK3[b, k] == pytest.approx(expected, abs=1e-5)
            assert batch.progress_BK[b, k] == pytest.approx(row["geodesic"][t] - row["geodesic"][until], abs=1e-5)
            assert batch.distance_BK[b, k] == pytest.approx(row["geodesic"][until], abs=1e-5)
            if offset > 0:
                assert batch.reward_BK[b, k] == pytest.approx(float(row["rewards"][t:until].sum()), abs=1e-4)
            else:
                assert np.isnan(batch.reward_BK[b, k])


def test_a_context_has_its_ages_and_never_leaves_its_episode(windows: Windows):
    batch = windows.draw(1, "test", 0, 200, 1)
    now = batch.context_BT[:, -1]
    start = windows.start_F[now]
    assert np.array_equal(batch.context_BT, np.maximum(now[:, None] - np.array(AGES), start[:, None]))
    assert np.array_equal(batch.past_BT3[:, -1], np.zeros((200, 3)))
    assert (windows.episode_F[batch.target_BK[:, 0]] == windows.episode_F[now]).all()


def test_both_past_and_future_are_drawn(windows: Windows):
    offsets = windows.draw(2, "test", 0, 300, 4).offset_BK
    assert offsets.min() == -6
    assert offsets.max() == 10
    assert (offsets != 0).all()


def test_a_batch_is_a_function_of_its_number(dataset: Dataset, windows: Windows):
    again = Windows(dataset, "train", windows.config)
    a, b = windows.draw(3, "test", 7, 5, 2), again.draw(3, "test", 7, 5, 2)
    assert np.array_equal(a.context_BT, b.context_BT)
    assert np.array_equal(a.target_BK, b.target_BK)
    assert not np.array_equal(a.context_BT, windows.draw(3, "test", 8, 5, 2).context_BT)
    assert not np.array_equal(a.context_BT, windows.draw(4, "test", 7, 5, 2).context_BT)


def test_evaluation_windows_are_spread_evenly(windows: Windows):
    batch = windows.at(4, 10_000)
    assert len(batch.context_BT) == windows.frames - 4 * len(windows.episodes)
    assert (batch.offset_BK == 4).all()
    few = windows.at(4, 7)
    assert len(few.context_BT) == 7


@pytest.mark.parametrize("count", [1, 2, 5, 8, 12])
def test_evaluation_windows_cover_episodes_and_positions(windows: Windows, count: int):
    """The same number per episode, and not at the same steps: evenly spaced frames of equal episodes would all be
    their first steps."""
    t_B = windows.at(1, count).context_BT[:, -1]
    assert len(np.unique(t_B)) == count
    step_B, per_episode = t_B - windows.start_F[t_B], np.bincount(windows.episode_F[t_B], minlength=2)
    assert len(windows.episodes) == len(per_episode) == 2
    assert per_episode.max() - per_episode.min() <= 1
    if count > 1:
        assert len(np.unique(step_B)) > count / 2
        assert step_B.max() - step_B.min() >= 6  # of 12


def test_realised_motion_ends_where_the_agent_stood(dataset: Dataset):
    windows = Windows(dataset, "train", WindowConfig(ages=(0,), motion="realised", max_offset=12))
    batch = windows.draw(0, "test", 0, 30, 1)
    rows = [dataset.read(ref, ["position", "yaw"]) for ref in windows.episodes]
    for b in range(30):
        frame, target = int(batch.context_BT[b, 0]), int(batch.target_BK[b, 0])
        episode = int(windows.episode_F[frame])
        row, first = rows[episode], int(windows.first_n[episode])
        poses = [Pose(*map(float, row["position"][i - first]), float(row["yaw"][i - first])) for i in (frame, target)]
        assert batch.motion_BK3[b, 0] == pytest.approx(relative_motion(*poses), abs=1e-4)


def test_a_split_without_episodes_is_named(dataset: Dataset):
    with pytest.raises(DatasetError, match="no future target"):
        Windows(dataset, "train", WindowConfig(min_offset=-5, max_offset=0))


def test_an_unfinished_cache_is_made_again(tmp_path):
    cache = FrameCache(tmp_path)
    array = cache.create("x", (3, 2), np.float16)
    array[:] = 1
    assert cache.load("x", "key") is None  # killed before it was finished
    assert cache.finish("x", array, "key").tolist() == [[1, 1]] * 3
    assert cache.load("x", "another key") is None
    assert cache.load("x", "key") is not None


def test_counterfactuals_are_the_stored_poses_seen_from_the_true_pose(dataset: Dataset, windows: Windows):
    assert windows.has_counterfactuals
    t_B = np.array([0, 5, windows.frames - 1, 7])
    motion_BN3, distance_BN = windows.counterfactuals(t_B)
    assert motion_BN3.dtype == distance_BN.dtype == np.float32
    assert motion_BN3.shape == (4, 16, 3)
    for b, frame in enumerate(t_B):
        episode = int(windows.episode_F[frame])
        row = dataset.read(windows.episodes[episode], ["position", "yaw", "counterfactual"])
        t = int(frame - windows.first_n[episode])
        here = Pose(*row["position"][t], row["yaw"][t])
        for n, (x, y, z, yaw, distance) in enumerate(row["counterfactual"][t].astype(np.float64)):
            expected = relative_motion(here, Pose(x, y, z, yaw))
            difference = motion_BN3[b, n] - expected
            difference[2] = np.angle(np.exp(1j * difference[2]))  # half a turn may have either sign
            assert difference == pytest.approx(np.zeros(3), abs=1e-5)
            assert distance_BN[b, n] == pytest.approx(distance)


def test_actions_and_heights_of_every_frame(dataset: Dataset, windows: Windows):
    for episode, ref in enumerate(windows.episodes):
        first, last = int(windows.first_n[episode]), int(windows.first_n[episode]) + ref.steps
        row = dataset.read(ref, ["actions", "position"])
        assert np.array_equal(windows.actions_between(first, last), row["actions"])
        assert np.array_equal(windows.actions_between(first + 2, first + 5), row["actions"][2:5])
        assert windows.actions_F[last] == Action.STOP
        assert np.array_equal(windows.height_F[first : last + 1], row["position"][:, 1])
    with pytest.raises(DatasetError, match="does not follow"):
        windows.actions_between(4, 3)
    with pytest.raises(DatasetError, match="does not follow"):
        windows.actions_between(0, int(windows.end_F[0]) + 1)


def test_datasets_of_an_older_schema_have_windows_but_no_counterfactuals():
    old = Windows(open_dataset(Path(__file__).with_name("fixtures") / "schema-2"), "train", WindowConfig())
    assert not old.has_counterfactuals
    assert old.draw(0, "test", 0, 4, 2).motion_BK3.shape == (4, 2, 3)
    with pytest.raises(DatasetError, match="schema version 2, which has no array 'counterfactual'"):
        old.counterfactuals(np.array([0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ages": ()}, "expected steps ago, ending in 0"),
        ({"ages": (-3, 0)}, "expected steps ago, ending in 0"),
        ({"ages": (3, 1)}, "expected steps ago, ending in 0"),
        ({"motion": "yaw"}, "unknown motion 'yaw': expected one of commanded, realised"),
        ({"near": 0.0}, "near is 0.0: expected a number above 0"),
    ],
)
def test_settings_that_no_window_can_have_are_refused(dataset: Dataset, options: dict[str, Any], message: str):
    with pytest.raises(DatasetError, match=message):
        Windows(dataset, "train", WindowConfig(**options))
