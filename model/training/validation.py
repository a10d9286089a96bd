"""Losses on the validation split while a stage is trained, from the moving average of the weights.

The batches are the same at every measurement, so the curve shows the model and not the draw.
"""

from __future__ import annotations

from functools import cached_property

import torch

from avw.model.av_cdit import AvCdit
from avw.model.diffusion import Diffusion
from avw.model.frames import EncodedFrames
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.batches import Batches, StageBatch
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.losses import stage_losses


class Validation:
    """frames: of the validation split"""

    def __init__(
        self, frames: EncodedFrames, tokenizers: Tokenizers, config: TrainConfig, stage: str, device: torch.device
    ) -> None:
        self.config, self.stage = config, stage
        self.batches = Batches(frames, tokenizers, config, stage, device)

    @staticmethod
    def due(config: TrainConfig, stage: str, step: int) -> bool:
        """Whether to measure at a line of the log: the lines 1, 2, 4, 8 … of a stage, and every `validate_every` steps.

        Early lines show at once whether anything is learned that holds in other houses.
        """
        line = step // config.log_every
        early = line > 0 and line & (line - 1) == 0
        return early or step % config.validate_every == 0 or step == config.steps[stage]

    @cached_property
    def _kept(self) -> list[StageBatch]:
        return [self.batches.at(number) for number in range(self.config.validation_batches)]

    @torch.no_grad()
    def measure(self, net: AvCdit, diffusion: Diffusion) -> dict[str, float]:
        """The mean of each loss."""
        rows = [
            stage_losses(net, self.stage, batch, diffusion, self.config, number)
            for number, batch in enumerate(self._kept)
        ]
        named: dict[str, list[torch.Tensor]] = {}
        for row in rows:
            for name, loss in row.items():
                named.setdefault(name, []).append(loss)
        return {name: float(torch.stack(losses).mean()) for name, losses in named.items()}
