"""The trained world model: encode observations, predict what follows actions, decode the prediction.

`WorldModel.imagine` takes an episode and actions and gives NumPy arrays. `encode`, `predict` and `decode` work on
batches of tensors, for planners and evaluation.

Shapes: B contexts · T context frames · K candidates (targets) per context · H W C image · E ears · S samples.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avw.avw4k.reading.windows import WindowConfig
from avw.model import checkpoint
from avw.model.av_cdit import AvCdit, AvCditConfig, RewardPrediction
from avw.model.diffusion import Diffusion, DiffusionConfig, Latents
from avw.model.imagination import Imagination, Observed, commanded_motion, context_at
from avw.model.rotation import Rotation
from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.sim_bridge.errors import CheckpointError, UsageError
from avw.sim_bridge.task.task import TaskConfig
from avw.sim_bridge.types import Action

FILE = "model.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Learned on validation houses: P(success) = sigmoid(logit / temperature + bias); STOP above `stop_threshold`."""

    temperature: float = 1.0
    bias: float = 0.0
    stop_threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class History:
    """An encoded observation history. keys_values: the context for every block · last_rgb_BHWC: uint8, newest frame."""

    keys_values: list[tuple[Tensor, Tensor]]
    last_rgb_BHWC: Tensor


@dataclass(frozen=True, slots=True)
class Prediction:
    """latents: "vision" (B·K, H, W, C), "audio" (B·K, A, Da), clean · reward: what the same pass predicts of it."""

    latents: Latents
    reward: RewardPrediction
    success_BK: Tensor


