"""An episode's simulator reopened: the recorded actions give the recorded bytes; others lead elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avw import avw4k
from avw.avw4k.reading.dataset import open_dataset
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action


def test_replay_is_bit_for_bit(reference: Path):
    dataset = open_dataset(reference)
    for ref in dataset.episodes()[:2]:
        rows = dataset.read(ref)
        with avw4k.open_simulator(reference / ref.shard, ref.demo) as episode:
            assert episode.actions == tuple(rows["actions"].tolist())
            seen = [episode.observation]
            for t, result in enumerate(episode.replay()):
                seen.append(result.observation)
                assert np.float32(result.reward) == rows["rewards"][t]
                assert episode.simulator.pose.yaw == rows["yaw"][t + 1]
                assert tuple(episode.simulator.pose.position_3) == tuple(rows["position"][t + 1])
        full_scale = dataset.spec.audio_full_scale
        for t, observation in enumerate(seen):
            np.testing.assert_array_equal(observation.rgb_HWC, rows["rgb"][t])
            np.testing.assert_array_equal(np.rint(observation.depth_HW * 1000.0), rows["depth"][t])
            np.testing.assert_array_equal(np.rint(observation.audio_ES * (32767 / full_scale)), rows["audio"][t])


def test_another_way_leads_elsewhere_and_reset_leads_back(reference: Path):
    with avw4k.open_simulator(str(reference / "train-00000.h5")) as episode:
        first = episode.observation
        for _ in range(3):
            episode.step(Action.TURN_LEFT)
        assert not np.array_equal(episode.observation.rgb_HWC, first.rgb_HWC)
        again = episode.reset()
        np.testing.assert_array_equal(again.rgb_HWC, first.rgb_HWC)
        np.testing.assert_array_equal(again.audio_ES, first.audio_ES)
        assert episode.source == open_dataset(reference).source(episode.ref)


def test_what_is_not_there_is_named(reference: Path):
    with pytest.raises(UsageError, match="no demo 5: it has 0 to 0"):
        avw4k.open_simulator(reference / "train-00000.h5", 5)
    with pytest.raises(UsageError, match=r"train-00099.h5 is no committed shard"):
        avw4k.open_simulator(reference / "train-00099.h5")
    with pytest.raises(AttributeError, match="no attribute 'close_simulator'"):
        _ = avw4k.close_simulator
