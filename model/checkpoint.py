"""Checkpoints: one safetensors file each, written to a temporary file and renamed, so an interrupted write does not
damage the previous checkpoint.

Everything that is not a tensor (configurations, step, calibration) is stored as JSON in the metadata of the file.
Loading never uses pickle.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from avw.sim_bridge.errors import CheckpointError
from avw.sim_bridge.storage.atomic_write import atomic_write


def save(path: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write tensors and note atomically: an interrupted write does not change the previous file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        atomic_write(path, lambda tmp: save_file(plain, tmp, {"avw": json.dumps(note)}))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: could not be written ({error}); the previous checkpoint is unchanged. Free disk space, then "
            "run the same command again to resume"
        ) from error


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and note of a checkpoint. Raises CheckpointError if the file is missing, truncated or not from AVW."""
    with _opened(path) as file:
        note = json.loads((file.metadata() or {})["avw"])
        return {name: file.get_tensor(name) for name in file.keys()}, note  # noqa: SIM118 (not a dict)


def read_note(path: Path) -> dict[str, Any]:
    """The note of a checkpoint, without its tensors. Raises CheckpointError like `load`."""
    with _opened(path) as file:
        note: dict[str, Any] = json.loads((file.metadata() or {})["avw"])
        return note


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file; whatever goes wrong while it is read becomes a CheckpointError."""
    if not path.exists():
        raise CheckpointError(
            f"{path}: this checkpoint does not exist. Train a model: avw train DATA --out {path.parent}"
        )
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a readable AVW checkpoint ({error}); it is probably truncated or from another program. "
            f"Delete it and run avw train again; earlier stages in {path.parent} are kept"
        ) from error


def restore(module: nn.Module, tensors: dict[str, Tensor], prefix: str, path: Path) -> None:
    """Load the tensors under `prefix.` into `module`; names and shapes must match exactly."""
    chosen = {k.removeprefix(prefix + "."): v for k, v in tensors.items() if k.startswith(prefix + ".")}
    expected = module.state_dict()
    for name, tensor in expected.items():
        if name not in chosen or chosen[name].shape != tensor.shape:
            found = tuple(chosen[name].shape) if name in chosen else "nothing"
            raise CheckpointError(
                f"{path}: {prefix}.{name} should have shape {tuple(tensor.shape)} but the file has {found}; the "
                "checkpoint belongs to a model of another size. Use the --size of its training, or another --out"
            )
    if extra := sorted(set(chosen) - set(expected)):
        raise CheckpointError(
            f"{path}: contains {prefix}.{extra[0]}, which this model does not have: it belongs to another --size"
        )
    module.load_state_dict(chosen)


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """The moments of an AdamW optimizer as named tensors. names: of its parameters, in order."""
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{names[i]}.{key}": torch.as_tensor(v) for i, row in state.items() for key, v in row.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, names: list[str], tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    state = optimizer.state_dict()
    keys = ("step", "exp_avg", "exp_avg_sq")
    state["state"] = {
        i: {key: tensors[f"optimizer.{name}.{key}"] for key in keys}
        for i, name in enumerate(names)
        if f"optimizer.{name}.step" in tensors
    }
    optimizer.load_state_dict(state)


def as_json(config: Any) -> dict[str, Any]:
    """A dataclass configuration as plain JSON."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def fingerprint(path: Path) -> str:
    """SHA-256 of a checkpoint file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
