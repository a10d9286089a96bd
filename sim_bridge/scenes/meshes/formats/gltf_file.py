"""The JSON and the binary data of a glTF file: buffers, views, accessors and pictures.

Format: github.com/KhronosGroup/glTF, specification/2.0. Nothing in the file is trusted: every index and range is
checked, and files are only read in the folder of the file.
"""

from __future__ import annotations

import base64
import binascii
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import numpy as np

from avw.sim_bridge.scenes.meshes.formats.contents import DamagedError
from avw.sim_bridge.scenes.meshes.mesh_guard import gltf_tree, inside

_TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_PARTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_BIN = b"BIN\0"


class GltfFile:
    """An open .glb or .gltf file. tree: its JSON"""

    def __init__(self, file: Path) -> None:
        self.path = file
        self.tree: dict[str, Any] = gltf_tree(file)
        self._buffers: dict[int, memoryview] = {}
        self._accessors: dict[int, np.ndarray] = {}

    def items(self, kind: str) -> list[Any]:
        """The list `kind` of the file ("nodes", "meshes", ...); [] if there is none."""
        return checked_list(self.tree.get(kind, []), kind)

    def item(self, kind: str, index: Any) -> dict[str, Any]:
        """Entry `index` of the list `kind`. Raises DamagedError if it does not exist."""
        entries = self.items(kind)
        if type(index) is not int or not 0 <= index < len(entries):
            raise DamagedError(f"it refers to {kind} {index!r}, but it has {len(entries)}")
        return checked_object(entries[index], f"{kind} {index}")

    def view(self, index: Any) -> memoryview:
        """The bytes of a buffer view."""
        view = self.item("bufferViews", index)
        data = self._buffer(view.get("buffer"))
        start, length = whole(view.get("byteOffset", 0)), whole(view.get("byteLength"))
        if start + length > len(data):
            raise DamagedError(f"buffer view {index} ends at byte {start + length:,} of {len(data):,}")
        return data[start : start + length]

    def accessor(self, index: Any) -> np.ndarray:
        """The values of an accessor, (count, parts); normalised integers as float64 in 0..1 or -1..1."""
        if index not in self._accessors:
            self._accessors[index] = self._read_accessor(index)
        return self._accessors[index]

    def picture(self, index: Any) -> tuple[bytes | memoryview | None, str]:
        """The encoded bytes of an image (None if its file is missing), and its name for messages."""
        image = self.item("images", index)
        name = str(image.get("name") or image.get("uri") or f"image {index}")[:80]
        if "bufferView" in image:
            return self.view(image["bufferView"]), name
        uri = image.get("uri")
        if not isinstance(uri, str):
            raise DamagedError(f"image {index} has no data")
        if uri.startswith("data:"):
            return _data_uri(uri), f"image {index}"
        path = beside(self.path, uri)
        return (path.read_bytes() if path is not None else None), name

    def _read_accessor(self, index: Any) -> np.ndarray:
        entry = self.item("accessors", index)
        if entry.get("componentType") not in _TYPES or entry.get("type") not in _PARTS:
            raise DamagedError(f"accessor {index} has values of an unknown type")
        dtype, parts, count = np.dtype(_TYPES[entry["componentType"]]), _PARTS[entry["type"]], whole(entry.get("count"))
        if "bufferView" in entry:
            values = self._strided(entry["bufferView"], whole(entry.get("byteOffset", 0)), dtype, parts, count)
        else:
            values = np.zeros((count, parts), dtype=dtype)
        if "sparse" in entry:
            values = self._with_sparse(values, checked_object(entry["sparse"], "sparse"), index)
        if entry.get("normalized") is True and dtype.kind != "f":
            largest = float(np.iinfo(dtype).max)
            return np.maximum(values.astype(np.float64) / largest, -1.0)
        return values

    def _strided(self, view: Any, offset: int, dtype: np.dtype, parts: int, count: int) -> np.ndarray:
        data = self.view(view)
        size = parts * dtype.itemsize
        stride = whole(self.item("bufferViews", view).get("byteStride", size)) or size
        if count and (stride < size or offset + (count - 1) * stride + size > len(data)):
            raise DamagedError(f"an accessor of {count:,} values does not fit into buffer view {view}")
        shape, strides = (count, parts), (stride, dtype.itemsize)
        return np.ndarray(shape, dtype=dtype, buffer=data, offset=offset if count else 0, strides=strides).copy()

    def _with_sparse(self, values: np.ndarray, sparse: dict[str, Any], index: Any) -> np.ndarray:
        """`values` with those of a sparse accessor in their places."""
        places, given = checked_object(sparse.get("indices"), "indices"), checked_object(sparse.get("values"), "values")
        count = whole(sparse.get("count"))
        if places.get("componentType") not in (5121, 5123, 5125):
            raise DamagedError(f"accessor {index} has sparse indices of an unknown type")
        kind = np.dtype(_TYPES[places["componentType"]])
        where = self._strided(places.get("bufferView"), whole(places.get("byteOffset", 0)), kind, 1, count)[:, 0]
        if count and int(where.max()) >= len(values):
            raise DamagedError(f"accessor {index} has sparse values past its end")
        values[where] = self._strided(
            given.get("bufferView"), whole(given.get("byteOffset", 0)), values.dtype, values.shape[1], count
        )
        return values

    def _buffer(self, index: Any) -> memoryview:
        if index not in self._buffers:
            entry = self.item("buffers", index)
            uri, length = entry.get("uri"), whole(entry.get("byteLength"))
            if uri is None and index == 0:
                data: bytes = _binary_chunk(self.path)
            elif not isinstance(uri, str):
                raise DamagedError(f"buffer {index} has no data")
            elif uri.startswith("data:"):
                data = _data_uri(uri)
            else:
                path = beside(self.path, uri)
                if path is None:
                    raise DamagedError(f"its geometry is in {uri[:80]!r}, which is not beside it")
                data = path.read_bytes()
            if len(data) < length:
                raise DamagedError(f"buffer {index} should have {length:,} bytes but has {len(data):,}")
            self._buffers[index] = memoryview(data)
        return self._buffers[index]


