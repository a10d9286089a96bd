"""The imagination of a model while an agent walks: a roll-out that grows by one action at a time.

It is the roll-out of `rollout.py`, with the same pieces, in the order in which the actions arrive. Sound is decoded as
one stream (`sound_stream.py`), also across anchors.

Shapes: H W image · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from avw.model.context import Observer
from avw.model.imagination import expected_motion
from avw.model.memory.poses import compose, seen_from
from avw.model.prediction import History, Prediction
from avw.model.rollout import RolloutConfig
from avw.model.tokenizers.audio import AudioTokenizer
from avw.model.tokenizers.sound_stream import SoundStream
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.task.task import TaskConfig
from avw.sim_bridge.types import Action, Observation


@dataclass(frozen=True, kw_only=True, slots=True)
class Dreamed:
    """One imagined step.

    rgb_HWC: uint8 · depth_HW: float32 metres, None from a model without depth
    coverage_HW: bool, which pixels were really seen before the anchor; None from a model without a memory
    audio_ES: float32 (2, 2400), the next part of the imagined sound, which is 15 ms late
    motion_3: forward m, left m, turn rad since the anchor · steps: since the anchor
    distance, success: expected metres to the source, and P(it is within the success distance)
    reward: predicted sum of rewards since the anchor
    """

    rgb_HWC: np.ndarray
    depth_HW: np.ndarray | None
    coverage_HW: np.ndarray | None
    audio_ES: np.ndarray
    motion_3: np.ndarray
    steps: int
    distance: float
    success: float
    reward: float


class Dream:
    """What a model imagines from an anchor on: the last real observation that it was given.

    Call `anchor` first, then `step` with every action.
    """

    def __init__(self, model: WorldModel, *, denoising_steps: int | None = None) -> None:
        self.model, self.denoising_steps = model, denoising_steps
        self.config = RolloutConfig(reach=model.max_offset)
        if not isinstance(model.audio, AudioTokenizer):
            raise UsageError("avw play decodes sound step by step, which needs a model with the audio tokenizer cues")
        self._audio = model.audio
        self.reset()

    def reset(self) -> None:
        """Forget the walk: its imagined sound does not go on in the next one."""
        self._stream = SoundStream(self._audio)
        self.steps = 0
        self._begun = False

    def anchor(self, observer: Observer) -> None:
        """Begin again from what an agent has really observed. The observer is copied."""
        self._real, self._actions = observer.copy(), list[Action]()
        self._from_real = self.model.encode([self._real.context()])
        self._distance = self._distance_here()
        if not self._begun:  # the imagined sound begins with the end of the real one
            heard_1ES = torch.from_numpy(self._real.last.audio_ES)[None].to(self.model.device)
            self._stream.push(self.model.audio.encode(heard_1ES)[0])
            self._begun = True
        self._dream, self._from_dream = self._real.copy(), self._from_real
        self._piece, self._seen = list[Action](), list[tuple[Observation, np.ndarray]]()
        self._here_4 = self._real.pose_4
        self.steps = 0

    def step(self, action: Action) -> Dreamed:
        """Imagine what follows the next action."""
        self.steps += 1
        self._actions.append(action)
        self._piece.append(action)
        motion_3 = expected_motion(self._dream.memory, self._piece)[-1]
        seen = self._predict(self._from_dream, motion_3, len(self._piece))
        heard = seen
        first = len(self._piece) == self.steps
        if not first and self.steps <= self.config.reach:  # sound and reward are predicted from what was really heard
            heard = self._predict(
                self._from_real, expected_motion(self._real.memory, self._actions)[-1], self.steps, pixels=False
            )
        decoded_rgb, decoded_depth = self._pictures(seen)
        distance = float(heard.reward.distance_BK[0, 0])
        audio_ES, step_ES = (part.cpu().numpy() for part in self._stream.push(heard.latents["audio"][0]))
        pose_4 = compose(self._here_4, motion_3)
        dreamed = Dreamed(
            rgb_HWC=decoded_rgb,
            depth_HW=decoded_depth,
            coverage_HW=self._coverage(seen, pose_4, first),
            audio_ES=audio_ES,
            motion_3=seen_from(self._real.pose_4, pose_4)[[0, 1, 3]],
            steps=self.steps,
            distance=distance,
            success=float(heard.success_BK[0, 0]),
            reward=self._distance - distance + TaskConfig().slack * self.steps,
        )
        self._remember(dreamed, step_ES, pose_4)
        return dreamed

    def _predict(self, history: History, motion_3: np.ndarray, offset: int, *, pixels: bool = True) -> Prediction:
        motion_BK3 = torch.from_numpy(motion_3.astype(np.float32))[None, None]
        return self.model.predict(
            history, motion_BK3, torch.tensor([[offset]]), steps=self.denoising_steps, pixels=pixels
        )

    def _distance_here(self) -> float:
        """The expected distance from the anchor to the source, metres."""
        if self._from_real.here_BK is not None:
            return float(self._from_real.here_BK[0, 0])
        here = self.model.predict_reward(self._from_real, torch.zeros(1, 1, 3), torch.zeros(1, 1))
        return float(here.reward.distance_BK[0, 0])

    def _pictures(self, prediction: Prediction) -> tuple[np.ndarray, np.ndarray | None]:
        rgb_PHWC, depth_PHW = self.model.decode_views(prediction)
        return rgb_PHWC[0].cpu().numpy(), None if depth_PHW is None else depth_PHW[0].cpu().numpy()

    def _coverage(self, seen: Prediction, pose_4: np.ndarray, first: bool) -> np.ndarray | None:
        if self._real.memory is None or seen.seen is None:
            return None
        if first:
            return seen.seen.coverage_PHW[0]
        motion_4 = seen_from(self._real.pose_4, pose_4)
        return self._real.memory.reproject(motion_4[None], size=self.model.size // 2).coverage_PHW[0]

    def _remember(self, dreamed: Dreamed, step_ES: np.ndarray, pose_4: np.ndarray) -> None:
        """At the end of a piece, everything in it is observed, and the next piece starts from there."""
        depth_HW = dreamed.depth_HW
        if depth_HW is None:
            depth_HW = np.zeros(dreamed.rgb_HWC.shape[:2], np.float32)
        self._seen.append((Observation(dreamed.rgb_HWC, depth_HW, step_ES), pose_4))
        if len(self._seen) >= min(self.config.chunk, self.config.reach):
            for observation, where_4 in self._seen:
                self._dream.observe(observation, pose_4=where_4, imagined=True)
            self._from_dream = self.model.encode([self._dream.context()])
            self._piece, self._seen, self._here_4 = [], [], pose_4
