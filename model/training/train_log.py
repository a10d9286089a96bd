"""The log of a training: mean losses and speed, in log.jsonl, and in TensorBoard or Weights & Biases.

Losses stay on the device and are added there. Only a line of the log, every `log_every` steps, waits for the device.
"""

from __future__ import annotations

import importlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from avw.model import checkpoint
from avw.model.run_folder import read_log
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.ranks import Ranks
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.types import SAMPLE_RATE


class Board(Protocol):
    """Another place for the lines of the log."""

    def write(self, stage: str, step: int, values: Mapping[str, float]) -> None: ...

    def picture(self, stage: str, step: int, name: str, rgb_HWC: np.ndarray) -> None: ...

    def sound(self, stage: str, step: int, name: str, sound_ES: np.ndarray) -> None: ...

    def close(self) -> None: ...


class TrainLog:
    """The lines of one stage. Those after step `start`, from an interrupted run, are removed.

    targets: targets per step, over all processes, for the speed
    share: share of the FLOP/s of the devices that one target per second uses, for the MFU; None if it is not known
    """

    def __init__(
        self,
        path: Path,
        stage: str,
        start: int,
        targets: int,
        *,
        boards: Sequence[Board] = (),
        ranks: Ranks | None = None,
        share: float | None = None,
    ) -> None:
        self.share = share
        self.path, self.stage, self.targets, self.boards = path, stage, targets, boards
        self.ranks = ranks or Ranks()
        self.sums: dict[str, Tensor] = {}
        self.count, self.time = 0, time.perf_counter()
        if self.ranks.first:
            rows = read_log(path) if path.exists() else []
            kept = [json.dumps(row) + "\n" for row in rows if row["stage"] != stage or row["step"] <= start]
            atomic_write(path, "".join(kept))

    def add(self, losses: Mapping[str, Tensor], norm: Tensor) -> None:
        """The losses of one step, and the norm of its gradient."""
        self.count += 1
        for name, value in {**losses, "gradient": norm}.items():
            self.sums[name] = self.sums.get(name, torch.zeros((), device=value.device)) + value.detach().double()

    def write(self, step: int, validation: Mapping[str, float] | None = None) -> dict[str, float]:
        """Write the means since the line before. Returns them, with the speed: `targets_per_second` and `mfu`.

        validation: losses on the validation split; their names get the prefix "val_"
        """
        means = self._means()
        gradient = means.pop("gradient")
        now = time.perf_counter()
        speed = self.count * self.targets / max(now - self.time, 1e-9)
        seconds = now - self.time
        self.sums, self.count, self.time = {}, 0, now
        beside = {f"val_{name}": value for name, value in (validation or {}).items()}
        fast = {"targets_per_second": speed, **({} if self.share is None else {"mfu": speed * self.share})}
        values = {"loss": sum(means.values()), **means, **beside, "gradient": gradient, **fast}
        if self.ranks.first:
            row = {"stage": self.stage, "step": step, **values, "seconds": seconds}
            with self.path.open("a") as file:
                file.write(json.dumps({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}) + "\n")
            for board in self.boards:
                board.write(self.stage, step, values)
        return means | beside | fast

    def _means(self) -> dict[str, float]:
        """The means over steps and processes. Waits for the device once."""
        stacked = torch.stack(list(self.sums.values())) / self.count
        return dict(zip(self.sums, self.ranks.mean(stacked).tolist(), strict=True))


def boards(config: TrainConfig, out: Path) -> list[Board]:
    """The boards that a configuration asks for. Raises UsageError if Weights & Biases is wanted and not installed."""
    found: list[Board] = []
    if config.tensorboard and (board := _tensorboard(out)) is not None:
        found.append(board)
    if config.wandb:
        found.append(WeightsAndBiases(config, out))
    return found


def _tensorboard(out: Path) -> Board | None:
    try:
        module = importlib.import_module("torch.utils.tensorboard")
    except ImportError:  # an optional package: log.jsonl has the same values
        return None
    return TensorBoard(module.SummaryWriter(str(out / "tensorboard")))


class TensorBoard:
    """Event files, one curve per value and stage."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def write(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(f"stage {stage}/{name}", value, step)

    def picture(self, stage: str, step: int, name: str, rgb_HWC: np.ndarray) -> None:
        self.writer.add_image(f"stage {stage}/{name}", rgb_HWC, step, dataformats="HWC")

    def sound(self, stage: str, step: int, name: str, sound_ES: np.ndarray) -> None:
        """The mean of both ears: TensorBoard plays one channel."""
        self.writer.add_audio(f"stage {stage}/{name}", sound_ES.mean(0), step, sample_rate=SAMPLE_RATE)

    def close(self) -> None:
        self.writer.close()


class WeightsAndBiases:
    """A run in the project `config.wandb`, named like its folder. A resumed training continues it: the folder has its
    identity in `wandb-id`, because other folders can have the same name."""

    def __init__(self, config: TrainConfig, out: Path) -> None:
        try:
            wandb = importlib.import_module("wandb")
        except ImportError as error:
            raise UsageError(
                f"--set wandb={config.wandb} needs the package wandb; type: pip install 'avw[wandb]'"
            ) from error
        kept = out / "wandb-id"
        if not kept.exists():
            atomic_write(kept, uuid.uuid4().hex)
        self.wandb = wandb
        self.run = wandb.init(
            project=config.wandb,
            name=out.resolve().name,
            id=kept.read_text(encoding="utf-8"),
            resume="allow",
            dir=str(out),
            config=checkpoint.as_json(config),
        )

    def write(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        named = {f"stage {stage}/{name}": value for name, value in values.items()}
        self.run.log({**named, f"stage {stage}/step": step})

    def picture(self, stage: str, step: int, name: str, rgb_HWC: np.ndarray) -> None:
        self.run.log({f"stage {stage}/{name}": self.wandb.Image(rgb_HWC), f"stage {stage}/step": step})

    def sound(self, stage: str, step: int, name: str, sound_ES: np.ndarray) -> None:
        clip = self.wandb.Audio(sound_ES.T, sample_rate=SAMPLE_RATE)
        self.run.log({f"stage {stage}/{name}": clip, f"stage {stage}/step": step})

    def close(self) -> None:
        self.run.finish()
