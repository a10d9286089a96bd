"""The planner of arXiv 2512.00883: a pretrained policy proposes actions, the world model predicts where they lead, and
the best of several futures is followed.

Shapes: K futures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from avw.model.cloning.features import sight, sound
from avw.model.cloning.network import START, ClonedNet, PolicyOutput
from avw.model.context import Context, Observer
from avw.model.imagination import expected_motion
from avw.model.policies.cloned import ClonedPolicy
from avw.model.prediction import History
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.task.task import TaskConfig
from avw.sim_bridge.types import Action, Observation


@dataclass(frozen=True, kw_only=True, slots=True)
class BeamConfig:
    """depth: segments of a future · branch: of the three segments, the most likely ones under the policy
    beam: futures that are continued · forward, turn: actions of a segment that walks or turns
    denoising_steps: network passes per future; None: as many as the model was trained for
    discount: per action, of the policy's value · stop: mean of the policy's P(STOP) and the model's P(success)
    """

    depth: int = 3
    branch: int = 3
    beam: int = 4
    forward: int = 4
    turn: int = 3
    denoising_steps: int | None = None
    discount: float = 0.99
    stop: float = 0.5


@dataclass(frozen=True, slots=True)
class Future:
    """actions: from now on · logits_A: of the policy at their end · hidden: of its memory · score: see `BeamPolicy`"""

    actions: tuple[Action, ...]
    logits_A: torch.Tensor
    hidden: torch.Tensor
    score: float


class BeamPolicy:
    """Beam search over futures of `depth` segments. A segment repeats one action. The score of a future is

        predicted progress - slack · actions + success reward · discount^actions · value of the policy at its end

    and the first segment of the best future is executed. The policy reads imagined observations as if they were real,
    once per segment, although it was trained to read one per action.
    """

    name = "beam"

    def __init__(
        self, model: Path | str | WorldModel, net: Path | str | ClonedNet, config: BeamConfig | None = None,
        device: str = "cpu",
    ) -> None:  # fmt: skip
        """model, net: loaded, or the folder of a run that has both.

        Raises UsageError for a model that does not predict all that the policy observes.
        """
        self.model = WorldModel.load(Path(model), device) if isinstance(model, str | Path) else model
        if not (self.model.sees and self.model.hears and self.model.predicts_depth):
            raise UsageError("the planner beam needs a model that predicts images, depth and sound")
        self.policy = ClonedPolicy(net, device)
        self.config = config or BeamConfig()
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.seed, self.decisions = seed, 0
        self.policy.reset(seed)
        self.observer = Observer(self.model.needs)
        self.last_action: Action | None = None
        self._pending: list[Action] = []

    def act(self, observation: Observation) -> Action:
        self.observer.observe(observation, self.last_action)
        last = START if self.last_action is None else int(self.last_action)
        output = self.policy.output(observation, last, self.policy.hidden)
        self.policy.hidden = output.hidden
        if not self._pending:
            self._pending = self.plan(output)
        self.last_action = self._pending.pop(0)
        return self.last_action

    def plan(self, output: PolicyOutput) -> list[Action]:
        """The actions until the next decision."""
        c = self.config
        self.decisions += 1
        context = self.observer.context()
        history = self.model.encode([context])
        still = self.model.predict_reward(history, torch.zeros(1, 1, 3), torch.zeros(1, 1, dtype=torch.int64))
        logits_A = output.logits_BTA[0, 0]
        stop = 0.5 * (float(logits_A.softmax(0)[Action.STOP]) + float(still.success_BK[0, 0]))
        if stop > c.stop:
            return [Action.STOP]
        futures = [Future((), logits_A, output.hidden, 0.0)]
        for _ in range(c.depth):
            grown = [
                (future, action)
                for future in futures
                for action in proposals(future.logits_A, c.branch)
                if len(future.actions) + self._length(action) <= self.model.max_offset
            ]
            if not grown:
                break
            futures = sorted(self._imagine(history, context, grown), key=lambda future: -future.score)[: c.beam]
        best = futures[0].actions
        return list(best[: self._length(best[0])])

    def _length(self, action: Action) -> int:
        wanted = self.config.forward if action == Action.FORWARD else self.config.turn
        return min(wanted, self.model.max_offset)

    def _imagine(self, history: History, context: Context, grown: list[tuple[Future, Action]]) -> list[Future]:
        """The futures with one more segment each, imagined in one batch."""
        c, task = self.config, TaskConfig()
        actions_K = [(*future.actions, *[action] * self._length(action)) for future, action in grown]
        motion_K3 = np.stack([expected_motion(context.memory, actions)[-1] for actions in actions_K])
        steps_K = np.array([len(actions) for actions in actions_K])
        seed = int(keyed_rng(self.seed, self.name, self.decisions).integers(2**31))
        predicted = self.model.predict(
            history, torch.from_numpy(motion_K3.astype(np.float32))[None], torch.from_numpy(steps_K)[None],
            steps=c.denoising_steps, seed=seed,
        )  # fmt: skip
        seen = self.model.decode(predicted).observations()
        hidden = torch.cat([future.hidden for future, _ in grown], 1)
        with torch.inference_mode():
            output = self.policy.net(
                torch.from_numpy(np.stack([sight(one) for one in seen]))[:, None].to(self.policy.device),
                torch.from_numpy(np.stack([sound(one) for one in seen]))[:, None].to(self.policy.device),
                torch.tensor([[int(action)] for _, action in grown], device=self.policy.device),
                hidden,
            )
        value_K = output.value_BT[:, 0].sigmoid().double().cpu().numpy()
        progress_K = predicted.reward.known_progress_BK[0].double().cpu().numpy()
        score_K = progress_K + task.slack * steps_K + task.success_reward * c.discount**steps_K * value_K
        return [
            Future(actions, output.logits_BTA[k, 0], output.hidden[:, k : k + 1], float(score_K[k]))
            for k, actions in enumerate(actions_K)
        ]


def proposals(logits_A: torch.Tensor, count: int) -> list[Action]:
    """The most likely actions of the policy, without STOP, which ends the plan elsewhere."""
    moves = logits_A[Action.FORWARD :]
    order = torch.argsort(-moves, stable=True)[:count]
    return [Action(int(index) + Action.FORWARD) for index in order]
