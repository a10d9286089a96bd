"""Several processes: what each computes is a part of the same batch, and together they train what one would train."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import Windows
from avw.model import checkpoint
from avw.model.av_cdit import AvCdit
from avw.model.diffusion import Diffusion
from avw.model.frames import EncodedFrames
from avw.model.tokenizers.fit import fit_tokenizers
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.batches import Batches, Part
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.ranks import joined, lost_ranks, own_device
from avw.model.training.stage import StageLoss, gradients
from avw.model.training.weights import init_weights, parameters_of, prepare
from avw.sim_bridge.errors import TrainingError, UsageError
from tests import ROOT
from tests.model.training.runs import copied, tensors_of

PROGRAM = Path(__file__).with_name("two_ranks.py")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def frames(dataset: Dataset, config: TrainConfig, run: Path) -> tuple[EncodedFrames, Tokenizers]:
    tokenizers = fit_tokenizers(dataset, run / "tokenizers.safetensors", config.tokenizers)
    windows = Windows(dataset, "train", replace(config.windows, ages=config.net.ages))
    key = (run / "latents" / "rgb.key").read_text()
    return EncodedFrames(
        windows, tokenizers, config.net, run / "latents", key=key.split(f"/{tokenizers.vision_shape}")[0]
    ), tokenizers


def network(config: TrainConfig) -> AvCdit:
    """A network whose blocks are not the identity, as they are at first."""
    net = AvCdit(config.net)
    init_weights(net, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    prepare(net, config)
    return net


def gradient(
    frames: tuple[EncodedFrames, Tokenizers], config: TrainConfig, stage: str, step: int, parts: list[Part]
) -> dict[str, torch.Tensor]:
    """The gradient of a step of a stage, computed in these parts."""
    net = network(config)
    trained = dict(parameters_of(net, stage))
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name in trained)
    batches = Batches(*frames, config, stage, CPU)
    loss = StageLoss(net, stage, Diffusion(config.diffusion), config, CPU)
    gradients(loss, [batches.at(step, part) for part in parts], step)
    return {name: p.grad.clone() for name, p in trained.items() if p.grad is not None}


def difference(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """The norm of the difference of two gradients, relative to the first."""
    assert first.keys() == second.keys()
    a, b = (torch.cat([gradient[name].flatten() for name in first]) for gradient in (first, second))
    return float((a - b).norm() / a.norm())


@pytest.mark.parametrize(("stage", "step"), [("1", 0), ("2", 0), ("3", 0), ("3", 1)])
def test_the_mean_gradient_of_the_parts_is_that_of_the_batch(
    frames: tuple[EncodedFrames, Tokenizers], config: TrainConfig, stage: str, step: int
) -> None:
    whole = gradient(frames, config, stage, step, [Part()])
    parts = [gradient(frames, config, stage, step, [Part(number, 2)]) for number in (0, 1)]
    mean = {name: (parts[0][name] + parts[1][name]) / 2 for name in whole}
    assert difference(whole, mean) < 1e-5
    assert difference(whole, parts[0]) > 1e-2
    assert difference(whole, gradient(frames, config, stage, step, [Part(n, 4) for n in range(4)])) < 1e-5


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch.compile looks at it
@pytest.mark.parametrize(
    ("change", "most"),
    [
        ({"recompute": True}, 1e-6),
        pytest.param({"compiler": "aot_eager"}, 1e-5, marks=pytest.mark.slow),
        ({"precision": "bf16"}, 3e-2),
    ],
    ids=["recompute", "compiler", "precision"],
)
def test_other_ways_to_compute_give_the_same_gradient(
    frames: tuple[EncodedFrames, Tokenizers], config: TrainConfig, change: dict[str, Any], most: float
) -> None:
    whole = gradient(frames, config, "3", 0, [Part()])
    other = gradient(frames, replace(config, **change), "3", 0, [Part()])
    assert difference(whole, other) < most
    if "precision" in change:
        assert difference(whole, other) > 1e-5  # it does compute in bfloat16


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(UsageError, match=r"8 contexts cannot be divided into 3 equal parts.*multiple of 3"):
        Part(0, 3).of(8)


def test_a_lost_process_is_one_sentence() -> None:
    with pytest.raises(TrainingError, match=r"another process .* has ended or does not answer, in stage 2"):  # noqa: SIM117
        with lost_ranks("in stage 2"):
            raise RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer")
    with pytest.raises(RuntimeError, match="shapes"), lost_ranks("in stage 2"):
        raise RuntimeError("shapes cannot be multiplied")


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "5"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(UsageError, match=r"process 5 .* PyTorch finds 4.*--nproc-per-node 4"):
        own_device("cuda")
    assert own_device("cpu") == "cpu"


def test_one_process_joins_nobody() -> None:
    with joined("cpu", 1.0) as ranks:
        assert ranks.first
        assert not torch.distributed.is_initialized()
        assert torch.equal(ranks.mean(torch.ones(2)), torch.ones(2))


def two_processes(dataset: Dataset, out: Path, config: Path, *fault: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(PROGRAM)]
    return subprocess.run(
        [*command, str(dataset.path), str(out), str(config), *fault],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
    )


@pytest.mark.slow
def test_two_processes_train_what_one_trains(dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path) -> None:
    out = copied(run, tmp_path / "two")
    done = two_processes(dataset, out, run / "config.json")
    assert done.returncode == 0, done.stderr[-3000:]
    for stage in "123":
        one, two = (tensors_of(folder / f"stage-{stage}.safetensors") for folder in (run, out))
        assert one.keys() == two.keys()
        apart = max(float((one[name] - two[name]).abs().max()) for name in one)
        assert 0 < apart < 2e-4  # AdamW divides by the size of the gradient, so rounding errors of small ones show
    before, after = (tensors_of(out / f"stage-{stage}.safetensors") for stage in "12")
    frozen = [name for name in before if "audio" not in name.split(".")]
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert (out / "model.safetensors").exists()
    # A process that hangs, and one that dies, in stage 3: the training ends, and continues to the same end.
    cut = copied(out, tmp_path / "cut", "12")
    hung = two_processes(dataset, cut, run / "config.json", "3:3:hang")
    assert hung.returncode != 0
    assert "another process of this training has ended or does not answer, in stage 3" in hung.stderr
    assert two_processes(dataset, cut, run / "config.json", "3:5:die").returncode != 0
    assert checkpoint.read_note(cut / "stage-3.safetensors")["step"] == 4
    assert two_processes(dataset, cut, run / "config.json").returncode == 0
    resumed, whole = tensors_of(cut / "stage-3.safetensors"), tensors_of(out / "stage-3.safetensors")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.slow
def test_two_processes_with_shards_train_what_one_trains(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path
) -> None:
    out = copied(run, tmp_path / "shards")
    settings = tmp_path / "shards.json"
    document = json.loads((run / "config.json").read_text())
    document["train"]["sharded"] = True
    settings.write_text(json.dumps(document))
    assert two_processes(dataset, out, settings, "2:3:die").returncode != 0  # rank 1 dies in stage 2
    tensors, note = checkpoint.load(out / "stage-2.safetensors")
    assert note["step"] == 2
    assert any(name.startswith("optimizer.") for name in tensors)
    done = two_processes(dataset, out, settings, "2:3:look")  # where it continues
    assert done.returncode == 0, done.stderr[-3000:]
    weights = sum(p.numel() for p in AvCdit(config.net).parameters())
    held = [[int(word) for word in (out / f"rank-{rank}.held").read_text().split()] for rank in (0, 1)]
    assert [before for before, _ in held] == [0, 0]
    assert all(0.4 * weights < trained < 0.6 * weights for _, trained in held)
    for stage in "123":
        one, two = (tensors_of(folder / f"stage-{stage}.safetensors") for folder in (run, out))
        assert one.keys() == two.keys()
        apart = max(float((one[name] - two[name]).abs().max()) for name in one)
        assert 0 < apart < 2e-4
    whole = copied(run, tmp_path / "whole")
    assert two_processes(dataset, whole, settings).returncode == 0
    resumed, uncut = tensors_of(out / "model.safetensors"), tensors_of(whole / "model.safetensors")
    assert all(torch.equal(resumed[name], uncut[name]) for name in uncut)
