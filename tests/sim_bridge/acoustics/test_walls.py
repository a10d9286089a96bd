"""Sound through walls: the material's loss counts once per partition, for direct and for diffuse sound."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine
from avw.sim_bridge.acoustics.measures import octave_bands
from avw.sim_bridge.acoustics.surfaces import acoustic_surfaces
from avw.sim_bridge.acoustics.walls import transmitted_energy
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import Material
from avw.sim_bridge.scenes.scene import Scene, Surface
from avw.sim_bridge.scenes.shoebox import shoebox
from tests.sim_bridge.boxes import box_scene, room

LOSS = Material(
    name="partition",
    absorption_6=(0.5,) * 6,
    scattering_6=(0.5,) * 6,
    transmission_6=(0.1, 0.05, 0.02, 0.01, 0.005, 0.002),
    source="a test",
)


def made_of_partition(scene: Scene) -> Scene:
    surface = Surface(name="partition", texture_HWC=scene.surfaces[0].texture_HWC, material=LOSS)
    return Scene(
        scene_id=scene.scene_id,
        vertices_V3=scene.vertices_V3,
        faces_F3=scene.faces_F3,
        uv_F32=scene.uv_F32,
        surface_F=scene.surface_F,
        surfaces=(surface,),
    )


def through(scene: Scene, start: tuple[float, ...], end: tuple[float, ...]) -> np.ndarray | None:
    rays = RayScene(scene)
    line_3 = np.array(end) - np.array(start)
    distance = float(np.linalg.norm(line_3))
    return transmitted_energy(rays, acoustic_surfaces(rays), np.array(start), line_3 / distance, distance)


def test_a_solid_wall_and_a_sheet_each_count_once_and_two_walls_twice() -> None:
    start, end = (1.0, 1.3, 1.0), (5.0, 1.2, 1.5)
    solid = made_of_partition(box_scene(((3.0, 0.0, 0.0), (3.15, 2.6, 3.0))))
    two = made_of_partition(box_scene(((2.0, 0.0, 0.0), (2.1, 2.6, 3.0)), ((4.0, 0.0, 0.0), (4.1, 2.6, 3.0))))
    for way in ((start, end), (end, start)):
        np.testing.assert_allclose(through(solid, *way), LOSS.transmission_6, rtol=1e-6)
        np.testing.assert_allclose(through(two, *way), np.square(LOSS.transmission_6), rtol=1e-6)
    sheet = shoebox((8.0, 3.0, 4.0), 0.2, 0.5, wall_x=0.0, transmission=0.03)
    for way in (((-2.0, 1.5, 0.0), (2.0, 1.4, 0.3)), ((2.0, 1.5, 0.0), (-2.0, 1.4, 0.3))):
        np.testing.assert_allclose(through(sheet, *way), [0.03] * 6, rtol=1e-6)
    np.testing.assert_array_equal(through(solid, start, (2.5, 1.2, 1.5)), np.ones(6))


def test_no_energy_passes_an_opaque_wall() -> None:
    assert through(box_scene(((3.0, 0.0, 0.0), (3.15, 2.6, 3.0))), (1.0, 1.3, 1.0), (5.0, 1.2, 1.5)) is None


def test_the_level_behind_a_wall_falls_by_the_materials_loss_in_each_band() -> None:
    # Outdoors: only the direct sound, once unobstructed and once through the wall.
    ear_3, source_3 = np.array([1.0, 1.3, 1.5]), np.array([5.0, 1.3, 1.5])
    levels = []
    for scene in (made_of_partition(box_scene(((3.0, 0.0, -40.0), (3.1, 40.0, 40.0)))), box_scene(*room(0.5, 0.5))):
        engine = EmittersEngine(RayScene(scene), EmittersConfig(emitters=100, rays=50, diffraction=False, air=False))
        engine.set_source(source_3)
        arrivals = engine._arrivals_at(ear_3, 0)
        straight_I = np.abs(arrivals.arrival_I - arrivals.arrival_I.min(initial=np.inf)) < 0.5
        assert straight_I.sum() == 1
        response_S = engine.omni_response(ear_3)[: int(arrivals.arrival_I.min()) + 300]
        levels.append(10.0 * np.log10(np.square(octave_bands(response_S)).sum(axis=1)))
    assert levels[0] - levels[1] == pytest.approx(10.0 * np.log10(LOSS.transmission_6), abs=2.0)


def test_the_level_in_a_room_behind_a_wall_matches_theory() -> None:
    # L1 - L2 = R - 10 lg(S / A2), for the diffuse fields of two rooms joined only by a partition.
    absorption, loss = 0.2, 0.01
    scene = RayScene(shoebox((12.0, 3.0, 5.0), absorption, 0.6, wall_x=0.0, transmission=loss))
    engine = EmittersEngine(scene, EmittersConfig(emitters=20_000, rays=4_000, image_order=0, air=False))
    engine.set_source(np.array([3.0, 1.5, -0.5]), seed=1)
    rng = np.random.default_rng(0)

    def level(low: float, high: float) -> float:
        positions = [rng.uniform([low, 0.7, -1.8], [high, 2.3, 1.8]) for _ in range(8)]
        diffuse = 0.0
        for position_3 in positions:
            response_S = engine.omni_response(position_3)
            arrivals = engine._arrivals_at(position_3, 0)
            straight = float(
                np.square(arrivals.weight_IB[:, -1]).sum()
            )  # the direct sound is not part of the diffuse field
            diffuse += float(np.square(response_S, dtype=np.float64).sum()) - straight
        return 10.0 * math.log10(diffuse / len(positions))

    side, other = level(1.0, 5.0), level(-5.0, -1.0)
    area, wall = 2 * (6 * 3 + 6 * 5 + 3 * 5), 3.0 * 5.0
    # The receiving room loses sound to its walls and, through the partition, to the source's room.
    expected = -10.0 * math.log10(loss) - 10.0 * math.log10(wall / (absorption * area / (1.0 - absorption)))
    assert side - other == pytest.approx(expected, abs=2.0)


def test_swapping_source_and_listener_behind_a_wall_keeps_the_energy() -> None:
    # A large reverberant room and a small one: energy that enters the wall late counts as much as early energy.
    scene = RayScene(shoebox((12.0, 3.0, 5.0), 0.04, 0.5, wall_x=4.5, transmission=0.02))
    engine = EmittersEngine(scene, EmittersConfig(emitters=8_000, rays=3_000, length_seconds=2.5))
    ends_3, energies = (np.array([-3.0, 1.4, 0.7]), np.array([5.25, 1.2, -0.8])), []
    for from_3, to_3 in (ends_3, ends_3[::-1]):
        total = 0.0
        for seed in range(4):
            engine.set_source(from_3, seed)
            total += float(np.square(engine.omni_response(to_3), dtype=np.float64).sum())
        energies.append(10.0 * math.log10(total))
    assert energies[0] == pytest.approx(energies[1], abs=0.35)


def test_a_wall_of_two_materials_has_the_geometric_mean_of_their_losses() -> None:
    scene = made_of_partition(box_scene(((3.0, 0.0, 0.0), (3.15, 2.6, 3.0))))
    other = dataclasses.replace(LOSS, name="other side", transmission_6=(0.01,) * 6)
    surfaces = (scene.surfaces[0], dataclasses.replace(scene.surfaces[0], name="other", material=other))
    far_F = scene.triangles_F33[:, :, 0].min(axis=1) > 3.1
    scene = dataclasses.replace(scene, surfaces=surfaces, surface_F=far_F.astype(np.int32))
    start, end = (1.0, 1.3, 1.0), (5.0, 1.2, 1.5)
    expected_B = np.sqrt(np.array(LOSS.transmission_6) * 0.01)
    for way in ((start, end), (end, start)):
        np.testing.assert_allclose(through(scene, *way), expected_B, rtol=1e-5)


def test_transmission_can_be_switched_off() -> None:
    scene = RayScene(shoebox((8.0, 3.0, 4.0), 0.2, 0.5, wall_x=0.0, transmission=0.01))
    engine = EmittersEngine(scene, EmittersConfig(emitters=1_000, rays=200, transmission=False))
    engine.set_source(np.array([2.0, 1.5, 0.0]))
    assert np.abs(engine.omni_response(np.array([-2.0, 1.5, 0.0]))).max() == 0.0
