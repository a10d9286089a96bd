"""The frames of a split, encoded: what the network reads in training and in evaluation, gathered into batches.

Shapes: B contexts · K targets per context · P = B·K · T context frames · M steps of the sound memory · F frames of the
split · N keyframes · H W C latent image · A Da latent audio.

Latents are computed once and kept in memory-mapped files, for training also those of the mirror images. The mirror
image of an episode (image flipped, ears swapped, left and right exchanged) is an episode in the mirrored scene. Physics
is symmetric under reflection, so this doubles the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from avw.avw4k.plan.episode import DEPTH_UNITS
from avw.avw4k.reading.windows import FrameCache, WindowBatch, Windows, in_heading_frame
from avw.model.av_cdit import AvCditConfig
from avw.model.interaural_delay import FEATURES as DELAYS
from avw.model.interaural_delay import interaural_delays
from avw.model.memory.poses import compose, seen_from
from avw.model.memory.reprojection import Reprojection, reproject_frames, with_arrays
from avw.model.memory.tracks import episode_tracks
from avw.model.priors import prior_size
from avw.model.sound_memory import SoundHistory
from avw.model.tokenizers.tokenizers import Tokenizers


@dataclass(frozen=True, slots=True)
class ContextTensors:
    """The network's view of histories: `AvCdit.context` takes these."""

    vision_BTHWC: Tensor
    audio_BTAD: Tensor
    past_BT3: Tensor
    sound: SoundHistory | None


@dataclass(frozen=True, slots=True)
class Targets:
    """True futures and what is known of them in advance.

    motion_BK3: where the actions lead · seen: the frames in the memory reprojected there; None without a memory prior
    """

    vision_PHWC: Tensor
    audio_PAD: Tensor
    motion_BK3: Tensor
    offset_BK: Tensor
    seen: Reprojection | None


