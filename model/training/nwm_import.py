"""Weights of Navigation World Models as the start of a training: `avw train --init nwm:FILE`.

The network must have the same equations (`AvCditConfig.cdit`), width, depth and heads. Everything that has the same
meaning and size is taken. Positions are resized to the number of visual tokens. Tensors without a counterpart of their
size, such as the patch embedding for latents with another number of channels, keep their initial values.

Files are read without executing code: safetensors, or PyTorch files with `weights_only`.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from avw.model.av_cdit import AvCdit
from avw.sim_bridge.errors import CheckpointError, UsageError

PREFIX = "nwm:"
WRAPPERS = ("_orig_mod.", "module.")  # of torch.compile and DistributedDataParallel
UNREADABLE = (
    OSError, RuntimeError, ValueError, EOFError, SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile
)  # fmt: skip
MOTION = {"x_emb": "ahead", "y_emb": "left", "angle_emb": "turn"}


@dataclass(frozen=True, slots=True)
class Imported:
    """taken: our tensors that have their values · resized: those of them whose size was changed
    refused: tensors of the file that have another size here, with the reason · unknown: other tensors of the file
    """

    taken: list[str]
    resized: list[str]
    refused: dict[str, str]
    unknown: list[str]


def init_path(init: str) -> Path:
    """The file of `--init nwm:FILE`. Raises UsageError for another form."""
    if not init.startswith(PREFIX) or init == PREFIX:
        raise UsageError(f"--init {init}: expected nwm:FILE, a checkpoint of Navigation World Models")
    return Path(init.removeprefix(PREFIX))


def import_nwm(net: AvCdit, path: Path) -> Imported:
    """Copy the weights in the file `path` into a network. Raises CheckpointError for a file that does not fit."""
    found = weights_in(path)
    width, depth = net.config.width, net.config.depth
    blocks = {name.split(".")[1] for name in found if name.startswith("blocks.")}
    theirs = found["x_embedder.proj.bias"].shape[0] if "x_embedder.proj.bias" in found else 0
    if (theirs, len(blocks)) != (width, depth):
        raise CheckpointError(
            f"{path}: a CDiT of width {theirs} with {len(blocks)} blocks, but this network has width {width} and "
            f"{depth} blocks: use the --size of the checkpoint"
        )
    wanted, resized = _renamed(net, found)
    own = net.state_dict()
    taken, refused = [], {}
    for name, tensor in wanted.items():
        if name in own and own[name].shape == tensor.shape:
            own[name].copy_(tensor)
            taken.append(name)
        else:
            here = tuple(own[name].shape) if name in own else "no such tensor"
            refused[name] = f"{tuple(tensor.shape)} in the file, {here} here"
    known = {name for name in found if any(name.startswith(prefix) for prefix in KNOWN)}
    return Imported(sorted(taken), sorted(set(resized) & set(taken)), refused, sorted(set(found) - known))


KNOWN = ("x_embedder.", "t_embedder.", "y_embedder.", "time_embedder.", "pos_embed", "blocks.", "final_layer.")


def weights_in(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint; of several sets, the moving average. Raises CheckpointError."""
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: this file does not exist") from None
    except UNREADABLE as error:
        raise CheckpointError(
            f"{path}: not readable without executing code ({str(error).splitlines()[0][:150]}). Only tensors are read: "
            "save the state_dict alone, best as a safetensors file"
        ) from error
    for key in ("ema", "model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: contains no named tensors")
    tensors = {}
    for name, value in content.items():
        if isinstance(value, Tensor):
            for wrapper in WRAPPERS:
                name = str(name).removeprefix(wrapper)
            tensors[name] = value.float()
    if "pos_embed" not in tensors:
        raise CheckpointError(f"{path}: not a checkpoint of Navigation World Models: it has no tensor pos_embed")
    return tensors


def _renamed(net: AvCdit, found: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Their tensors by our names, and the names of those that were resized."""
    D, p = net.config.width, net.config.patch
    wanted: dict[str, Tensor] = {}
    resized: list[str] = []
    simple = {"t_embedder.mlp.": "condition.step.", "time_embedder.mlp.": "condition.offset."}
    simple |= {f"y_embedder.{theirs}.mlp.": f"condition.motion.{ours}." for theirs, ours in MOTION.items()}
    simple["final_layer.linear."] = "heads.vision.out."
    simple["final_layer.adaLN_modulation.1."] = "heads.vision.modulation."
    for name, tensor in found.items():
        for theirs, ours in simple.items():
            if name.startswith(theirs):
                wanted[ours + name.removeprefix(theirs)] = tensor
        if name == "x_embedder.proj.weight":  # a convolution with one position per patch is a linear map
            wanted["adapters.vision.weight"] = rearrange(tensor, "d c p q -> d (p q c)")
        elif name == "x_embedder.proj.bias":
            wanted["adapters.vision.bias"] = tensor
        elif name == "pos_embed":
            positions = tensor.reshape(-1, *tensor.shape[-2:])
            side = math.isqrt(positions.shape[1])
            cells = net.config.latent_size // p
            if side != cells:
                grid = rearrange(positions, "t (h w) d -> t d h w", h=side)
                grid = F.interpolate(grid, size=(cells, cells), mode="bicubic", antialias=side > cells)
                positions = rearrange(grid, "t d h w -> t (h w) d")
                resized += ["positions.vision", "ages.vision"]
            T = min(net.config.context, len(positions) - 1)
            wanted["positions.vision"] = positions[-1]
            ages = net.state_dict()["ages.vision"].clone()
            # The newest frames of the context are last. Ours is the sum of a position and an age.
            ages[-T:] = positions[-1 - T : -1] - positions[-1]
            wanted["ages.vision"] = ages
        elif name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            wanted |= {f"blocks.{number}.{ours}": value for ours, value in _block(rest, tensor, D).items()}
    for block in range(net.config.depth):
        names = [f"blocks.{block}.cttn.bias_{kind}" for kind in ("k", "v")]
        if all(name in found for name in names):
            wanted[f"blocks.{block}.cross_attention.extra"] = torch.stack([found[name].flatten() for name in names])
    return wanted, resized


def _block(rest: str, tensor: Tensor, D: int) -> dict[str, Tensor]:
    """Our tensors from one of a block."""
    kind = rest.rsplit(".", 1)[-1]
    if rest.startswith("attn.qkv."):
        return {f"self_attention.to_q.{kind}": tensor[:D], f"self_attention.to_kv.{kind}": tensor[D:]}
    if rest.startswith("cttn.in_proj_"):
        kind = rest.removeprefix("cttn.in_proj_")
        return {f"cross_attention.to_q.{kind}": tensor[:D], f"cross_attention.to_kv.{kind}": tensor[D:]}
    if rest.startswith("adaLN_modulation.1."):  # eight parts for both attentions, three for the feed-forward network
        return {f"modulation.{kind}": tensor[: 8 * D], f"experts.vision.modulation.{kind}": tensor[8 * D :]}
    names = {"attn.proj": "self_attention.to_out", "cttn.out_proj": "cross_attention.to_out"}
    names |= {"mlp.fc1": "experts.vision.up", "mlp.fc2": "experts.vision.down"}
    ours = names.get(rest.rsplit(".", 1)[0])
    return {} if ours is None else {f"{ours}.{kind}": tensor}
