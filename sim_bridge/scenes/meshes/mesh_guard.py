"""Check the bytes of a mesh file before it is parsed: its real format, whether it is complete, and how large it is.

Files come from the web. A few hundred bytes of glTF can request terabytes of memory, or refer to any file on the disk.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.meshes.formats.mtl import decoded, picture_names

MAX_PLACED = 50_000  # nodes and instances with a mesh; a furnished building has a few thousand
MAX_TRIANGLES = 50_000_000  # placed in the scene; a building scanned to the centimetre has a few million
_GLTF_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_GLTF_PARTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_COMPRESSED = {"KHR_draco_mesh_compression": "Draco", "EXT_meshopt_compression": "meshopt"}
_LARGEST_MTL = 10_000_000  # bytes
# What AVW reads of the extensions that a file may require, or what may be skipped without showing something wrong. All
# KHR_materials_... change only how a surface reflects light.
_READABLE = frozenset({
    "KHR_mesh_quantization", "KHR_texture_transform", "EXT_mesh_gpu_instancing", "KHR_node_visibility",
    "KHR_lights_punctual", "EXT_texture_webp", "EXT_texture_avif", "MSFT_texture_dds", "KHR_texture_basisu",
    "KHR_animation_pointer", "KHR_xmp", "KHR_xmp_json_ld", "EXT_mesh_features", "EXT_structural_metadata",
    "EXT_lights_image_based", "KHR_node_hoverability", "KHR_node_selectability", "KHR_interactivity",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Guarded:
    """Facts found by `guard`.

    up_is_given: whether `export_glb` wrote the file, so that it is Y-up
    warnings: sentences about what will be missing
    """

    up_is_given: bool = False
    warnings: tuple[str, ...] = ()


def guard(file: Path) -> Guarded:
    """Check a mesh file without parsing its geometry.

    Raises SceneError for a file that is not a mesh, is incomplete, is compressed in an unsupported way, requests more
    memory than it can fill, or refers to files outside its folder.
    """
    size = file.stat().st_size
    if size == 0:
        raise SceneError(f"{file} cannot be read: it is empty (0 bytes), so the download failed; download it again")
    with file.open("rb") as stream:
        head = stream.read(512)
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise SceneError(
            f"{file} cannot be read: it is a web page, not a mesh. Most likely the server answered the download with "
            "an error or a login form; open it in an editor to read the message, and download the file again"
        )
    if start.startswith(b"version https://git-lfs"):
        raise SceneError(f"{file} cannot be read: it is a Git LFS pointer, not the mesh; type: git lfs pull")
    suffix = file.suffix.lower()
    if suffix in (".glb", ".gltf"):
        return _guard_gltf(file, gltf_tree(file), size)
    if suffix == ".ply":
        _guard_ply(file, head, size)
        return Guarded()
    return Guarded(warnings=_guard_obj(file))


def gltf_tree(file: Path) -> dict[str, Any]:
    """The JSON of a .glb or .gltf file. Raises SceneError."""
    if file.suffix.lower() == ".gltf":
        return _json(file, file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    with file.open("rb") as stream:
        head = stream.read(20)
    return _glb_json(file, head, file.stat().st_size)


def _glb_json(file: Path, head: bytes, size: int) -> dict[str, Any]:
    if len(head) < 20 or head[:4] != b"glTF":
        raise SceneError(f"{file} cannot be read: it does not start like a binary glTF; it has another format")
    version, length, json_length, kind = struct.unpack("<III4s", head[4:20])
    if version != 2:
        raise SceneError(
            f"{file} cannot be read: it is glTF version {version}, but only version 2 is supported; export it again"
        )
    if length > size:
        raise SceneError(
            f"{file} cannot be read: it should have {length:,} bytes but has {size:,}, so a download or copy was "
            "interrupted; download it again"
        )
    if kind != b"JSON" or json_length + 20 > size:
        raise SceneError(f"{file} cannot be read: its first chunk is damaged; download or export it again")
    with file.open("rb") as stream:
        stream.seek(20)
        return _json(file, stream.read(json_length))


def _json(file: Path, text: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SceneError(
            f"{file} cannot be read: its glTF header is not valid JSON ({error}); export it again"
        ) from None
    if not isinstance(tree, dict):
        raise SceneError(f"{file} cannot be read: its glTF header is not a JSON object; export it again")
    return tree


def _guard_gltf(file: Path, tree: dict[str, Any], size: int) -> Guarded:
    try:
        _guard_compression(file, tree)
        held, missing = _guard_uris(file, tree, size)
        _guard_accessors(file, tree, held)
        _guard_nodes(file, tree)
        warnings = [*missing, *_undecodable_images(tree)]
        extras = [scene.get("extras") for scene in tree.get("scenes", [])]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise SceneError(
            f"{file} cannot be read: its glTF header is malformed ({type(error).__name__}: {error}); export it again"
        ) from None
    return Guarded(up_is_given=any(isinstance(e, dict) and "avw" in e for e in extras), warnings=tuple(warnings))


def _guard_compression(file: Path, tree: dict[str, Any]) -> None:
    used = set(tree.get("extensionsRequired", []))
    for mesh in tree.get("meshes", []):
        for primitive in mesh.get("primitives", []):
            used |= set(primitive.get("extensions", {}))
    for view in tree.get("bufferViews", []):
        used |= set(view.get("extensions", {}))
    for name, short in _COMPRESSED.items():
        if name in used:
            raise SceneError(
                f"{file} cannot be read: its meshes are compressed with {short} ({name}), which AVW cannot decode; "
                "export it again without compression, or convert it once with a glTF tool"
            )
    required = [str(name)[:80] for name in tree.get("extensionsRequired", [])]
    unknown = [name for name in required if name not in _READABLE and not name.startswith("KHR_materials_")]
    if unknown:
        raise SceneError(
            f"{file} cannot be read: it requires {', '.join(unknown[:5])}, which AVW does not know; export it again "
            "without that extension"
        )


def _guard_uris(file: Path, tree: dict[str, Any], size: int) -> tuple[int, list[str]]:
    """The number of bytes that the buffers can hold, and warnings about missing images."""
    held, missing = size, []
    for kind in ("buffers", "images"):
        for entry in tree.get(kind, []):
            uri = entry.get("uri")
            if uri is None or str(uri).startswith("data:"):
                continue
            target = inside(file, unquote(str(uri)))
            if target.is_file():
                held += target.stat().st_size
            elif kind == "buffers":
                raise SceneError(
                    f"{file} cannot be read: its geometry is in {uri!r}, which is not beside it; copy that file into "
                    "the same folder"
                )
            else:
                missing.append(f"the texture {uri!r} is not beside the file: its faces show their base colour")
    return held, missing


def _guard_accessors(file: Path, tree: dict[str, Any], held: int) -> None:
    accessors, meshes = tree.get("accessors", []), tree.get("meshes", [])
    total = 0
    for accessor in accessors:
        count = int(accessor["count"])
        total += count * _GLTF_BYTES[accessor["componentType"]] * _GLTF_PARTS[accessor["type"]]
        # Accessors without data are filled with zeros: valid, but a few bytes could request any amount of memory.
        if count < 0 or (count > held and "bufferView" not in accessor):
            raise SceneError(
                f"{file} cannot be read: it requests {count:,} numbers but has {held:,} bytes; it is damaged"
            )
    if total > 64 * held + 1_000_000:
        raise SceneError(
            f"{file} cannot be read: it describes {total:,} bytes of geometry but has {held:,}; it is damaged"
        )
    triangles = []
    for mesh in meshes:
        listed = [(p.get("mode", 4), p.get("indices", p["attributes"]["POSITION"])) for p in mesh["primitives"]]
        triangles.append(sum(_triangles(mode, int(accessors[index]["count"])) for mode, index in listed))
    nodes = [node for node in tree.get("nodes", []) if "mesh" in node]
    if len(nodes) > MAX_PLACED:
        raise SceneError(
            f"{file} cannot be read: {len(nodes):,} of its nodes have a mesh, more than {MAX_PLACED:,}; join them in a "
            "mesh editor"
        )
    placed = sum(triangles[node["mesh"]] for node in nodes)
    if placed > MAX_TRIANGLES:
        raise SceneError(
            f"{file} cannot be read: it places {placed:,} triangles, more than {MAX_TRIANGLES:,}; simplify it first"
        )


def _triangles(mode: int, count: int) -> int:
    """The number of triangles of a primitive with `count` indices."""
    return {4: count // 3, 5: max(count - 2, 0), 6: max(count - 2, 0)}.get(mode, 0)


def _guard_nodes(file: Path, tree: dict[str, Any]) -> None:
    """Check that the nodes form trees. With shared children, a few nodes could place a mesh billions of times."""
    parents: dict[int, int] = {}
    for index, node in enumerate(tree.get("nodes", [])):
        for child in node.get("children", []):
            if child in parents:
                raise SceneError(f"{file} cannot be read: node {child} has two parents; export it again")
            parents[child] = index
    for index in parents:
        seen = set()
        while index in parents:
            if index in seen:
                raise SceneError(f"{file} cannot be read: node {index} is its own ancestor; export it again")
            seen.add(index)
            index = parents[index]
            if len(seen) > 512:
                raise SceneError(
                    f"{file} cannot be read: its nodes are nested more than 512 levels deep; export it again"
                )


def _undecodable_images(tree: dict[str, Any]) -> list[str]:
    images = tree.get("images", [])
    basis = sum(
        image.get("mimeType") in ("image/ktx2", "image/x-basis")
        or str(image.get("uri", "")).lower().endswith((".ktx2", ".ktx", ".basis"))
        for image in images
    )
    if not basis:
        return []
    return [
        f"{basis} of {len(images)} textures are KTX2/Basis, which AVW cannot decode: their faces show vertex colours "
        "or the base colour. Convert the textures to JPEG or PNG once with a glTF tool, or use the variant of the "
        "scene without .basis in its name"
    ]


def inside(file: Path, name: str) -> Path:
    """The path that `file` refers to as `name`. Raises SceneError if it is outside the folder of `file`."""
    folder = file.parent.resolve()
    clean = name.strip().replace("\\", "/")
    target = (folder / clean).resolve()
    if clean.startswith("/") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", clean) or not target.is_relative_to(folder):
        raise SceneError(
            f"{file} cannot be read: it refers to {name!r}, which is not in its own folder. For safety, a mesh may "
            "only read files in its folder; copy what it needs beside it and use relative names"
        )
    return target


def _guard_ply(file: Path, head: bytes, size: int) -> None:
    if not head.startswith(b"ply"):
        raise SceneError(f"{file} cannot be read: it does not start like a PLY file; it has another format")
    with file.open("rb") as stream:
        header = stream.read(65_536).split(b"end_header")[0]
    for name, count in re.findall(rb"element\s+(\w+)\s+(\d+)", header):
        if int(count) > size:  # an element takes at least one byte
            raise SceneError(
                f"{file} cannot be read: its header announces {int(count):,} of {name.decode('ascii', 'replace')}, but "
                f"the file has {size:,} bytes; it is incomplete or damaged, download it again"
            )


def _guard_obj(file: Path) -> tuple[str, ...]:
    """Check the material libraries and textures of an OBJ file. They may only be in its folder. Returns warnings."""
    missing = []
    for library, path in obj_libraries(file):
        if path is None:
            missing.append(f"the material library {library!r} is not beside the file: its faces are grey")
            continue
        if path.stat().st_size > _LARGEST_MTL:
            raise SceneError(
                f"{file} cannot be read: its material library {library!r} is larger than {_LARGEST_MTL:,} bytes"
            )
        for names in picture_names(path):
            inside(file, names[0])
    return tuple(missing)


def obj_libraries(file: Path) -> list[tuple[str, Path | None]]:
    """The material libraries that an OBJ file names, and their paths; None for one that is not there.

    A line may name several libraries, and a name may contain spaces. Raises SceneError for a name that leads out of the
    folder.
    """
    found: dict[str, Path | None] = {}
    with file.open("rb") as stream:
        wide = stream.read(2) in (b"\xff\xfe", b"\xfe\xff", b"\0#", b"\0m", b"#\0", b"m\0")
        stream.seek(0)
        lines = decoded(stream.read()).encode().splitlines() if wide else stream
        kept = [line.split(None, 1) for line in lines if b"mtllib" in line]
        named = [words[1] for words in kept if words[0] == b"mtllib" and len(words) > 1]
    for text in (decoded(name).strip() for name in named):
        whole = inside(file, text)
        parts = [part for part in text.split() if inside(file, part).is_file()]
        if whole.is_file() or not parts:
            found[text] = whole if whole.is_file() else None
        else:
            found |= {part: inside(file, part) if inside(file, part).is_file() else None for part in text.split()}
    return list(found.items())
