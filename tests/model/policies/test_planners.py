"""The other planners: gated imagination, CEM, beam search, the cloned policy, and true observations."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.model.cloning.network import ClonedNetConfig
from avw.model.cloning.train import CloningConfig, train_policy
from avw.model.navigation.navigate import run_policies
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.navigation.plan_navigation import plan_navigation
from avw.model.planning.outlook import Outlook
from avw.model.policies.beam import BeamPolicy, proposals
from avw.model.policies.cem import CemConfig, CemPolicy
from avw.model.policies.cloned import ClonedPolicy
from avw.model.policies.gated import GateConfig, GatedPolicy, uncertain
from avw.model.policies.mpc import MpcConfig
from avw.model.run_folder import run_data
from avw.sim_bridge.errors import CheckpointError, UsageError
from avw.sim_bridge.task.task import TaskConfig
from avw.sim_bridge.types import Action
from tests.model.planning.room_walk import KnowingModel, RoomWalk

FAST = MpcConfig(denoising_steps=1, spacing=2.5, farthest=4.0, scan=False)


def to(*source: float):
    return lambda place_2: float(np.linalg.norm(place_2 - np.array(source)))


def quick(*distance: float, variance: float = 1.0) -> Outlook:
    """Of candidates 2 m apart, and of the current pose."""
    return Outlook(np.array([*distance, 9.0]), np.full(len(distance) + 1, variance), np.zeros(len(distance) + 1))


def places(count: int) -> np.ndarray:
    return np.stack([2.0 * np.arange(count), np.zeros(count)], -1)


def test_a_clear_choice_is_not_imagined_and_a_close_one_is() -> None:
    gate = GateConfig(close=0.3, apart=1.0, most=2)
    assert len(uncertain(quick(1.0, 4.0, 5.0), places(3), gate)) == 0
    assert uncertain(quick(1.0, 1.2, 5.0), places(3), gate).tolist() == [0, 1]
    assert uncertain(quick(1.3, 1.2, 1.1, 1.0), places(4), gate).tolist() == [3, 2]  # at most two
    assert len(uncertain(quick(1.0, 1.2, variance=1e-4), places(2), gate)) == 0
    assert len(uncertain(quick(1.0, 1.1), np.zeros((2, 2)), gate)) == 0  # the same place
    assert len(uncertain(quick(1.0), places(1), gate)) == 0


def test_the_gated_planner_imagines_the_uncertain_candidates_only() -> None:
    for sharpness, imagines in ((50.0, False), (0.2, True)):
        model = KnowingModel(to(-2.0, 1.5), sharpness=sharpness)
        policy = GatedPolicy(model, FAST)  # type: ignore[arg-type]
        RoomWalk().run(policy, 1)
        assert policy.decisions == 1
        assert policy.imagined == int(imagines)
        kinds = [call.kind for call in model.calls]
        assert ("predict" in kinds) == imagines
        if imagines:
            most = max(len(call.steps_K) for call in model.calls if call.kind == "predict_reward")
            assert all(len(call.steps_K) < most for call in model.calls if call.kind == "predict")


@pytest.mark.parametrize("kind", [GatedPolicy, CemPolicy])
def test_planners_reach_the_source_of_a_model_that_knows_it(kind) -> None:
    walk = RoomWalk()
    actions = walk.run(kind(KnowingModel(to(-2.0, 1.5)), FAST), 100)
    assert actions[-1] == Action.STOP
    assert np.linalg.norm(walk.pose_4[:2] - [-2.0, 1.5]) < 1.0


def test_each_iteration_of_cem_samples_around_the_best_motions() -> None:
    model = KnowingModel(to(2.0, 1.0))
    policy = CemPolicy(model, FAST, search=CemConfig(iterations=4, samples=32))  # type: ignore[arg-type]
    RoomWalk().run(policy, 1)
    sampled = [call.motion_K3 for call in model.calls if call.kind == "predict"]
    assert [len(motion_K3) for motion_K3 in sampled] == [32] * 4
    away = [np.linalg.norm(motion_K3[:, :2] - [2.0, 1.0], axis=1).mean() for motion_K3 in sampled]
    assert away[3] < 0.4 * away[0]


def test_proposals_are_the_most_likely_moves_without_stop() -> None:
    assert proposals(torch.tensor([9.0, 0.0, 2.0, 1.0]), 2) == [Action.TURN_LEFT, Action.TURN_RIGHT]
    assert len(proposals(torch.zeros(4), 3)) == 3


@pytest.fixture(scope="module")
def cloned_run(tiny_run: Path, dataset: Dataset) -> Path:
    """The tiny run, with a tiny cloned policy."""
    config = CloningConfig(rounds=1, episodes=2, steps=2, batch=2, net=ClonedNetConfig(channels=4, width=16))
    train_policy(dataset, tiny_run, config, execute=run_in_this_process)
    return tiny_run


def asked(run: Path, flats: tuple[str, ...], policy: str, steps: int) -> NavigateConfig:
    return NavigateConfig(
        policies=(policy,), scenes=flats[:1], episodes=1, min_distance=1.5, model_dir=str(run),
        simulator=open_dataset(run_data(run)).spec.simulator, task=TaskConfig(max_steps=steps),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "steps"),
    [("cloned", 20), ("beam", 9), ("inverse-dynamics", 44), ("gated", 42)],
)
def test_policies_of_a_trained_run_are_deterministic(
    cloned_run: Path, flats: tuple[str, ...], policy: str, steps: int
) -> None:
    config = asked(cloned_run, flats, policy, steps)
    first, again = (run_policies(config, execute=run_in_this_process).records[policy] for _ in range(2))
    assert [record.path for record in first] == [record.path for record in again]


def test_true_observations_are_not_read_by_a_model_that_starts_from_zeros(
    cloned_run: Path, flats: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="trained to start from zeros only"):
        run_policies(asked(cloned_run, flats, "oracle-observation", 4), execute=run_in_this_process)


def test_beam_search_keeps_the_best_futures_and_executes_the_first_segment(
    cloned_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every imagination is of as many futures as the beam times the branches; the plan begins like the best one."""
    policy = BeamPolicy(cloned_run, cloned_run)
    policy.config = dataclasses.replace(policy.config, depth=2, beam=2, branch=3, stop=2.0)
    size = policy.model.size
    walk = RoomWalk()
    grown = []
    imagine = BeamPolicy._imagine

    def spied(self, history, context, wanted):
        found = imagine(self, history, context, wanted)
        grown.append((wanted, found))
        return found

    monkeypatch.setattr(BeamPolicy, "_imagine", spied)
    observation = walk.observation()
    rgb_HWC = np.zeros((size, size, 3), np.uint8)
    action = policy.act(
        dataclasses.replace(observation, rgb_HWC=rgb_HWC, depth_HW=np.full((size, size), 2.0, np.float32))
    )
    assert [len(wanted) for wanted, _ in grown] == [3, 6]
    kept = sorted(grown[0][1], key=lambda future: -future.score)[:2]
    assert {future.actions for future, _ in grown[1][0]} == {future.actions for future in kept}
    best = max(grown[1][1], key=lambda future: future.score)
    assert action == best.actions[0]
    length = policy.config.forward if action == Action.FORWARD else policy.config.turn
    assert list(best.actions[:length]) == [action] * length
    assert policy._pending == [action] * (length - 1)


