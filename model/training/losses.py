"""The loss of a training step: of the futures, of the reward beside them, and of the reward from the context alone.

Shapes: B contexts · K targets per context · C counterfactual poses per context · P = B·K.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from avw.model.av_cdit import AvCdit, EncodedContext
from avw.model.diffusion import Diffusion
from avw.model.frames import ContextTensors
from avw.model.reward import RewardPrediction, distance_loss
from avw.model.source_belief import belief_loss
from avw.model.training.batches import FutureBatch, RewardBatch, StageBatch
from avw.model.training.configuration.config import TrainConfig


def stage_losses(
    net: AvCdit, stage: str, batch: StageBatch, diffusion: Diffusion, config: TrainConfig, step: int
) -> dict[str, Tensor]:
    """The loss terms of one training step. Their sum is minimised."""
    losses = {}
    if batch.future is not None:
        losses = future_losses(net, stage, batch.future, diffusion, config)
    if batch.reward is not None:
        # A reward that uses images has half of its batches without them: images identify the scene, and a reward that
        # depends on them overfits to the training scenes.
        blind = net.config.blind_reward or (step % 2 == 0 and "audio" in net.config.modalities)
        losses |= reward_losses(net, batch.reward, diffusion, config, blind=blind)
    return losses


def future_losses(
    net: AvCdit, stage: str, future: FutureBatch, diffusion: Diffusion, config: TrainConfig
) -> dict[str, Tensor]:
    """Errors of predicted images and sounds and, in stage 3, of the reward that is predicted beside them."""
    modalities = config.predicted(stage)
    latents = {"vision": future.targets.vision_PHWC, "audio": future.targets.audio_PAD}
    clean = {name: latents[name] for name in modalities}
    B, K = future.targets.offset_BK.shape
    step_P, noise = future.step_P, future.noise
    noisy = {name: diffusion.training_input(clean[name], step_P, noise[name]) for name in modalities}
    context = context_of(net, future.context, modalities)
    motion_BK3, offset_BK = future.targets.motion_BK3, future.targets.offset_BK
    C = 0
    if (poses := future.poses) is not None:
        # Poses whose future is not known: their tokens start from zeros and have no loss; the reward there has one.
        C = poses.offset_BC.shape[1]
        motion_BK3 = torch.cat([motion_BK3, poses.motion_BC3], 1)
        offset_BK = torch.cat([offset_BK, poses.offset_BC], 1)

    def network(
        latents: dict[str, Tensor], at_P: Tensor, context: EncodedContext
    ) -> tuple[dict[str, Tensor], RewardPrediction | None]:
        at_BK = F.pad(at_P.float().view(B, K), (0, C), value=float(diffusion.config.steps - 1))
        padded = {name: with_zeros(x, B, C) for name, x in latents.items()}
        outputs, reward = net(
            padded, at_BK, motion_BK3, offset_BK, context, prior_PHWC=future.prior_PHWC, reward=stage == "3"
        )
        # Losses are computed in float32, whatever the network computes in.
        return {name: x.float().unflatten(0, (B, K + C))[:, :K].flatten(0, 1) for name, x in outputs.items()}, reward

    consistent: dict[str, Tensor] = {}
    if diffusion.config.prediction == "shortcut":
        given = replace(context, keys_values=[(k.detach(), v.detach()) for k, v in context.keys_values])
        consistent = diffusion.consistent_targets(noisy, step_P, lambda latents, at_P: network(latents, at_P, given)[0])
    outputs, reward = network(noisy, step_P, context)
    losses = {
        name: diffusion.loss(outputs[name], clean[name], noisy[name], noise[name], step_P, consistent.get(name)).mean()
        for name in modalities
    }
    losses |= source_losses(context, future.source_B2, config)
    if reward is None:
        return losses
    distance_BK = future.distance_BK if poses is None else torch.cat([future.distance_BK, poses.distance_BC], 1)
    losses["distance_imagined"] = config.imagined_weight * config.distance_weight * distance_loss(reward, distance_BK)
    if reward.progress_BK is not None:
        progress = progress_loss(reward.progress_BK[:, :K], future.progress_BK, future.targets.motion_BK3)
        losses["progress_imagined"] = config.imagined_weight * config.progress_weight * progress
    return losses


def reward_losses(
    net: AvCdit, batch: RewardBatch, diffusion: Diffusion, config: TrainConfig, *, blind: bool
) -> dict[str, Tensor]:
    """Errors of the reward that is predicted from the context alone. blind: without the images of the context."""
    modalities = ("audio",) if blind else net.config.modalities
    context = context_of(net, batch.context, modalities)
    last_BC = torch.full_like(batch.poses.offset_BC, float(diffusion.config.steps - 1))
    _, reward = net({}, last_BC, batch.poses.motion_BC3, batch.poses.offset_BC, context, reward=True)
    assert reward is not None
    losses = {"distance": config.distance_weight * distance_loss(reward, batch.poses.distance_BC)}
    losses |= {f"{name}_alone": loss for name, loss in source_losses(context, batch.source_B2, config).items()}
    if reward.progress_BK is not None and batch.progress_BC is not None:
        progress = progress_loss(reward.progress_BK, batch.progress_BC, batch.poses.motion_BC3)
        losses["progress"] = config.progress_weight * progress
    return losses


def source_losses(context: EncodedContext, source_B2: Tensor, config: TrainConfig) -> dict[str, Tensor]:
    """Cross-entropy of the belief about the position of the source, if the model has one and has heard something."""
    if context.belief is None:
        return {}
    return {"source": config.source_weight * belief_loss(context.belief, source_B2)}


def context_of(net: AvCdit, context: ContextTensors, modalities: tuple[str, ...]) -> EncodedContext:
    """A context, of some modalities."""
    seen, heard = "vision" in modalities, "audio" in modalities
    return net.context(
        context.vision_BTHWC if seen else None,
        context.audio_BTAD if heard else None,
        context.past_BT3,
        context.sound if heard else None,
    )


def with_zeros(x_P: Tensor, contexts: int, count: int) -> Tensor:
    """Latents (B·K, …) with `count` targets of zeros after the K targets of each context: (B·(K + count), …)."""
    x_BK = x_P.unflatten(0, (contexts, -1))
    return torch.cat([x_BK, x_BK.new_zeros(contexts, count, *x_P.shape[1:])], 1).flatten(0, 1)


def progress_loss(progress_BK: Tensor, true_BK: Tensor, motion_BK3: Tensor) -> Tensor:
    """Absolute error of the progress relative to the displacement, so that short moves count as much as long ones."""
    displacement_BK = torch.hypot(motion_BK3[..., 0], motion_BK3[..., 1])
    return ((progress_BK - true_BK).abs() / (0.15 + displacement_BK)).mean()
