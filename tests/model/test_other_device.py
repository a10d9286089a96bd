"""A model on another device than the CPU, without one: the meta device computes shapes only, and refuses to mix its
tensors with those of the CPU, as a GPU does. What is copied to the CPU becomes ones here."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.episodes import DatasetEpisode
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.cloning.inverse import InverseNet
from avw.model.cloning.network import ClonedNet, ClonedNetConfig
from avw.model.evaluation.futures import Recorded
from avw.model.evaluation.horizons import recorded_future
from avw.model.evaluation.model_source import ModelSource
from avw.model.policies.acoustic_field import AcousticFieldPolicy
from avw.model.policies.beam import BeamPolicy
from avw.model.policies.cem import CemPolicy
from avw.model.policies.cloned import ClonedPolicy
from avw.model.policies.gated import GatedPolicy
from avw.model.policies.inverse_dynamics import InverseDynamicsPolicy
from avw.model.policies.mpc import MpcConfig, MpcPolicy
from avw.model.world_model import WorldModel
from avw.sim_bridge.types import Observation


@pytest.fixture
def model(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> WorldModel:
    for name in ("cpu", "item", "tolist", "__int__", "__float__", "__bool__"):
        kept = getattr(torch.Tensor, name)

        def fetched(self: torch.Tensor, kept=kept):
            return kept(torch.ones(self.shape, dtype=self.dtype) if self.device.type == "meta" else self)

        monkeypatch.setattr(torch.Tensor, name, fetched)
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())  # which meta does not have
    own = WorldModel.load(tiny_run)
    return WorldModel(
        own.net, own.tokenizers, own.diffusion.config, hfov=own.hfov, compositor=own.compositor,
        calibration=own.calibration, note=own.note, device="meta",
    )  # fmt: skip


def test_mixing_devices_is_noticed(model: WorldModel) -> None:
    with pytest.raises(RuntimeError):
        model.audio.encode(torch.zeros(1, 2, 2400))
    with pytest.raises(TypeError):
        torch.zeros(1, device="meta").numpy()


def test_evaluation(model: WorldModel, dataset: Dataset) -> None:
    windows = Windows(dataset, "test", WindowConfig(ages=model.ages))
    with ModelSource(model, windows, longest=4) as source:
        window = source.windows.at(3, 2)
        future = source.predict(window)
        assert future.rgb_NHWC is not None
        assert future.rgb_NHWC.shape == (2, 32, 32, 3)
        assert source.recall(window).shape == (2, 2, 2400)
        assert source.rank(window.context_BT[:, -1]) is not None
        true = source.round_trip(recorded_future(Recorded(source.windows), window))
        assert true.audio_NES is not None


def test_imagination(model: WorldModel, dataset: Dataset) -> None:
    episode = DatasetEpisode(dataset, dataset.episodes("test")[0])
    assert model.imagine(episode, t=5, actions=[1, 1, 2]).rgb.shape == (32, 32, 3)
    far = model.imagine(episode, t=5, actions=[1] * (model.max_offset + 1), autoregressive=True, every_step=True)
    assert far.audio.shape == (model.max_offset + 1, 2, 2400)


@pytest.mark.parametrize(
    "kind", ["mpc", "reward-only", "gated", "cem", "acoustic-field", "inverse-dynamics", "cloned", "beam"]
)
def test_policies(kind: str, model: WorldModel, dataset: Dataset) -> None:
    config = MpcConfig(scan=False)
    makes = {
        "mpc": lambda: MpcPolicy(model, config),
        "reward-only": lambda: MpcPolicy(model, MpcConfig(scan=False, denoising_steps=0)),
        "gated": lambda: GatedPolicy(model, config),
        "cem": lambda: CemPolicy(model, config),
        "acoustic-field": lambda: AcousticFieldPolicy(model, config),
        "inverse-dynamics": lambda: InverseDynamicsPolicy(model, InverseNet().to("meta"), config),
        "beam": lambda: BeamPolicy(model, ClonedNet(ClonedNetConfig()).to("meta"), device="meta"),
        "cloned": lambda: ClonedPolicy(ClonedNet(ClonedNetConfig()).to("meta"), device="meta"),
    }
    episode = DatasetEpisode(dataset, dataset.episodes("test")[0])
    policy = makes[kind]()
    policy.reset(0)
    for n in range(3):
        assert policy.act(Observation(episode.rgb[n], episode.depth[n], episode.audio[n])) in (0, 1, 2, 3)
