"""Read PLY files: polygons of any size, colours under their several names and types, and pictures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from avw.sim_bridge.scenes.meshes.formats.contents import (
    DamagedError,
    Look,
    MeshContents,
    Part,
    damage_named,
    face_mean_bytes,
)
from avw.sim_bridge.scenes.meshes.formats.gltf_file import beside
from avw.sim_bridge.scenes.meshes.formats.pictures import Pictures
from avw.sim_bridge.scenes.meshes.formats.ply_elements import Element, PlyFile, read_ply_elements
from avw.sim_bridge.scenes.meshes.formats.polygons import fans, split_vertices

_INDICES = ("vertex_indices", "vertex_index")
_COLOURS = (
    ("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"),
    ("Red", "Green", "Blue"), ("ambient_red", "ambient_green", "ambient_blue"),
)  # fmt: skip
_COORDINATES = (("texture_u", "texture_v"), ("u", "v"), ("s", "t"), ("texcoord_u", "texcoord_v"))
_PICTURE = re.compile(r"texturefile\s+(.+)", re.IGNORECASE)
_NO_MATERIAL = "material_0"  # name of the surfaces of a picture


def read_ply(file: Path) -> MeshContents:
    """The parts of a PLY file. Raises SceneError for a file that is damaged."""
    with damage_named(file):
        return _read(file)


def _read(file: Path) -> MeshContents:
    ply = read_ply_elements(file)
    contents = MeshContents()
    if ply.left:
        contents.warnings.append("the file has more data than its header declares; the rest is ignored")
    vertex = ply.elements.get("vertex")
    if vertex is None or not vertex.count:
        return contents
    if not all(axis in vertex.values for axis in "xyz"):
        raise DamagedError("its vertices have no x, y and z")
    vertices_V3 = np.stack([np.asarray(vertex.values[axis], dtype=np.float64) for axis in "xyz"], axis=1)
    faces_F3, polygon_F, corner_F3 = _faces(ply, contents)
    if not len(faces_F3):
        return contents
    if faces_F3.min() < 0 or faces_F3.max() >= len(vertices_V3):
        raise DamagedError("some faces refer to vertices that do not exist")
    face = ply.elements.get("face")
    object_F = None
    if face is not None and "object_id" in face.values and polygon_F is not None:
        object_F = np.asarray(face.values["object_id"], dtype=np.int64)[polygon_F].astype(np.int32)
    colour_F3 = _colours(vertex, face, faces_F3, polygon_F)
    upward_F32 = _coordinates(vertex, face, faces_F3, corner_F3)
    uv_F32 = None if upward_F32 is None else _down(upward_F32)
    pictures = _pictures(file, ply, contents, uv_F32)
    if not any(picture is not None for picture in pictures) or upward_F32 is None or uv_F32 is None:
        contents.parts.append(
            Part(
                labels=(file.name,), vertices_V3=vertices_V3, faces_F3=faces_F3, colour_F3=colour_F3, object_F=object_F
            )
        )
        return contents
    number_F = np.zeros(len(faces_F3), dtype=np.int64)
    if len(pictures) > 1 and face is not None and "texnumber" in face.values and polygon_F is not None:
        number_F = np.asarray(face.values["texnumber"], dtype=np.int64)[polygon_F]
    elif len(pictures) > 1:
        contents.warnings.append(f"only the first of {len(pictures)} pictures is shown: the faces have no texnumber")
    faces_F3, vertices_V3 = split_vertices(faces_F3, vertices_V3, upward_F32)
    for number in np.unique(number_F):
        chosen_F = number_F == number
        picture = pictures[number] if 0 <= number < len(pictures) else None
        look = None
        if picture is not None:
            look = Look(key=int(number), name=_NO_MATERIAL, texture_HWC=picture)
        contents.parts.append(
            Part(
                labels=(file.name,),
                vertices_V3=vertices_V3,
                faces_F3=faces_F3[chosen_F],
                look=look,
                uv_F32=uv_F32[chosen_F],
                colour_F3=None if look is not None or colour_F3 is None else colour_F3[chosen_F],
                object_F=None if object_F is None else object_F[chosen_F],
            )
        )
    return contents


def _faces(ply: PlyFile, contents: MeshContents) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Triangles (F, 3), the polygon of each, and their places (F, 3) in the list of all corners."""
    face = ply.elements.get("face")
    lists = {} if face is None else face.lists
    name = next((name for name in _INDICES if name in lists), next(iter(lists), None))
    if name is not None and face is not None and face.count:
        if name not in _INDICES:
            contents.warnings.append(f"its faces have no vertex_indices: the list {name[:40]!r} is taken for them")
        size_N, index_M = lists[name]
        corner_F3, polygon_F = fans(size_N)
        return index_M.astype(np.int64)[corner_F3], polygon_F, corner_F3
    strips = ply.elements.get("tristrips")
    if strips is None or not strips.lists:
        return np.zeros((0, 3), dtype=np.int64), None, None
    out = []
    for index_M in next(iter(strips.lists.values()))[1:]:
        for strip in np.split(index_M.astype(np.int64), np.flatnonzero(index_M == -1)):
            strip = strip[strip != -1]
            if len(strip) >= 3:
                faces_F3 = np.stack([strip[:-2], strip[1:-1], strip[2:]], axis=1)
                faces_F3[1::2] = faces_F3[1::2][:, [1, 0, 2]]
                out.append(faces_F3)
    return (np.concatenate(out) if out else np.zeros((0, 3), dtype=np.int64)), None, None


