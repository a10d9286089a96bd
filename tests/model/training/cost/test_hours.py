"""The hours of a training follow from the FLOPs of its steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from avw.model.av_cdit import SIZES, AvCdit, AvCditConfig
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.cost.flops import counted
from avw.model.training.cost.hours import gpu_hours, step_costs

SMALL = TrainConfig(
    net=AvCditConfig(**{**SIZES["S"], "width": 64, "depth": 2, "heads": 2, "latent_size": 8}),
    steps={"1": 10, "2": 10, "3": 10}, contexts=4, sound_contexts=4, reward_contexts=2,
)  # fmt: skip


def test_a_step_costs_what_the_network_costs() -> None:
    config, K = SMALL.net, SMALL.targets
    net = AvCdit(config)
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(not {"audio", "reward"} & set(name.split(".")))
    image = torch.randn(K, 8, 8, config.latent_channels)

    def step() -> None:
        context = net.context(image[None, : config.context], None, torch.zeros(1, config.context, 3))
        outputs, _ = net({"vision": image}, torch.ones(1, K), torch.zeros(1, K, 3), torch.ones(1, K), context)
        outputs["vision"].sum().backward()

    # The fused attention of CPUs computes its weights again in the backward pass.
    assert step_costs(SMALL)["1"] == pytest.approx(SMALL.contexts * counted(step), rel=0.05)


def test_hours_grow_with_steps_and_fall_with_precision() -> None:
    once, twice = gpu_hours(SMALL), gpu_hours(replace(SMALL, steps=dict.fromkeys("123", 20)))
    assert once.keys() == twice.keys() >= {"A100", "H100"}
    assert all(twice[name] == pytest.approx(2 * once[name]) for name in once)
    assert gpu_hours(replace(SMALL, precision="bf16"))["A100"] < once["A100"] / 10
    costs = step_costs(SMALL)
    assert costs["2"] < costs["1"] < costs["3"]


def test_a_network_with_a_sound_memory_has_no_forecast() -> None:
    assert step_costs(TrainConfig(net=AvCditConfig())) == gpu_hours(TrainConfig(net=AvCditConfig())) == {}
