"""Small glTF files for tests: a room whose walls have one name and one sRGB colour each."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

QUAD = (0, 1, 2, 0, 2, 3)
FLOOR = "oak floor"
CORNER_UV = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
RED, BLUE = (200, 30, 30), (30, 30, 200)
_TYPES = {"f": 5126, "u1": 5121, "u2": 5123, "u4": 5125, "i1": 5120, "i2": 5122}


def walls() -> dict[str, tuple[np.ndarray, tuple[int, int, int]]]:
    """name -> (four corners, counter-clockwise from inside, and sRGB colour) of a room of 6 x 3 x 8 m: 180 m²."""
    x, y, z = 3.0, 3.0, 4.0
    quads = {
        FLOOR: ([(-x, 0, z), (x, 0, z), (x, 0, -z), (-x, 0, -z)], (150, 100, 50)),
        "white ceiling": ([(-x, y, -z), (x, y, -z), (x, y, z), (-x, y, z)], (230, 230, 230)),
        "brick wall": ([(-x, 0, z), (-x, 0, -z), (-x, y, -z), (-x, y, z)], (180, 40, 30)),
        "plaster wall": ([(x, 0, -z), (x, 0, z), (x, y, z), (x, y, -z)], (40, 160, 60)),
        "curtain": ([(-x, 0, -z), (x, 0, -z), (x, y, -z), (-x, y, -z)], (40, 60, 190)),
        "glass": ([(x, 0, z), (-x, 0, z), (-x, y, z), (x, y, z)], (220, 210, 60)),
    }
    return {name: (np.array(corners, dtype=np.float32), rgb) for name, (corners, rgb) in quads.items()}


def linear(srgb: Any) -> np.ndarray:
    """Linear light (0..1) of sRGB bytes."""
    value = np.asarray(srgb, dtype=np.float64) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def halves(*, grey: bool = False) -> np.ndarray:
    """A picture of 8 x 8 pixels: red on the left, blue on the right."""
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    picture[:, :4], picture[:, 4:] = (RED, BLUE) if not grey else (100, 200)
    return picture


class Gltf:
    """Builds a file. tree: its JSON, which tests change before they write it"""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {
            "asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], "meshes": [], "nodes": [],
            "materials": [], "scenes": [{"nodes": []}], "scene": 0,
        }  # fmt: skip
        self.data = bytearray()

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """Append an entry to a list of the file; returns its index."""
        self.tree.setdefault(kind, []).append(entry)
        return len(self.tree[kind]) - 1

    def view(self, data: bytes, **more: Any) -> int:
        self.data += bytes(-len(self.data) % 4)
        entry = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **more}
        self.data += data
        return self.add("bufferViews", entry)

    def accessor(self, values: Any, dtype: str = "<f4", **more: Any) -> int:
        array = np.asarray(values).astype(dtype)
        columns = 1 if array.ndim == 1 else array.shape[1]
        kind = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}[columns]
        code = _TYPES["f" if array.dtype.kind == "f" else array.dtype.str[1:]]
        row = columns * array.dtype.itemsize
        padded = np.zeros((len(array), -(-row // 4) * 4 if array.ndim > 1 else row), dtype=np.uint8)
        padded[:, :row] = np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)
        stride = {"byteStride": padded.shape[1]} if padded.shape[1] != row else {}
        view = self.view(padded.tobytes(), **stride)
        return self.add(
            "accessors", {"bufferView": view, "count": len(array), "componentType": code, "type": kind, **more}
        )

    def picture(self, pixels: np.ndarray | bytes, mime: str = "image/png") -> int:
        """Add an image and a texture of it; returns the texture."""
        if isinstance(pixels, np.ndarray):
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "PNG")
            pixels = stream.getvalue()
        image = self.add("images", {"bufferView": self.view(pixels), "mimeType": mime})
        return self.add("textures", {"source": image})

    def material(self, name: str, rgb: tuple[int, int, int] | None = None, **more: Any) -> int:
        """Add a material. more: entries beside pbrMetallicRoughness, and `pbr`, entries in it"""
        pbr: dict[str, Any] = {"metallicFactor": 0.0, **more.pop("pbr", {})}
        if rgb is not None:
            pbr["baseColorFactor"] = [*linear(rgb).tolist(), 1.0]
        return self.add("materials", {"name": name, "pbrMetallicRoughness": pbr, **more})

    def quad(self, corners: Any, material: int | None, name: str = "", **node: Any) -> dict[str, Any]:
        """Add a quad with a node of its own; returns its primitive. node: `attributes`, and entries of the node"""
        attributes = {"POSITION": self.accessor(corners), **node.pop("attributes", {})}
        primitive: dict[str, Any] = {"attributes": attributes, "indices": self.accessor(QUAD, "<u2")}
        if material is not None:
            primitive["material"] = material
        mesh = self.add("meshes", {"primitives": [primitive], "name": name or "quad"})
        self.tree["scenes"][0]["nodes"].append(self.add("nodes", {"mesh": mesh, "name": name or "quad", **node}))
        return primitive

    def write(self, path: Path) -> Path:
        """Write a .glb, or a .gltf with its data beside it."""
        self.data += bytes(-len(self.data) % 4)
        tree = {key: value for key, value in self.tree.items() if value != []}
        tree["buffers"] = [{"byteLength": len(self.data)}, *self.tree.get("buffers", [])]
        if path.suffix == ".gltf":
            path.with_suffix(".bin").write_bytes(self.data)
            tree["buffers"][0]["uri"] = path.with_suffix(".bin").name.replace(" ", "%20")
            path.write_text(json.dumps(tree))
            return path
        text = json.dumps(tree).encode()
        text += b" " * (-len(text) % 4)
        body = struct.pack("<I4s", len(text), b"JSON") + text
        body += struct.pack("<I4s", len(self.data), b"BIN\0") + bytes(self.data)
        path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body)
        return path


def room(*left_out: str) -> Gltf:
    """The room; a test adds the walls that are left out in its own way."""
    gltf = Gltf()
    for name, (corners, rgb) in walls().items():
        if name not in left_out:
            gltf.quad(corners, gltf.material(name, rgb), name)
    return gltf
