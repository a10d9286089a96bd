"""`--init nwm:FILE`: with imported weights, the network computes the equations of CDiT.

`cdit` below is written from the paper (arXiv 2412.03572, with DiT's AdaLN-Zero, arXiv 2212.09748) and from the names
and shapes of published checkpoints. It shares no code with the network.
"""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from avw.avw4k.reading.dataset import Dataset
from avw.model.av_cdit import AvCdit, AvCditConfig
from avw.model.training.configuration.presets import preset
from avw.model.training.nwm_import import import_nwm
from avw.model.training.train import train
from avw.model.training.weights import init_weights
from avw.sim_bridge.errors import CheckpointError, UsageError

D, HEADS, DEPTH, T, SIDE, C, P = 20, 2, 3, 4, 8, 6, 2
N = (SIDE // P) ** 2
CONFIG = AvCditConfig(
    width=D, heads=HEADS, depth=DEPTH, patch=P, ages=(3, 2, 1, 0), latent_size=SIDE, latent_channels=C, prior="none",
    residual=False, past_motion=False, sound_memory=0, source_belief=False, sound_recall=False, modalities=("vision",),
    learn_variance=True, cdit=True, motion_unit=0.25,
)  # fmt: skip


def weights() -> dict[str, Tensor]:
    """Random weights with the names and shapes of a checkpoint."""
    generator = torch.Generator().manual_seed(3)
    third = D // 3
    shapes: dict[str, tuple[int, ...]] = {"x_embedder.proj.weight": (D, C, P, P), "x_embedder.proj.bias": (D,)}
    embedded = {"t_embedder": D, "time_embedder": D}
    embedded |= {"y_embedder.x_emb": third, "y_embedder.y_emb": third, "y_embedder.angle_emb": D - 2 * third}
    linear = {f"{name}.mlp.0": (width, 256) for name, width in embedded.items()}
    linear |= {f"{name}.mlp.2": (width, width) for name, width in embedded.items()}
    for i in range(DEPTH):
        block = f"blocks.{i}."
        linear |= {block + "attn.qkv": (3 * D, D), block + "attn.proj": (D, D), block + "cttn.out_proj": (D, D)}
        linear |= {block + "mlp.fc1": (4 * D, D), block + "mlp.fc2": (D, 4 * D)}
        linear |= {block + "adaLN_modulation.1": (11 * D, D)}
        shapes |= {block + "cttn.in_proj_weight": (3 * D, D), block + "cttn.in_proj_bias": (3 * D,)}
        shapes |= {block + "cttn.bias_k": (1, 1, D), block + "cttn.bias_v": (1, 1, D)}
    linear |= {"final_layer.adaLN_modulation.1": (2 * D, D), "final_layer.linear": (P * P * 2 * C, D)}
    shapes["pos_embed"] = (T + 1, N, D)
    shapes |= {f"{name}.weight": shape for name, shape in linear.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def cdit(w: dict[str, Tensor], image: Tensor, context: Tensor, motion: Tensor, share: float, step: float) -> Tensor:
    """One image (C, H, H) given a context (T, C, H, H): the noise and the variance (2C, H, H). In float64."""
    w = {name: value.double() for name, value in w.items()}

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def silu(x: Tensor) -> Tensor:
        return x / (1 + torch.exp(-x))

    def embedded(name: str, value: float) -> Tensor:
        rates = torch.tensor([10_000 ** (-k / 128) for k in range(128)], dtype=torch.float64)
        features = torch.cat([torch.cos(value * rates), torch.sin(value * rates)])
        return linear(f"{name}.mlp.2", silu(linear(f"{name}.mlp.0", features)))

    def norm(x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-6)

    def tokens(picture: Tensor) -> Tensor:
        rows = []
        for i in range(0, SIDE, P):
            for j in range(0, SIDE, P):
                patch = picture[:, i : i + P, j : j + P]
                rows.append((w["x_embedder.proj.weight"] * patch).sum((1, 2, 3)) + w["x_embedder.proj.bias"])
        return torch.stack(rows)

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        size, out = D // HEADS, []
        for h in range(HEADS):
            part = slice(h * size, (h + 1) * size)
            weight = torch.softmax(q[:, part] @ k[:, part].T / math.sqrt(size), -1)
            out.append(weight @ v[:, part])
        return torch.cat(out, -1)

    def gelu(x: Tensor) -> Tensor:
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    parts = zip(("x_emb", "y_emb", "angle_emb"), motion.tolist(), strict=True)
    action = torch.cat([embedded(f"y_embedder.{name}", value) for name, value in parts])
    c = embedded("t_embedder", step) + embedded("time_embedder", share) + action
    x = tokens(image.double()) + w["pos_embed"][T]
    past = torch.cat([tokens(frame.double()) + w["pos_embed"][t] for t, frame in enumerate(context)])
    for i in range(DEPTH):
        block = f"blocks.{i}."
        m = linear(block + "adaLN_modulation.1", silu(c)).reshape(11, D)
        q, k, v = linear(block + "attn.qkv", norm(x) * (1 + m[1]) + m[0]).split(D, -1)
        x = x + m[2] * linear(block + "attn.proj", attention(q, k, v))
        weight, bias = w[block + "cttn.in_proj_weight"], w[block + "cttn.in_proj_bias"]
        seen = norm(past) * (1 + m[4]) + m[3]
        q = (norm(x) * (1 + m[6]) + m[5]) @ weight[:D].T + bias[:D]
        k = torch.cat([seen @ weight[D : 2 * D].T + bias[D : 2 * D], w[block + "cttn.bias_k"][0]])
        v = torch.cat([seen @ weight[2 * D :].T + bias[2 * D :], w[block + "cttn.bias_v"][0]])
        x = x + m[7] * linear(block + "cttn.out_proj", attention(q, k, v))
        inner = norm(x) * (1 + m[9]) + m[8]
        x = x + m[10] * linear(block + "mlp.fc2", gelu(linear(block + "mlp.fc1", inner)))
    shift, scale = linear("final_layer.adaLN_modulation.1", silu(c)).split(D)
    out = linear("final_layer.linear", norm(x) * (1 + scale) + shift)
    made = torch.zeros(2 * C, SIDE, SIDE, dtype=torch.float64)
    for n in range(N):
        i, j = divmod(n, SIDE // P)
        made[:, P * i : P * i + P, P * j : P * j + P] = out[n].reshape(P, P, 2 * C).permute(2, 0, 1)
    return made


def test_with_imported_weights_the_network_is_cdit(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "cdit.safetensors")
    net = AvCdit(CONFIG).eval()
    init_weights(net, 0)
    imported = import_nwm(net, tmp_path / "cdit.safetensors")
    assert not imported.refused
    assert not imported.unknown
    assert not imported.resized
    net = net.double()  # the sine of 700 radians has four digits in float32
    generator = torch.Generator().manual_seed(4)
    noisy = torch.randn(2, SIDE, SIDE, C, generator=generator).double()
    past = torch.randn(1, T, SIDE, SIDE, C, generator=generator).double()
    motion = torch.randn(1, 2, 3, generator=generator).double()
    offset, step = torch.tensor([[5.0, -40.0]]).double(), torch.tensor([[3.0, 700.0]]).double()
    with torch.no_grad():
        context = net.context(past, None, torch.zeros(1, T, 3))
        found = net({"vision": noisy}, step, motion, offset, context)[0]["vision"].permute(0, 3, 1, 2)
    frames = past[0].permute(0, 3, 1, 2)
    for k in range(2):
        action = torch.cat([motion[0, k, :2] / 0.25, motion[0, k, 2:]])
        image = noisy[k].permute(2, 0, 1)
        expected = cdit(weights(), image, frames, action, float(offset[0, k]) / 128, float(step[0, k]))
        assert expected.abs().mean() > 0.1
        torch.testing.assert_close(found[k], expected, atol=1e-5, rtol=1e-5)


def test_other_sizes_are_resized_or_reported(tmp_path: Path) -> None:
    named = {f"_orig_mod.{name}": value for name, value in weights().items()} | {"_orig_mod.new.weight": torch.ones(2)}
    torch.save({"ema": named, "model": {}, "epoch": 3}, tmp_path / "cdit.pth")
    net = AvCdit(replace(CONFIG, latent_size=12, latent_channels=8, ages=(1, 0), modalities=("vision", "audio")))
    init_weights(net, 0)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    imported = import_nwm(net, tmp_path / "cdit.pth")
    assert imported.resized == ["ages.vision", "positions.vision"]
    assert imported.unknown == ["new.weight"]
    assert set(imported.refused) == {"adapters.vision.weight", "heads.vision.out.weight", "heads.vision.out.bias"}
    changed = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == set(imported.taken)
    assert "blocks.2.cross_attention.extra" in changed
    # Resizing keeps the mean over the image, and the order of frames: the newest is last.
    theirs = weights()["pos_embed"].mean(1)
    assert torch.allclose(net.positions["vision"].mean(0), theirs[-1], atol=0.05)
    assert torch.allclose((net.ages["vision"] + net.positions["vision"]).mean(1), theirs[-3:-1], atol=0.05)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a checkpoint", "not readable without executing code"),
        (pickle.dumps({"ema": Path("x")}, protocol=2), "not readable without executing code"),
        (None, "does not exist"),
    ],
    ids=["text", "pickle", "missing"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        import_nwm(AvCdit(CONFIG), tmp_path / "x.pth")


def test_a_checkpoint_of_another_size_is_refused(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "cdit.safetensors")
    with pytest.raises(CheckpointError, match=r"width 20 with 3 blocks, but this network has width 20 and 2"):
        import_nwm(AvCdit(replace(CONFIG, depth=2)), tmp_path / "cdit.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="no tensor pos_embed"):
        import_nwm(AvCdit(CONFIG), tmp_path / "other.safetensors")


def test_a_training_starts_from_it(dataset: Dataset, tmp_path: Path) -> None:
    assert preset("S", dataset, init="nwm:cdit.safetensors").net.cdit
    with pytest.raises(UsageError, match="expected nwm:FILE"):
        preset("S", dataset, init="cdit.safetensors")
    with pytest.raises(UsageError, match="--size S, B, L or XL"):
        preset("nano", dataset, init="nwm:cdit.safetensors")
    save_file(weights(), tmp_path / "cdit.safetensors")
    config = preset("S", dataset, steps=[1, 1, 1], init=f"nwm:{tmp_path / 'cdit.safetensors'}")
    config = replace(
        config, net=replace(config.net, width=D, depth=DEPTH, heads=HEADS), contexts=2, sound_contexts=2, targets=2,
        reward_contexts=2, reward_targets=2, tokenizers=replace(config.tokenizers, frames=40, steps=2),
        validate_every=0,
    )  # fmt: skip
    train(dataset, tmp_path / "run", config)
    report = json.loads((tmp_path / "run" / "init.json").read_text())
    assert "condition.step.0.weight" in report["taken"]
    assert (tmp_path / "run" / "model.safetensors").exists()