def _colours(
    vertex: Element, face: Element | None, faces_F3: np.ndarray, polygon_F: np.ndarray | None
) -> np.ndarray | None:
    """The colour of each face in 0..255: of its vertices, else its own."""
    of_vertices = _bytes_of(vertex)
    if of_vertices is not None:
        return face_mean_bytes(of_vertices, faces_F3)
    of_faces = None if face is None or polygon_F is None else _bytes_of(face)
    return None if of_faces is None or polygon_F is None else of_faces[polygon_F]


def _bytes_of(element: Element) -> np.ndarray | None:
    names = next((names for names in _COLOURS if all(name in element.values for name in names)), None)
    if names is None:
        return None
    columns = [np.asarray(element.values[name]) for name in names]
    values = np.nan_to_num(np.stack([column.astype(np.float64) for column in columns], axis=1))
    kind = columns[0].dtype
    if kind.kind == "f":
        values = values * (255.0 if values.max(initial=0.0) <= 1.0 else 1.0)
    elif kind.itemsize == 2 and values.max(initial=0.0) > 255:
        values = values / 257.0
    return np.clip(np.round(values), 0, 255).astype(np.int64)


def _coordinates(
    vertex: Element, face: Element | None, faces_F3: np.ndarray, corner_F3: np.ndarray | None
) -> np.ndarray | None:
    """Texture coordinates of the corners (F, 3, 2) with v pointing up: of the faces, else of the vertices."""
    if face is not None and "texcoord" in face.lists and corner_F3 is not None:
        size_N, values = face.lists["texcoord"]
        name = next((name for name in _INDICES if name in face.lists), None)
        if name is not None and (size_N == 2 * face.lists[name][0]).all():
            by_face: np.ndarray = np.asarray(values).reshape(-1, 2)[corner_F3]
            return by_face
    for names in _COORDINATES:
        if all(name in vertex.values for name in names):
            by_vertex: np.ndarray = np.stack([vertex.values[name] for name in names], axis=1)[faces_F3]
            return by_vertex
    return None


def _down(uv_F32: np.ndarray) -> np.ndarray:
    uv_F32 = np.asarray(uv_F32, dtype=np.float64)
    return np.stack([uv_F32[..., 0], 1.0 - uv_F32[..., 1]], axis=-1).astype(np.float32)


def _pictures(file: Path, ply: PlyFile, contents: MeshContents, uv_F32: np.ndarray | None) -> list[np.ndarray | None]:
    """The pictures that the comments name (`comment TextureFile a.png`); None for one that cannot be shown."""
    pictures = Pictures(str(file), contents.warnings.append)
    found: list[np.ndarray | None] = []
    for name in (match[1].strip() for line in ply.comments if (match := _PICTURE.match(line))):
        path = beside(file, name)
        if path is None:
            contents.warnings.append(f"the texture {name[:80]!r} is not beside the file: its faces show other colours")
        elif uv_F32 is None:
            contents.warnings.append(f"the texture {name[:80]!r} is not shown: the file has no texture coordinates")
        found.append(None if path is None or uv_F32 is None else pictures.decode(path.read_bytes(), name[:80]))
    return found
