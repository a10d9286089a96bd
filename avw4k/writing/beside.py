"""The files beside the shards, compared with what their own writer would write: table, card, read-me and info.json."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avw.avw4k.plan.spec import SCHEMA_VERSION, DatasetSpec, ShardSpec
from avw.avw4k.reading.dataset import CARD
from avw.avw4k.reading.info import INFO
from avw.avw4k.shards.manifest import ShardRecord
from avw.avw4k.writing.card import CONFIGS, card_text, episode_rows, readme_text, table_bytes
from avw.avw4k.writing.croissant import TABLE
from avw.sim_bridge.storage.small_files import as_object, parse_json, read_bytes, read_text

README = "README.md"
FILES = (TABLE, README, CARD)  # in the order of writing: the last one shows that a dataset was complete
LARGEST = 2**29  # bytes of the table or the card


def beside_problems(
    folder: Path, spec: DatasetSpec, schema: int, shards: list[ShardSpec], records: dict[str, ShardRecord]
) -> dict[str, str]:
    """{file: what is wrong} of a dataset whose manifest is complete and valid."""
    problems: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for name in (*FILES, INFO):
        try:
            contents[name] = read_bytes(folder / name, LARGEST)
        except (FileNotFoundError, ValueError) as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
            problems[name] = f"{folder / name} {reason}"
    rows = episode_rows(shards, records)
    listed: dict[str, str] = {}
    if CARD in contents:
        try:
            listed = _digests(contents[CARD])
        except ValueError as error:
            problems[CARD] = f"{folder / CARD} cannot be read: {error}"
    if CARD in contents and CARD not in problems:
        if {n: digest for n, digest in listed.items() if n.endswith(".h5")} != {
            n: r.sha256 for n, r in records.items()
        }:
            problems[CARD] = f"{folder / CARD} does not list the manifest's shards and their SHA-256"
        if INFO in listed and INFO in contents and _sha256(contents[INFO]) != listed[INFO]:
            problems[INFO] = (
                f"{folder / INFO} has changed since the dataset was finished: its SHA-256 is not that in {CARD}"
            )
    if TABLE in contents:
        if reason := _table_problem(contents[TABLE], rows, listed.get(TABLE)):
            problems[TABLE] = f"{folder / TABLE} {reason}"
        elif CARD not in problems and (reason := _card_problem(contents, spec, schema, records, rows)):
            problems[CARD] = f"{folder / CARD} {reason}"
    # The text for people of an older schema is that of the version that wrote it.
    if README in contents and schema == SCHEMA_VERSION:
        expected = readme_text(spec, schema, rows, records)
        # Versions of this schema before 1.0 did not write the lines for `datasets`.
        if contents[README] not in (expected.encode(), expected.replace(CONFIGS, "").encode()):
            problems[README] = f"{folder / README} is not the one that AVW writes for this dataset"
    return problems


def table_rows(content: bytes) -> list[dict[str, Any]]:
    """The rows of an episode table. Raises ValueError for a file that is not one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_table(io.BytesIO(content)).to_pylist())
    except (OSError, ValueError, OverflowError, MemoryError, pa.ArrowException) as error:
        raise ValueError(str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from error


def read_table_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of the episode table of a dataset. Raises FileNotFoundError, or ValueError with the reason."""
    return table_rows(read_bytes(folder / TABLE, LARGEST))


def _table_problem(content: bytes, rows: Sequence[dict[str, Any]], digest: str | None) -> str:
    expected = table_bytes(rows)
    if content == expected:
        return ""
    # Another version of pyarrow writes the same table with other bytes. It is parsed only if the card vouches for it.
    if digest is not None and _sha256(content) != digest:
        return "was altered: it is not the file that was written with the dataset"
    try:
        return "" if table_rows(content) == table_rows(expected) else "does not match the manifest"
    except ValueError as error:
        return f"cannot be read: {error}"


def _card_problem(
    contents: dict[str, bytes], spec: DatasetSpec, schema: int, records: dict[str, ShardRecord],
    rows: Sequence[dict[str, Any]],
) -> str:  # fmt: skip
    if schema != SCHEMA_VERSION or INFO not in contents:
        return ""
    # Earlier versions did not list info.json.
    for info in (contents[INFO], None):
        if contents[CARD] == card_text(spec, schema, records, rows, contents[TABLE], info).encode():
            return ""
    return "is not the one that AVW writes for this dataset"


def _digests(content: bytes) -> dict[str, str]:
    """{file: SHA-256} in a card. Raises ValueError for anything else."""
    listed = as_object(parse_json(content)).get("distribution")
    if not isinstance(listed, list):
        raise ValueError("it has no distribution")
    digests = {}
    for entry in listed:
        found = as_object(entry)
        name, digest = found.get("name"), found.get("sha256")
        if not isinstance(name, str) or not isinstance(digest, str):
            raise ValueError("a file in it has no name or no SHA-256")
        digests[name] = digest
    return digests


def card_digest(folder: Path, name: str) -> str | None:
    """The SHA-256 of a file that the card of a dataset lists, if there is a valid card that does."""
    try:
        return _digests(read_text(folder / CARD, LARGEST).encode()).get(name)
    except (FileNotFoundError, ValueError):
        return None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