class EncodedFrames:
    """All frames of `windows` as arrays over frame numbers.

    rgb_FHWC uint8 · depth_FHW uint16 mm, or None for a model without depth · vision_2FHWC, audio_2FAD float16 latents
    delay_2FC float16: evidence for the delays between the ears. Without `mirror`, only the first of the two exists
    odometry_F4: estimated poses from the start of the episode · rolled_FN3: where the next 1 … N actions lead
    keyframes_FN: frame numbers in the memory at each frame, newest last, -1 where there are fewer
    """

    def __init__(
        self,
        windows: Windows,
        tokenizers: Tokenizers,
        config: AvCditConfig,
        folder: Path,
        *,
        key: str,
        mirror: bool = True,
        progress: Callable[[int], object] = lambda frames: None,
    ) -> None:
        self.windows, self.config = windows, config
        self.hfov = windows.dataset.spec.simulator.hfov
        self._source_E3 = np.array([windows.dataset.source(ref).position_3 for ref in windows.episodes])
        cache = FrameCache(folder)
        size, F = windows.dataset.spec.simulator.size, windows.frames
        key = f"{key}/{tokenizers.vision_shape}/{windows.config.max_offset}"
        copies = 2 if mirror else 1
        shapes: dict[str, tuple[tuple[int, ...], type]] = {
            "rgb": ((F, size, size, 3), np.uint8),
            "vision": ((copies, F, *tokenizers.vision_shape), np.float16),
            "audio": ((copies, F, *tokenizers.audio.latent_shape), np.float16),
            "delay": ((copies, F, DELAYS), np.float16),
        }
        if self.has_depth:
            shapes["depth"] = (F, size, size), np.uint16
        arrays = {name: array for name in shapes if (array := cache.load(name, key)) is not None}
        if len(arrays) < len(shapes):
            created = {name: cache.create(name, *shape) for name, shape in shapes.items()}
            self._encode(created, tokenizers, progress)
            arrays = {name: cache.finish(name, array, key) for name, array in created.items()}
        else:
            progress(F)
        self.rgb_FHWC, self.vision_2FHWC, self.audio_2FAD = arrays["rgb"], arrays["vision"], arrays["audio"]
        self.delay_2FC, self.depth_FHW = arrays["delay"], arrays.get("depth")
        self.odometry_F4, self.rolled_FN3, self.keyframes_FN = self._tracks(cache, key)

    @property
    def has_depth(self) -> bool:
        """Whether the model needs depth: for its memory, or because it predicts depth."""
        return self.config.prior == "memory" or self.config.depth_channels > 0

    def _encode(
        self, arrays: Mapping[str, np.ndarray], tokenizers: Tokenizers, progress: Callable[[int], object]
    ) -> None:
        windows = self.windows
        names = ["rgb", "audio", "depth"] if self.has_depth else ["rgb", "audio"]
        scale, device = windows.dataset.audio_scale, tokenizers.device
        for ref, first in zip(windows.episodes, windows.first_n.tolist(), strict=True):
            row = windows.dataset.read(ref, names)
            chosen = slice(first, first + len(row["rgb"]))
            arrays["rgb"][chosen] = row["rgb"]
            rgb = torch.from_numpy(row["rgb"]).to(device)
            sound = torch.from_numpy(row["audio"].astype(np.float32) * scale).to(device)
            depth = None
            if self.has_depth:
                arrays["depth"][chosen] = row["depth"]
                depth = torch.from_numpy(row["depth"].astype(np.float32) / DEPTH_UNITS).to(device)
            with torch.inference_mode():
                for m in range(len(arrays["vision"])):
                    images = rgb.flip(2) if m else rgb
                    depths = depth.flip(2) if m and depth is not None else depth
                    arrays["vision"][m, chosen] = tokenizers.encode_vision(images, depths).half().cpu().numpy()
                    heard = sound.flip(1) if m else sound
                    arrays["audio"][m, chosen] = tokenizers.audio.encode(heard).half().cpu().numpy()
                    arrays["delay"][m, chosen] = interaural_delays(heard).half().cpu().numpy()
            progress(len(rgb))

    def _tracks(self, cache: FrameCache, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Odometry, rolled-out motions and keyframes of every frame. Without a memory: as the actions command."""
        windows = self.windows
        if self.config.prior != "memory":
            return _without_memory(windows)
        assert self.depth_FHW is not None
        names = ("odometry", "rolled", "keyframes")
        stored = [array for name in names if (array := cache.load(name, key)) is not None]
        if len(stored) == 3:
            return stored[0], stored[1], stored[2]
        parts = []
        for ref, first in zip(windows.episodes, windows.first_n.tolist(), strict=True):
            actions = windows.dataset.read(ref, ["actions"])["actions"]
            depth = self.depth_FHW[first : first + len(actions) + 1]
            tracks = episode_tracks(depth, actions, self.hfov, horizon=windows.config.max_offset)
            keyframes = np.where(tracks.keyframes_TK >= 0, tracks.keyframes_TK + first, -1)
            parts.append((tracks.odometry_T4, tracks.rolled_TN3, keyframes))
        for name, arrays in zip(names, zip(*parts, strict=True), strict=True):
            joined = np.concatenate(arrays)
            array = cache.create(name, joined.shape, joined.dtype.type)
            array[:] = joined
            stored.append(cache.finish(name, array, key))
        return stored[-3], stored[-2], stored[-1]

    def read_by(self, config: AvCditConfig) -> EncodedFrames:
        """The same frames as a network of another configuration reads them. It shares the latents, and may need less:
        no memory, or another sound memory."""
        other = copy(self)
        other.config = config
        if config.prior != "memory":
            other.odometry_F4, other.rolled_FN3, other.keyframes_FN = _without_memory(self.windows)
        return other

    # Motions and reprojections

    def past(self, t_B: np.ndarray, frames_BN: np.ndarray) -> np.ndarray:
        """float32 (B, N, 3): estimated poses of frames in the heading frame at t."""
        poses = seen_from(self.odometry_F4[t_B][:, None], self.odometry_F4[frames_BN])
        return poses[..., [0, 1, 3]].astype(np.float32)

    def motion(self, window: WindowBatch) -> np.ndarray:
        """float32 (B, K, 3): where the actions lead, as far as the agent can know: along what its memory shows."""
        if not self.rolled_FN3.shape[1]:
            return window.motion_BK3
        t_B = window.context_BT[:, -1]
        ahead_BK = np.clip(window.offset_BK, 1, self.rolled_FN3.shape[1]) - 1
        rolled = self.rolled_FN3[t_B[:, None], ahead_BK]
        return np.where(window.offset_BK[..., None] > 0, rolled, self.past(t_B, window.target_BK)).astype(np.float32)

    def reproject(self, t_B: np.ndarray, motion_BK3: np.ndarray, size: int | None = None) -> Reprojection:
        """The frames in the memory at t, seen from the poses that the motions lead to: arrays over P = B·K."""
        assert self.depth_FHW is not None
        K = motion_BK3.shape[1]
        frames_BN = self.keyframes_FN[t_B]
        now_B14 = self.odometry_F4[t_B][:, None]
        lifted = np.insert(motion_BK3.astype(np.float64), 2, 0.0, axis=-1)
        target_BK4 = compose(now_B14, lifted)
        source_BN4 = self.odometry_F4[np.maximum(frames_BN, 0)]
        pose_BKN4 = seen_from(target_BK4[:, :, None], source_BN4[:, None])
        frames_PN = np.repeat(frames_BN, K, axis=0)
        pose_PN4 = pose_BKN4.reshape(-1, *pose_BKN4.shape[2:])
        seen = reproject_frames(self.rgb_FHWC, self.depth_FHW, frames_PN, pose_PN4, self.hfov, size=size)
        age_BN = np.where(frames_BN >= 0, t_B[:, None] - frames_BN, 0).astype(np.int32)
        index_PN = np.maximum(seen.source_PHW, 0).reshape(len(frames_PN), -1).astype(np.int64)
        age = np.take_along_axis(np.repeat(age_BN, K, axis=0), index_PN, axis=1).reshape(seen.source_PHW.shape)
        return replace(seen, age_PHW=np.where(seen.coverage_PHW, age, -1))

    def prior_view(self, t_B: np.ndarray, motion_BK3: np.ndarray, mirrored_B: np.ndarray) -> Reprojection:
        """What becomes the memory prior: the reprojection at `prior_size`, mirrored where its context is.

        motion_BK3: not mirrored
        """
        seen = self.reproject(t_B, motion_BK3, prior_size(self.rgb_FHWC.shape[1]))
        return mirrored(seen, mirrored_B, motion_BK3.shape[1])

    def source(self, t_B: np.ndarray) -> np.ndarray:
        """float32 (B, 2): true position of the source, (forward, left) metres in the heading frame at t. Privileged."""
        windows = self.windows
        dx_B, _, dz_B = (self._source_E3[windows.episode_F[t_B]] - windows.position_F3[t_B]).T
        yaw_B = windows.yaw_F[t_B]
        return in_heading_frame(dx_B, dz_B, yaw_B, yaw_B)[:, :2]

    # Tensors

    def context(self, t_B: np.ndarray, mirrored_B: np.ndarray, device: torch.device) -> ContextTensors:
        """What the agent has observed up to frames t. mirrored_B: bool, which contexts are mirrored."""
        start_B = self.windows.start_F[t_B]
        frames_BT = np.maximum(t_B[:, None] - np.array(self.config.ages), start_B[:, None])
        sign_B13 = _signs(mirrored_B)[:, None]
        sound = None
        if M := self.config.sound_memory:
            age_BM = np.broadcast_to(np.arange(M), (len(t_B), M))
            frames_BM = t_B[:, None] - age_BM
            age_BM = np.where(frames_BM >= start_B[:, None], age_BM, -1)
            frames_BM = np.maximum(frames_BM, start_B[:, None])
            sound = SoundHistory(
                self._gather(self.audio_2FAD, mirrored_B, frames_BM, device),
                torch.from_numpy(self.past(t_B, frames_BM) * sign_B13).to(device),
                torch.from_numpy(age_BM.astype(np.float32)).to(device),
                self._gather(self.delay_2FC, mirrored_B, frames_BM, device) if self.config.interaural_delay else None,
            )
        return ContextTensors(
            self._gather(self.vision_2FHWC, mirrored_B, frames_BT, device),
            self._gather(self.audio_2FAD, mirrored_B, frames_BT, device),
            torch.from_numpy(self.past(t_B, frames_BT) * sign_B13).to(device),
            sound,
        )

    def targets(
        self, window: WindowBatch, mirrored_B: np.ndarray, device: torch.device, *, reproject: bool = True
    ) -> Targets:
        """The futures of a window batch. reproject: also what the memory shows of them, if the model has one."""
        motion_BK3 = self.motion(window)
        seen = None
        if self.config.prior == "memory" and reproject:
            seen = self.prior_view(window.context_BT[:, -1], motion_BK3, mirrored_B)
        return Targets(
            self._gather(self.vision_2FHWC, mirrored_B, window.target_BK, device).flatten(0, 1),
            self._gather(self.audio_2FAD, mirrored_B, window.target_BK, device).flatten(0, 1),
            torch.from_numpy(motion_BK3 * _signs(mirrored_B)[:, None]).to(device),
            torch.from_numpy(window.offset_BK).to(device).float(),
            seen,
        )

    def _gather(self, array_2F: np.ndarray, mirrored_B: np.ndarray, frames: np.ndarray, device: torch.device) -> Tensor:
        return torch.from_numpy(array_2F[mirrored_B.astype(np.int64)[:, None], frames]).to(device).float()


@contextmanager
def encoded_frames(windows: Windows, tokenizers: Tokenizers, config: AvCditConfig) -> Iterator[EncodedFrames]:
    """Encoded frames, not mirrored, in a temporary folder, which is deleted afterwards."""
    with TemporaryDirectory(prefix="avw-frames-") as folder:
        yield EncodedFrames(windows, tokenizers, config, Path(folder), key="", mirror=False)


def mirrored(seen: Reprojection, mirrored_B: np.ndarray, K: int) -> Reprojection:
    """The reprojection with the chosen contexts' pictures flipped, left to right."""
    flip_P = np.repeat(mirrored_B, K)

    def flipped(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[flip_P] = array[flip_P][:, :, ::-1]
        return array

    return with_arrays(flipped, seen)


def _signs(mirrored_B: np.ndarray) -> np.ndarray:
    """float32 (B, 3): factors that mirror a motion."""
    return np.where(mirrored_B[:, None], [1.0, -1.0, -1.0], [1.0, 1.0, 1.0]).astype(np.float32)


def _without_memory(windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Odometry, rolled-out motions and keyframes of a model without a memory."""
    return _commanded(windows), np.zeros((windows.frames, 0, 3), np.float32), np.zeros((windows.frames, 0), int)


def _commanded(windows: Windows) -> np.ndarray:
    """(F, 4) poses from the start of each episode, as if every action had its full effect."""
    start_F = windows.start_F
    motion_F13 = windows.motion(start_F, np.arange(windows.frames)[:, None])
    return np.insert(motion_F13[:, 0].astype(np.float64), 2, 0.0, axis=-1)
