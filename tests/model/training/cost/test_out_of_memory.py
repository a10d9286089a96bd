"""Advice for a full memory: the options that were not used yet, the cheapest first."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from avw.model.av_cdit import AvCditConfig
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.cost.out_of_memory import advice, memory_advice
from avw.sim_bridge.errors import TrainingError

CONFIG = TrainConfig(net=AvCditConfig(), contexts=12, sound_contexts=12, reward_contexts=8)


def test_the_cheapest_option_comes_first() -> None:
    assert advice(CONFIG, "1", 1).startswith("--set accumulate=2 (")
    assert advice(CONFIG, "1", 4).startswith("--set accumulate=3 (")  # 12 contexts over 4 processes
    assert advice(CONFIG, "3", 1).startswith("--set accumulate=2 (")
    assert advice(replace(CONFIG, accumulate=2), "3", 1).startswith("--set accumulate=4 (")  # 3 does not divide 8
    assert advice(replace(CONFIG, accumulate=12), "1", 1).startswith("--set recompute=true")
    used = replace(CONFIG, accumulate=12, recompute=True)
    assert advice(used, "1", 1).startswith("--set precision=bf16")
    assert "--batch" in advice(replace(used, precision="bf16"), "1", 1)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_full_memory_is_one_sentence_with_the_option(error: RuntimeError) -> None:
    with pytest.raises(TrainingError, match=r"stage 1: cpu has not enough memory for 6 contexts.*--set accumulate=2"):  # noqa: SIM117
        with memory_advice(CONFIG, "1", 2, torch.device("cpu")):
            raise error
    with pytest.raises(RuntimeError, match="shapes"), memory_advice(CONFIG, "1", 2, torch.device("cpu")):
        raise RuntimeError("shapes cannot be multiplied")
