"""PLY as it is found: colours under several names and types, polygons of any size, pictures, and any comment."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.meshes.mesh_files import MeshReport, load_mesh, read_mesh
from avw.sim_bridge.scenes.scene import Scene
from tests.sim_bridge.gltf_files import BLUE, RED, walls
from tests.sim_bridge.looks import area

VERTICES = np.concatenate([corners for corners, _ in walls().values()])
RGB = np.repeat([rgb for _, rgb in walls().values()], 4, axis=0)
QUADS = [tuple(range(4 * k, 4 * k + 4)) for k in range(6)]
TRIANGLES = [face for a, b, c, d in QUADS for face in ((a, b, c), (a, c, d))]
MIXED = [*QUADS[:3], *TRIANGLES[6:]]


def text(faces: list[tuple[int, ...]], *, names: str = "red green blue", kind: str = "uchar", scale: float = 1.0,
         comment: str = "", extra: str = "", values: list[str] | None = None) -> str:  # fmt: skip
    """An ASCII file of the room. extra: further vertex properties · values: their values, one text per vertex"""
    head = ["ply", "format ascii 1.0", *([comment] if comment else []), "element vertex 24"]
    head += [f"property float {axis}" for axis in "xyz"] + [f"property {kind} {name}" for name in names.split()]
    head += [*([extra] if extra else []), f"element face {len(faces)}", "property list uchar int vertex_indices"]
    numbers = RGB * scale if kind in ("float", "double") else (RGB * scale).astype(int)
    body = []
    for k, (point, rgb) in enumerate(zip(VERTICES, numbers, strict=True)):
        words = [*map(str, point), *(map(str, rgb) if names else []), *([values[k]] if values else [])]
        body.append(" ".join(words))
    body += [f"{len(face)} " + " ".join(map(str, face)) for face in faces]
    return "\n".join([*head, "end_header", *body]) + "\n"


def binary(faces: list[tuple[int, ...]], order: str = "<", objects: bool = False) -> bytes:
    """A binary file of the room."""
    name = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = ["ply", f"format {name} 1.0", "element vertex 24", *(f"property float {axis}" for axis in "xyz")]
    head += [f"property uchar {name}" for name in ("red", "green", "blue")]
    head += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    head += ["property int object_id"] if objects else []
    body = b"".join(struct.pack(f"{order}3f3B", *point, *rgb) for point, rgb in zip(VERTICES, RGB, strict=True))
    for k, face in enumerate(faces):
        body += struct.pack(f"{order}B{len(face)}i", len(face), *face)
        body += struct.pack(f"{order}i", k) if objects else b""
    return ("\n".join(head) + "\nend_header\n").encode() + body


def read(folder: Path, content: str | bytes) -> tuple[Scene, MeshReport]:
    (folder / "room.ply").write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))
    return read_mesh(f"{folder / 'room.ply'}?up=y")


def seen(scene: Scene) -> set[tuple[int, ...]]:
    """The colours of all faces."""
    found = set()
    for face, surface in enumerate(scene.surface_F):
        texture_HWC = scene.surfaces[surface].texture_HWC
        u, v = scene.uv_F32[face].mean(axis=0) % 1.0
        texel = texture_HWC[int(v * texture_HWC.shape[0]), int(u * texture_HWC.shape[1])]
        found.add(tuple(int(value) for value in texel))
    return found


@pytest.mark.parametrize(
    "content",
    [
        text(QUADS),
        text(TRIANGLES),
        text(MIXED),
        text(QUADS, kind="float", scale=1 / 255),
        text(QUADS, kind="float"),
        text(QUADS, kind="double", scale=1 / 255),
        text(QUADS, kind="ushort", scale=257),
        text(QUADS, names="diffuse_red diffuse_green diffuse_blue"),
        text(QUADS, names="r g b"),
        text(QUADS, comment="comment caf\xe9 by M\xfcller"),
        text(QUADS, extra="property float s\nproperty float t", values=["0.5 0.5"] * 24),
        text(QUADS).replace("\n", "\r\n"),
        text(QUADS).replace("vertex_indices", "vertex_index"),
        binary(QUADS),
        binary(QUADS, ">"),
        binary(MIXED),
        binary(MIXED, ">"),
        binary(QUADS) + b"\n",
    ],
)
def test_the_room_and_its_colours(tmp_path: Path, content: str | bytes) -> None:
    scene, report = read(tmp_path, content)
    assert len(scene.faces_F3) == 12
    assert area(scene) == pytest.approx(180.0)
    expected = sorted(rgb for _, rgb in walls().values())
    np.testing.assert_allclose(sorted(seen(scene)), expected, atol=4)
    assert report.warnings == ()


def test_two_pictures_are_on_the_faces_that_name_them(tmp_path: Path) -> None:
    for name, rgb in (("red.png", RED), ("blue one.png", BLUE)):
        Image.fromarray(np.full((2, 2, 3), rgb, dtype=np.uint8)).save(tmp_path / name)
    content = text(QUADS, comment="comment TextureFile red.png\ncomment TextureFile blue one.png",
                   extra="property float u\nproperty float v", values=["0.5 0.5"] * 24)  # fmt: skip
    content = content.replace("property list", "property int texnumber\nproperty list")
    lines = content.splitlines()
    lines[-6:] = [f"{int(k < 3)} {line}" for k, line in enumerate(lines[-6:])]
    scene, report = read(tmp_path, "\n".join(lines) + "\n")
    assert seen(scene) == {RED, BLUE}
    assert area(scene) == pytest.approx(180.0)
    assert report.warnings == ()
    scene, report = read(tmp_path, content.replace("property int texnumber\n", ""))
    assert seen(scene) == {RED}
    assert any("only the first of 2 pictures" in warning for warning in report.warnings)


@pytest.mark.parametrize("names", ["red green blue", ""])
def test_a_missing_picture_is_a_warning(tmp_path: Path, names: str) -> None:
    content = text(QUADS, names=names, comment="comment TextureFile gone.png",
                   extra="property float u\nproperty float v", values=["0.5 0.5"] * 24)  # fmt: skip
    scene, report = read(tmp_path, content)
    assert any("'gone.png' is not beside the file" in warning for warning in report.warnings)
    assert len(seen(scene)) == (6 if names else 1)


def test_more_data_than_declared_is_a_warning(tmp_path: Path) -> None:
    assert any("more data" in warning for warning in read(tmp_path, binary(QUADS) + b"more")[1].warnings)


def test_strips_are_read(tmp_path: Path) -> None:
    content = text(QUADS, names="").replace("element face 6", "element tristrips 1")
    indices = [index for a, b, c, d in QUADS for index in (a, b, d, c, -1)]
    lines = [line for line in content.splitlines() if not line.startswith("4 ")]
    scene, _ = read(tmp_path, "\n".join([*lines, f"{len(indices)} " + " ".join(map(str, indices))]) + "\n")
    assert area(scene) == pytest.approx(180.0)
    corners = scene.triangles_F33
    assert (corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum() / 6 == pytest.approx(-144.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (binary(QUADS)[:-3], "the file is incomplete"),
        (binary(MIXED)[:-3], "the file is incomplete"),
        (text(QUADS)[:-9], "the file is incomplete"),
        (text(MIXED).replace("4 0 1 2 3", "4 0 1 2 99"), "vertices that do not exist"),
        (text(QUADS).replace("4 0 1 2 3", "-4 0 1 2 3"), "list of -4 values"),
        (text(QUADS).replace("4 0 1 2 3", "4 0 1 2 x"), "not numbers"),
        (text(QUADS).replace("property float x", "property floaty x"), "header has the line"),
        (text(QUADS).replace("end_header", "end"), "header has no end"),
        (text(QUADS).replace("ascii", "utf8"), "names the format"),
    ],
)
def test_damaged_files_are_errors(tmp_path: Path, content: str | bytes, message: str) -> None:
    (tmp_path / "a.ply").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SceneError, match=message):
        load_mesh(tmp_path / "a.ply")


def test_faces_under_another_name_are_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "room.ply"
    path.write_text(text(QUADS).replace("vertex_indices", "corners"))
    scene, report = read_mesh(f"{path}?up=y")
    assert len(scene.faces_F3) == 12
    assert report.warnings == ("its faces have no vertex_indices: the list 'corners' is taken for them",)


def test_the_name_of_the_file_names_no_material(tmp_path: Path) -> None:
    path = tmp_path / "oak floor with curtains.ply"
    path.write_text(text(QUADS))
    scene, report = read_mesh(path)
    assert (report.by_name, scene.surfaces[0].material.name) == (0.0, "hard_surface")
    path.with_suffix(".avw.json").write_text(json.dumps({"materials": {path.name: "carpet_thick"}}))
    scene, report = read_mesh(path)
    assert (report.by_name, scene.surfaces[0].material.name) == (1.0, "carpet_thick")
