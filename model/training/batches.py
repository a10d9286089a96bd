"""The batches of a training step: pure functions of (seed, stage, step), prepared one step ahead in a thread.

A step has one batch, however many processes share it. A process computes a part of it: all random numbers are drawn for
the whole batch, and images, sounds and reprojections are gathered for the part alone. So N processes train on what one
process would train on.

Shapes: B contexts · K targets per context · C counterfactual poses per context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from avw.model.diffusion import Diffusion
from avw.model.frames import ContextTensors, EncodedFrames, Targets
from avw.model.memory.poses import walking_steps
from avw.model.memory.reprojection import Reprojection, with_arrays
from avw.model.priors import memory_prior
from avw.model.rotation import Rotation
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.configuration.config import TrainConfig
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import TURN_RADIANS


@dataclass(frozen=True, slots=True)
class Part:
    """Part `number` of `count` equal parts of a batch."""

    number: int = 0
    count: int = 1

    def of(self, contexts: int) -> slice:
        """The contexts of this part. Raises UsageError if the contexts cannot be divided."""
        if contexts % self.count:
            raise UsageError(
                f"{contexts} contexts cannot be divided into {self.count} equal parts (processes times accumulate). "
                f"Choose a multiple of {self.count} for --batch, --set sound_contexts and --set reward_contexts"
            )
        size = contexts // self.count
        return slice(self.number * size, (self.number + 1) * size)


WHOLE = Part()


@dataclass(frozen=True, slots=True)
class Poses:
    """Poses whose distance to the source is known, but not what is seen and heard there: (B, C)."""

    motion_BC3: Tensor
    offset_BC: Tensor
    distance_BC: Tensor


@dataclass(frozen=True, slots=True)
class FutureBatch:
    """Contexts with K true futures, and with C further poses, whose tokens have no target.

    prior_PHWC: of the K futures and the C poses of each context, in this order
    source_B2: true position of the source, (forward, left) metres from the agent
    step_P: diffusion steps, one for both modalities · noise: of each modality, with the shape of its latents
    """

    context: ContextTensors
    targets: Targets
    distance_BK: Tensor
    progress_BK: Tensor
    prior_PHWC: Tensor | None
    poses: Poses | None
    source_B2: Tensor
    step_P: Tensor
    noise: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class RewardBatch:
    """Contexts with poses for the reward token alone. progress_BC: None for counterfactual poses."""

    context: ContextTensors
    poses: Poses
    progress_BC: Tensor | None
    source_B2: Tensor


@dataclass(frozen=True, slots=True)
class StageBatch:
    """Everything that one training step reads."""

    future: FutureBatch | None
    reward: RewardBatch | None


class Batches:
    """Batches of a stage. Iterating prepares the next one in a thread while the present one is used."""

    def __init__(
        self, frames: EncodedFrames, tokenizers: Tokenizers, config: TrainConfig, stage: str, device: torch.device
    ) -> None:
        self.frames, self.tokenizers, self.config, self.stage, self.device = frames, tokenizers, config, stage, device
        self.diffusion = Diffusion(config.diffusion)
        spec = frames.windows.dataset.spec.simulator
        rotated = config.net.prior == "rotation" and stage != "2"
        self.rotation = Rotation(spec.size, spec.hfov, device) if rotated else None

    def steps(self, start: int, steps: int, parts: Sequence[Part] = (WHOLE,)) -> Iterator[tuple[int, list[StageBatch]]]:
        """(step, the parts of its batch) for steps start … steps - 1."""

        def prepare(step: int) -> list[StageBatch]:
            return [self.at(step, part) for part in parts]

        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as thread:
            pending: Future[list[StageBatch]] | None = thread.submit(prepare, start) if start < steps else None
            for step in range(start, steps):
                assert pending is not None
                batches = pending.result()
                pending = thread.submit(prepare, step + 1) if step + 1 < steps else None
                yield step, batches

    @torch.no_grad()
    def at(self, step: int, part: Part = WHOLE) -> StageBatch:
        """A part of the batch of one step."""
        rng = keyed_rng(self.config.seed, f"stage-{self.stage}", step)
        future = self._future(step, rng, part) if self.stage != "3" or self.config.futures else None
        return StageBatch(future, self._reward(step, rng, part) if self.stage == "3" else None)

    def _future(self, step: int, rng: np.random.Generator, part: Part) -> FutureBatch:
        config, windows = self.config, self.frames.windows
        contexts = config.contexts_of(self.stage)
        chosen = part.of(contexts)
        window = windows.draw(config.seed, f"stage-{self.stage}", step, contexts, config.targets)
        mirrored_B = (rng.random(contexts) < 0.5) & config.mirror
        drawn = None
        if self.stage == "3" and self._imagines_poses():
            t_B = window.context_BT[:, -1]
            drawn = self._counterfactual(t_B, mirrored_B, config.counterfactual_targets, rng, chosen)
        window, mirrored_B = window.part(chosen), mirrored_B[chosen]
        t_B = window.context_BT[:, -1]
        targets = self.frames.targets(window, mirrored_B, self.device, reproject=self.stage != "2")
        poses, motion_BK3, seen = None, targets.motion_BK3, targets.seen
        if drawn is not None:
            poses, there = drawn
            motion_BK3 = torch.cat([motion_BK3, poses.motion_BC3], 1)
            if seen is not None:
                seen = interleaved(seen, self.frames.prior_view(t_B, there, mirrored_B), len(t_B))
        prior = None
        yaw_P = motion_BK3[..., 2].flatten()
        if seen is not None:
            prior = memory_prior(self.tokenizers, seen, yaw_P, self.frames.hfov)
        elif self.rotation is not None:
            last = torch.from_numpy(self.frames.rgb_FHWC[t_B])
            last = torch.where(torch.from_numpy(mirrored_B)[:, None, None, None], last.flip(2), last).to(self.device)
            turned = last.repeat_interleave(motion_BK3.shape[1], 0)
            yaw_P = torch.round(yaw_P / TURN_RADIANS) * TURN_RADIANS
            prior = self.rotation.prior(self.tokenizers.image, turned, yaw_P, self.config.net.latent_channels)
        context = self.frames.context(t_B, mirrored_B, self.device)
        if self.stage != "1":
            context = forgetful(context, rng, config.forget, contexts, chosen)
        step_P, noise = self._noise(int(rng.integers(2**62)), targets, contexts, chosen)
        return FutureBatch(
            context,
            targets,
            torch.from_numpy(window.distance_BK).to(self.device),
            torch.from_numpy(window.progress_BK).to(self.device),
            prior,
            poses,
            self._source(t_B, mirrored_B),
            step_P,
            noise,
        )

    def _noise(self, seed: int, targets: Targets, contexts: int, chosen: slice) -> tuple[Tensor, dict[str, Tensor]]:
        """Diffusion steps and noise of the chosen contexts, from those of the whole batch."""
        K = self.config.targets
        generator = torch.Generator().manual_seed(seed)
        mine = slice(chosen.start * K, chosen.stop * K)
        step_P = self.diffusion.draw_steps(contexts * K, generator)[mine]
        latents = {"vision": targets.vision_PHWC, "audio": targets.audio_PAD}
        noise = {}
        for name in self.config.predicted(self.stage):
            whole = torch.randn((contexts * K, *latents[name].shape[1:]), generator=generator)
            noise[name] = whole[mine].to(self.device)
        return step_P.to(self.device), noise

    def _imagines_poses(self) -> bool:
        """Whether counterfactual poses are imagined too. Their tokens start from zeros, which the model must know."""
        config = self.config
        wanted = config.counterfactual_targets > 0 and config.diffusion.zero_noise
        return wanted and self.frames.windows.has_counterfactuals

    def _reward(self, step: int, rng: np.random.Generator, part: Part) -> RewardBatch:
        """Large batches with the reward token only: they are cheap, because no image or sound is predicted."""
        config, windows, contexts = self.config, self.frames.windows, self.config.reward_contexts
        chosen = part.of(contexts)
        window = windows.draw(config.seed, "stage-3-reward", step, contexts, config.reward_targets)
        mirrored_B = (rng.random(contexts) < 0.5) & config.mirror
        t_B, mine_B = window.context_BT[:, -1], mirrored_B[chosen]
        context = self.frames.context(t_B[chosen], mine_B, self.device)
        context = forgetful(context, rng, config.forget, contexts, chosen)
        source_B2 = self._source(t_B[chosen], mine_B)
        if config.counterfactual_reward and windows.has_counterfactuals:
            poses, _ = self._counterfactual(t_B, mirrored_B, config.reward_targets, rng, chosen, here=True)
            return RewardBatch(context, poses, None, source_B2)
        window = window.part(chosen)
        future = self.frames.targets(window, mine_B, self.device, reproject=False)
        distance, progress = (torch.from_numpy(x).to(self.device) for x in (window.distance_BK, window.progress_BK))
        poses = Poses(future.motion_BK3, future.offset_BK, distance)
        return RewardBatch(context, poses, progress, source_B2)

    def _source(self, t_B: np.ndarray, mirrored_B: np.ndarray) -> Tensor:
        """True position of the source, (forward, left) metres in the heading frame at t."""
        source_B2 = self.frames.source(t_B)
        return (
            torch.from_numpy(np.where(mirrored_B[:, None], source_B2 * [1.0, -1.0], source_B2)).to(self.device).float()
        )

    def _counterfactual(
        self, t_B: np.ndarray, mirrored_B: np.ndarray, count: int, rng: np.random.Generator, chosen: slice,
        here: bool = False,
    ) -> tuple[Poses, np.ndarray]:  # fmt: skip
        """`count` of the stored poses of each chosen context, and their motions before mirroring.

        here: the first pose is that of the agent itself, from which progress is measured
        """
        motion_BN3, distance_BN = self.frames.windows.counterfactuals(t_B)
        chosen_BC = rng.permuted(np.tile(np.arange(motion_BN3.shape[1]), (len(t_B), 1)), axis=1)[:, :count]
        motion_BC3 = np.take_along_axis(motion_BN3, chosen_BC[..., None], 1)
        distance_BC = np.take_along_axis(distance_BN, chosen_BC, 1)
        if here:
            motion_BC3[:, 0], distance_BC[:, 0] = 0.0, self.frames.windows.geodesic_F[t_B]
        offset_BC = walking_steps(motion_BC3)
        # A way around things takes more steps than the straight one.
        offset_BC = np.minimum(np.round(offset_BC * rng.uniform(1.0, 1.5, offset_BC.shape)), 64).astype(np.float32)
        sign_B13 = np.where(mirrored_B[:, None], [1.0, -1.0, -1.0], [1.0, 1.0, 1.0]).astype(np.float32)[:, None]
        poses = Poses(
            *(torch.from_numpy(x[chosen]).to(self.device) for x in (motion_BC3 * sign_B13, offset_BC, distance_BC))
        )
        return poses, motion_BC3[chosen]


def forgetful(
    context: ContextTensors, rng: np.random.Generator, share: float, contexts: int, chosen: slice
) -> ContextTensors:
    """The context without a part of its past sounds: up to `share` of the steps, and half of the histories are cut.

    contexts: of the whole batch, of which `context` has the chosen ones

    A history identifies the house and the recorded path, and a network that remembers those does not need to learn what
    sounds say about the source.
    """
    if context.sound is None or share == 0.0:
        return context
    B, M = contexts, context.sound.age_BM.shape[1]
    kept_B1 = np.where(rng.random((B, 1)) < 0.5, rng.integers(1, M + 1, (B, 1)), M)
    gone_BM = (np.arange(M) >= kept_B1) | (rng.random((B, M)) < share * rng.random((B, 1)))
    gone_BM[:, 0] = False
    gone = torch.from_numpy(gone_BM[chosen]).to(context.sound.age_BM.device)
    return replace(context, sound=replace(context.sound, age_BM=context.sound.age_BM.masked_fill(gone, -1.0)))


def interleaved(first: Reprojection, second: Reprojection, contexts: int) -> Reprojection:
    """The targets of `first`, then those of `second`, for each context."""

    def joined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = (x.reshape(contexts, -1, *x.shape[1:]) for x in (a, b))
        return np.concatenate([a, b], 1).reshape(-1, *a.shape[2:])

    return with_arrays(joined, first, second)
