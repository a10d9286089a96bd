"""OBJ as it is found: relative indices, libraries in any number and encoding, names without a library, map options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.meshes.mesh_files import MeshReport, load_mesh, read_mesh
from avw.sim_bridge.scenes.scene import Scene
from tests.sim_bridge.gltf_files import BLUE, RED, halves, walls
from tests.sim_bridge.looks import area, colours

ROOM = {name: list(rgb) for name, (_, rgb) in walls().items()}


def library(*names: str) -> str:
    """A material library of some walls."""
    lines = []
    for name in names or walls():
        r, g, b = (value / 255 for value in walls()[name][1])
        lines += [f"newmtl {name}", f"Kd {r:.6f} {g:.6f} {b:.6f}"]
    return "\n".join(lines) + "\n"


def obj(*heads: str, relative: bool = False, usemtl: str = "usemtl {}", split: str = " ") -> str:
    """The room as text."""
    lines, count = list(heads), 0
    for name, (corners, _) in walls().items():
        lines += [f"v{split}{x}{split}{y}{split}{z}" for x, y, z in corners]
        count += 4
        lines.append(usemtl.format(name))
        corner = range(-4, 0) if relative else range(count - 3, count + 1)
        lines.append(f"f{split}" + split.join(map(str, corner)))
    return "\n".join(lines) + "\n"


def read(folder: Path, text: str | bytes, mtl: str | bytes | None = None) -> tuple[Scene, MeshReport]:
    """Write a room.obj (and a.mtl) and read it, Y-up."""
    (folder / "room.obj").write_bytes(text if isinstance(text, bytes) else text.encode())
    if mtl is not None:
        (folder / "a.mtl").write_bytes(mtl if isinstance(mtl, bytes) else mtl.encode())
    return read_mesh(f"{folder / 'room.obj'}?up=y")


@pytest.mark.parametrize(
    ("text", "mtl"),
    [
        (obj("mtllib a.mtl"), library()),
        (obj("mtllib a.mtl", relative=True), library()),
        (obj("# as exported: mtllib old.mtl", "mtllib a.mtl"), library()),
        (obj("mtllib\ta.mtl", usemtl="usemtl\t{}", split="\t"), library()),
        (obj("mtllib a.mtl").replace("\n", "\r\n"), library().replace("\n", "\r\n")),
        (obj("# caf\xe9", "mtllib a.mtl").encode("latin-1"), ("# caf\xe9\n" + library()).encode("latin-1")),
        (obj("mtllib a.mtl").encode("utf-16"), library().encode("utf-8-sig")),
        (obj("mtllib a.mtl").replace("f 1 2", "f 1 \\\n2"), library()),
        (obj("mtllib a.mtl").replace("f ", "  f  "), library()),
    ],
    ids=["plain", "relative", "comment", "tabs", "crlf", "latin1", "utf16", "continued", "indented"],
)
def test_the_room_is_read(tmp_path: Path, text: str | bytes, mtl: str | bytes) -> None:
    scene, report = read(tmp_path, text, mtl)
    assert len(scene.faces_F3) == 12
    assert area(scene) == pytest.approx(180.0)
    assert colours(scene) == ROOM
    assert report.warnings == ()
    assert report.by_name == 1.0


@pytest.mark.parametrize("heads", [("mtllib a.mtl", "mtllib b.mtl"), ("mtllib a.mtl b.mtl",), ("mtllib b of two.mtl",)])
def test_several_libraries_and_names_with_spaces(tmp_path: Path, heads: tuple[str, ...]) -> None:
    names = list(walls())
    (tmp_path / "b.mtl").write_text(library(*names[3:]))
    (tmp_path / "b of two.mtl").write_text(library())
    scene, report = read(tmp_path, obj(*heads), library(*names[:3]))
    assert colours(scene) == ROOM
    assert report.warnings == ()


@pytest.mark.parametrize("head", ["", "mtllib gone.mtl"])
def test_names_are_labels_without_a_library(tmp_path: Path, head: str) -> None:
    scene, report = read(tmp_path, obj(head))
    assert report.by_name == 1.0
    assert {s.name: s.material.name for s in scene.surfaces}["brick wall"] == "brick_wall"
    assert any("no material library describes 6 of the materials" in warning for warning in report.warnings)
    assert any("'gone.mtl'" in warning for warning in report.warnings) == bool(head)


def test_objects_name_faces_whose_material_says_nothing(tmp_path: Path) -> None:
    text = obj(usemtl="o {}\nusemtl Material.001")
    scene, _ = read(tmp_path, text)
    assert {surface.material.name for surface in scene.surfaces} >= {"brick_wall", "curtain", "glass"}
    assert area(scene) == pytest.approx(180.0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("map_Kd p.png", RED),
        ("map_Kd -s 1 1 1 p.png", RED),
        ("map_Kd -o 0.5 0 0 p.png", BLUE),
        ("map_Kd -clamp on -blendu off p.png", RED),
        ("map_Kd tex\\q r.png", RED),
        ("map_Kd tex/q r.png", RED),
        ("MAP_KD -bm 0.3 p.png", RED),
    ],
)
def test_the_picture_is_found_whatever_the_options(tmp_path: Path, line: str, expected: tuple[int, int, int]) -> None:
    (tmp_path / "tex").mkdir()
    Image.fromarray(halves()).save(tmp_path / "p.png")
    Image.fromarray(halves()).save(tmp_path / "tex" / "q r.png")
    coordinates = "vt 0.1 0.9\nvt 0.4 0.9\nvt 0.4 0.6\nvt 0.1 0.6\n"
    text = coordinates + obj("mtllib a.mtl").replace("f 1 2 3 4", "f 1/1 2/2 3/3 4/4")
    scene, report = read(tmp_path, text, library() + f"newmtl oak floor\n{line}\n")
    assert colours(scene)["oak floor"] == list(expected)
    assert report.warnings == ()


def test_a_library_in_a_folder_names_pictures_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    Image.fromarray(halves()).save(tmp_path / "lib" / "p.png")
    (tmp_path / "lib" / "a.mtl").write_text("newmtl oak floor\nmap_Kd p.png\n")
    text = "vt 0.2 0.2\n" + obj("mtllib lib/a.mtl").replace("f 1 2 3 4", "f 1/1 2/1 3/1 4/1")
    assert colours(read(tmp_path, text)[0])["oak floor"] == list(RED)


@pytest.mark.parametrize(
    ("faces", "triangles"),
    [("f 1 2 3 4 5", 3), ("f 1 2 3\nf 1 3 4 5", 3), ("f 1/1/1 2/1/1 3//1\nf 1 3 4", 2), ("f 1// 2// 3//", 1)],
)
def test_polygons_and_mixed_corners(tmp_path: Path, faces: str, triangles: int) -> None:
    text = "v 0 0 0\nv 2 0 0\nv 3 2 0\nv 1 3 0\nv -1 2 0\nvt 0 0\nvn 0 0 1\n" + faces
    scene, _ = read(tmp_path, text)
    assert len(scene.faces_F3) == triangles
    corners = scene.triangles_F33
    assert (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n", "vertices that do not exist"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n", "counts from 1"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf -1 -2 -4\n", "refers to -4 of 3"),
        ("v 0 0 0\nv 1 0 x\nv 0 1 0\nf 1 2 3\n", "not a list of numbers"),
        ("v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n", "has 2 numbers"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 three\n", "not a whole number"),
    ],
)
def test_damaged_files_are_errors(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.obj").write_text(text)
    with pytest.raises(SceneError, match=message):
        load_mesh(tmp_path / "a.obj")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (("f 1 2 3 4\n", "g 1 2 3 4\n"), ""),  # a group of that name: nothing says that it was a face
        (("f 1 2 3 4\n", "d 1 2 3 4\n"), "1 lines are not statements of OBJ"),
        (("f 1 2 3 4\n", "f 1\n2 3 4\n"), "1 points, lines or curves have no surface"),
    ],
)
def test_a_face_that_a_damaged_line_lost_is_named(tmp_path: Path, damage: tuple[str, str], sentence: str) -> None:
    scene, report = read(tmp_path, obj().replace(*damage))
    assert len(scene.faces_F3) == 10
    assert sentence in " ".join(report.warnings)


def test_a_vertex_without_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="a vertex has 0 numbers"):  # skipped, it would shift the numbers of the others
        read(tmp_path, obj().replace("v 3.0 3.0 4.0\n", "v\n", 1))
