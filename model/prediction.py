"""What a world model predicts, and from what: encoded histories, predictions of B contexts and their decoded form.

Shapes: B contexts · K candidates (targets) per context · P = B·K · H W C image · E ears · S samples.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from avw.model.av_cdit import EncodedContext
from avw.model.diffusion import Latents
from avw.model.memory.reprojection import Reprojection
from avw.model.memory.spatial_memory import SpatialMemory
from avw.model.reward import RewardPrediction
from avw.model.source_belief import SourceBelief
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Observation


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Learned on validation houses: P(success) = sigmoid(logit / temperature + bias)."""

    temperature: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class History:
    """Encoded observation histories of B contexts.

    context: what all targets share
    last_rgb_BHWC: uint8, newest frame
    here_BK: expected distance to the source at the current poses, metres, (B, 1); None if the model does not predict it
    memories: the memory of each context; None for a model without one
    """

    context: EncodedContext
    last_rgb_BHWC: Tensor
    here_BK: Tensor | None = None
    memories: tuple[SpatialMemory, ...] | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """latents: "vision" (B·K, H, W, C), "audio" (B·K, A, Da), clean · reward: what the same pass predicts of it
    seen: the memory reprojected to the targets; None for a model without one
    source: where the source is, as seen from the current pose; None for a model without this belief"""

    latents: Latents
    reward: RewardPrediction
    success_BK: Tensor
    seen: Reprojection | None = None
    source: SourceBelief | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """rgb_PHWC: uint8 · depth_PHW: float32 metres, None if the model predicts none · audio_PES: float32."""

    rgb_PHWC: Tensor
    depth_PHW: Tensor | None
    audio_PES: Tensor

    def observations(self) -> list[Observation]:
        """One for each prediction, as a simulator gives them. Raises UsageError for a model that predicts no depth."""
        if self.depth_PHW is None:
            raise UsageError("an imagined observation needs depth, and this model predicts none")
        parts = [part.cpu().numpy() for part in (self.rgb_PHWC, self.depth_PHW.float(), self.audio_PES.float())]
        return [Observation(rgb, depth, audio) for rgb, depth, audio in zip(*parts, strict=True)]
