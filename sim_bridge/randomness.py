"""Counter-based random numbers: the key is the purpose of the numbers, never the order, worker or global state."""

from __future__ import annotations

import hashlib

import numpy as np


def keyed_rng(*words: int | str) -> np.random.Generator:
    """A generator that depends only on `words`, for example `keyed_rng(dataset_seed, scene_id, episode, "start")`."""
    return np.random.Generator(np.random.Philox(key=_digest(words, size=16)))


def keyed_seed(*words: int | str) -> int:
    """A seed of 31 bits that depends on `words` alone. Much cheaper than a generator."""
    return _digest(words, size=4) >> 1


def _digest(words: tuple[int | str, ...], size: int) -> int:
    text = "\x1f".join(f"{type(word).__name__}:{word}" for word in words)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "little")
