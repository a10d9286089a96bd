"""The up axis, the unit, options, and the handling of damaged parts of scans."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.inspection.lint import lint
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.catalogue import resolve_scenes, scene_ref
from avw.sim_bridge.scenes.meshes.mesh_files import load_mesh, read_mesh
from avw.sim_bridge.scenes.meshes.units import unit_by_name, unit_by_size
from avw.sim_bridge.scenes.meshes.up_axis import walkable_patches
from tests.sim_bridge.boxes import box_scene, flat, room
from tests.sim_bridge.scans import Z_UP, building, coloured, scan, with_atlas


def _turned(mesh: trimesh.Trimesh, matrix_44: np.ndarray) -> trimesh.Trimesh:
    turned = mesh.copy()
    turned.apply_transform(matrix_44)
    return turned


@pytest.mark.parametrize("suffix", ["glb", "obj", "ply"])
@pytest.mark.parametrize("z_up", [False, True])
def test_an_apartment_is_upright_whatever_the_up_axis_of_its_file(tmp_path: Path, suffix: str, z_up: bool) -> None:
    mesh = building(*flat())
    path = tmp_path / f"flat.{suffix}"
    trimesh.Scene(_turned(mesh, Z_UP) if z_up else mesh).export(path)
    scene, report = read_mesh(path)
    assert report.up == ("z" if z_up else "y")
    assert "to walk on" in report.up_evidence
    np.testing.assert_allclose(scene.vertices_V3.min(axis=0), mesh.bounds[0], atol=1e-5)
    np.testing.assert_allclose(scene.vertices_V3.max(axis=0), mesh.bounds[1], atol=1e-5)


def test_up_axis_is_found_despite_storeys_and_scan_noise() -> None:
    storeys = [((x, y + 2.8 * k, z), (u, v + 2.8 * k, w)) for k in range(4) for (x, y, z), (u, v, w) in flat()]
    mesh = building(*storeys)
    assert np.ptp(mesh.vertices[:, 1]) > np.ptp(mesh.vertices[:, 0]), "a tower"
    patch_3 = walkable_patches(mesh.triangles)
    assert patch_3[1] > 2 * max(patch_3[0], patch_3[2])
    noisy = scan(building(*flat()), edge=0.2, noise=0.01, holes=10)
    patch_3 = walkable_patches(noisy.triangles)
    assert patch_3[1] > 2 * max(patch_3[0], patch_3[2])


@pytest.mark.parametrize(("suffix", "up"), [("glb", "y"), ("obj", "y"), ("obj", "z"), ("ply", "z")])
def test_a_flat_without_a_ceiling_stays_upright(tmp_path: Path, suffix: str, up: str) -> None:
    """On its side, its walls would be the only floor with something overhead."""
    mesh = building(*(box for box in flat() if box[0][1] < 2.5))
    path = tmp_path / f"flat.{suffix}"
    trimesh.Scene(_turned(mesh, Z_UP) if up == "z" else mesh).export(path)
    scene, report = read_mesh(path)
    assert report.up == up
    np.testing.assert_allclose(scene.vertices_V3.max(axis=0), mesh.bounds[1], atol=1e-5)


def test_a_tall_hall_stays_upright_because_gltf_is_y_up(tmp_path: Path) -> None:
    hall = building(*room(6.0, 6.0, 16.0))
    trimesh.Scene(hall).export(tmp_path / "hall.glb")
    report = read_mesh(tmp_path / "hall.glb")[1]
    assert report.up == "y"
    assert "glTF is Y-up by definition" in report.up_evidence
    trimesh.Scene(hall).export(tmp_path / "hall.ply")
    assert read_mesh(tmp_path / "hall.ply")[1].up in ("x", "z"), "no standard speaks for Y"


def test_a_file_that_is_turned_against_its_standard_says_so(tmp_path: Path) -> None:
    trimesh.Scene(_turned(building(*flat()), Z_UP)).export(tmp_path / "flat.glb")
    found = [f for f in lint(*read_mesh(tmp_path / "flat.glb")).findings if f.name == "up-axis"]
    assert [f.severity for f in found] == ["note"]
    assert "?up=z" in found[0].fix
    assert not [f for f in lint(*read_mesh(f"{tmp_path / 'flat.glb'}?up=z")).findings if f.name == "up-axis"]


def test_if_geometry_is_not_decisive_the_format_decides(tmp_path: Path) -> None:
    cube = building(*room(3.0, 3.0, 3.0))
    trimesh.Scene(cube).export(tmp_path / "cube.glb")
    report = read_mesh(tmp_path / "cube.glb")[1]
    assert report.up == "y"
    assert "glTF is Y-up by definition" in report.up_evidence
    folder = tmp_path / "mp3d" / "cube"
    folder.mkdir(parents=True)
    trimesh.Scene(cube).export(folder / "cube.glb")
    report = read_mesh(folder / "cube.glb")[1]
    assert report.up == "z"
    assert "its collection is Z-up" in report.up_evidence


def test_options_override_geometry_and_the_scene_name_overrides_files(tmp_path: Path) -> None:
    mesh = building(*flat())
    trimesh.Scene(mesh).export(tmp_path / "flat.glb")
    name = str(tmp_path / "flat.glb")
    upright, lying = load_mesh(name), load_mesh(f"{name}?up=z")
    assert lying.scene_id == f"{name}?up=z"
    np.testing.assert_allclose(lying.vertices_V3[:, 1], upright.vertices_V3[:, 2])
    np.testing.assert_allclose(lying.vertices_V3[:, 2], -upright.vertices_V3[:, 1])
    stage = {"render_asset": "flat.glb", "up": [0, 0, 1], "front": [0, 1, 0]}
    (tmp_path / "flat.stage_config.json").write_text(json.dumps(stage))
    scene, report = read_mesh(name)
    np.testing.assert_array_equal(scene.vertices_V3, lying.vertices_V3)
    assert "flat.stage_config.json" in report.up_evidence
    (tmp_path / "flat.avw.json").write_text('{"up": "y", "units": "cm"}')
    scene, report = read_mesh(name)
    np.testing.assert_allclose(scene.vertices_V3, upright.vertices_V3 * 0.01, atol=1e-6)
    assert "flat.avw.json" in report.up_evidence
    scene, report = read_mesh(f"{name}?units=m")
    np.testing.assert_array_equal(scene.vertices_V3, upright.vertices_V3)
    assert report.unit_evidence == "?units=m"
    stage["render_asset"] = "another.glb"
    (tmp_path / "flat.stage_config.json").write_text(json.dumps(stage))
    (tmp_path / "flat.avw.json").unlink()
    assert "geometry" in read_mesh(name)[1].up_evidence


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_every_rotation_keeps_the_handedness(tmp_path: Path, up: str) -> None:
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    trimesh.Scene(box).export(tmp_path / "box.glb")
    scene = load_mesh(f"{tmp_path / 'box.glb'}?up={up}")
    turned = trimesh.Trimesh(scene.vertices_V3, scene.faces_F3, process=False)
    assert turned.volume == pytest.approx(6.0, rel=1e-5)
    assert np.ptp(scene.vertices_V3[:, 1]) == pytest.approx({"x": 1.0, "y": 2.0, "z": 3.0}[up])


def test_options_are_part_of_scene_names(tmp_path: Path) -> None:
    for name in ("a.glb", "b.glb"):
        trimesh.Scene(building(*flat())).export(tmp_path / name)
    assert [scene.scene_id for scene in resolve_scenes(f"{tmp_path}?up=y")] == [
        f"{tmp_path}/a.glb?up=y",
        f"{tmp_path}/b.glb?up=y",
    ]
    assert scene_ref("a.glb?units=2", tmp_path).load().vertices_V3.max() > 15.0
    (tmp_path / "q?up=z.glb").write_bytes((tmp_path / "a.glb").read_bytes())
    assert "geometry" in read_mesh(tmp_path / "q?up=z.glb")[1].up_evidence, (
        "a file may have a question mark in its name"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("up=w", r"\?up=w: up='w': expected one of x, y, z"),
        ("units=furlong", "expected m, cm, mm, ft, in"),
        ("units=-1", "expected m, cm"),
        ("colour=red", "unknown option 'colour'"),
    ],
)
def test_invalid_options_are_errors(tmp_path: Path, options: str, message: str) -> None:
    trimesh.Scene(building(*flat())).export(tmp_path / "a.glb")
    with pytest.raises(UsageError, match=message):
        load_mesh(f"{tmp_path / 'a.glb'}?{options}")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.avw.json", "{", "is damaged"),
        ("a.avw.json", "[]", "not a JSON object"),
        ("a.avw.json", '{"materials": {"x": "cheese"}}', "unknown acoustic material 'cheese'"),
        ("a.stage_config.json", '{"up": [0, 0, 0]}', "is not a direction"),
        ("a.stage_config.json", '{"up": [0, 1, 0], "front": [0, 2, 0]}', "are parallel"),
        ("a.stage_config.json", '{"scale": [1, 2, 1]}', "the same along every axis"),
    ],
)
def test_invalid_files_beside_a_mesh_are_errors(tmp_path: Path, name: str, text: str, message: str) -> None:
    trimesh.Scene(building(*flat())).export(tmp_path / "a.glb")
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message):
        load_mesh(tmp_path / "a.glb")


def test_a_sidecar_names_materials(tmp_path: Path) -> None:
    with_atlas(building(*flat()), size=8).export(tmp_path / "a.glb")
    assert load_mesh(tmp_path / "a.glb").surfaces[0].material.name == "hard_surface"
    (tmp_path / "a.avw.json").write_text('{"materials": {"material_0": "brick_wall"}}')
    scene, report = read_mesh(tmp_path / "a.glb")
    assert scene.surfaces[0].material.name == "brick_wall"
    assert report.evidence == ("sidecar",)


def test_node_names_are_used_if_material_names_are_not_known(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    for name in ("leather_sofa", "bath_tub"):
        scene.add_geometry(with_atlas(trimesh.creation.box(), "Material.001", 8), node_name=name, geom_name=f"{name}_m")
    scene.export(tmp_path / "a.glb")
    loaded = load_mesh(tmp_path / "a.glb")
    assert sorted(s.material.name for s in loaded.surfaces) == ["leather", "sanitary_ceramic"]


def test_units_are_guessed_from_sizes_and_names() -> None:
    house_3 = np.array([12.0, 2.8, 9.0])
    assert unit_by_size(house_3) == "m"
    assert unit_by_size(house_3 / 0.01) == "cm"
    assert unit_by_size(house_3 / 0.001) == "mm"
    assert unit_by_size(house_3 / 0.0254) == "in"
    assert unit_by_name("scans/flat_cm.obj") == "cm"
    assert unit_by_name("flat-in-millimetres.ply?up=z") == "mm"
    assert unit_by_name("scans/cmu_lounge.glb") is None


def test_damaged_parts_are_dropped_and_counted(tmp_path: Path) -> None:
    mesh = scan(building(*flat()), edge=0.5, noise=0.0)
    vertices_V3 = np.concatenate([mesh.vertices, [[500.0, 0.0, 0.0]] * 3])
    lost = len(mesh.vertices)
    degenerate_F3 = [[0, 0, 1], [2, 3, 3], [4, 4, 4]]
    odd = trimesh.Trimesh(vertices_V3, np.concatenate([mesh.faces, degenerate_F3]), process=False)
    coloured(odd).export(tmp_path / "odd.ply")
    scene, report = read_mesh(tmp_path / "odd.ply")
    assert report.zero_area_faces == 3
    assert report.unused_vertices >= 3
    assert len(scene.faces_F3) == len(mesh.faces)
    assert scene.vertices_V3.max() < 20.0, "stray vertices do not stretch the scene"
    vertices_V3[lost] = np.nan
    trimesh.Trimesh(vertices_V3, mesh.faces, process=False).export(tmp_path / "unused.ply")
    assert np.isfinite(load_mesh(tmp_path / "unused.ply").vertices_V3).all(), "no face uses the NaN"
    vertices_V3[mesh.faces[7, 0]] = np.inf
    trimesh.Trimesh(vertices_V3, mesh.faces, process=False).export(tmp_path / "nan.ply")
    with pytest.raises(SceneError, match=rf"vertex {mesh.faces[7, 0]}, and \d+ faces use them"):
        load_mesh(tmp_path / "nan.ply")


def test_a_mesh_with_only_collapsed_faces_is_an_error(tmp_path: Path) -> None:
    trimesh.Trimesh(np.zeros((3, 3)), [[0, 1, 2]], process=False).export(tmp_path / "a.ply")
    with pytest.raises(SceneError, match="only faces without area"):
        load_mesh(tmp_path / "a.ply")


def test_vertex_colours_are_read_in_every_format(tmp_path: Path) -> None:
    mesh = coloured(scan(building(*flat()), edge=0.4))
    for name in ("a.ply", "a.glb", "a.obj"):
        mesh.export(tmp_path / name)
        scene = load_mesh(tmp_path / name)
        texture_HWC = scene.surfaces[0].texture_HWC
        row_F, column_F = (scene.uv_F32[:, 0, ::-1] * 256).astype(int).T
        red_F = texture_HWC[row_F, column_F, 0].astype(float)
        x_F = scene.triangles_F33[:, :, 0].mean(axis=1)
        if name == "a.glb":  # vertex colours of glTF are linear
            red_F = np.clip((red_F / 255.0 + 0.055) / 1.055, 0.0, None) ** 2.4
        assert np.corrcoef(red_F, x_F)[0, 1] > 0.998, name


@pytest.mark.slow
def test_a_million_triangles_are_read(tmp_path: Path) -> None:
    mesh = scan(building(*flat()), edge=0.055, holes=20)
    assert len(mesh.faces) > 1_000_000
    coloured(_turned(mesh, Z_UP)).export(tmp_path / "big.glb")
    scene, report = read_mesh(tmp_path / "big.glb")
    assert report.up == "z"
    assert len(scene.faces_F3) == len(mesh.faces)
    assert free_space_of(scene).area == pytest.approx(free_space_of(box_scene(*flat())).area, rel=0.05)
