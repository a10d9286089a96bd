"""Reading meshes in all formats, exporting houses, and errors for files that are not meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.scenes.meshes.mesh_files import load_mesh
from avw.sim_bridge.scenes.scene import Scene


def test_a_house_survives_the_round_trip(tmp_path: Path) -> None:
    house = generate_house(3)
    export_glb(house, tmp_path / "house.glb")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["house.glb", "house.stage_config.json"]
    again = load_mesh(tmp_path / "house.glb")
    assert again.rooms == house.rooms
    assert again.lights == house.lights
    assert {s.name: s.material for s in again.surfaces} == {s.name: s.material for s in house.surfaces}
    assert {s.name: s.emission for s in again.surfaces} == pytest.approx({s.name: s.emission for s in house.surfaces})
    for ours, theirs in zip(_sorted(house), _sorted(again), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert {s.name: s.category for s in again.surfaces} == {s.name: s.category for s in house.surfaces}
    textures = {s.name: s.texture_HWC for s in again.surfaces}
    for surface in house.surfaces:
        np.testing.assert_array_equal(textures[surface.name], surface.texture_HWC)


def _sorted(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners, texture coordinates and surface names in an order that does not depend on the file."""
    names = np.array([s.name for s in scene.surfaces])[scene.surface_F]
    _, name_F = np.unique(names, return_inverse=True)
    order = np.lexsort([*scene.triangles_F33.reshape(-1, 9).T, name_F])
    return scene.triangles_F33[order], scene.uv_F32[order], name_F[order]


def test_nodes_are_placed_and_mirrored_ones_keep_outward_normals(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    box = trimesh.creation.box()
    move = np.eye(4)
    move[:3, 3] = [10.0, 0.0, 0.0]
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = 20.0
    scene.add_geometry(box, geom_name="box", transform=move)
    scene.graph.update(frame_to="mirrored", matrix=mirror, geometry="box")
    (tmp_path / "two.glb").write_bytes(scene.export(file_type="glb"))
    loaded = load_mesh(tmp_path / "two.glb")
    assert len(loaded.faces_F3) == 24
    centres = loaded.triangles_F33.mean(axis=1)
    for x in (10.0, 20.0):
        near = np.abs(centres[:, 0] - x) < 1.0
        assert near.sum() == 12
        corners = loaded.triangles_F33[near]
        outward = centres[near] - [x, 0.0, 0.0]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert ((outward * normals).sum(axis=1) > 0).all()


def test_vertex_colours_become_a_texture(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    box.visual.face_colors = np.tile([[200, 40, 90, 255]], (12, 1))
    box.export(tmp_path / "carpet.ply")
    scene = load_mesh(tmp_path / "carpet.ply")
    texture_HWC = scene.surfaces[0].texture_HWC
    uv = scene.uv_F32[0, 0]
    texel = texture_HWC[int(uv[1] * len(texture_HWC)), int(uv[0] * len(texture_HWC))]
    np.testing.assert_allclose(texel, [200, 40, 90], atol=4)


def test_obj_textures_are_upright_and_names_choose_materials(tmp_path: Path) -> None:
    picture = np.zeros((2, 2, 3), dtype=np.uint8)
    picture[0] = 255  # the upper row is white
    Image.fromarray(picture).save(tmp_path / "p.png")
    (tmp_path / "q.mtl").write_text("newmtl wooden_door\nmap_Kd p.png\n")
    (tmp_path / "q.obj").write_text(
        "mtllib q.mtl\nusemtl wooden_door\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    )
    scene = load_mesh(tmp_path / "q.obj")
    assert scene.surfaces[0].material.name == "wooden_door"
    top = scene.triangles_F33[0, :, 1].argmax()
    # The first image row is at the top: the top corner has v = 0.
    assert scene.uv_F32[0, top, 1] == pytest.approx(0.0)


@pytest.mark.parametrize("suffix", [".glb", ".ply", ".obj", ".gltf"])
@pytest.mark.parametrize("content", [b"", b"glTF garbage", b"hello " * 50, bytes(range(256))])
def test_invalid_content_is_an_error_of_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(SceneError, match=r"x\.\w+") as caught:
        load_mesh(path)
    assert "\n" not in str(caught.value)


def test_truncated_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "house.glb"
    export_glb(generate_house(1), path)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(SceneError, match="cannot be read"):
            load_mesh(path)


def test_files_that_are_not_scenes_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="does not exist"):
        load_mesh(tmp_path / "absent.glb")
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(SceneError, match="is not a mesh file"):
        load_mesh(tmp_path / "x.txt")
    trimesh.PointCloud(np.zeros((4, 3))).export(tmp_path / "points.ply")
    with pytest.raises(SceneError, match="has no triangles"):
        load_mesh(tmp_path / "points.ply")
    broken = trimesh.creation.box()
    vertices = broken.vertices.copy()
    vertices[0, 0] = np.nan
    (tmp_path / "nan.obj").write_text(
        "\n".join(
            [
                *("v " + " ".join(map(str, v)) for v in vertices),
                *(f"f {a + 1} {b + 1} {c + 1}" for a, b, c in broken.faces),
            ]
        )
    )
    with pytest.raises(SceneError, match=r"not finite|cannot be read"):
        load_mesh(tmp_path / "nan.obj")
