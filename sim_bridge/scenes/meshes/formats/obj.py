"""Read OBJ files: relative indices, polygons of any size, several material libraries, and text in any encoding.

Format: Wavefront, Object Files (.obj). The names of `usemtl` are labels, whatever happens to the libraries.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from avw.sim_bridge.scenes.materials.labels import material_from_label
from avw.sim_bridge.scenes.meshes.formats.contents import (
    DamagedError,
    Look,
    MeshContents,
    Part,
    damage_named,
    face_mean_bytes,
)
from avw.sim_bridge.scenes.meshes.formats.gltf_file import beside
from avw.sim_bridge.scenes.meshes.formats.mtl import ObjMaterial, decoded, read_mtl
from avw.sim_bridge.scenes.meshes.formats.number_text import face_fields, numbers_of, words_per_line
from avw.sim_bridge.scenes.meshes.formats.pictures import Pictures
from avw.sim_bridge.scenes.meshes.formats.polygons import fans
from avw.sim_bridge.scenes.meshes.formats.wrapping import REPEAT, wrapped
from avw.sim_bridge.scenes.meshes.mesh_guard import obj_libraries

_GREY = np.full((1, 1, 3), 190, dtype=np.uint8)
_SKIPPED = ("p", "l", "curv", "curv2", "surf")
# The other statements of the format, which change nothing that is shown.
_WITHOUT_EFFECT = frozenset({
    "vp", "deg", "bmat", "step", "cstype", "parm", "trim", "hole", "scrv", "sp", "end", "con", "s", "mg", "bevel",
    "c_interp", "d_interp", "lod", "usemap", "maplib", "shadow_obj", "trace_obj", "ctech", "stech", "call", "csh",
    "mtllib",
})  # fmt: skip


@dataclass(slots=True)
class _Faces:
    """The faces of one material and object. lines: of the file, without "f", with absolute indices"""

    material: str | None
    object: str
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Text:
    """The statements of a file: vertices (v), texture coordinates (vt), faces by material, and skipped statements.

    unknown: lines that are no statement of the format
    """

    v: list[str] = field(default_factory=list)
    vt: list[str] = field(default_factory=list)
    normals: int = 0
    groups: dict[tuple[str | None, str], _Faces] = field(default_factory=dict)
    skipped: int = 0
    unknown: int = 0


def read_obj(file: Path) -> MeshContents:
    """The parts of an OBJ file. Raises SceneError for a file that is damaged."""
    with damage_named(file):
        return _read(file)


def _read(file: Path) -> MeshContents:
    contents = MeshContents()
    text = _statements(decoded(file.read_bytes()))
    if text.skipped:
        contents.warnings.append(f"{text.skipped} points, lines or curves have no surface: skipped")
    if text.unknown:
        contents.warnings.append(f"{text.unknown} lines are not statements of OBJ, so the file may be damaged: skipped")
    vertices_VN = _numbers(text.v, "vertex", 3)
    if not len(vertices_VN) or not text.groups:
        return contents
    vertices_V3 = vertices_VN[:, :3]
    colours_V3 = _vertex_colours(vertices_VN)
    coordinates_T2 = _numbers(text.vt, "texture coordinate", 1)[:, :2]
    if coordinates_T2.shape[1] == 1:  # a single number is a position along u
        coordinates_T2 = np.concatenate([coordinates_T2, np.zeros_like(coordinates_T2)], axis=1)
    looks = _Looks(file, contents)
    # The last material first: the order of earlier versions, which decides the bytes of a scene.
    for group in reversed(_by_material(text.groups.values())):
        part = _part(file, group, vertices_V3, colours_V3, coordinates_T2, text.normals, looks)
        if part is not None:
            contents.parts.append(part)
    looks.warn_of_missing_materials()
    return contents


def _statements(text: str) -> _Text:
    out = _Text()
    material: str | None = None
    name = ""
    faces: list[str] | None = None
    for line in _lines(text):
        if line.startswith("v "):  # most lines of a file
            out.v.append(line[2:])
            continue
        words = line.split(None, 1)
        if not words:
            continue
        key, rest = words[0], words[1] if len(words) > 1 else ""
        if key == "v":
            out.v.append(rest)
        elif key == "vt":
            out.vt.append(rest)
        elif key == "vn":
            out.normals += 1
        elif key in ("f", "fo"):
            if len(rest.split(None, 3)) < 3:
                out.skipped += 1
                continue
            if faces is None:
                faces = out.groups.setdefault((material, name), _Faces(material, name)).lines
            faces.append(_absolute(rest, len(out.v), len(out.vt), out.normals) if "-" in rest else rest)
        elif key == "usemtl":
            material, faces = rest.strip() or None, None
        elif key in ("o", "g"):
            name, faces = rest.strip(), None
        elif key in _SKIPPED:
            out.skipped += 1
        elif key not in _WITHOUT_EFFECT:
            out.unknown += 1
    return out


def _by_material(groups: Iterable[_Faces]) -> list[_Faces]:
    """Join the faces of one material. If its name says nothing, its objects stay apart: they may have names."""
    joined: dict[tuple[str | None, str], _Faces] = {}
    for group in groups:
        named = group.material is not None and material_from_label(group.material) is not None
        own = joined.setdefault(
            (group.material, "" if named else group.object), _Faces(group.material, "" if named else group.object)
        )
        own.lines += group.lines
    return list(joined.values())


def _lines(text: str) -> Iterator[str]:
    """Lines without comments; a backslash at the end joins two lines."""
    if "\\\n" in text or "\\\r" in text:
        text = text.replace("\\\r\n", " ").replace("\\\n", " ")
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if "#" in line:
            line = line.partition("#")[0] if not line.lstrip().startswith(("usemtl", "mtllib", "o ", "g ")) else line
        yield line


def _absolute(line: str, v: int, vt: int, vn: int) -> str:
    """A face whose relative indices (-1 is the last one so far) are replaced."""
    counts = (v, vt, vn)
    corners = []
    for corner in line.split():
        fields = []
        for kind, word in enumerate(corner.split("/")):
            if word.startswith("-"):
                number = counts[min(kind, 2)] + 1 + int(word)
                if number < 1:
                    raise DamagedError(f"a face refers to {word} of {counts[min(kind, 2)]:,} vertices")
                word = str(number)
            fields.append(word)
        corners.append("/".join(fields))
    return " ".join(corners)


def _numbers(lines: list[str], what: str, least: int) -> np.ndarray:
    """float64 (lines, columns): the columns that all lines have."""
    if not lines:
        return np.zeros((0, least))
    count_N = words_per_line(lines)
    columns = int(count_N.min())
    try:
        if (count_N == columns).all():
            values = numbers_of("\n".join(lines))
        else:
            values = np.array([line.split()[:columns] for line in lines], dtype=np.float64).ravel()
    except ValueError as error:
        raise DamagedError(f"a {what} is not a list of numbers ({error})") from None
    if columns < least:
        raise DamagedError(f"a {what} has {columns} numbers")
    return values.reshape(len(lines), columns)


def _vertex_colours(vertices_VN: np.ndarray) -> np.ndarray | None:
    """Colours that follow the positions, 0..255."""
    if vertices_VN.shape[1] < 6:
        return None
    colours_V3 = np.nan_to_num(vertices_VN[:, 3:6])
    scale = 255.0 if colours_V3.max() <= 1.0 else 1.0
    return np.clip(np.round(colours_V3 * scale), 0, 255).astype(np.int64)


def _part(
    file: Path, group: _Faces, vertices_V3: np.ndarray, colours_V3: np.ndarray | None, coordinates_T2: np.ndarray,
    normals: int, looks: _Looks,
) -> Part | None:  # fmt: skip
    index_F3, coordinate_F3, normal_F3 = _indices(group.lines)
    if not len(index_F3):
        return None
    if index_F3.max() >= len(vertices_V3):
        raise DamagedError("some faces refer to vertices that do not exist")
    if coordinate_F3 is not None and coordinate_F3.max() >= len(coordinates_T2):
        coordinate_F3 = None
        looks.contents.warnings.append("some faces refer to texture coordinates that do not exist: not used")
    if normal_F3 is not None and normal_F3.max() >= normals:
        normal_F3 = None
    faces_F3, place_V, uv_F32 = _split(index_F3, coordinate_F3, normal_F3, coordinates_T2)
    labels = [name for name in (group.material, group.object) if name] or [file.name]
    look, uv_F32 = looks.look(group.material, uv_F32, colours_V3 is not None)
    return Part(
        labels=tuple(labels),
        vertices_V3=vertices_V3[place_V],
        faces_F3=faces_F3,
        look=look,
        uv_F32=uv_F32,
        colour_F3=face_mean_bytes(colours_V3, index_F3) if colours_V3 is not None and _is_plain(look) else None,
    )


def _is_plain(look: Look | None) -> bool:
    return look is None or look.texture_HWC is _GREY


def _indices(lines: list[str]) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Vertex, texture coordinate and normal of the corners of every triangle, counted from 0; None if not all have one.

    Triangles and quads keep the order of earlier versions: if all faces are quads, first halves come first; if sizes
    differ, the triangles of a face stay together.
    """
    size_N, fields = face_fields(lines)
    columns: list[np.ndarray | None] = [None, None, None]
    if fields is not None:
        for kind, values in enumerate(fields):
            columns[kind] = None if kind and not values.all() else _from_zero(values)
    else:
        corners = [corner.split("/") for line in lines for corner in line.split()]
        for kind in range(3):
            words = [corner[kind] if len(corner) > kind else "" for corner in corners]
            columns[kind] = None if "" in words else _whole(words)
        if columns[0] is None:
            raise DamagedError("a face has a corner without a vertex")
    corner_F3, polygon_F = fans(size_N)
    if len(np.unique(size_N[size_N > 2])) > 1:
        order = np.argsort(polygon_F, kind="stable")
        corner_F3 = corner_F3[order]
    out = [None if column is None else column[corner_F3] for column in columns]
    assert out[0] is not None
    return out[0], out[1], out[2]


