"""What the policies cost in closed loop: `python -m benchmarks.policies RUN [--scene SCENE] [--actions N] [--json]`.

Each policy walks through the same episodes. Most actions follow the last decision of a planner, so both actions and
decisions are counted. A second of CPU time is one of the policy alone, in one thread, without the simulator. The limit
is real time: an action lasts 0.15 s.
"""

from __future__ import annotations

import time

import click
import torch

from avw.model.navigation.plan_navigation import dataset_defaults
from avw.model.policies.registry import Policy, make_policy, policy_seed
from avw.model.run_folder import run_path
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.task.task import AudioNavTask, sample_episode
from avw.sim_bridge.types import STEP_SECONDS, Action
from benchmarks.rows import Row, present

POLICIES = ("greedy-audio", "mapping-audio", "reward-only", "gated", "mpc", "cem")


@click.command()
@click.argument("run")
@click.option("--scene", default="procedural-4001", show_default=True, help="A scene, as for `avw navigate`.")
@click.option("--policy", "policies", multiple=True, default=POLICIES, show_default=True, help="May be repeated.")
@click.option("--actions", default=200, show_default=True, help="Actions of each policy.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def policies(run: str, scene: str, policies: tuple[str, ...], actions: int, as_json: bool) -> None:
    """Measure actions and decisions per second of CPU time of policies with the model RUN (or pretrained)."""
    torch.set_num_threads(1)
    _, config, _ = dataset_defaults(run_path(run), needed=False)
    simulator = open_simulator(scene, config)
    rows = []
    for name in policies:
        policy = make_policy(name, model_dir=run_path(run), hfov=config.hfov)
        walked(simulator, policy, 10, seed=1)  # compiles, and fills caches
        seconds, decided = walked(simulator, policy, actions, seed=0)
        conditions = f"{actions} actions, {decided / seconds:.1f} decisions/s" if decided else f"{actions} actions"
        rows.append(
            Row(
                name=f"actions/s, {name}",
                ours=actions / seconds,
                peer=1.0 / STEP_SECONDS,
                peer_name="real time",
                unit="1/s",
                conditions=f"{conditions}, one thread",
            )
        )
    present("policies", rows, as_json=as_json)


def walked(simulator: Simulator, policy: Policy, actions: int, seed: int) -> tuple[float, int]:
    """(CPU seconds of the policy, its decisions if it counts them) in as many episodes as the actions need."""
    seconds, left, decided = 0.0, actions, 0
    while left > 0:
        start, source = sample_episode(simulator, seed)
        task = AudioNavTask(simulator)
        observation, done = task.reset(start, source, seed=seed), False
        policy.reset(policy_seed(seed))
        while not done and left > 0:
            began = time.process_time()
            action = policy.act(observation)
            seconds += time.process_time() - began
            result = task.step(Action(int(action)))
            observation, done, left = result.observation, result.done, left - 1
        decided += int(getattr(policy, "decisions", 0))
        seed += 1
    return seconds, decided


if __name__ == "__main__":
    policies()
