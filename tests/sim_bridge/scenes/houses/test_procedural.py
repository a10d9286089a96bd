"""Generated houses: connected, closed, furnished, varied, and reproducible."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.inspection.lint import lint
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.catalogue import scene_sha256
from avw.sim_bridge.scenes.houses.floor_plan import draw_floor_plan
from avw.sim_bridge.scenes.houses.house_shell import inner_rectangle
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.houses.textures.palette import draw_palette
from avw.sim_bridge.scenes.scene import Scene

SEEDS = (0, 1, 7, 40, 1234)


@lru_cache
def house(seed: int) -> Scene:
    return generate_house(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_array_types_and_sizes(seed: int) -> None:
    scene = house(seed)
    assert scene.scene_id == f"procedural-{seed:04d}"
    assert scene.vertices_V3.dtype == np.float32
    assert scene.faces_F3.dtype == np.int32
    assert scene.uv_F32.dtype == np.float32
    assert scene.uv_F32.shape == (len(scene.faces_F3), 3, 2)
    assert scene.surface_F.dtype == np.int32
    assert 8_000 <= len(scene.faces_F3) <= 70_000
    assert set(np.unique(scene.surface_F)) == set(range(len(scene.surfaces)))
    assert len({surface.name for surface in scene.surfaces}) == len(scene.surfaces)
    assert all(surface.material.source for surface in scene.surfaces)
    assert len(scene.lights) >= len(scene.rooms)
    assert np.isfinite(scene.vertices_V3).all()
    assert abs(float(scene.vertices_V3[:, 1].min())) < 1e-6, "the floor lies at y = 0"


@pytest.mark.parametrize("seed", SEEDS)
def test_houses_are_closed_and_faces_point_inwards(seed: int) -> None:
    scene = house(seed)
    ray_scene = RayScene(scene)
    rng = keyed_rng(seed, "test", "directions")
    corners = scene.triangles_F33.astype(np.float64)
    normal_F3 = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    free = _free_points(scene, ray_scene, rng)
    dirs = rng.normal(size=(200 * len(free), 3))
    face_N, _, _ = ray_scene.closest(np.repeat(free, 200, axis=0), dirs)
    assert (face_N >= 0).all(), "a ray left the house"
    # Pictures hang 3 mm in front of their frames: a grazing ray may pass between them and hit a back face.
    assert ((normal_F3[face_N] * dirs).sum(axis=1) >= 0).mean() < 1e-3, "rays hit back faces"


def _free_points(scene: Scene, ray_scene: RayScene, rng: np.random.Generator) -> np.ndarray:
    """Points 1.3 m above bare floor, at least one in every room."""
    points = []
    for room in scene.rooms:
        x0, z0, x1, z1 = inner_rectangle(room)
        tries = np.stack([rng.uniform(x0, x1, 80), np.full(80, 1.3), rng.uniform(z0, z1, 80)], axis=1)
        fronts = []
        for way in (-1.0, 1.0):  # a point inside a wardrobe sees the back of the wardrobe's top above it
            dirs = np.tile([[0.0, way, 0.0]], (80, 1))
            face_N, distance_N, _ = ray_scene.closest(tries, dirs)
            corners = scene.triangles_F33[face_N]
            normal_y = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1]
            fronts.append((normal_y * way < 0) & ((distance_N > 1.28) | (way > 0)))
        on_floor = tries[fronts[0] & fronts[1]]
        assert len(on_floor), f"no bare floor in the {room.kind}"
        points.append(on_floor[:3])
    return np.concatenate(points)


@pytest.mark.parametrize("seed", range(8))
def test_a_path_0_8_m_wide_reaches_every_room(seed: int) -> None:
    """Geometry between 0.1 m and 1.5 m above the floor leaves paths at least 0.8 m wide between all rooms."""
    scene, cell = house(seed), 0.05
    low, high = scene.vertices_V3.min(axis=0), scene.vertices_V3.max(axis=0)
    columns, rows = (int((high[a] - low[a]) / cell) for a in (0, 2))
    x, z = np.meshgrid(low[0] + (np.arange(columns) + 0.5) * cell, low[2] + (np.arange(rows) + 0.5) * cell)
    origins = np.stack([x.ravel(), np.full(x.size, 1.5), z.ravel()], axis=1)
    down = np.tile([[0.0, -1.0, 0.0]], (x.size, 1))
    _, distance_N, _ = RayScene(scene).closest(origins, down)
    free = ((distance_N > 1.4) & np.isfinite(distance_N)).reshape(x.shape)
    # One cell of tolerance: the grid resolves the edge of an obstacle to one cell.
    wide = ndimage.distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1] * cell >= 0.4 - cell
    island, _ = ndimage.label(wide)
    main = np.bincount(island[island > 0]).argmax()
    for room in scene.rooms:
        inside = (x > room.min_x) & (x < room.max_x) & (z > room.min_z) & (z < room.max_z)
        assert (island[inside] == main).any(), f"the {room.kind} of house {seed} is not reachable"


def test_a_seed_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "from avw.sim_bridge.scenes.houses.procedural import generate_house\n"
        "from avw.sim_bridge.scenes.catalogue import scene_sha256\n"
        "generate_house(3)\n"
        "print(scene_sha256(generate_house(7)))\n"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == scene_sha256(house(7))


def test_different_seeds_give_different_houses() -> None:
    scenes = [house(seed) for seed in range(8)]
    assert len({scene_sha256(scene) for scene in scenes}) == len(scenes)
    assert len({len(scene.rooms) for scene in scenes}) >= 3
    assert len({tuple(room.kind for room in scene.rooms) for scene in scenes}) >= 6


BUILDING_CATEGORIES = {"floor", "wall", "ceiling", "window", "window frame", "door frame", "door", "skirting"}


def object_categories(scene: Scene) -> set[str]:
    return {surface.category for surface in scene.surfaces} - BUILDING_CATEGORIES


def test_every_face_has_a_category_and_an_object() -> None:
    scene = house(7)
    assert all(surface.category for surface in scene.surfaces)
    assert object_categories(scene).isdisjoint(BUILDING_CATEGORIES)
    assert {surface.category for surface in scene.surfaces} >= BUILDING_CATEGORIES
    assert scene.object_F is not None
    assert len(scene.object_F) == len(scene.faces_F3)
    # The building is object 0; every other object is at most 6 m long.
    centre_F3 = scene.triangles_F33.mean(axis=1)
    shell_F = np.array([s.category in ("floor", "wall", "ceiling", "window") for s in scene.surfaces])[scene.surface_F]
    assert (scene.object_F[shell_F] == 0).all()
    for number in range(1, int(scene.object_F.max()) + 1):
        centre_N3 = centre_F3[scene.object_F == number]
        assert len(centre_N3)
        assert np.ptp(centre_N3, axis=0).max() < 6.0


def test_twelve_houses_have_at_least_80_categories_of_objects() -> None:
    assert len(set().union(*(object_categories(house(seed)) for seed in range(12)))) >= 80


@pytest.mark.slow
def test_a_hundred_houses_have_different_plans_and_many_categories() -> None:
    plans, kinds = set(), set()
    for seed in range(100):
        scene = generate_house(seed)
        kinds |= object_categories(scene)
        plans.add(tuple((room.kind, room.min_x, room.min_z, room.max_x, room.max_z) for room in scene.rooms))
        assert len(object_categories(scene)) >= 25
    assert len(plans) == 100
    assert len(kinds) >= 100


def test_thirty_seeds_have_different_outlines_and_colours() -> None:
    seen = set()
    for seed in range(30):
        rooms = draw_floor_plan(keyed_rng(seed, "floor plan")).rooms
        outline = max(r.max_x for r in rooms), max(r.max_z for r in rooms), len(rooms)
        seen.add(outline)
        seen.add(draw_palette(keyed_rng(seed, "style")).paints[0])
    assert len(seen) == 60


@pytest.mark.parametrize("seed", [2, 9])
def test_houses_have_no_lint_findings(seed: int) -> None:
    report = lint(house(seed))
    assert report.findings == ()
    assert report.facts["material_coverage"] == 1.0
    assert report.facts["enclosed"] == 1.0
    assert report.facts["coplanar"] == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_room_has_a_lamp_below_its_ceiling(seed: int) -> None:
    scene = house(seed)
    top = float(scene.vertices_V3[:, 1].max())
    for room in scene.rooms:
        inside = [
            light.position_3[1]
            for light in scene.lights
            if room.min_x < light.position_3[0] < room.max_x and room.min_z < light.position_3[2] < room.max_z
        ]
        assert inside, f"the {room.kind} has no lamp"
        assert max(inside) < top - 0.05


def test_a_negative_seed_is_an_error() -> None:
    with pytest.raises(UsageError, match="whole number from 0"):
        generate_house(-1)
