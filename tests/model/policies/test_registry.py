"""Policies: their actions, and that only the oracle can know the position of the source."""

import gc
import inspect
import types

import numpy as np
import pytest

from avw.model.policies.as_action import as_action
from avw.model.policies.registry import (
    CLONED,
    LEARNED,
    POLICIES,
    PRIVILEGED,
    ForwardPolicy,
    OraclePolicy,
    RandomPolicy,
    make_policy,
    policy_seed,
)
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import AudioNavTask, TaskConfig, sample_episode
from avw.sim_bridge.types import STEP_SAMPLES, Action, Observation

CONFIG = SimulatorConfig(size=32, emitters=1000)
UNLEARNED = ("random", "forward", "greedy-audio", "mapping-audio")


def observation(depth: float = 3.0, seed: int = 0) -> Observation:
    rng = np.random.default_rng(seed)
    return Observation(
        rgb_HWC=np.zeros((32, 32, 3), np.uint8),
        depth_HW=np.full((32, 32), depth, np.float32),
        audio_ES=0.05 * rng.standard_normal((2, STEP_SAMPLES)).astype(np.float32),
    )


def actions(policy, count=60, seed=3):
    policy.reset(seed)
    chosen = []
    for step in range(count):
        chosen.append(as_action(policy.act(observation(seed=step))))
        if chosen[-1] == Action.STOP:
            break
    return chosen


@pytest.fixture(scope="module")
def simulator():
    opened = open_simulator("procedural-0200", CONFIG)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", UNLEARNED)
def test_an_episode_depends_on_its_seed_only(name):
    policy = make_policy(name)
    first = actions(policy)
    actions(policy, seed=4)
    assert actions(policy) == first == actions(make_policy(name))


def test_random_has_uniform_lengths_and_uniform_actions():
    lengths, counts = [], np.zeros(4, int)
    policy = RandomPolicy(max_steps=50)
    for seed in range(300):
        chosen = actions(policy, count=50, seed=seed)
        lengths.append(len(chosen))
        counts += np.bincount(chosen, minlength=4)
    assert counts[Action.STOP] == 300
    assert 22 < np.mean(lengths) < 29  # uniform over 1..50: 25.5
    np.testing.assert_allclose(counts[1:] / counts[1:].sum(), 1 / 3, atol=0.03)


def test_forward_walks_turns_to_one_side_at_a_wall_and_stops_at_the_end():
    policy = ForwardPolicy(max_steps=5)
    policy.reset(0)
    assert policy.act(observation(3.0)) == Action.FORWARD
    turns = {policy.act(observation(0.2)) for _ in range(2)}
    assert len(turns) == 1
    assert turns <= {Action.TURN_LEFT, Action.TURN_RIGHT}
    assert policy.act(observation(3.0)) == Action.FORWARD
    assert policy.act(observation(3.0)) == Action.STOP


def test_oracle_finds_the_source(simulator):
    start, source = sample_episode(simulator, 1)
    task = AudioNavTask(simulator, TaskConfig())
    seen, oracle = task.reset(start, source, 1), OraclePolicy(simulator)
    oracle.reset(0)
    for _ in range(500):
        result = task.step(oracle.act(seen))
        if result.done:
            break
    assert result.success


def reachable(root: object) -> set[int]:
    """ids of all objects that can be reached from an object, without passing through code."""
    code = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.FrameType, type)
    seen, stack = set(), [root]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, code):
            continue
        seen.add(id(item))
        stack.extend(gc.get_referents(item))
    return seen


@pytest.mark.parametrize("name", [*UNLEARNED, "mpc", "reward-only", "gated", "cem", "acoustic-field"])
def test_only_the_oracle_can_reach_the_simulator(simulator, tiny_run, name):
    start, source = sample_episode(simulator, 2)
    task = AudioNavTask(simulator, TaskConfig(max_steps=8))
    policy = make_policy(name, model_dir=tiny_run)
    policy.reset(0)
    seen = task.reset(start, source, 2)
    for _ in range(8):
        action = policy.act(seen)
        result = task.step(action)
        seen = result.observation
        if result.done:
            break
    known = reachable(policy)
    secrets = [simulator, simulator.navgrid, simulator.source, simulator.engine, task]
    assert not known & {id(secret) for secret in secrets}
    assert id(simulator) in reachable(OraclePolicy(simulator))  # the test is able to find it


def test_only_the_oracles_are_made_from_a_simulator():
    assert "simulator" not in inspect.signature(make_policy).parameters
    for name in PRIVILEGED:
        assert name.startswith("oracle")
        with pytest.raises(UsageError, match="simulator"):
            make_policy(name)
    assert set(Observation.__dataclass_fields__) == {"rgb_HWC", "depth_HW", "audio_ES"}


def test_unknown_policies_and_invalid_actions_are_refused():
    with pytest.raises(UsageError, match="expected one of random"):
        make_policy("clever")
    with pytest.raises(UsageError, match="--model"):
        make_policy("mpc")
    for wrong in (7, 1.7, float("inf"), float("nan"), "left", None, np.array([1, 2])):
        with pytest.raises(UsageError, match="must return"):
            as_action(wrong)
    assert as_action(np.int64(2)) == Action.TURN_LEFT


def test_every_policy_has_its_name():
    assert [make_policy(name).name for name in UNLEARNED] == list(UNLEARNED)
    assert set(UNLEARNED) | set(LEARNED) | set(CLONED) | set(PRIVILEGED) == set(POLICIES)


def test_policy_seeds_differ_from_episode_seeds():
    seeds = [policy_seed(seed) for seed in range(100)]
    assert len(set(seeds)) == 100
    assert not set(seeds) & set(range(100))
