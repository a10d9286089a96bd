"""Untrusted files: invalid, incomplete or malicious meshes are errors before any memory is allocated for them."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.meshes.mesh_files import load_mesh, read_mesh
from tests.sim_bridge.boxes import flat
from tests.sim_bridge.scans import building, coloured, scan, with_atlas


def _glb(mesh: trimesh.Trimesh) -> tuple[dict[str, Any], bytes]:
    """The header and the binary part of a mesh as GLB."""
    data = trimesh.Scene(mesh).export(file_type="glb")
    length = struct.unpack("<I", data[12:16])[0]
    return json.loads(data[20 : 20 + length]), data[20 + length + 8 :]


def _write(path: Path, tree: dict[str, Any], binary: bytes) -> Path:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body)
    return path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.glb", b"", "it is empty"),
        ("a.glb", b"<!DOCTYPE html><html><body>403 Forbidden</body></html>", "it is a web page"),
        ("a.obj", b"  <html>login</html>", "it is a web page"),
        ("a.ply", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("a.glb", b"glTF" + struct.pack("<IIII", 2, 10_000, 4, 0) + b"{}  ", "was interrupted"),
        ("a.glb", b"glTF" + struct.pack("<IIII", 1, 20, 4, 0) + b"{}  ", "glTF version 1"),
        ("a.gltf", b'{"accessors": [', "not valid JSON"),
        ("a.gltf", b"[1, 2]", "not a JSON object"),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 4000000000\n", "announces 4,000,000,000 of vertex"),
        ("a.ply", b"solid nothing\nendsolid\n", "does not start like a PLY"),
    ],
)  # fmt: skip
def test_files_with_the_wrong_content_are_errors(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SceneError, match=message) as caught:
        load_mesh(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def _draco(tree: dict[str, Any]) -> None:
    tree["meshes"][0]["primitives"][0]["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0}}


def _meshopt(tree: dict[str, Any]) -> None:
    tree["extensionsRequired"] = ["EXT_meshopt_compression"]


def _empty_giant(tree: dict[str, Any]) -> None:
    tree["accessors"].append({"componentType": 5126, "count": 10**12, "type": "MAT4"})


def _repeated_giant(tree: dict[str, Any]) -> None:
    tree["accessors"] += [dict(tree["accessors"][0]) for _ in range(1_000)]


def _shared_child(tree: dict[str, Any]) -> None:
    tree["nodes"] += [{"children": [0]}, {"children": [0]}]


def _cycle(tree: dict[str, Any]) -> None:
    last = len(tree["nodes"])
    tree["nodes"] += [{"children": [last + 1]}, {"children": [last]}]


def _many_instances(tree: dict[str, Any]) -> None:
    tree["nodes"] += [{"mesh": 0} for _ in range(20_000)]


def _outside(name: str) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        tree["buffers"].append({"uri": name, "byteLength": 4})

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_draco, "compressed with Draco"),
        (_meshopt, "compressed with meshopt"),
        (_empty_giant, "requests 1,000,000,000,000 numbers"),
        (_repeated_giant, "describes .* bytes of geometry but has"),
        (_shared_child, "has two parents"),
        (_cycle, "its own ancestor"),
        (_many_instances, "triangles, more than"),
        (_outside("../secret.bin"), "not in its own folder"),
        (_outside("%2e%2e/secret.bin"), "not in its own folder"),
        (_outside("/etc/hostname"), "not in its own folder"),
        (_outside("file:///etc/hostname"), "not in its own folder"),
        (_outside("absent.bin"), "not beside it"),
        (lambda tree: tree.update(nodes=3), "header is malformed"),
        (lambda tree: tree["accessors"][0].pop("count"), "header is malformed"),
    ],
)
def test_malicious_gltf_is_an_error(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    (tmp_path / "secret.bin").write_bytes(b"1234")
    (tmp_path / "in").mkdir()
    tree, binary = _glb(scan(building(*flat()), edge=0.4))
    change(tree)
    path = _write(tmp_path / "in" / "changed.glb", tree, binary)
    with pytest.raises(SceneError, match=message):
        load_mesh(path)


def test_the_unchanged_file_is_read(tmp_path: Path) -> None:
    """Shows that each error above is caused by its change only."""
    path = _write(tmp_path / "fine.glb", *_glb(building(*flat())))
    assert len(load_mesh(path).faces_F3) == 12 * len(flat())


def test_basis_textures_fall_back_to_colours_with_a_warning(tmp_path: Path) -> None:
    tree, binary = _glb(with_atlas(building(*flat()), size=8))
    tree["images"][0]["mimeType"] = "image/ktx2"
    tree["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] = [1.0, 0.0, 0.0, 1.0]
    scene, report = read_mesh(_write(tmp_path / "x.basis.glb", tree, binary))
    assert any("KTX2/Basis" in warning for warning in report.warnings)
    assert scene.surfaces[0].texture_HWC.tolist() == [[[255, 0, 0]]]


def test_a_missing_texture_is_a_warning(tmp_path: Path) -> None:
    tree, binary = _glb(with_atlas(building(*flat()), size=8))
    tree["images"] = [{"uri": "walls.jpg"}]
    report = read_mesh(_write(tmp_path / "x.glb", tree, binary))[1]
    assert any("'walls.jpg' is not beside the file" in warning for warning in report.warnings)
    coloured(building(*flat())).export(tmp_path / "y.ply")
    assert read_mesh(tmp_path / "y.ply")[1].warnings == ()


@pytest.mark.parametrize("line", ["mtllib ../other.mtl", "mtllib /etc/hostname"])
def test_obj_material_libraries_stay_in_the_folder(tmp_path: Path, line: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "other.mtl").write_text("newmtl a\n")
    (tmp_path / "in" / "a.obj").write_text(f"{line}\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(SceneError, match="not in its own folder"):
        load_mesh(tmp_path / "in" / "a.obj")


def test_obj_textures_stay_in_the_folder_and_missing_ones_are_warnings(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd ../../secret.png\n")
    with pytest.raises(SceneError, match="not in its own folder"):
        load_mesh(tmp_path / "a.obj")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd absent.png\n")
    assert any("'absent.png'" in warning for warning in read_mesh(tmp_path / "a.obj")[1].warnings)
    (tmp_path / "a.mtl").unlink()
    assert any("material library 'a.mtl'" in warning for warning in read_mesh(tmp_path / "a.obj")[1].warnings)


@pytest.mark.parametrize("name", ["a.glb", "a.ply", "b.ply", "a.obj"])
def test_damaged_files_are_read_or_raise_scene_errors(tmp_path: Path, name: str) -> None:
    whole = with_atlas(building(*flat()), size=8) if name in ("a.glb", "a.obj") else coloured(building(*flat()))
    whole.export(tmp_path / name, **({"encoding": "ascii"} if name == "b.ply" else {}))
    good = (tmp_path / name).read_bytes()
    rng = keyed_rng("test", "damage", name)
    for _ in range(60):
        bad = bytearray(good)
        for _ in range(int(rng.integers(1, 6))):
            place = int(rng.integers(min(len(bad), 3000) if rng.random() < 0.7 else len(bad)))
            kind = rng.integers(3)
            if kind == 0:
                bad[place] = int(rng.integers(256))
            elif kind == 1:
                del bad[place : place + int(rng.integers(1, 20))]
            else:
                bad[place:place] = bytes(rng.integers(48, 58, size=int(rng.integers(1, 12))).astype(np.uint8))
        path = tmp_path / f"damaged{Path(name).suffix}"
        path.write_bytes(bytes(bad))
        with contextlib.suppress(SceneError):
            scene = load_mesh(path)
            assert np.isfinite(scene.vertices_V3).all()
            assert scene.faces_F3.max() < len(scene.vertices_V3)


def test_an_image_that_cannot_be_decoded_is_a_warning(tmp_path: Path) -> None:
    tree, binary = _glb(with_atlas(building(*flat()), size=64))
    view = tree["bufferViews"][tree["images"][0]["bufferView"]]
    middle = view.get("byteOffset", 0) + view["byteLength"] // 2
    binary = binary[:middle] + b"\xff" * 400 + binary[middle + 400 :]
    report = read_mesh(_write(tmp_path / "x.glb", tree, binary))[1]
    assert any("cannot be decoded" in warning for warning in report.warnings)


def test_huge_coordinates_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1e30 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(SceneError, match="units away"):
        load_mesh(tmp_path / "a.obj")