def _whole(words: list[str]) -> np.ndarray:
    try:
        numbers = np.array(words, dtype=np.int64) if words else np.zeros(0, dtype=np.int64)
    except (ValueError, OverflowError):
        raise DamagedError("a face has a corner that is not a whole number") from None
    return _from_zero(numbers)


def _from_zero(numbers: np.ndarray) -> np.ndarray:
    """Indices counted from 0."""
    if len(numbers) and numbers.min() < 1:
        raise DamagedError("a face refers to vertex 0, but OBJ counts from 1")
    return numbers - 1


def _split(
    index_F3: np.ndarray, coordinate_F3: np.ndarray | None, normal_F3: np.ndarray | None, coordinates_T2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Faces, the vertex of the file for each of their vertices, and texture coordinates (F, 3, 2), v pointing down.

    Corners of one position with different texture coordinates or normals become different vertices.
    """
    from trimesh.visual.texture import unmerge_faces

    others = [other for other in (coordinate_F3, normal_F3) if other is not None]
    if not others:
        used, faces = np.unique(index_F3, return_inverse=True)
        return faces.reshape(-1, 3), used, None
    faces_F3, place_V, *_ = unmerge_faces(index_F3, *others)
    if coordinate_F3 is None:
        return np.asarray(faces_F3, dtype=np.int64), place_V, None
    uv_F32 = coordinates_T2[coordinate_F3]
    down = np.stack([uv_F32[..., 0], 1.0 - uv_F32[..., 1]], axis=-1).astype(np.float32)
    return np.asarray(faces_F3, dtype=np.int64), place_V, down


class _Looks:
    """The looks of the materials of an OBJ file, from its libraries."""

    def __init__(self, file: Path, contents: MeshContents) -> None:
        self._file, self.contents = file, contents
        self._pictures = Pictures(str(file), contents.warnings.append)
        self._materials: dict[str, ObjMaterial] = {}
        self._missing: list[str] = []
        self._kept: dict[str, tuple[np.ndarray, ObjMaterial]] = {}
        for name, path in obj_libraries(file):
            if path is None:
                contents.warnings.append(
                    f"the material library {name[:80]!r} is not beside the file: its faces are grey"
                )
            else:
                self._materials = {**read_mtl(path), **self._materials}

    def look(
        self, name: str | None, uv_F32: np.ndarray | None, coloured: bool
    ) -> tuple[Look | None, np.ndarray | None]:
        """The look of a material, and texture coordinates for its picture."""
        if name is None:
            return None, None
        material = self._materials.get(name)
        if material is None:
            self._missing.append(name)
            return Look(key=name, name=name, texture_HWC=_GREY), None
        texture_HWC = self._texture(material)
        if material.picture and uv_F32 is not None and texture_HWC.shape[:2] != (1, 1):
            return self._placed(material, texture_HWC, uv_F32)
        return Look(key=name, name=name, texture_HWC=texture_HWC), uv_F32

    def warn_of_missing_materials(self) -> None:
        """Add a warning about names of `usemtl` that no library has."""
        if self._missing:
            names = ", ".join(name[:40] for name in self._missing[:5])
            self.contents.warnings.append(
                f"no material library describes {len(self._missing)} of the materials ({names}): their faces are grey"
            )

    def _placed(self, material: ObjMaterial, picture: np.ndarray, uv_F32: np.ndarray) -> tuple[Look, np.ndarray]:
        options = material.options
        if options.scale_2 != (1.0, 1.0) or options.move_2 != (0.0, 0.0):
            scale_2, move_2 = np.array(options.scale_2), np.array(options.move_2)
            upward = np.stack([uv_F32[..., 0], 1.0 - uv_F32[..., 1]], axis=-1).astype(np.float64) * scale_2 + move_2
            uv_F32 = np.stack([upward[..., 0], 1.0 - upward[..., 1]], axis=-1).astype(np.float32)
        if options.modes != (REPEAT, REPEAT):
            picture, uv_F32 = wrapped(picture, uv_F32, options.modes)
        return Look(key=material.name, name=material.name, texture_HWC=picture), uv_F32

    def _texture(self, material: ObjMaterial) -> np.ndarray:
        if material.picture:
            prefix = os.path.relpath(material.folder, self._file.parent)
            names = [f"{prefix}/{name}" for name in material.picture if prefix != "."]
            path = next((p for name in (*names, *material.picture) if (p := beside(self._file, name))), None)
            if path is None:
                name = material.picture[0]
                self.contents.warnings.append(
                    f"the texture {name[:80]!r} is not beside the file: its faces show their base colour"
                )
            else:
                picture = self._pictures.decode(path.read_bytes(), material.name or path.name)
                if picture is not None:
                    return picture
        if material.colour_3 is None:
            return np.full((1, 1, 3), 102, dtype=np.uint8)
        rgb_3 = np.array(material.colour_3)
        if rgb_3.max() <= 1.0:
            rgb_3 = rgb_3 * 255.0
        return np.round(rgb_3).astype(np.uint8).reshape(1, 1, 3)
