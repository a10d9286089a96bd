"""Advice when a training needs more memory than there is: the option to type, the one that costs least first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from avw.model.training.configuration.config import TrainConfig
from avw.sim_bridge.errors import TrainingError


@contextmanager
def memory_advice(config: TrainConfig, stage: str, processes: int, device: torch.device) -> Iterator[None]:
    """Raises TrainingError with the next option to try in place of PyTorch's errors of a full memory."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        contexts = config.contexts_of(stage)
        raise TrainingError(
            f"stage {stage}: {device} has not enough memory for {contexts // (processes * config.accumulate)} contexts "
            f"with {config.targets} targets each. Type the same command with {advice(config, stage, processes)}; the "
            "training continues from its last checkpoint"
        ) from error


def advice(config: TrainConfig, stage: str, processes: int) -> str:
    """The options that save memory and were not used, cheapest first."""
    batches = [config.contexts_of(stage)] + ([config.reward_contexts] if stage == "3" else [])
    larger = range(config.accumulate + 1, min(batches) // processes + 1)
    parts = next((n for n in larger if not any(size % (n * processes) for size in batches)), None)
    options = []
    if parts is not None:
        options.append(
            f"--set accumulate={parts} (the same result, with {config.accumulate}/{parts} of the activations)"
        )
    if not config.recompute:
        options.append("--set recompute=true (the same result, a third slower)")
    if options:
        return ", or with ".join(options)
    if config.precision == "fp32":
        return "--set precision=bf16 and another --out (half of the activations; the result differs slightly)"
    return "a smaller --batch or --size, and another --out"