def beside(file: Path, uri: str) -> Path | None:
    """The existing file beside `file` that a URI names, or None.

    Names are percent-encoded. Some programs write them as they are, or with backslashes. Raises SceneError for a name
    that leads out of the folder.
    """
    for name in dict.fromkeys((unquote(uri), uri)):
        path = inside(file, name)
        if path.is_file():
            return path
    return None


def whole(value: Any) -> int:
    """A number of bytes or values. Raises DamagedError unless it is a whole number of at least 0."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value < 2**48:
        raise DamagedError(f"{value!r:.80} is not a number of bytes or values")
    return value


def checked_list(value: Any, what: str) -> list[Any]:
    """`value` if it is a list. Raises DamagedError otherwise."""
    if not isinstance(value, list):
        raise DamagedError(f"{what} is not a list")
    return value


def checked_object(value: Any, what: str) -> dict[str, Any]:
    """`value` if it is a JSON object. Raises DamagedError otherwise."""
    if not isinstance(value, dict):
        raise DamagedError(f"{what} is not an object")
    return value


def numbers(value: Any, count: int, what: str) -> np.ndarray:
    """float64 (count,). Raises DamagedError unless `value` is a list of that many finite numbers."""
    if not isinstance(value, list) or len(value) != count or not all(type(x) in (int, float) for x in value):
        raise DamagedError(f"{what} is not a list of {count} numbers")
    values = np.array(value, dtype=np.float64)
    if not np.isfinite(values).all():
        raise DamagedError(f"{what} has numbers that are not finite")
    return values


def _data_uri(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma:
        raise DamagedError("a data URI has no data")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(unquote(body) if "%" in body else body)
    except (binascii.Error, ValueError) as error:
        raise DamagedError(f"a data URI is damaged ({error})") from None


def _binary_chunk(file: Path) -> bytes:
    """The binary chunk of a .glb file; chunks of unknown kinds are skipped, as the standard says."""
    with file.open("rb") as stream:
        head = stream.read(12)
        if head[:4] != b"glTF":
            raise DamagedError("buffer 0 has no data")
        while len(chunk := stream.read(8)) == 8:
            length, kind = struct.unpack("<I4s", chunk)
            if kind == _BIN:
                data = stream.read(length)
                if len(data) < length:
                    raise DamagedError(f"its binary part should have {length:,} bytes but has {len(data):,}")
                return data
            stream.seek(length, 1)
    raise DamagedError("it has no binary part")
