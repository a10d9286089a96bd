"""Reads small files that may come from anyone: notes, manifests, configurations. Every reader of such a file is here.

A file is read only if it is a regular file of a bounded size: a pipe would wait for ever, and a device never ends. JSON
must be UTF-8 (with or without a byte order mark), of bounded depth, without a key that is named twice, and, unless a
caller allows them, without numbers that are not finite.
"""

from __future__ import annotations

import json
import math
import os
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DEEPEST = 32  # brackets within brackets; AVW's own files have at most 8
LARGEST = 16 * 2**20  # bytes of a file that its caller gives no other limit for
LARGEST_WHOLE = 2**128  # above the seeds that AVW draws; larger whole numbers only cost time
LONGEST_LINE = 4 * 2**20  # bytes of one line of a file of JSON lines


DAMAGED_ARRAYS = (
    OSError, KeyError, ValueError, TypeError, EOFError, MemoryError, RuntimeError, SyntaxError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading a damaged .npz file raises; SyntaxError and TokenError come from the header of an array."""


def refuse_irregular(path: Path, *, links: bool = False) -> None:
    """Raises FileNotFoundError, or ValueError with the reason, unless `path` is a regular file.

    links: whether it may be a symbolic link to one. A file of a dataset or a run may not: a link in a folder from
        someone else makes a command read, show or upload another file of this machine.
    """
    try:
        mode = path.stat().st_mode if links else path.lstat().st_mode
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ValueError(getattr(error, "strerror", None) or str(error)) from error
    if stat.S_ISLNK(mode):
        raise ValueError("it is a link; put a copy of the file there")
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise ValueError(f"it is {kinds.get(stat.S_IFMT(mode), 'a device')}, not a file")


def read_bytes(path: Path, largest: int = LARGEST, *, links: bool = False) -> bytes:
    """The content of a regular file of at most `largest` bytes.

    Raises FileNotFoundError if there is none, and ValueError with the reason for any other problem.
    """
    refuse_irregular(path, links=links)
    try:
        # Without waiting and without following a link, whatever has been put there since.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW))
        with os.fdopen(handle, "rb") as file:
            content = file.read(largest + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    if len(content) > largest:
        raise ValueError(f"more than {largest:,} bytes")
    return content


def read_text(path: Path, largest: int = LARGEST, *, links: bool = False) -> str:
    """The same as text. A byte order mark, which some editors write, is not part of it."""
    return _decoded(read_bytes(path, largest, links=links))


def read_json(path: Path, largest: int = LARGEST, *, finite: bool = True, links: bool = False) -> Any:
    """The JSON value in a file. Raises as `read_bytes` does."""
    return parse_json(read_bytes(path, largest, links=links), finite=finite)


def read_object(path: Path, largest: int = LARGEST, *, finite: bool = True, links: bool = False) -> dict[str, Any]:
    """The JSON object in a file. Raises as `read_bytes` does."""
    return as_object(read_json(path, largest, finite=finite, links=links))


def as_object(value: Any) -> dict[str, Any]:
    """`value`, which must be a JSON object. Raises ValueError for another value."""
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def parse_json(content: bytes | str, *, finite: bool = True) -> Any:
    """The value of a JSON text. Raises ValueError with the reason.

    finite: refuse NaN, Infinity and numbers beyond the range of a float; files of measurements may hold them
    """
    text = content if isinstance(content, str) else _decoded(content)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("not UTF-8 text")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_int=_whole,
            parse_float=_finite if finite else float,
            parse_constant=_finite if finite else float,
        )
    except RecursionError:
        raise ValueError("brackets nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error}") from None
    _refuse_deep(value)
    return value


def parse_lines(
    lines: list[str], *, finite: bool = True, damaged: Callable[[int, ValueError], None] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number from 1, object) of each line. damaged: called for a line that is not a JSON object; default: skip it."""
    for number, line in enumerate(lines, start=1):
        try:
            if len(line) > LONGEST_LINE:
                raise ValueError(f"more than {LONGEST_LINE:,} characters")
            value = as_object(parse_json(line, finite=finite))
        except ValueError as error:
            if damaged is not None:
                damaged(number, error)
            continue
        yield number, value


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text (byte {error.start})") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in values if names.count(name) > 1)[:80]!r} is named twice")
    return values


def _whole(text: str) -> int:
    if len(text) > 40 or abs(number := int(text)) > LARGEST_WHOLE:
        raise ValueError(f"{text[:20]} … is too large a number")
    return number


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:40]} is not a finite number")
    return number


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [item for group in level if isinstance(group, dict | list) for item in _items(group)]
        if not level:
            return
    if any(isinstance(item, dict | list) for item in level):
        raise ValueError("brackets nested too deeply")


def _items(group: Any) -> list[Any]:
    items = group.values() if isinstance(group, dict) else group
    return [item for item in items if isinstance(item, dict | list)]
