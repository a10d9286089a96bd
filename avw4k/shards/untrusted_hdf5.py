"""What a shard must not be: checks on a file that may have been made to do harm, before a byte of its arrays is read.

HDF5 can point outside itself (external links, external storage, virtual datasets), can claim arrays that no machine
can hold, and can hide gigabytes behind a few compressed kilobytes. All that a shard may contain is known from the
schema: whatever else is there is refused.
"""

from __future__ import annotations

import math
import os
import zlib
from typing import Any

import h5py
import numpy as np

BLOSC2, DEFLATE, SHUFFLE, FLETCHER32 = 32026, 1, 2, 3
PIPELINES = ((FLETCHER32,), (BLOSC2, FLETCHER32), (DEFLATE, FLETCHER32), (SHUFFLE, DEFLATE, FLETCHER32))
MAX_OVERHEAD = 4096  # bytes that headers and checksums may add to an incompressible chunk
MAX_PADDING = 4  # times a chunk's size: Blosc2 fills blocks up with zeros
MAX_INFLATED = 1 << 28  # bytes; a deflated chunk that could become more is first inflated with a bound
DEFLATE_RATIO = 1032  # zlib's best
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_BYTES = 1 << 16
FRAME_HEADER = 62  # bytes of a Blosc2 frame up to its chunk size


class ShardFile(h5py.File):
    """An open shard that remembers which of its arrays were found harmless."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.harmless: set[str] = set()


def refuse_path(file: h5py.File, path: str) -> None:
    """Raises ValueError unless each step of `path` is a hard link within the file."""
    group = file.id
    for name in path.strip("/").split("/"):
        if not isinstance(group, h5py.h5g.GroupID | h5py.h5f.FileID):
            raise ValueError(f"{path}: {name} lies below what is no group")
        where = h5py.h5g.open(group, b"/") if isinstance(group, h5py.h5f.FileID) else group
        key = name.encode()
        if key not in where:
            raise KeyError(f"{path} is not there")
        kind = where.links.get_info(key).type
        if kind != h5py.h5l.TYPE_HARD:
            what = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "a link to another file"}
            raise ValueError(f"{path}: {name} is {what.get(kind, 'a link of a strange kind')}")
        group = h5py.h5o.open(where, key)


def refuse_dataset(dataset: h5py.Dataset, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raises ValueError unless the dataset is a plain chunked array of that shape and type, all of it there, whose
    chunks decompress to their own size."""
    name = dataset.name
    # The type first: asking an object array for anything else may already follow pointers.
    if dataset.shape != shape or dataset.dtype != dtype or dataset.dtype.hasobject:
        raise ValueError(f"{name} is {dataset.dtype} {dataset.shape}: expected {dtype} {shape}")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{name} keeps its data outside of the file")
    chunk = dataset.chunks
    if chunk is None or dataset.maxshape != shape or chunk[1:] != shape[1:] or not 1 <= chunk[0] <= max(1, shape[0]):
        raise ValueError(f"{name} is laid out as no shard is: chunks {chunk}, at most {dataset.maxshape}")
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(number) for number in range(properties.get_nfilters())]
    pipeline = tuple(code for code, *_ in filters)
    if pipeline not in PIPELINES:
        raise ValueError(f"{name} is compressed by filters {pipeline}: expected one of {PIPELINES}")
    size = math.prod(chunk) * dtype.itemsize
    chunks: list[Any] = []
    dataset.id.chunk_iter(chunks.append)
    if len(chunks) != math.ceil(shape[0] / chunk[0]):
        raise ValueError(f"{name} has {len(chunks)} chunks: expected {math.ceil(shape[0] / chunk[0])}")
    if any(stored.filter_mask or stored.size > size + MAX_OVERHEAD for stored in chunks):
        raise ValueError(f"{name} has a chunk that is stored unfiltered or larger than its {size} bytes")
    if BLOSC2 in pipeline:
        _refuse_frames(dataset, chunks, size)
    elif DEFLATE in pipeline:
        for stored in chunks:
            if stored.size * DEFLATE_RATIO > MAX_INFLATED:
                _refuse_bomb(dataset, stored, size)


def _refuse_frames(dataset: h5py.Dataset, chunks: list[Any], size: int) -> None:
    """Every Blosc2 frame, and the chunk inside it, must claim about the chunk's own size."""
    handle = os.open(dataset.file.filename, os.O_RDONLY)
    try:
        for stored in chunks:
            head = os.pread(handle, FRAME_HEADER, stored.byte_offset)
            length = int.from_bytes(head[11:15], "big")
            inner = os.pread(handle, 16, stored.byte_offset + length) if head[2:9] == b"b2frame" else b""
            claims = (
                int.from_bytes(head[30:38], "big"),  # of the frame
                int.from_bytes(head[58:62], "big"),  # of each of its chunks
                int.from_bytes(inner[4:8], "little"),  # of the first that is stored, by its own header
            )
            if not size <= claims[0] == claims[1] <= max(claims) <= MAX_PADDING * size + MAX_OVERHEAD:
                raise ValueError(f"{dataset.name} has a chunk that claims to hold {max(claims)} bytes, not {size}")
    finally:
        os.close(handle)


def _refuse_bomb(dataset: h5py.Dataset, stored: Any, size: int) -> None:
    _, content = dataset.id.read_direct_chunk(stored.chunk_offset)
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(content[:-4], size + 1)  # its last four bytes are the checksum
    except zlib.error as error:
        raise ValueError(f"{dataset.name} has a chunk that cannot be inflated ({error})") from error
    if len(inflated) != size:
        raise ValueError(f"{dataset.name} has a chunk that does not inflate to its {size} bytes")


def plain_attributes(group: h5py.Group) -> dict[str, Any]:
    """The attributes of a group as plain values. Raises ValueError for any that is not one short text or number."""
    attributes = group.attrs
    if len(attributes) > MAX_ATTRIBUTES:
        raise ValueError(f"{group.name} has {len(attributes)} attributes")
    values = {}
    for name in attributes:
        attribute = attributes.get_id(name)
        text = h5py.check_string_dtype(attribute.dtype) is not None
        if attribute.shape != () or not (text or attribute.dtype.kind in "iufb"):
            raise ValueError(f"attribute {name} of {group.name} is {attribute.dtype} {attribute.shape}")
        if attribute.get_storage_size() > MAX_ATTRIBUTE_BYTES:
            raise ValueError(f"attribute {name} of {group.name} is too long")
        value = attributes[name]
        values[name] = value.item() if isinstance(value, np.generic) else value
    return values
