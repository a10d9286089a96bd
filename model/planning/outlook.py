"""What a model predicts for the poses that a planner considers.

Shapes: K poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from avw.model.context import Context
from avw.model.prediction import History
from avw.model.reward import RewardPrediction, bin_centres
from avw.model.world_model import WorldModel


@dataclass(frozen=True, slots=True)
class Outlook:
    """distance_K: expected metres to walk from each pose to the source · variance_K: of that distance, square metres
    success_K: P(the source is within the success distance of the pose)
    source_G2, p_G: places where the source may be, (forward, left) metres from the agent, and their probabilities; None
        for a model without a belief about the source

    All float64. The last of the K entries is the current pose of the agent.
    """

    distance_K: np.ndarray
    variance_K: np.ndarray
    success_K: np.ndarray
    source_G2: np.ndarray | None = None
    p_G: np.ndarray | None = None


def outlook(
    model: WorldModel,
    context: Context,
    motion_K3: np.ndarray,
    steps_K: np.ndarray,
    *,
    denoising_steps: int | None,
    seed: int,
    history: History | None = None,
) -> Outlook:
    """Predict all poses, and the current one, in one batch.

    motion_K3: (forward, left, turn) of the poses from the current one · steps_K: actions to walk there
    denoising_steps: network passes per imagined future; None: as many as the model was trained for; 0: nothing is
        imagined, and the reward is read from the context alone
    history: the encoded context, if it is known already
    """
    if history is None:
        history = model.encode([context])
    # The current pose has nothing to imagine: its reward is read from the context in either case.
    motion_13, steps_1 = np.zeros((1, 3), np.float32), np.zeros(1, np.int64)
    if denoising_steps != 0 and len(motion_K3):
        motion, offset = torch.from_numpy(motion_K3)[None], torch.from_numpy(steps_K)[None]
        there = model.predict(history, motion, offset, steps=denoising_steps, seed=seed, only_reward=True)
        here = model.predict_reward(history, torch.from_numpy(motion_13)[None], torch.from_numpy(steps_1)[None])
        parts = [there, here]
    else:
        motion = torch.from_numpy(np.concatenate([motion_K3, motion_13]))[None]
        offset = torch.from_numpy(np.concatenate([steps_K, steps_1]))[None]
        parts = [model.predict_reward(history, motion, offset)]
    pairs = [moments(part.reward) for part in parts]
    distance_K, variance_K = (numbers([pair[n] for pair in pairs]) for n in (0, 1))
    success_K = numbers([part.success_BK for part in parts])
    belief = parts[-1].source
    if belief is None:
        return Outlook(distance_K, variance_K, success_K)
    source_G2, p_G = (x.double().cpu().numpy() for x in (belief.cell_G2, belief.log_p_BG[0].double().exp()))
    return Outlook(distance_K, variance_K, success_K, source_G2, p_G)


def moments(reward: RewardPrediction) -> tuple[Tensor, Tensor]:
    """Mean and variance of the histogram of distance, each (B, K)."""
    p_BKn = reward.distance_logits_BKn.float().softmax(-1)
    centres = torch.tensor(bin_centres(reward.edges), device=p_BKn.device)
    mean_BK = p_BKn @ centres
    return mean_BK, (p_BKn * (centres - mean_BK[..., None]).square()).sum(-1)


def numbers(parts: list[Tensor]) -> np.ndarray:
    """(K,) of the candidates of all parts, each (1, K)."""
    return torch.cat(parts, 1)[0].double().cpu().numpy()
