"""Habitat's navigation mesh of scenes that are made to mislead: roofs, crumbs, centimetres, other axes, other files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import trimesh

from avw.sim_bridge.errors import BackendError, SceneError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.habitat.navmesh import NavMesh
from avw.sim_bridge.simulators.habitat.simulator import HabitatSimulator
from avw.sim_bridge.simulators.habitat.worker import joined
from avw.sim_bridge.types import Action, Pose, Source
from tests.sim_bridge.backends import open_backend, open_mesh
from tests.sim_bridge.boxes import box_scene, flat, room
from tests.sim_bridge.scans import Z_UP, building
from tests.sim_bridge.storeys import RISE, two_storeys

pytestmark = pytest.mark.habitat

CRUMB = [((20.0, -0.1, 0.0), (21.5, 0.0, 1.5))]  # a piece of floor of its own, out of doors


def navmesh(simulator: HabitatSimulator) -> NavMesh:
    return simulator.navgrid  # type: ignore[return-value]


def triangles(mesh: NavMesh) -> tuple[np.ndarray, np.ndarray]:
    """Of all islands: float32 (N, 3, 3), and which island Habitat says that each belongs to."""
    _, (triangles_N33, island_N) = mesh._session.ask(mesh._stage, "floor")
    return triangles_N33, island_N


def same_partition(one_N: np.ndarray, other_N: np.ndarray) -> bool:
    pairs = set(zip(one_N.tolist(), other_N.tolist(), strict=True))
    return len(pairs) == len(set(one_N.tolist())) == len(set(other_N.tolist()))


def test_roofs_and_crumbs_are_never_sampled(tmp_path: Path) -> None:
    grid = navmesh(open_mesh("habitat", box_scene(*flat(), *CRUMB), tmp_path))
    triangles_N33, island_N = triangles(grid)
    assert (triangles_N33[:, :, 1] > 2.5).any(), "Habitat has no island on the roof: nothing is tested here"
    assert (triangles_N33[:, :, 0] > 15.0).any(), "nor one out of doors"
    assert len(set(island_N.tolist())) >= 3
    rng = keyed_rng("test", "roofs")
    points_N3 = np.array([grid.sample(rng) for _ in range(500)])
    assert (points_N3[:, 1] < 0.2).all()
    assert (points_N3[:, 0] < 10.0).all()
    assert not grid.is_free(np.array([20.7, grid.floor_y, 0.7]))
    assert not grid.is_free(np.array([5.0, 2.75, 4.0]))
    assert (grid.near(np.array([9.0, 0.0, 4.0]), 30.0)[:, 1] < 0.2).all()
    with pytest.raises(SceneError, match="cannot be walked to"):
        grid.geodesic((20.7, 0.0, 0.7))


def test_pieces_joined_by_corners_are_habitats_own_islands(tmp_path: Path) -> None:
    """What stands in for get_island on habitat-sim 0.2.2."""
    for name, boxes in (("flat", [*flat(), *CRUMB]), ("house", two_storeys())):
        grid = navmesh(open_mesh("habitat", box_scene(*boxes), tmp_path, f"{name}.glb"))
        triangles_N33, island_N = triangles(grid)
        assert same_partition(joined(triangles_N33), island_N)
    triangles_N33, island_N = triangles(navmesh(open_backend("habitat", "procedural-0002")))
    assert same_partition(joined(triangles_N33), island_N)


def test_a_scan_without_a_ceiling_has_a_floor(tmp_path: Path) -> None:
    boxes = room(6.0, 5.0)
    grid = navmesh(open_mesh("habitat", box_scene(boxes[0], *boxes[2:]), tmp_path))
    assert grid.is_free(np.array([3.0, grid.floor_y, 2.5]))
    assert grid.area == pytest.approx(5.8 * 4.8, rel=0.05)


def test_stairs_lead_from_floor_to_floor_as_far_as_on_our_grid(tmp_path: Path) -> None:
    scene = box_scene(*two_storeys())
    theirs = open_mesh("habitat", scene, tmp_path).navgrid
    ours = open_mesh("embedded", scene, tmp_path).navgrid
    assert [floor.y for floor in theirs.floors] == pytest.approx([0.05, RISE + 0.05], abs=0.06)
    rng = keyed_rng("test", "stairs")
    relative = []
    for _ in range(40):
        a_3, b_3 = ours.sample(rng), ours.sample(rng)
        mine, yours = ours.geodesic(b_3).distance(a_3), theirs.geodesic(b_3).distance(a_3)
        if math.isfinite(mine) and math.isfinite(yours) and mine > 1.0:
            relative.append(abs(yours / mine - 1.0))
    assert len(relative) > 30
    assert np.quantile(relative, 0.9) < 0.05


LAYOUTS = {
    "y-up": (np.eye(4), 1.0, "", {}),
    "z-up by its geometry": (Z_UP, 1.0, "", {}),
    "centimetres": (np.eye(4), 100.0, "?units=cm", {}),
    "z-up centimetres": (Z_UP, 100.0, "?up=z&units=cm", {}),
    "a stage config": (Z_UP, 100.0, "", {"up": [0, 0, 1], "front": [0, 1, 0], "units_to_meters": 0.01}),
    "a wrong stage config": (np.eye(4), 1.0, "?up=y", {"up": [0, 0, 1], "front": [0, 1, 0], "units_to_meters": 0.3}),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_both_backends_have_one_frame_whatever_the_file_is_in(layout: tuple, tmp_path: Path) -> None:
    turn_44, scale, options, config = layout
    if "units_to_meters" in config and options:
        options += "&units=m"
    mesh = building(*flat())
    mesh.apply_scale(scale)
    mesh.apply_transform(turn_44)
    trimesh.Scene(mesh).export(tmp_path / "flat.glb")
    if config:
        (tmp_path / "flat.stage_config.json").write_text(json.dumps({"render_asset": "flat.glb", **config}))
    theirs = open_backend("habitat", f"flat.glb{options}", tmp_path)
    ours = open_backend("embedded", f"flat.glb{options}", tmp_path)
    assert theirs.navgrid.area == pytest.approx(ours.navgrid.area, rel=0.05)
    source = Source(position_3=(8.0, 1.5, 4.0), floor_3=(8.0, 0.0, 4.0))
    for yaw in (0.0, 1.0, 2.5, -1.3):
        pose = Pose(3.0, 0.0, 4.0, yaw)
        mine, yours = ours.reset(pose, source), theirs.reset(pose, source)
        assert np.quantile(np.abs(mine.depth_HW - yours.depth_HW), 0.98) < 1e-3
        assert np.array_equal(mine.audio_ES, yours.audio_ES)


def saved(simulator: HabitatSimulator, path: Path) -> Path:
    reply, _ = simulator.session.ask(simulator.stage, "save_navmesh", path=str(path))
    assert reply["saved"]
    return path


def test_a_navmesh_beside_the_mesh_is_loaded_and_used(tmp_path: Path) -> None:
    first = open_mesh("habitat", box_scene(*flat()), tmp_path)
    assert navmesh(first).origin == "computed"
    # Of a flat with one room shut off: only whoever reads the file can know of that.
    shut = open_mesh("habitat", box_scene(*flat(), ((4.95, 0.0, 3.4), (5.05, 2.6, 4.6))), tmp_path, "shut.glb")
    saved(shut, tmp_path / "flat.navmesh")
    second = open_backend("habitat", "flat.glb", tmp_path)
    assert navmesh(second).origin == "loaded"
    assert second.navgrid.area < 0.6 * first.navgrid.area
    assert second.navgrid.radius == pytest.approx(first.navgrid.radius)


def test_a_navmesh_that_is_damaged_empty_or_of_another_scene_is_one_sentence(tmp_path: Path) -> None:
    good = saved(open_mesh("habitat", box_scene(*flat()), tmp_path), tmp_path / "good.navmesh").read_bytes()
    away = [((a + 300.0, b, c), (d + 300.0, e, f)) for (a, b, c), (d, e, f) in flat()]
    other = saved(open_mesh("habitat", box_scene(*away), tmp_path, "away.glb"), tmp_path / "other").read_bytes()
    bad = {
        "empty": b"",
        "page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "half": good[: len(good) // 2],
        "zeros": bytes(len(good)),
        "other": other,
    }
    for name, content in bad.items():
        (tmp_path / f"{name}.navmesh").write_bytes(content)
        with pytest.raises(SceneError, match=name) as raised:
            open_mesh("habitat", box_scene(*flat()), tmp_path, f"{name}.glb")
        assert ".navmesh" in str(raised.value)
        assert "\n" not in str(raised.value)
    (tmp_path / "half.navmesh").unlink()
    assert navmesh(open_backend("habitat", "half.glb", tmp_path)).origin == "computed"


@pytest.mark.slow
def test_a_navmesh_that_kills_habitat_is_one_sentence_too(tmp_path: Path) -> None:
    good = saved(open_mesh("habitat", box_scene(*flat()), tmp_path), tmp_path / "good.navmesh").read_bytes()
    flipped = good[:300] + bytes(255 - byte for byte in good[300:600]) + good[600:]
    (tmp_path / "flipped.navmesh").write_bytes(flipped)
    with pytest.raises((SceneError, BackendError), match="flipped") as raised:
        open_mesh("habitat", box_scene(*flat()), tmp_path, "flipped.glb")
    assert "\n" not in str(raised.value)
    assert open_mesh("habitat", box_scene(*flat()), tmp_path, "sound.glb").navgrid.area > 50.0


def test_points_of_the_floor_have_its_height_and_pictures_the_cameras(tmp_path: Path) -> None:
    simulator = open_mesh("habitat", box_scene(*room(6.0, 5.0)), tmp_path)
    y = simulator.navgrid.floor_y
    assert y == pytest.approx(0.05, abs=0.011), "Recast lays its mesh up to a voxel above the floor"
    source = Source(position_3=(5.0, y + 1.5, 2.5), floor_3=(5.0, y, 2.5))
    simulator.reset(Pose(3.0, y, 2.5, 0.3), source)
    for action in (1, 1, 2, 1):
        simulator.step(Action(action))
        assert simulator.pose.y == pytest.approx(y, abs=1e-5)
