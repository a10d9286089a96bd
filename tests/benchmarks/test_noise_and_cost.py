"""Noise follows its definition; places and costs belong to the documented walk."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from benchmarks.acoustics import acoustics
from benchmarks.envelopes import bias_db, energy_envelope, envelope_errors_db, noise_db
from benchmarks.noise_and_cost import Cost, Noise, Setting, cheapest_at_most, costs, noises
from benchmarks.places import Places, find_places, translates
from benchmarks.scaling import split_faces

HOUSE = "procedural-0003"


@pytest.fixture(scope="module")
def house() -> Scene:
    return load_scene(HOUSE)


@pytest.fixture(scope="module")
def places(house: Scene) -> Places:
    return find_places(house, free_space_of(house), listeners=1)


def test_an_envelope_is_the_energy_of_both_ears_in_windows_of_20_ms() -> None:
    response_ES = np.zeros((2, 700))
    response_ES[0, 319], response_ES[1, 320] = 2.0, 3.0  # the last sample of a window, the first of the next
    np.testing.assert_array_equal(energy_envelope(response_ES, 16_000), [4.0, 9.0])


def test_noise_is_the_rms_in_db_above_the_floor() -> None:
    converged_W = np.array([1.0, 0.1, 1e-3, 1e-5])
    drawn_KW = converged_W * np.array([[1.0, 10.0, 1.0, 1e9], [1.0, 1.0, 0.1, 1e9]])
    assert envelope_errors_db(drawn_KW, converged_W) == pytest.approx(np.array([[0.0, 10.0, 0.0], [0.0, 0.0, -10.0]]))
    assert noise_db([(drawn_KW, converged_W)]) == pytest.approx(np.sqrt(200.0 / 6.0))
    assert noise_db([(converged_W[None], converged_W)]) == 0.0
    assert bias_db([(2.0 * converged_W[None], converged_W)]) == pytest.approx(10.0 * np.log10(2.0))


def test_an_empty_window_gives_a_finite_error() -> None:
    assert envelope_errors_db(np.array([[0.0, 1.0]]), np.ones(2)).min() == pytest.approx(-30.0)


def test_places_are_in_the_right_rooms(house: Scene, places: Places) -> None:
    def room_of(x: float, z: float) -> list[int]:
        return [i for i, r in enumerate(house.rooms) if r.min_x <= x <= r.max_x and r.min_z <= z <= r.max_z]

    source = room_of(places.source_3[0], places.source_3[2])
    assert all(room_of(pose.x, pose.z) == source for pose in places.same_room)
    assert all(room_of(pose.x, pose.z) != source for pose in places.two_rooms_away)
    assert len(places.walk) == 161
    grid = free_space_of(house)
    assert all(grid.is_free(pose.position_3) for pose in places.walk)
    near = min(grid.geodesic(places.source_3 - [0, 1.5, 0]).distance(pose.position_3) for pose in places.walk)
    assert near < 1.1  # the walk reaches the source
    assert 40 < sum(translates(places.walk)) < 160


def test_a_scene_with_fewer_than_three_rooms_is_an_error() -> None:
    scene = shoebox((6.0, 3.0, 5.0))
    with pytest.raises(UsageError, match="two rooms away"):
        find_places(scene, free_space_of(scene))


def test_more_emitters_have_less_noise_and_cost_more(house: Scene, places: Places) -> None:
    rays = RayScene(house)

    def setting(emitters: int) -> Setting:
        config = EmittersConfig(emitters=emitters, rays=max(1, emitters // 10))
        return Setting(name=str(emitters), make=lambda: EmittersEngine(rays, config), stride=4)

    settings = [setting(500), setting(8_000)]
    noise_of = noises(settings, setting(40_000), places, converged_draws=4)
    cost_of = costs(settings, places)
    assert noise_of["8000"].at_most(noise_of["500"])
    assert not noise_of["500"].at_most(noise_of["8000"])
    assert cost_of["8000"].per_response > cost_of["500"].per_response
    assert cheapest_at_most(cost_of, noise_of, ["500", "8000"], noise_of["8000"]) == "8000"
    assert cheapest_at_most(cost_of, noise_of, ["500", "8000"], noise_of["500"]) == "500"


def test_the_cost_of_a_source_is_divided_by_the_steps() -> None:
    assert Cost(once=320.0, response=3.0, turn=1.0, steps=160).per_response == 5.0


def test_no_candidate_qualifies_if_all_have_more_noise() -> None:
    quiet = Noise(same_room=0.1, two_rooms_away=0.1, bias_same_room=0.0, bias_two_rooms_away=0.0)
    loud = Noise(same_room=0.05, two_rooms_away=0.2, bias_same_room=0.0, bias_two_rooms_away=0.0)
    cost = Cost(once=0.0, response=1.0, turn=1.0, steps=160)
    assert cheapest_at_most({"a": cost}, {"a": loud}, ["a"], quiet) is None


def test_split_faces_keep_the_surface(house: Scene) -> None:
    split = split_faces(house, 1)
    assert len(split.faces_F3) == 4 * len(house.faces_F3)

    def area_by_surface(scene: Scene) -> Any:
        corners = scene.triangles_F33.astype(np.float64)
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return np.bincount(scene.surface_F, np.linalg.norm(cross, axis=1) / 2)

    np.testing.assert_allclose(area_by_surface(split), area_by_surface(house), rtol=1e-4)
    np.testing.assert_allclose(split.uv_F32.mean(axis=(0, 1)), house.uv_F32.mean(axis=(0, 1)), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_benchmark_prints_its_rows() -> None:
    arguments = ["--quick", "--no-peers", "--emitters", "500,2000", "--json"]
    document = json.loads(CliRunner().invoke(acoustics, arguments, catch_exceptions=False).stdout)
    rows = {row["name"]: row for row in document["rows"]}
    assert rows["2,000 emitters: noise, same room"]["ours"] < rows["500 emitters: noise, same room"]["ours"]
    assert "RLR did not run" in rows
    assert any(name.endswith("memory") for name in rows)
