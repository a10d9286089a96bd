"""Meshes with object numbers, and the transfer of objects to another mesh of the same place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.meshes.scan_labels import ObjectLabel, SceneLabels
from avw.sim_bridge.scenes.meshes.semantic_meshes import (
    MAX_DISTANCE,
    NO_OBJECT,
    nearest_objects,
    read_semantic_mesh,
)
from tests.sim_bridge.boxes import box_scene, flat

SOMETHING = SceneLabels({k: ObjectLabel("wall", ("wall",)) for k in range(3)}, Path("a"), {0xFF0000: 1, 0x00FF7F: 2})


def write_ply(path: Path, vertices_V3: np.ndarray, faces: list[tuple[int, ...]], objects: list[int] | None) -> Path:
    """Write a binary PLY as Habitat's tools do, with triangles or quads."""
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices_V3)}"]
    lines += [f"property float {axis}" for axis in "xyz"] + [f"element face {len(faces)}"]
    lines += (
        ["property list uchar int vertex_indices"] + (["property int object_id"] if objects else []) + ["end_header"]
    )
    body = b"".join(
        bytes([len(face)]) + np.array(face, dtype="<i4").tobytes() + np.array(objects[k : k + 1], dtype="<i4").tobytes()
        if objects
        else bytes([len(face)]) + np.array(face, dtype="<i4").tobytes()
        for k, face in enumerate(faces)
    )
    path.write_bytes(("\n".join(lines) + "\n").encode() + np.asarray(vertices_V3, dtype="<f4").tobytes() + body)
    return path


SQUARES_V3 = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]], dtype=float)


def test_triangles_and_quads_keep_their_objects(tmp_path: Path) -> None:
    for faces in ([(0, 1, 2), (1, 4, 5)], [(0, 1, 2, 3), (1, 4, 5, 2)], [(0, 1, 2, 3), (1, 4, 5)]):
        path = write_ply(tmp_path / "a_semantic.ply", SQUARES_V3, faces, [7, 9])
        corners_G33, object_G = read_semantic_mesh(path, SOMETHING)
        left_G = corners_G33[:, :, 0].mean(axis=1) < 1.0
        assert set(object_G[left_G]) == {7}
        assert set(object_G[~left_G]) == {9}
        assert len(object_G) == sum(len(face) - 2 for face in faces)


def test_meshes_without_objects_are_errors(tmp_path: Path) -> None:
    path = write_ply(tmp_path / "a.ply", SQUARES_V3, [(0, 1, 2)], None)
    with pytest.raises(SceneError, match="have no object_id"):
        read_semantic_mesh(path, SceneLabels({}, Path("a")))


@pytest.mark.parametrize("content", [b"", b"ply\nelement face 99999999999\nend_header\n", b"<html>", b"ply\nnonsense"])
def test_broken_meshes_are_errors_of_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a_semantic.ply"
    path.write_bytes(content)
    with pytest.raises(SceneError) as raised:
        read_semantic_mesh(path, SOMETHING)
    assert "\n" not in str(raised.value)


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), length=st.integers(0, 10_000))
def test_altered_and_truncated_meshes_are_read_or_raise_scene_errors(
    tmp_path_factory: Any, place: int, byte: int, length: int
) -> None:
    folder = tmp_path_factory.mktemp("altered")
    path = write_ply(folder / "a_semantic.ply", SQUARES_V3, [(0, 1, 2), (1, 4, 5)], [7, 9])
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data[: max(length, 1)])
    sentence = ""
    try:
        corners_G33, object_G = read_semantic_mesh(path, SOMETHING)
        assert len(corners_G33) == len(object_G)
        assert np.isfinite(corners_G33).all()
    except SceneError as error:
        sentence = str(error)
    assert "\n" not in sentence


def test_objects_from_colours_in_an_image(tmp_path: Path) -> None:
    picture = np.zeros((2, 3, 3), dtype=np.uint8)
    picture[:, 0], picture[:, 1], picture[:, 2] = (255, 0, 0), (0, 255, 127), (1, 2, 3)
    look = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(picture))
    uv_V2 = np.repeat([[0.17, 0.5], [0.5, 0.5], [0.83, 0.5]], 3, axis=0)
    mesh = trimesh.Trimesh(
        vertices=np.arange(27).reshape(9, 3) ** 2.0,
        faces=np.arange(9).reshape(3, 3),
        visual=trimesh.visual.TextureVisuals(uv=uv_V2, material=look),
        process=False,
    )
    path = tmp_path / "a.semantic.glb"
    mesh.export(path)
    assert read_semantic_mesh(path, SOMETHING)[1].tolist() == [1, 2, NO_OBJECT]