class WorldModel:
    """AV-CDiT with its tokenizers, diffusion and calibration. Frozen, for inference."""

    def __init__(
        self,
        net: AvCdit,
        image: ImageTokenizer,
        audio: AudioTokenizer,
        diffusion: DiffusionConfig,
        *,
        hfov: float,
        calibration: Calibration | None = None,
        note: dict[str, Any] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.net, self.image, self.audio = net.to(self.device), image.to(self.device), audio.to(self.device)
        for part in (self.net, self.image, self.audio):
            part.eval().requires_grad_(False)
        self.diffusion = Diffusion(diffusion, self.device)
        self.hfov, self.calibration, self.note = hfov, calibration or Calibration(), note or {}
        self.rotation = Rotation(image.config.size, hfov, self.device) if net.config.rotation_prior else None

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
        denoising_steps: int | None = None,
        seed: int = 0,
    ) -> Imagination:
        """What the agent will see, hear and be rewarded if it takes `actions` after observation t of an episode.

        episode: an episode of `avw.open_dataset`, or an `avw.Recording` made live · t: negative counts from the end
        every_step: predict the future after each of the actions, not only after the last
        denoising_steps: network passes; None: as many as the model was trained for. Fewer give a smaller error, more
            give sharper images

        The context is built from the observations up to t; later ones are not used. See `Imagination` for the result.
        Raises UsageError for a t outside of the episode, for images of another size, and for more than `max_offset`
        actions.
        """
        context = context_at(episode, t, self.ages)
        motion_N3 = commanded_motion(actions, self.max_offset)
        size = self.image.config.size
        if context.rgb_CHWC.shape[1:] != (size, size, 3):
            raise UsageError(
                f"the episode has images of {context.rgb_CHWC.shape[2]} x {context.rgb_CHWC.shape[1]} pixels, and the "
                f"model was trained on {size} x {size}: use SimulatorConfig(size={size})"
            )
        offset_N = np.arange(1, len(actions) + 1)
        if not every_step:
            motion_N3, offset_N = motion_N3[-1:], offset_N[-1:]
        tensors = (torch.from_numpy(array)[None] for array in (context.rgb_CHWC, context.audio_CES, context.past_C3))
        history = self.encode(*tensors)
        motion, offset = torch.from_numpy(motion_N3)[None], torch.from_numpy(offset_N)[None]
        prediction = self.predict(history, motion, offset, steps=denoising_steps, seed=seed)
        rgb, audio = (tensor.cpu().numpy() for tensor in self.decode(prediction.latents))
        progress = prediction.reward.progress_BK[0].float().cpu().numpy()
        success = prediction.success_BK[0].float().cpu().numpy()
        task = TaskConfig()
        reward = progress + np.float32(task.slack) * offset_N.astype(np.float32)
        if actions[-1] == Action.STOP:
            reward[-1] += task.success_reward * success[-1]
        if every_step:
            return Imagination(rgb=rgb, depth=None, audio=audio, reward=reward, progress=progress, success=success)
        return Imagination(
            rgb=rgb[0],
            depth=None,
            audio=audio[0],
            reward=float(reward[0]),
            progress=float(progress[0]),
            success=float(success[0]),
        )

    @torch.inference_mode()
    def encode(self, rgb_BTHWC: Tensor, audio_BTES: Tensor, past_BT3: Tensor) -> History:
        """rgb uint8 (B, T, H, W, 3), audio float32 (B, T, 2, 2400), of the ages that the network wants, oldest first;
        past_BT3: where each was taken, in the heading frame of now."""
        B, T = rgb_BTHWC.shape[:2]
        rgb_BTHWC, audio_BTES = rgb_BTHWC.to(self.device), audio_BTES.to(self.device)
        vision = self.image.encode(rgb_BTHWC.flatten(0, 1)).unflatten(0, (B, T))
        audio = self.audio.encode(audio_BTES.flatten(0, 1)).unflatten(0, (B, T))
        return History(self.net.context(vision, audio, past_BT3.to(self.device)), rgb_BTHWC[:, -1])

    @torch.inference_mode()
    def predict(
        self, history: History, motion_BK3: Tensor, offset_BK: Tensor, *, steps: int | None = None, seed: int = 0
    ) -> Prediction:
        """Futures at `offset` steps under relative motions (forward m, left m, net turn rad), in `steps` passes
        (None: `denoising_steps`).

        The starting noise depends on `seed` alone and is shared by all candidates: they differ by action, not luck.
        """
        motion_BK3, offset_BK = motion_BK3.to(self.device), offset_BK.to(self.device).float()
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
        prior = self._prior(history, motion_BK3)
        reward: RewardPrediction | None = None

        def denoise(latents: Latents, step: int) -> Latents:
            nonlocal reward  # of the last pass, which sees the cleanest latents
            step_BK = torch.full((B, K), float(step), device=self.device)
            outputs, reward = self.net(
                latents, step_BK, motion_BK3, offset_BK, history.keys_values, prior_PHWC=prior, reward=True
            )
            return outputs

        latents = self.diffusion.sample(denoise, noise, self.denoising_steps if steps is None else steps)
        return self._prediction(latents, reward)

    @torch.inference_mode()
    def predict_reward(self, history: History, motion_BK3: Tensor, offset_BK: Tensor) -> Prediction:
        """The reward read from the context alone, imagining no sight or sound: the control for `predict`."""
        motion_BK3, offset_BK = motion_BK3.to(self.device), offset_BK.to(self.device).float()
        step_BK = torch.full(offset_BK.shape, self.diffusion.config.steps - 1.0, device=self.device)
        _, reward = self.net({}, step_BK, motion_BK3, offset_BK, history.keys_values, reward=True)
        return self._prediction({}, reward)

    def _prediction(self, latents: Latents, reward: RewardPrediction | None) -> Prediction:
        assert reward is not None
        c = self.calibration
        return Prediction(latents, reward, reward.success_BK(c.temperature, c.bias))

    def _prior(self, history: History, motion_BK3: Tensor) -> Tensor | None:
        """Candidates that end at the same heading share their turned frame."""
        if self.rotation is None:
            return None
        B = motion_BK3.shape[0]
        turns_BK = torch.round(motion_BK3[..., 2] * (18 / torch.pi)).long() + 64
        pairs, inverse = torch.unique(
            torch.arange(B, device=self.device)[:, None] * 128 + turns_BK, return_inverse=True
        )
        yaw_U = (pairs % 128 - 64) * (torch.pi / 18)
        return self.rotation.prior(self.image, history.last_rgb_BHWC[pairs // 128], yaw_U)[inverse.flatten()]

    @torch.inference_mode()
    def decode(self, latents: Latents) -> tuple[Tensor, Tensor]:
        """rgb uint8 (P, H, W, 3) and audio float32 (P, 2, 2400)."""
        return self.image.decode(latents["vision"]), self.audio.decode(latents["audio"])

    def save(self, path: Path) -> None:
        parts = {"net": self.net, "image": self.image, "audio": self.audio}
        tensors = {
            k: v for name, part in parts.items() for k, v in checkpoint.prefixed(name, part.state_dict()).items()
        }
        note = {
            **self.note,
            "net": checkpoint.as_json(self.net.config),
            "image": checkpoint.as_json(self.image.config),
            "audio": checkpoint.as_json(self.audio.config),
            "diffusion": checkpoint.as_json(self.diffusion.config),
            "calibration": checkpoint.as_json(self.calibration),
            "hfov": self.hfov,
        }
        checkpoint.save(path, tensors, note)

    @classmethod
    def load(cls, run: str | Path, device: torch.device | str = "cpu") -> WorldModel:
        """A trained model from a run's folder, or from its model.safetensors. Raises CheckpointError."""
        path = Path(run) if Path(run).suffix == ".safetensors" else Path(run) / FILE
        tensors, note = checkpoint.load(path)
        if "max_offset" not in note:  # older checkpoints did not store it
            with suppress(OSError, ValueError, KeyError, TypeError):
                config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
                note["max_offset"] = int(config["train"]["windows"]["max_offset"])
        try:
            net = AvCdit(_net_config(note.pop("net")))
            image = ImageTokenizer(ImageTokenizerConfig(**note.pop("image")))
            audio = AudioTokenizer(AudioTokenizerConfig(**note.pop("audio")))
            diffusion = DiffusionConfig(**note.pop("diffusion"))
            calibration, hfov = Calibration(**note.pop("calibration")), note.pop("hfov")
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path}: its configuration does not fit this version of AVW ({error}); train again with avw train"
            ) from error
        for name, part in {"net": net, "image": image, "audio": audio}.items():
            checkpoint.restore(part, tensors, name, path)
        return cls(net, image, audio, diffusion, hfov=hfov, calibration=calibration, note=note, device=device)


def _net_config(values: dict[str, Any]) -> AvCditConfig:
    return AvCditConfig(**{**values, "ages": tuple(values["ages"])})
