"""Mirror images: at the theoretical positions, only for paths that exist, and without counting energy twice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine
from avw.sim_bridge.acoustics.measures import octave_bands
from avw.sim_bridge.acoustics.surfaces import acoustic_surfaces
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.types import SAMPLE_RATE
from tests.sim_bridge.boxes import box_scene, flat

SIZE = np.array([6.0, 3.0, 5.0])
SOURCE = np.array([1.3, 1.45, -0.9])
EAR = np.array([-1.6, 1.2, 1.05])
SPEED = 343.0


def engine_in(scene: Any, **config: Any) -> EmittersEngine:
    engine = EmittersEngine(RayScene(scene), EmittersConfig(**{"emitters": 4_000, "rays": 2_000, **config}))
    engine.set_source(SOURCE, seed=1)
    return engine


def images_of_a_box(order: int) -> list[tuple[float, int]]:
    """Distance and order of every image of a shoebox up to `order`, from Allen and Berkley's closed form (1979)."""
    low_3 = np.array([-SIZE[0] / 2, 0.0, -SIZE[2] / 2])
    found = []
    for p in np.ndindex(2, 2, 2):
        for m in np.ndindex(5, 5, 5):
            shift_3 = np.array(m) - 2
            bounces = int(np.abs(shift_3 - np.array(p)).sum() + np.abs(shift_3).sum())
            if bounces <= order:
                image_3 = (1 - 2 * np.array(p)) * (SOURCE - low_3) + 2 * shift_3 * SIZE + low_3
                found.append((float(np.linalg.norm(image_3 - EAR)), bounces))
    return sorted(found)


def test_arrivals_in_a_box_match_the_closed_form() -> None:
    absorption = 0.3
    engine = engine_in(shoebox(tuple(SIZE), absorption, 0.0), image_order=2, air=False, diffraction=False)
    arrivals = engine._arrivals_at(EAR, 0)
    expected = images_of_a_box(2)
    order = np.argsort(arrivals.arrival_I)
    distances = arrivals.arrival_I[order] * SPEED / SAMPLE_RATE
    np.testing.assert_allclose(distances, [distance for distance, _ in expected], atol=2e-3)
    # If all bands are equal, the whole amplitude of a path is in its last weight, the unfiltered impulse.
    amplitudes = [math.sqrt(1 - absorption) ** bounces / distance for distance, bounces in expected]
    np.testing.assert_allclose(arrivals.weight_IB[order, -1], amplitudes, rtol=1e-3)
    assert np.abs(arrivals.weight_IB[:, :-1]).max() < 1e-6


def test_an_image_needs_an_unobstructed_path() -> None:
    # The wall at x = 0 blocks all images for a listener in the other half of the room, but not in the source's half.
    whole = engine_in(shoebox(tuple(SIZE), 0.2, 0.0), transmission=False, diffraction=False)
    halved = engine_in(shoebox(tuple(SIZE), 0.2, 0.0, wall_x=0.0), transmission=False, diffraction=False)
    assert len(whole._arrivals_at(EAR, 0).arrival_I) == len(images_of_a_box(2))
    assert len(halved._arrivals_at(EAR, 0).arrival_I) == 0
    same_half = np.array([1.6, 1.2, 1.05])
    walls = halved._arrivals_at(same_half, 0)
    assert len(walls.arrival_I) == len(images_of_a_box(2))  # the half is again a box


def test_scattering_reduces_the_amplitude_of_images() -> None:
    for scattering in (0.1, 0.6):
        engine = engine_in(shoebox(tuple(SIZE), 0.2, scattering), image_order=1, air=False, diffraction=False)
        arrivals = engine._arrivals_at(EAR, 0)
        direct, reflected = np.sort(arrivals.weight_IB[:, -1] * arrivals.arrival_I * SPEED / SAMPLE_RATE)[[-1, 0]]
        assert direct == pytest.approx(1.0, abs=1e-3)
        assert reflected == pytest.approx(math.sqrt(0.8 * (1 - scattering)), abs=2e-3)


@pytest.mark.parametrize(("absorption", "scattering"), [(0.1, 0.1), (0.4, 0.1), (0.3, 0.6)])
def test_the_energy_in_the_room_does_not_depend_on_the_order_of_images(absorption: float, scattering: float) -> None:
    scene, rng = RayScene(shoebox(tuple(SIZE), absorption, scattering)), np.random.default_rng(3)
    positions = [rng.uniform([-2.5, 0.5, -2.0], [2.5, 2.5, 2.0]) for _ in range(10)]
    levels = []
    for order in (0, 1, 2):
        engine = EmittersEngine(scene, EmittersConfig(emitters=15_000, rays=3_000, image_order=order))
        engine.set_source(SOURCE, seed=2)
        energy = np.mean(
            [np.square(engine.omni_response(position_3), dtype=np.float64).sum() for position_3 in positions]
        )
        levels.append(10.0 * math.log10(energy))
    assert levels == pytest.approx([levels[0]] * 3, abs=0.5)


def test_swapping_source_and_listener_keeps_the_energy() -> None:
    # Mono and omnidirectional, averaged over seeds: the remaining difference comes from the emitters.
    scene = RayScene(box_scene(*flat()))
    one_3, other_3 = np.array([2.0, 1.5, 6.5]), np.array([6.6, 1.2, 3.0])
    config = EmittersConfig(emitters=20_000, rays=4_000)
    engine, energies = EmittersEngine(scene, config), []
    for from_3, to_3 in ((one_3, other_3), (other_3, one_3)):
        total_B = np.zeros(6)
        for seed in range(8):
            engine.set_source(from_3, seed)
            total_B += np.square(octave_bands(engine.omni_response(to_3))).sum(axis=1)
        energies.append(10.0 * np.log10(total_B))
    assert np.abs(energies[0] - energies[1]).max() < 1.0


def test_coplanar_faces_of_one_surface_form_one_plane() -> None:
    surfaces = acoustic_surfaces(RayScene(shoebox(tuple(SIZE))))
    assert len(surfaces.plane_offset_P) == 6
    assert sorted(np.bincount(surfaces.plane_F)) == [2] * 6
    assert sorted(np.round(np.abs(surfaces.plane_offset_P), 6)) == [0.0, 2.5, 2.5, 3.0, 3.0, 3.0]


def test_small_planes_have_no_images() -> None:
    surfaces = acoustic_surfaces(RayScene(shoebox((0.5, 0.5, 0.5))))
    assert (surfaces.plane_F == -1).all()
    engine = EmittersEngine(RayScene(shoebox((0.5, 0.5, 0.5))), EmittersConfig(emitters=500, rays=200))
    engine.set_source(np.array([0.1, 0.2, 0.1]))
    assert len(engine._arrivals_at(np.array([-0.1, 0.2, 0.1]), 0).arrival_I) == 1  # only the direct sound


def test_an_unsupported_order_is_refused() -> None:
    with pytest.raises(UsageError, match="image_order = 3"):
        EmittersConfig(image_order=3)
