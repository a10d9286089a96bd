"""Fitted tokenizers in files: a run can use that of another run, or of `benchmarks.tokenizers --keep`, as it is.

A file that has one is `tokenizers.safetensors` or `model.safetensors` of a run, or was written by `save_kept`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from avw.model import checkpoint
from avw.model.tokenizers.audio import AudioTokenizerConfig
from avw.model.tokenizers.configs import KINDS, MODULES, from_note, noted
from avw.model.tokenizers.protocol import ImageCoder, SoundCoder
from avw.sim_bridge.errors import CheckpointError, UsageError


def save_kept(path: Path, name: str, tokenizer: ImageCoder | SoundCoder, more: Mapping[str, Any]) -> None:
    """Write a tokenizer and a note. name: "image" or "audio"."""
    note = {**more, name: noted(tokenizer.config)}
    checkpoint.save(path, checkpoint.prefixed(name, tokenizer.state_dict()), note)


def kept_config(path: Path, name: str, kind: str) -> Any:
    """The configuration of the tokenizer in a file. Raises UsageError if the file has another one than `kind`."""
    given = f"--{name}-tokenizer {kind}:{path}"
    if path.is_dir():
        raise UsageError(f"{given}: this is a folder; name the file in it, e.g. {path / 'tokenizers.safetensors'}")
    if not path.exists():
        raise UsageError(f"{given}: this file does not exist")
    try:
        config = from_note(checkpoint.read_note(path)[name], name)
    except CheckpointError as error:  # whose advice, to delete the file, is for runs
        raise UsageError(f"{given}: not a checkpoint of AVW ({error.__cause__})") from error
    except (KeyError, ValueError) as error:
        raise UsageError(f"{given}: the file has no {name} tokenizer ({error})") from error
    plain = {"image": "pca", "audio": "cues"}[name]
    if (found := KINDS.get(type(config), plain)) != kind:
        raise UsageError(f"{given}: the tokenizer in this file is {found}")
    return config


def load_kept(path: Path, name: str, config: Any) -> Any:
    """The tokenizer in a file. Raises CheckpointError if its tensors are not those of `config`."""
    tensors, _ = checkpoint.load(path)
    if not isinstance(config, AudioTokenizerConfig):  # which computes constants, and is small
        with torch.device("meta"):  # a network that is not in the file is refused before it takes memory
            checkpoint.chosen_for(MODULES[type(config)](config), tensors, name, path)
    tokenizer = MODULES[type(config)](config).eval()
    checkpoint.restore(tokenizer, tensors, name, path)
    return tokenizer
