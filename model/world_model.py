"""The trained world model: encode observations, predict what follows actions, decode the prediction.

`WorldModel.imagine` takes an episode and actions and gives NumPy arrays. `encode`, `predict` and `decode` work on
batches of tensors, for planners and evaluation.

Shapes: B contexts · T context frames · K candidates (targets) per context · H W C image · E ears · S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from avw.avw4k.reading.windows import WindowBatch, WindowConfig
from avw.model import checkpoint
from avw.model.av_cdit import AvCdit, AvCditConfig, EncodedContext
from avw.model.compositor import Compositor, CompositorConfig
from avw.model.context import Context, ContextNeeds, observer_at, stacked
from avw.model.diffusion import Diffusion, DiffusionConfig, Latents
from avw.model.frames import EncodedFrames
from avw.model.imagination import Imagination, Observed, checked_actions, expected_motion
from avw.model.memory.poses import walking_steps
from avw.model.memory.reprojection import Reprojection
from avw.model.memory.spatial_memory import SpatialMemory
from avw.model.pixels import composite, joined, layers_of
from avw.model.prediction import Calibration, Decoded, History, Prediction
from avw.model.priors import memory_prior, planning_size, prior_size
from avw.model.reward import RewardPrediction
from avw.model.rollout import RolloutConfig, roll_out
from avw.model.rotation import Rotation
from avw.model.run_folder import model_file, read_result_object
from avw.model.sound_memory import SoundHistory
from avw.model.tokenizers.configs import TokenizerConfigs
from avw.model.tokenizers.sound_cache import SoundCache
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.sim_bridge.errors import CheckpointError, UsageError
from avw.sim_bridge.storage.typed_json import typed
from avw.sim_bridge.task.task import TaskConfig
from avw.sim_bridge.types import STEP_SAMPLES, Action


class WorldModel:
    """AV-CDiT with its tokenizers, diffusion and calibration. Frozen, for inference."""

    def __init__(
        self,
        net: AvCdit,
        tokenizers: Tokenizers,
        diffusion: DiffusionConfig,
        *,
        hfov: float,
        compositor: Compositor | None = None,
        calibration: Calibration | None = None,
        note: dict[str, Any] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.net, self.tokenizers = net.to(self.device), tokenizers.to(self.device)
        self.image, self.audio = tokenizers.image, tokenizers.audio
        self._sounds = SoundCache(self.audio)
        self.compositor = None if compositor is None else compositor.to(self.device)
        for part in self.parts().values():
            part.eval().requires_grad_(False)
        self.diffusion = Diffusion(diffusion, self.device)
        self.hfov, self.calibration, self.note = hfov, calibration or Calibration(), note or {}
        self.rotation = Rotation(self.size, hfov, self.device) if self.prior == "rotation" else None

    def parts(self) -> dict[str, torch.nn.Module]:
        """The modules by the name under which a checkpoint stores them."""
        found: dict[str, torch.nn.Module] = {"net": self.net, **self.tokenizers.parts()}
        return found if self.compositor is None else found | {"compositor": self.compositor}

    @property
    def size(self) -> int:
        """Pixels per side of the images."""
        return self.image.config.size

    @property
    def prior(self) -> str:
        """What the visual tokens are given: "none", "rotation" or "memory"."""
        return self.net.config.prior

    @property
    def predicts_depth(self) -> bool:
        return self.tokenizers.depth is not None

    @property
    def sees(self) -> bool:
        """Whether it reads and predicts images."""
        return "vision" in self.net.config.modalities

    @property
    def hears(self) -> bool:
        """Whether it reads and predicts sound."""
        return "audio" in self.net.config.modalities

    @property
    def needs(self) -> ContextNeeds:
        """What an `Observer` has to collect for this model."""
        config = self.net.config
        return ContextNeeds(
            ages=config.ages,
            sound_memory=config.sound_memory,
            memory=self.prior == "memory",
            hfov=self.hfov,
            size=self.size,
        )

    @property
    def ages(self) -> tuple[int, ...]:
        """How many steps ago each context frame was made, oldest first, ending in 0 (now)."""
        return self.net.config.ages

    @property
    def denoising_steps(self) -> int:
        """Network passes of a forecast: the number that fits what the model was trained for."""
        return self.diffusion.config.network_calls

    @property
    def max_offset(self) -> int:
        """The most steps ahead that the model was trained to predict."""
        return int(self.note.get("max_offset", WindowConfig().max_offset))

    def imagine(
        self,
        episode: Observed,
        *,
        t: int = -1,
        actions: Sequence[Action | int],
        every_step: bool = False,
        autoregressive: bool = False,
        denoising_steps: int | None = None,
        seed: int = 0,
    ) -> Imagination:
        """What the agent will see, hear and be rewarded if it takes `actions` after observation t of an episode.

        episode: an episode of `avw.open_dataset`, or an `avw.Recording` made live · t: negative counts from the end
        every_step: predict the future after each of the actions, not only after the last
        autoregressive: feed imagined frames back, see `rollout.py`; any number of actions
        denoising_steps: network passes; None for the number that belongs to the checkpoint

        The context is built from the observations up to t; later ones are not used. See `Imagination` for the result.
        Raises UsageError for a t outside of the episode, for images of another size, and for more than `max_offset`
        actions, unless autoregressive.
        """
        observer = observer_at(episode, t, self.needs)
        taken = checked_actions(actions, None if autoregressive else self.max_offset)
        if not autoregressive:
            return self._jump(observer.context(), taken, every_step, denoising_steps, seed)
        config = RolloutConfig(reach=self.max_offset)
        rolled = roll_out(lambda c, part: self._jump(c, part, True, denoising_steps, seed), observer, taken, config)
        if len(taken) > self.max_offset:  # sounds of several jumps: decoded again as one, without clicks between them
            heard = torch.from_numpy(rolled.audio).to(self.device)
            rolled = replace(rolled, audio=self._one_sound(self.audio.encode(heard)))
        return rolled if every_step else rolled.last()

    def _jump(
        self, context: Context, actions: Sequence[Action], every_step: bool, denoising_steps: int | None, seed: int
    ) -> Imagination:
        """The future after each of the actions, or after the last, predicted directly from the context."""
        motion_N3 = expected_motion(context.memory, actions).astype(np.float32)
        offset_N = np.arange(1, len(actions) + 1)
        if not every_step:
            motion_N3, offset_N = motion_N3[-1:], offset_N[-1:]
        history = self.encode([context])
        motion, offset = torch.from_numpy(motion_N3)[None], torch.from_numpy(offset_N)[None]
        prediction = self.predict(history, motion, offset, steps=denoising_steps, seed=seed)
        decoded = self.decode(prediction)
        progress = prediction.reward.known_progress_BK[0].float().cpu().numpy()
        success = prediction.success_BK[0].float().cpu().numpy()
        task = TaskConfig()
        reward = progress + np.float32(task.slack) * offset_N.astype(np.float32)
        if actions[-1] == Action.STOP:
            reward[-1] += task.success_reward * success[-1]
        found = Imagination(
            rgb=decoded.rgb_PHWC.cpu().numpy(),
            depth=None if decoded.depth_PHW is None else decoded.depth_PHW.cpu().numpy(),
            audio=self._one_sound(prediction.latents["audio"]) if every_step else decoded.audio_PES.cpu().numpy(),
            reward=reward,
            progress=progress,
            success=success,
            distance=prediction.reward.distance_BK[0].cpu().numpy(),
            motion=motion_N3,
            coverage=None if prediction.seen is None else prediction.seen.coverage_PHW,
        )
        return found if every_step else found.last()

    @torch.inference_mode()
    def _one_sound(self, latent_NAD: Tensor) -> np.ndarray:
        """Consecutive steps decoded as one waveform, float32 (N, 2, 2400)."""
        sound_ES = self.audio.decode_sequence(latent_NAD.to(self.device))
        return sound_ES.unflatten(1, (-1, STEP_SAMPLES)).transpose(0, 1).contiguous().cpu().numpy()

    @torch.inference_mode()
    def encode(self, contexts: Sequence[Context]) -> History:
        """Encode what agents have observed; see `Observer` and `context_at`."""

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(stacked(contexts, name)).to(self.device)

        B, T = len(contexts), len(self.ages)
        rgb = tensor("rgb_THWC")
        depth = tensor("depth_THW").flatten(0, 1) if self.predicts_depth else None
        vision = self.tokenizers.encode_vision(rgb.flatten(0, 1), depth).unflatten(0, (B, T))
        audio, _ = self._sounds.encode(stacked(contexts, "audio_TES").reshape(B * T, 2, STEP_SAMPLES))
        sound = None
        if M := self.net.config.sound_memory:
            remembered = stacked(contexts, "sound_MES").reshape(B * M, 2, STEP_SAMPLES)
            heard, delay = (x.unflatten(0, (B, M)) for x in self._sounds.encode(remembered))
            delays = delay if self.net.config.interaural_delay else None
            sound = SoundHistory(heard, tensor("sound_past_M3"), tensor("sound_age_M"), delays)
        memories = tuple(context.memory for context in contexts if context.memory is not None)
        return self._history(vision, audio.unflatten(0, (B, T)), tensor("past_T3"), sound, rgb[:, -1], memories or None)

    def _history(
        self,
        vision: Tensor,
        audio: Tensor,
        past_BT3: Tensor,
        sound: SoundHistory | None,
        last_rgb: Tensor,
        memories: tuple[SpatialMemory, ...] | None = None,
    ) -> History:
        context = self.net.context(vision, audio, past_BT3, sound)
        if self.net.config.progress_head:
            return History(context, last_rgb, None, memories)
        # Progress is measured from the expected distance at the current pose: a target without motion.
        still, now = past_BT3.new_zeros(len(past_BT3), 1, 3), past_BT3.new_zeros(len(past_BT3), 1)
        return History(context, last_rgb, self._reward_alone(context, still, now).distance_BK, memories)

    @torch.inference_mode()
    def predict(
        self,
        history: History,
        motion_BK3: Tensor,
        offset_BK: Tensor,
        *,
        steps: int | None = None,
        seed: int = 0,
        pixels: bool = True,
        only_reward: bool = False,
    ) -> Prediction:
        """Futures at `offset` steps under relative motions (forward m, left m, net turn rad), in `steps` passes
        (None: `denoising_steps`). The starting noise depends on `seed` alone and is shared by all candidates: they
        differ by action, not luck.

        pixels: whether the prediction will be decoded; without, the memory is drawn in `planning_size` only
        only_reward: the last pass computes the reward alone, and the prediction has no latents; implies pixels=False
        """
        pixels = pixels and not only_reward
        seen = prior = None
        motion_BK3, offset_BK = motion_BK3.to(self.device), offset_BK.to(self.device).float()
        if self.rotation is not None:
            prior = self._rotation_prior(self.rotation, history, motion_BK3)
        elif history.memories is not None:
            motion = motion_BK3.cpu().numpy()

            def view(size: int) -> Reprojection:
                return joined([m.reproject(motion[b], size=size) for b, m in enumerate(history.memories or ())])

            drawn = view(prior_size(self.size) if pixels else planning_size(self.size))
            prior = memory_prior(self.tokenizers, drawn, motion_BK3[..., 2].flatten(), self.hfov)
            seen = view(self.size) if pixels else None
        return self._forecast(history, motion_BK3, offset_BK, prior, seen, steps, seed, only_reward)

    @torch.inference_mode()
    def predict_window(
        self,
        frames: EncodedFrames,
        window: WindowBatch,
        *,
        steps: int | None = None,
        seed: int = 0,
        pixels: bool = True,
    ) -> Prediction:
        """The futures of windows of a dataset, from frames that are already encoded. Equal to `predict`."""
        history = self._window_history(frames, window.context_BT[:, -1])
        targets = frames.targets(window, np.zeros(len(window.context_BT), bool), self.device)
        motion_BK3, seen, prior = targets.motion_BK3, None, None
        if self.rotation is not None:
            prior = self._rotation_prior(self.rotation, history, motion_BK3)
        elif targets.seen is not None:
            prior = memory_prior(self.tokenizers, targets.seen, motion_BK3[..., 2].flatten(), self.hfov)
            seen = frames.reproject(window.context_BT[:, -1], motion_BK3.cpu().numpy()) if pixels else None
        return self._forecast(history, motion_BK3, targets.offset_BK, prior, seen, steps, seed)

    def _forecast(
        self,
        history: History,
        motion_BK3: Tensor,
        offset_BK: Tensor,
        prior: Tensor | None,
        seen: Reprojection | None,
        steps: int | None,
        seed: int,
        only_reward: bool = False,
    ) -> Prediction:
        B, K = offset_BK.shape
        config = self.net.config
        generator = torch.Generator().manual_seed(seed)
        shapes = {
            "vision": (config.latent_size, config.latent_size, config.latent_channels),
            "audio": (config.audio_tokens, config.audio_channels),
        }
        noise = {
            name: torch.randn(1, *shape, generator=generator).to(self.device).expand(B * K, *shape)
            for name, shape in shapes.items()
        }
        predicted = {name: noise[name] for name in config.modalities}
        reward: RewardPrediction | None = None
        left = calls = self.denoising_steps if steps is None else steps

        def denoise(latents: Latents, step: int) -> Latents:
            nonlocal reward, left  # the reward of the last pass, which sees the cleanest latents
            left -= 1
            step_BK = torch.full((B, K), float(step), device=self.device)
            outputs, reward = self.net(
                latents, step_BK, motion_BK3, offset_BK, history.context, prior_PHWC=prior, reward=True,
                only_reward=only_reward and left == 0,
            )  # fmt: skip
            return outputs

        latents = self.diffusion.sample(denoise, predicted, calls)
        assert reward is not None
        if only_reward:
            return self._prediction({}, reward, history, None)
        # A unimodal model predicts nothing of the other modality: what the memory shows, or the mean of all sounds.
        if "vision" not in latents:
            channels = config.latent_channels
            latents["vision"] = torch.zeros_like(noise["vision"]) if prior is None else prior[..., :channels]
        latents.setdefault("audio", torch.zeros_like(noise["audio"]))
        return self._prediction(latents, reward, history, seen)

    @torch.inference_mode()
    def predict_reward(self, history: History, motion_BK3: Tensor, offset_BK: Tensor) -> Prediction:
        """The reward read from the context alone, imagining no sight or sound: the control for `predict`."""
        motion_BK3, offset_BK = motion_BK3.to(self.device), offset_BK.to(self.device).float()
        return self._prediction({}, self._reward_alone(history.context, motion_BK3, offset_BK), history, None)

    @torch.inference_mode()
    def predict_counterfactuals(self, frames: EncodedFrames, t_B: np.ndarray) -> tuple[Prediction, np.ndarray]:
        """(the reward, from the context alone, of the counterfactual poses around frames t; their distances (B, N))."""
        motion_BN3, distance_BN = frames.windows.counterfactuals(t_B)
        history = self._window_history(frames, t_B)
        offset = torch.from_numpy(walking_steps(motion_BN3).clip(1, 64))
        return self.predict_reward(history, torch.from_numpy(motion_BN3), offset), distance_BN

    def _window_history(self, frames: EncodedFrames, t_B: np.ndarray) -> History:
        context = frames.context(t_B, np.zeros(len(t_B), bool), self.device)
        last = torch.from_numpy(frames.rgb_FHWC[t_B]).to(self.device)
        return self._history(context.vision_BTHWC, context.audio_BTAD, context.past_BT3, context.sound, last)

    def _reward_alone(self, context: EncodedContext, motion_BK3: Tensor, offset_BK: Tensor) -> RewardPrediction:
        step_BK = torch.full(offset_BK.shape, self.diffusion.config.steps - 1.0, device=self.device)
        _, reward = self.net({}, step_BK, motion_BK3, offset_BK, context, reward=True)
        assert reward is not None
        return cast("RewardPrediction", reward)

    def _prediction(
        self, latents: Latents, reward: RewardPrediction, history: History, seen: Reprojection | None
    ) -> Prediction:
        if reward.progress_BK is None:
            assert history.here_BK is not None
            reward = replace(reward, progress_BK=history.here_BK - reward.distance_BK)
        success_BK = reward.success_BK(self.calibration.temperature, self.calibration.bias)
        return Prediction(latents, reward, success_BK, seen, history.context.belief)

    def _rotation_prior(self, rotation: Rotation, history: History, motion_BK3: Tensor) -> Tensor:
        """Candidates that end at the same heading share their turned frame."""
        B = motion_BK3.shape[0]
        turns_BK = torch.round(motion_BK3[..., 2] * (18 / torch.pi)).long() + 64
        first_B1 = 128 * torch.arange(B, device=self.device)[:, None]
        pairs, inverse = torch.unique(first_B1 + turns_BK, return_inverse=True)
        yaw_U = (pairs % 128 - 64) * (torch.pi / 18)
        channels = self.net.config.latent_channels
        return rotation.prior(self.image, history.last_rgb_BHWC[pairs // 128], yaw_U, channels)[inverse.flatten()]

    @torch.inference_mode()
    def decode(self, prediction: Prediction) -> Decoded:
        """Images, depth and sound. Pixels that the memory has seen are those of the memory, blended at their edges."""
        return Decoded(*self.decode_views(prediction), self.audio.decode(prediction.latents["audio"]))

    @torch.inference_mode()
    def decode_views(self, prediction: Prediction) -> tuple[Tensor, Tensor | None]:
        """The same for images and depth only."""
        latent, seen = prediction.latents["vision"], prediction.seen
        if seen is None:
            if self.prior == "memory":
                raise UsageError("this prediction was made with pixels=False and cannot be decoded")
            return self.tokenizers.decode_vision(latent)
        rgb, log_metres = composite(self.compositor, layers_of(self.tokenizers, latent, seen))
        colours = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        return colours, log_metres.exp() if self.predicts_depth else None

    def save(self, path: Path) -> None:
        parts = [checkpoint.prefixed(name, part.state_dict()) for name, part in self.parts().items()]
        tensors = {name: tensor for part in parts for name, tensor in part.items()}
        tokenizers = TokenizerConfigs(
            self.image.config, self.audio.config, self.tokenizers.depth.config if self.tokenizers.depth else None
        )
        note = {
            **self.note,
            "net": checkpoint.as_json(self.net.config),
            **tokenizers.as_json(),
            "diffusion": checkpoint.as_json(self.diffusion.config),
            "calibration": checkpoint.as_json(self.calibration),
            "hfov": self.hfov,
        }
        if self.compositor is not None:
            note["compositor"] = checkpoint.as_json(self.compositor.config)
        checkpoint.save(path, tensors, note)

    @classmethod
    def load(cls, run: str | Path, device: torch.device | str = "cpu") -> WorldModel:
        """A trained model from a run's folder, or from its model.safetensors. Raises CheckpointError.

        "pretrained" is the model that ships with AVW.
        """
        path = model_file(run)
        tensors, note = checkpoint.load(path)
        if "max_offset" not in note:  # older checkpoints did not store it
            with suppress(CheckpointError, ValueError, KeyError, TypeError):
                config = read_result_object(path.parent / "config.json")
                note["max_offset"] = int(config["train"]["windows"]["max_offset"])
        try:
            size = AvCditConfig.from_json(note.pop("net"))
            configs = TokenizerConfigs.from_json({name: note.pop(name, None) for name in ("image", "audio", "depth")})
            diffusion = checkpoint.configured(DiffusionConfig, note.pop("diffusion"), "diffusion")
            blend = note.pop("compositor", None)
            blending = None if blend is None else CompositorConfig.from_json(blend)
            with torch.device("meta"):  # a network that is not in the file is refused before it takes memory
                parts = {"net": AvCdit(size), **configs.outlines()}
                for name, part in (parts | ({} if blending is None else {"compositor": Compositor(blending)})).items():
                    checkpoint.chosen_for(part, tensors, name, path)
            net, compositor = AvCdit(size), None if blending is None else Compositor(blending)
            fitted = dict(note.pop("calibration"))
            fitted.pop("stop_threshold", None)  # of older checkpoints
            calibration = checkpoint.configured(Calibration, fitted, "calibration")
            hfov = typed(float, note.pop("hfov"), "hfov")
        except (KeyError, TypeError, ValueError, UsageError, RuntimeError) as error:
            raise CheckpointError(
                f"{path}: its configuration does not fit this version of AVW ({error}); train again with avw train"
            ) from error
        model = cls(
            net,
            configs.empty(),
            diffusion,
            hfov=hfov,
            compositor=compositor,
            calibration=calibration,
            note=note,
            device=device,
        )
        for name, part in model.parts().items():
            checkpoint.restore(part, tensors, name, path)
        return model
