"""Counter-based random numbers: the key is the purpose of the numbers, never the order, worker or global state."""

from __future__ import annotations

import hashlib

import numpy as np


def keyed_rng(*words: int | str) -> np.random.Generator:
    """A generator that depends only on `words`, for example `keyed_rng(dataset_seed, scene_id, episode, "start")`."""
    text = "\x1f".join(f"{type(word).__name__}:{word}" for word in words)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
