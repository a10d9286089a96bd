"""Plan with the world model: a policy that imagines what each of a few walks brings, and takes the best.

    python examples/plan_with_a_model.py [--model RUN] [--scenes procedural:40-41] [--episodes 2]

Without --model, it uses the model that ships with AVW. The planner of `avw navigate --policy mpc` also uses a map and
remembers where the source may be; this one shows the principle in a few lines. It looks one metre ahead and walks
back and forth where a wall is between it and the source: expect few successes.
"""

from __future__ import annotations

import argparse
import os

import avw

# Policies are made without arguments, so the program passes its options on as environment variables.
MODEL, LONGEST = "AVW_EXAMPLE_MODEL", "AVW_EXAMPLE_LONGEST"
TURNS = (0, 3, 6, 9, 12, 18)  # of 10°
FORWARD = 6  # steps of 0.15 m
SURE = 0.5  # P(success) of a STOP from which on the agent stops


def walks() -> list[list[avw.Action]]:
    """Turn to one side, then walk straight ahead."""
    sides = [(avw.Action.TURN_LEFT, n) for n in TURNS] + [(avw.Action.TURN_RIGHT, n) for n in TURNS[1:-1]]
    return [[side] * count + [avw.Action.FORWARD] * FORWARD for side, count in sides]


class Planner(avw.Policy):
    """At the end of each walk, imagine the next ones and take the one with the largest reward."""

    def __init__(self) -> None:
        self.model = avw.WorldModel.load(os.environ.get(MODEL, "pretrained"))
        self.longest = int(os.environ.get(LONGEST, "200"))

    def reset(self, seed: int) -> None:
        self.seen = avw.Recording()
        self.pose = avw.Pose(0.0, 0.0, 0.0, 0.0)  # only relative poses matter: the agent counts its own actions
        self.plan: list[avw.Action] = []

    def act(self, observation: avw.Observation) -> avw.Action:
        self.seen.add(observation, self.pose)
        if not self.plan:
            if len(self.seen) > self.longest or self._imagined([avw.Action.STOP]).success > SURE:
                return avw.Action.STOP
            self.plan = max(walks(), key=lambda actions: self._imagined(actions).reward)
        action = self.plan.pop(0)
        self.pose = self.pose.after(action)
        return action

    def _imagined(self, actions: list[avw.Action]) -> avw.Imagination:
        return self.model.imagine(self.seen, actions=actions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pretrained", help="folder of a trained run")
    parser.add_argument("--scenes", default="procedural:40-41")
    parser.add_argument("--episodes", type=int, default=2)
    parser.add_argument("--longest", type=int, default=200, help="steps after which the agent gives up")
    arguments = parser.parse_args()
    os.environ |= {MODEL: arguments.model, LONGEST: str(arguments.longest)}
    model = avw.WorldModel.load(arguments.model)
    result = avw.run_navigation(
        [f"{__file__}:Planner", "random"], scenes=arguments.scenes, episodes=arguments.episodes,
        simulator=avw.SimulatorConfig(size=model.size, hfov=model.hfov),
    )  # fmt: skip
    print(result.report())


if __name__ == "__main__":
    main()
