"""Every finding of the lint: present for a scene with that one fault, absent for a scene without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.inspection.lint import LintReport, lint, lint_scene
from avw.sim_bridge.inspection.mesh_measures import topology, views
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.scenes.materials.materials import material
from avw.sim_bridge.scenes.meshes.mesh_files import read_mesh
from avw.sim_bridge.scenes.scene import Scene
from tests.sim_bridge.boxes import PLAIN, box_scene, flat, mesh_scene, room
from tests.sim_bridge.scans import building, coloured, scan, with_atlas
from tests.sim_bridge.storeys import two_storeys


def _names(report: LintReport, severity: str | None = None) -> set[str]:
    return {f.name for f in report.findings if severity in (None, f.severity)}


def _read(tmp_path: Path, mesh: trimesh.Trimesh, name: str = "oak_floor.ply") -> LintReport:
    mesh.export(tmp_path / name)
    return lint(*read_mesh(tmp_path / name))


@pytest.mark.parametrize("seed", range(2))
def test_generated_houses_are_clean(seed: int) -> None:
    report = lint_scene(scene_ref(f"procedural-{seed:04d}"), strict=True)
    assert report.facts["material_coverage"] == 1.0
    assert report.facts["enclosed"] > 0.99
    assert 2.2 < report.facts["ceiling_m"] < 3.5


def test_a_plain_scan_has_notes_only(tmp_path: Path) -> None:
    named = with_atlas(scan(building(*flat()), edge=0.2), "plaster wall")
    report = _read(tmp_path, named, "scan.glb")
    assert _names(report, "error") | _names(report, "warning") == set()
    assert report.failures(strict=True) == []


@pytest.mark.parametrize(("unit", "metres"), [("cm", 0.01), ("mm", 0.001), ("in", 0.0254)])
def test_another_unit_is_an_error_that_names_it(tmp_path: Path, unit: str, metres: float) -> None:
    mesh = building(*flat())
    mesh.apply_scale(1.0 / metres)
    report = _read(tmp_path, mesh)
    (finding,) = report.failures()
    assert finding.name == "units"
    assert finding.fix.endswith(f"oak_floor.ply?units={unit}")
    assert lint_scene(scene_ref(f"{tmp_path / 'oak_floor.ply'}?units={unit}")).facts["free_floor_m2"] > 50
    with pytest.raises(SceneError, match=rf"units: the scene is .* m long: most likely the file is in {unit}"):
        lint_scene(scene_ref(str(tmp_path / "oak_floor.ply")))


def test_the_unit_in_a_name_and_a_house_in_feet(tmp_path: Path) -> None:
    mesh = building(*flat())
    mesh.apply_scale(1.0 / 0.3048)
    assert "units" in _names(_read(tmp_path, mesh, "flat.ply"), "note"), "a ceiling at 8.5 m"
    assert "units" in _names(_read(tmp_path, mesh, "flat_ft.ply"), "warning")


def test_a_tiny_object_has_a_wrong_unit(tmp_path: Path) -> None:
    assert "units" in _names(_read(tmp_path, trimesh.creation.box((0.3, 0.2, 0.3))), "error")


def test_a_wrong_up_option_is_noticed(tmp_path: Path) -> None:
    building(*flat()).export(tmp_path / "a.ply")
    report = lint(*read_mesh(f"{tmp_path / 'a.ply'}?up=z"))
    assert "up-axis" in _names(report, "warning")


def test_no_floor_is_an_error(tmp_path: Path) -> None:
    wall = trimesh.creation.box((6.0, 2.0, 0.1))
    report = _read(tmp_path, wall)
    (finding,) = report.failures()
    assert finding.name == "no-floor"
    assert "no free floor" in finding.sentence()


def test_holes_and_a_missing_roof_are_distinguished() -> None:
    shell = room(5.0, 4.0)
    assert _names(lint(box_scene(*shell)), "warning") == set()
    assert "no-roof" in _names(lint(box_scene(shell[0], *shell[2:])), "warning")
    assert "holes" in _names(lint(box_scene(*shell[:5])), "warning"), "a wall is missing"


def test_inside_out(tmp_path: Path) -> None:
    inward = trimesh.creation.box((5.0, 2.6, 4.0))
    outward = inward.copy()
    inward.invert()
    assert "inside-out" not in _names(_read(tmp_path, scan(inward, edge=0.3)))
    assert "inside-out" in _names(_read(tmp_path, scan(outward, edge=0.3)), "warning")


def test_flicker_is_found_between_surfaces_and_not_within_one() -> None:
    rug = ((1.0, -0.05, 1.0), (3.0, 0.0, 3.0))  # its top lies in the floor
    scene = box_scene(*room(5.0, 4.0), rug)
    assert "z-fighting" not in _names(lint(scene))
    surface_F = np.zeros(len(scene.faces_F3), dtype=np.int32)
    surface_F[-12:] = 1
    both = replace(scene, surfaces=(PLAIN, replace(PLAIN, name="rug")), surface_F=surface_F)
    assert "z-fighting" in _names(lint(both), "warning")
    lifted = box_scene(*room(5.0, 4.0), ((1.0, 0.0, 1.0), (3.0, 0.005, 3.0)))
    assert "z-fighting" not in _names(lint(replace(lifted, surfaces=both.surfaces, surface_F=surface_F)))


def test_material_coverage(tmp_path: Path) -> None:
    report = _read(tmp_path, coloured(building(*flat())), "scan_0.ply")
    assert report.facts["material_coverage"] == 0.0
    assert "materials" in _names(report, "warning")
    whole = trimesh.Scene()
    whole.add_geometry(building(*flat()), node_name="plaster walls", geom_name="plaster walls")
    whole.add_geometry(trimesh.creation.box((0.2, 0.2, 0.2)), node_name="thing", geom_name="thing")
    whole.export(tmp_path / "part.glb")
    report = lint(*read_mesh(tmp_path / "part.glb"))
    assert 0.99 < report.facts["material_coverage"] < 1.0
    assert list(report.facts["defaulted"]) == ["thing"]
    assert "materials" in _names(report, "note")


def test_skipped_and_duplicate_parts_are_reported(tmp_path: Path) -> None:
    mesh = building(*flat())
    faces_F3 = np.concatenate([mesh.faces, mesh.faces[:4], [[0, 0, 1]]])
    doubled = trimesh.Trimesh(np.concatenate([mesh.vertices, [[9.0, 9.0, 9.0]]]), faces_F3, process=False)
    report = _read(tmp_path, doubled)
    assert report.facts["duplicate_faces"] == 4
    assert {"zero-area", "duplicate-faces", "unused-vertices", "untextured"} <= _names(report)


def test_rooms_that_cannot_be_reached() -> None:
    closed = [*room(8.0, 4.0), ((4.0, 0.0, 0.0), (4.1, 2.6, 4.0))]
    report = lint(box_scene(*closed))
    assert "islands" in _names(report, "warning")
    assert len(report.facts["islands_m2"]) == 2


def test_topology_of_boxes() -> None:
    box = trimesh.creation.box()
    whole = topology(mesh_scene(box.vertices, box.faces))
    assert (whole.open_edges, whole.pieces, whole.duplicate_faces) == (0.0, 1, 0)
    lidless = topology(mesh_scene(box.vertices, box.faces[:-2]))
    missing_F2 = {tuple(sorted(e)) for f in box.faces[-2:] for e in ((f[0], f[1]), (f[1], f[2]), (f[0], f[2]))}
    assert len(missing_F2) == 5, "four sides and a diagonal"
    # Four of the edges that are left have a length of 1 and one neighbour.
    assert lidless.open_edges == pytest.approx(4.0 / (12.0 + 5.0 * np.sqrt(2.0)), rel=1e-6)
    apart = box.vertices + np.array([3.0, 0.0, 0.0])
    two = topology(mesh_scene(np.concatenate([box.vertices, apart]), np.concatenate([box.faces, box.faces + 8])))
    assert two.pieces == 2
    assert two.largest_piece == pytest.approx(0.5)


def test_vertices_split_along_seams_do_not_open_a_mesh() -> None:
    box = trimesh.creation.box()
    soup_V3 = box.vertices[box.faces].reshape(-1, 3)
    assert topology(mesh_scene(soup_V3, np.arange(36).reshape(-1, 3))).open_edges == 0.0


def test_views_measure_the_share_of_open_sky() -> None:
    shell = box_scene(*room(4.0, 4.0)[:1])
    eyes_N3 = np.array([[2.0, 0.0, 2.0]])
    assert views(RayScene(shell), eyes_N3).roofless == 1.0
    assert views(RayScene(shell), eyes_N3).ceiling == np.inf
    closed = views(RayScene(box_scene(*room(4.0, 4.0, 2.6))), eyes_N3)
    assert closed.escaping == 0.0
    assert closed.ceiling == pytest.approx(2.6, abs=1e-4)


def test_the_same_scene_gives_the_same_report() -> None:
    scene = _furnished()
    assert lint(scene) == lint(scene)


def _furnished() -> Scene:
    scene = box_scene(*flat())
    wood = replace(PLAIN, name="wood", material=material("wood_furniture"))
    return replace(scene, surfaces=(wood,))


def test_a_georeferenced_scan_gives_a_warning(tmp_path: Path) -> None:
    mesh = building(*flat())
    mesh.apply_translation([500_000.0, 0.0, 90_000.0])
    assert "far-away" in _names(_read(tmp_path, mesh), "warning")


def test_a_storey_without_stairs() -> None:
    apart = lint(box_scene(*two_storeys(stairs=False)))
    (finding,) = [f for f in apart.findings if f.name == "storeys"]
    assert "m² at y = " in finding.what
    joined = lint(box_scene(*two_storeys()))
    assert "storeys" not in _names(joined)
    assert [floor["y"] for floor in joined.facts["floors"]] == [0.0, 2.8]


def test_the_inside_of_a_box_as_the_only_floor_is_a_warning() -> None:
    assert "small" in _names(lint(box_scene(*room(2.2, 2.2))), "note"), "a small scene"
    far_wall = ((20.0, 0.0, 0.0), (20.2, 2.5, 2.2))
    assert "small" in _names(lint(box_scene(*room(2.2, 2.2), far_wall)), "warning")