def test_the_cloned_policy_reads_its_last_action_and_keeps_a_memory(cloned_run: Path) -> None:
    policy = ClonedPolicy(cloned_run)
    walk = RoomWalk()
    policy.act(walk.observation())
    hidden = policy.hidden
    policy.act(walk.observation())
    assert hidden is not None
    assert not torch.equal(hidden, policy.hidden)
    policy.reset(0)
    policy.act(walk.observation())
    torch.testing.assert_close(policy.hidden, hidden)


@pytest.mark.parametrize("camera", [{"hfov": 60.0}, {"size": 48}])
def test_a_model_of_another_camera_is_refused(tiny_run: Path, flats: tuple[str, ...], camera: dict[str, float]) -> None:
    config = asked(tiny_run, flats, "reward-only", 5)
    other = dataclasses.replace(config, simulator=dataclasses.replace(config.simulator, **camera))
    with pytest.raises(UsageError, match="its model was trained on images of"):
        run_policies(other, execute=run_in_this_process)


def test_what_is_missing_is_named(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes((tiny_run / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="contains no cloned policy, which --policy beam needs"):
        plan_navigation(("beam",), model=tmp_path, scenes=("procedural-0217",))
    with pytest.raises(UsageError, match="beam needs a model that predicts images, depth and sound"):
        BeamPolicy(KnowingModel(to(1.0, 1.0)), tmp_path)  # type: ignore[arg-type]
