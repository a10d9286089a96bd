"""Checkpoints: one safetensors file each, written to a temporary file and renamed, so an interrupted write does not
damage the previous checkpoint.

Everything that is not a tensor (configurations, step, calibration) is stored as JSON in the metadata of the file.
Loading never uses pickle.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from avw.model.checkpoint_header import NOTE, STORED
from avw.sim_bridge.errors import CheckpointError, NoRunError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.small_files import as_object, parse_json, refuse_irregular
from avw.sim_bridge.storage.typed_json import from_json

Config = TypeVar("Config")


DIGEST, NOTE_DIGEST = "sha256", "note_sha256"
HALF = "float16"
ROUNDING = 2**-10  # relative; of float16, it is at most half of this where neither range nor precision is lost
LONGEST_NOTE = 2**20  # characters
LARGEST_SIZE = 2**16  # of a number in a stored configuration: no layer is wider
LARGEST = {"depth": 512, "blocks": 512, "mlp_ratio": 64, "griffin_lim_steps": 1000, "tokens": 1024, "window": 16_384}


def save(path: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write tensors and note atomically: an interrupted write does not change the previous file."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(note)
    metadata = {NOTE: text, DIGEST: _digest(text, plain), NOTE_DIGEST: _digest(text, {})}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda tmp: save_file(plain, tmp, metadata), shared=True)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: could not be written ({error}); the previous checkpoint is unchanged. Free disk space, then "
            "run the same command again to resume"
        ) from error


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and note of a checkpoint. Raises CheckpointError if the file is missing, damaged or not from AVW."""
    with _opened(path) as file:
        text, metadata = _note(file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if DIGEST in metadata and metadata[DIGEST] != _digest(text, tensors):
            raise ValueError("its SHA-256 is not the one that it states")
        note = as_object(parse_json(text))
    if note.pop(STORED, None) == HALF:
        tensors = {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}
    return tensors, note


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in float16, which `load` widens again if the note says `STORED: HALF`.

    A tensor whose values float16 does not cover (above 65,504, or so small that digits are lost) stays in float32.
    """
    return {name: _half(tensor) if tensor.dtype == torch.float32 else tensor for name, tensor in tensors.items()}


def _half(tensor: Tensor) -> Tensor:
    half = tensor.half()
    error = (half.float() - tensor).norm()
    return half if bool(error <= ROUNDING * tensor.norm()) else tensor  # false for infinities, too


def read_note(path: Path) -> dict[str, Any]:
    """The note of a checkpoint, without its tensors. Raises CheckpointError like `load`."""
    with _opened(path) as file:
        text, _ = _note(file)
        return as_object(parse_json(text))


def configured(kind: type[Config], values: Any, where: str) -> Config:
    """A configuration in a note. Raises ValueError or UsageError for anything that `kind` does not allow, and for sizes
    that no model of ours has: a network of such a size would not fit into memory."""
    found = from_json(kind, values, where)
    for name, value in dataclasses.asdict(found).items():  # type: ignore[call-overload]
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int) and not 0 <= number <= (most := LARGEST.get(name, LARGEST_SIZE)):
                raise ValueError(f"{where}.{name} is {number}: expected 0 to {most:,}")
    return found


def _note(file: Any) -> tuple[str, dict[str, str]]:
    """(text of the note, metadata). Raises ValueError for a file without one, or with other metadata than ours."""
    metadata: dict[str, str] = file.metadata() or {}
    if set(metadata) not in ({NOTE}, {NOTE, DIGEST, NOTE_DIGEST}):  # earlier versions stored no digests
        raise ValueError("it has no note of AVW")
    text = metadata[NOTE]
    if len(text) > LONGEST_NOTE:
        raise ValueError(f"its note has more than {LONGEST_NOTE:,} characters")
    if NOTE_DIGEST in metadata and metadata[NOTE_DIGEST] != _digest(text, {}):
        raise ValueError("its note was altered")
    return text, metadata


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a note and of tensors with their names, types and shapes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file; whatever goes wrong while it is read becomes a CheckpointError."""
    if not path.exists():
        raise NoRunError(f"{path}: this checkpoint does not exist. Train a model: avw train DATA --out {path.parent}")
    try:
        refuse_irregular(path, links=True)  # the Hub's cache has links
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, KeyError, ValueError, OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: not a readable AVW checkpoint ({error}); it is probably truncated or from another program. "
            f"Delete it and run avw train again; earlier stages in {path.parent} are kept"
        ) from error


def restore(module: nn.Module, tensors: dict[str, Tensor], prefix: str, path: Path) -> None:
    """Load the tensors under `prefix.` into `module`; names, types and shapes must match exactly."""
    module.load_state_dict(chosen_for(module, tensors, prefix, path))


def chosen_for(module: nn.Module, tensors: dict[str, Tensor], prefix: str, path: Path) -> dict[str, Tensor]:
    """The tensors under `prefix.`, which must be those of `module` (it may be on the meta device, without memory)."""
    chosen = {k.removeprefix(prefix + "."): v for k, v in tensors.items() if k.startswith(prefix + ".")}
    expected = module.state_dict()
    for name, tensor in expected.items():
        if name not in chosen or chosen[name].shape != tensor.shape or chosen[name].dtype != tensor.dtype:
            found = f"{tuple(chosen[name].shape)} of {chosen[name].dtype}" if name in chosen else "nothing"
            raise CheckpointError(
                f"{path}: {prefix}.{name} should have shape {tuple(tensor.shape)} but the file has {found}; the "
                "checkpoint belongs to a model of another size. Use the --size of its training, or another --out"
            )
    if extra := sorted(set(chosen) - set(expected)):
        raise CheckpointError(
            f"{path}: contains {prefix}.{extra[0]}, which this model does not have: it belongs to another --size"
        )
    return chosen


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
