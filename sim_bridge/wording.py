"""Words for numbers in messages."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """ "1 shard", "2 shards", "1,200 shards"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