def test_a_mesh_without_decodable_colours_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.semantic.glb"
    look = trimesh.visual.material.PBRMaterial(baseColorFactor=[255, 0, 0, 255])
    visual = trimesh.visual.TextureVisuals(uv=np.zeros((3, 2)), material=look)
    trimesh.Trimesh(np.eye(3), [[0, 1, 2]], visual=visual, process=False).export(path)
    with pytest.raises(SceneError, match="neither an image nor colours"):
        read_semantic_mesh(path, SOMETHING)


def test_objects_from_vertex_colours(tmp_path: Path) -> None:
    # glTF vertex colours are linear: 0x7f in sRGB is 0.212 in linear light.
    colours = np.repeat([[255, 0, 0, 255], [0, 255, 54, 255]], 3, axis=0).astype(np.uint8)
    mesh = trimesh.Trimesh(
        np.arange(18).reshape(6, 3) ** 2.0, np.arange(6).reshape(2, 3), vertex_colors=colours, process=False
    )
    path = tmp_path / "a.semantic.glb"
    mesh.export(path)
    assert read_semantic_mesh(path, SOMETHING)[1].tolist() == [1, 2]


def boxes_with_objects() -> tuple[np.ndarray, np.ndarray]:
    scene = box_scene(*flat())
    return scene.triangles_F33.astype(np.float64), np.repeat(np.arange(len(scene.faces_F3) // 12), 12).astype(np.int32)


def test_the_same_mesh_keeps_its_objects() -> None:
    triangles_F33, object_F = boxes_with_objects()
    assert (nearest_objects(triangles_F33, triangles_F33, object_F) == object_F).all()


def test_objects_transfer_to_a_finer_and_a_coarser_mesh() -> None:
    triangles_F33, object_F = boxes_with_objects()
    vertices_V3, faces_F3, index_F = trimesh.remesh.subdivide_to_size(
        triangles_F33.reshape(-1, 3), np.arange(3 * len(triangles_F33)).reshape(-1, 3), max_edge=0.3, return_index=True
    )
    noise_V3 = keyed_rng("test", "transfer").normal(scale=0.003, size=vertices_V3.shape)
    fine_G33, wanted_G = (vertices_V3 + noise_V3)[faces_F3], object_F[index_F]
    assert (nearest_objects(fine_G33, triangles_F33, object_F) == wanted_G).mean() > 0.98
    back_F = nearest_objects(triangles_F33, fine_G33, wanted_G)
    area_F = np.linalg.norm(np.cross(*(triangles_F33[:, k] - triangles_F33[:, 0] for k in (1, 2))), axis=1)
    assert area_F[back_F == object_F].sum() / area_F.sum() > 0.98


def test_a_picture_is_separated_from_its_wall_by_distance_or_by_normal() -> None:
    wall = np.array([[[0, 0, 0], [5, 0, 0], [5, 5, 0]], [[0, 0, 0], [5, 5, 0], [0, 5, 0]]], dtype=float)
    picture = wall * 0.2 + np.array([2.0, 2.0, 0.002])
    semantic_G33, object_G = np.concatenate([wall, picture]), np.array([1, 1, 2, 2])
    assert nearest_objects(semantic_G33, semantic_G33, object_G).tolist() == [1, 1, 2, 2]
    # The two sides of one sheet: the front of a picture, and its back.
    both = np.concatenate([picture, picture[:, ::-1]])
    assert nearest_objects(both, both, np.array([1, 1, 2, 2])).tolist() == [1, 1, 2, 2]


def test_faces_far_from_all_objects_have_no_object() -> None:
    here = np.array([[[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]]], dtype=float)
    for share, expected in ((0.9, 4), (1.1, NO_OBJECT)):
        above = here + np.array([0.0, 0.0, share * MAX_DISTANCE])
        assert nearest_objects(above, here, np.array([4])).tolist() == [expected]
    assert nearest_objects(here, np.zeros((0, 3, 3)), np.zeros(0, dtype=np.int32)).tolist() == [NO_OBJECT]
