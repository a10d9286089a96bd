"""Baked light falls off with distance, casts shadows and bounces, also in fine meshes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avw.sim_bridge.rendering.lighting import BakedLight, LightingConfig, bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.scene import Light, Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from tests.sim_bridge.boxes import box_scene, flat, room


def face_means(light: BakedLight) -> np.ndarray:
    counts_F = (light.divisions_F + 1) * (light.divisions_F + 2) // 2
    return np.add.reduceat(light.light_N3, light.first_F, axis=0) / counts_F[:, None]


def test_light_grids_have_the_documented_sizes() -> None:
    light = bake_light(RayScene(shoebox((4.0, 2.6, 4.0))))
    counts_F = (light.divisions_F + 1) * (light.divisions_F + 2) // 2
    assert light.first_F[0] == 0
    np.testing.assert_array_equal(np.diff(light.first_F), counts_F[:-1])
    assert len(light.light_N3) == counts_F.sum()
    assert light.light_N3.dtype == np.float32
    assert np.isfinite(light.light_N3).all()
    assert (light.light_N3 > 0).all()


def test_the_floor_under_the_lamp_is_brightest_in_the_middle() -> None:
    scene = shoebox((6.0, 2.6, 6.0))
    light = bake_light(RayScene(scene))
    floor = np.flatnonzero((scene.triangles_F33[:, :, 1] == 0).all(axis=1))[0]
    n, first = light.divisions_F[floor], light.first_F[floor]
    # The first triangle of the square floor: its longest edge crosses the middle of the floor.
    grid = light.light_N3[first : first + (n + 1) * (n + 2) // 2, 0]
    corners = grid[[0, n, -1]]
    assert grid.max() > 1.5 * corners.min()


def _lamp_left_of_a_screen() -> tuple[Scene, np.ndarray]:
    screen = ((3.0, 0.0, 0.0), (3.1, 2.6, 8.0))
    scene = box_scene(*room(8.0, 8.0), screen)
    scene = replace(scene, lights=(Light(position_3=(1.0, 2.2, 4.0), power_3=(5.0, 5.0, 5.0)),))
    return scene, scene.triangles_F33.mean(axis=1)


def test_walls_cast_shadows() -> None:
    scene, centre_F3 = _lamp_left_of_a_screen()
    config = LightingConfig(ambient=0.01)
    mean_F = face_means(bake_light(RayScene(scene), config))[:, 0]
    lit = mean_F[np.abs(centre_F3[:, 0] - 0.0) < 0.01].max()  # the wall at x = 0
    dark = mean_F[np.abs(centre_F3[:, 0] - 8.0) < 0.01].max()  # the wall behind the screen
    assert lit > 10 * dark


def test_light_bounces_into_the_shadow() -> None:
    table = ((3.0, 1.0, 3.0), (5.0, 1.05, 5.0))
    scene = replace(
        box_scene(*room(8.0, 8.0), table), lights=(Light(position_3=(4.0, 2.2, 4.0), power_3=(5.0, 5.0, 5.0)),)
    )
    centre_F3 = scene.triangles_F33.mean(axis=1)
    light = face_means(bake_light(RayScene(scene), LightingConfig(ambient=0.0)))[:, 0]
    corners = scene.triangles_F33
    normal_y = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1]
    under = (np.abs(centre_F3[:, 1] - 1.0) < 1e-3) & (normal_y < 0)
    above = (np.abs(centre_F3[:, 1] - 1.05) < 1e-3) & (normal_y > 0)
    assert light[under].min() > 0.0, "the floor's light reaches the underside"
    assert light[above].min() > 3 * light[under].max()


def test_twice_the_power_gives_twice_the_light() -> None:
    scene = shoebox((4.0, 2.6, 5.0))
    brighter = replace(
        scene, lights=tuple(replace(lamp, power_3=tuple(2 * p for p in lamp.power_3)) for lamp in scene.lights)
    )
    config = LightingConfig(ambient=0.0)
    once, twice = (bake_light(RayScene(s), config).light_N3 for s in (scene, brighter))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-4)


def test_baking_is_reproducible() -> None:
    ray_scene = RayScene(generate_house(2))
    np.testing.assert_array_equal(bake_light(ray_scene).light_N3, bake_light(ray_scene).light_N3)


def test_scenes_without_lights_get_default_lights() -> None:
    scene = replace(shoebox((6.0, 2.6, 9.0)), lights=())
    light = bake_light(RayScene(scene))
    assert face_means(light).min() > 0.1


def test_light_computed_in_cells_matches_light_computed_at_all_points() -> None:
    """Includes a picture one centimetre in front of a wall: the covered part of the wall must not darken it."""
    picture = ((3.0, 1.0, 0.01), (4.0, 1.8, 0.02))
    ray_scene = RayScene(box_scene(*flat(), picture))
    exact = bake_light(ray_scene, LightingConfig(ambient=0.0))
    cells = bake_light(ray_scene, LightingConfig(ambient=0.0, max_points=1_500))
    centre_F3 = ray_scene.scene.triangles_F33.mean(axis=1)
    inside_F = (centre_F3 > 0.005).all(axis=1) & (centre_F3 < (9.999, 2.599, 7.999)).all(axis=1)
    a, b = face_means(exact)[inside_F], face_means(cells)[inside_F]
    assert np.abs(a - b).mean() < 0.06 * a.mean()
    front_F = np.isclose(centre_F3[:, 2], 0.02) & (np.abs(centre_F3[:, 0] - 3.5) < 0.5)
    np.testing.assert_allclose(face_means(cells)[front_F], face_means(exact)[front_F], rtol=0.25)
