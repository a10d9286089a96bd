"""Checks on an HDF5 file that may have been made to do harm, before a byte of its arrays is read.

HDF5 can point outside itself (external links, external storage, virtual datasets), can claim arrays that no machine
can hold, and can hide gigabytes behind a few compressed kilobytes. Callers know from their schema what a file may
contain, and refuse everything else. Every check raises ValueError, with the reason as the message.
"""

from __future__ import annotations

import math
import os
import zlib
from typing import Any

import h5py
import numpy as np

BLOSC2, DEFLATE, SHUFFLE, FLETCHER32 = 32026, 1, 2, 3
MAX_OVERHEAD = 4096  # bytes that headers and checksums may add to an incompressible chunk
MAX_PADDING = 4  # times a chunk's size: Blosc2 pads blocks with zeros
MAX_INFLATED = 1 << 28  # bytes; a deflated chunk that could become larger is first inflated with a bound
DEFLATE_RATIO = 1032  # the highest compression ratio of zlib
FRAME_HEADER = 62  # bytes of a Blosc2 frame up to its chunk size
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_BYTES = 1 << 16


def refuse_path(file: h5py.File, path: str) -> None:
    """Raises ValueError unless each step of `path` is a hard link within the file, KeyError if a step is missing."""
    group = file.id
    for name in path.strip("/").split("/"):
        if not isinstance(group, h5py.h5g.GroupID | h5py.h5f.FileID):
            raise ValueError(f"{path}: the parent of {name} is not a group")
        where = h5py.h5g.open(group, b"/") if isinstance(group, h5py.h5f.FileID) else group
        key = name.encode()
        if key not in where:
            raise KeyError(f"{path} is missing")
        kind = where.links.get_info(key).type
        if kind != h5py.h5l.TYPE_HARD:
            what = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "a link to another file"}
            raise ValueError(f"{path}: {name} is {what.get(kind, 'a link of an unknown kind')}")
        group = h5py.h5o.open(where, key)


def refuse_foreign_storage(dataset: h5py.Dataset) -> None:
    """Raises ValueError for an array of pointers, and for one whose data are not in the file."""
    # The type first: other questions about an array of objects may already follow its pointers.
    if dataset.dtype.hasobject:
        raise ValueError(f"{dataset.name} is {dataset.dtype}: objects are not read")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} keeps its data outside of the file")


def filters(dataset: h5py.Dataset) -> tuple[int, ...]:
    """The codes of the filters that its chunks pass through, in the order of writing."""
    properties = dataset.id.get_create_plist()
    return tuple(properties.get_filter(number)[0] for number in range(properties.get_nfilters()))


def refuse_dataset(
    dataset: h5py.Dataset, shape: tuple[int, ...], dtype: np.dtype, pipelines: tuple[tuple[int, ...], ...]
) -> None:
    """Raises ValueError unless the dataset is a plain chunked array of that shape and type, complete, and filtered by
    one of `pipelines`, whose chunks decompress to their own size."""
    name = dataset.name
    if dataset.shape != shape or dataset.dtype != dtype:
        raise ValueError(f"{name} is {dataset.dtype} {dataset.shape}: expected {dtype} {shape}")
    refuse_foreign_storage(dataset)
    chunk = dataset.chunks
    if chunk is None or dataset.maxshape != shape or chunk[1:] != shape[1:] or not 1 <= chunk[0] <= max(1, shape[0]):
        raise ValueError(f"{name} has an unexpected layout: chunks {chunk}, maximum shape {dataset.maxshape}")
    pipeline = filters(dataset)
    if pipeline not in pipelines:
        raise ValueError(f"{name} is compressed by filters {pipeline}: expected one of {pipelines}")
    size = math.prod(chunk) * dtype.itemsize
    chunks: list[Any] = []
    dataset.id.chunk_iter(chunks.append)
    if len(chunks) != math.ceil(shape[0] / chunk[0]):
        raise ValueError(f"{name} has {len(chunks)} chunks: expected {math.ceil(shape[0] / chunk[0])}")
    if any(stored.filter_mask or stored.size > size + MAX_OVERHEAD for stored in chunks):
        raise ValueError(f"{name} has a chunk that is stored unfiltered or larger than its {size} bytes")
    if BLOSC2 in pipeline:
        _refuse_frames(dataset, chunks, size)
    else:
        refuse_bombs(dataset)


def refuse_bombs(dataset: h5py.Dataset) -> None:
    """Raises ValueError for a deflated chunk that would take far more memory than the chunk's own size."""
    pipeline = filters(dataset)
    if dataset.chunks is None or DEFLATE not in pipeline:
        return
    place = pipeline.index(DEFLATE)
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    chunks: list[Any] = []
    dataset.id.chunk_iter(chunks.append)
    for stored in chunks:
        deflated = not stored.filter_mask >> place & 1
        if deflated and stored.size * DEFLATE_RATIO > MAX_INFLATED:
            _refuse_bomb(dataset, stored, size, checksum=4 if FLETCHER32 in pipeline[place:] else 0)


def _refuse_bomb(dataset: h5py.Dataset, stored: Any, size: int, checksum: int) -> None:
    _, content = dataset.id.read_direct_chunk(stored.chunk_offset)
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(content[: len(content) - checksum], size + 1)
    except zlib.error as error:
        raise ValueError(f"{dataset.name} has a chunk that cannot be inflated ({error})") from error
    if len(inflated) != size:
        raise ValueError(f"{dataset.name} has a chunk that does not inflate to its {size} bytes")


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
                int.from_bytes(inner[4:8], "little"),  # of the first stored chunk, by its own header
            )
            if not size <= claims[0] == claims[1] <= max(claims) <= MAX_PADDING * size + MAX_OVERHEAD:
                raise ValueError(f"{dataset.name} has a chunk that claims to hold {max(claims)} bytes, not {size}")
    finally:
        os.close(handle)


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
