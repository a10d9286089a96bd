"""Losses and samples on the validation split while a stage is trained, from the moving average of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from avw.model.av_cdit import AvCdit
from avw.model.diffusion import Diffusion
from avw.model.frames import EncodedFrames
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.samples import Samples
from avw.model.training.train_log import Board
from avw.model.training.validation import Validation


class HeldOut:
    """Losses and samples. frames: of the validation split, in the process that measures; None in the others"""

    def __init__(
        self, frames: EncodedFrames | None, tokenizers: Tokenizers, config: TrainConfig, stage: str,
        device: torch.device, out: Path, boards: Sequence[Board] = (),
    ) -> None:  # fmt: skip
        self.config, self.stage = config, stage
        self.losses: Validation | None = None
        self.samples: Samples | None = None
        if frames is not None and config.validate_every:
            self.losses = Validation(frames, tokenizers, config, stage, device)
        if frames is not None and config.sample_every:
            self.samples = Samples(frames, tokenizers, config, stage, out, boards)

    def due(self, step: int, *, at_line: bool) -> bool:
        """Whether `measure` is to be called after a step: the same answer in all processes. at_line: of the log"""
        config = self.config
        return (bool(config.validate_every) and at_line and Validation.due(config, self.stage, step)) or (
            bool(config.sample_every) and Samples.due(config, self.stage, step)
        )

    def measure(self, net: AvCdit, diffusion: Diffusion, step: int, *, at_line: bool) -> dict[str, float] | None:
        """Write samples if they are due. Returns the losses, if they are due."""
        if self.samples is not None and Samples.due(self.config, self.stage, step):
            self.samples.write(net, step)
        if self.losses is None or not (at_line and Validation.due(self.config, self.stage, step)):
            return None
        return self.losses.measure(net, diffusion)
