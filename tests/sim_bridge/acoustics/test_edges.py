"""Diffracting edges depend on the shape, not on how it is divided into triangles."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from avw.sim_bridge.acoustics.edges import Edges, EdgesConfig, find_edges
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.scene import Scene
from tests.sim_bridge.boxes import box_scene, flat, mesh_scene, room


def _edges(scene: Scene, config: EdgesConfig | None = None) -> Edges:
    return find_edges(RayScene(scene), config)


def quads(*corners_43: list[tuple[float, float, float]], scene_id: str = "quads") -> Scene:
    """Quads that share no vertex, each as two triangles."""
    vertices_V3 = np.concatenate([np.array(q, dtype=np.float64) for q in corners_43])
    faces = [(4 * i + a, 4 * i + b, 4 * i + c) for i in range(len(corners_43)) for a, b, c in ((0, 1, 2), (0, 2, 3))]
    return mesh_scene(vertices_V3, np.array(faces), scene_id)


def _upright(low_x: float, high_x: float, low_y: float, high_y: float) -> list[tuple[float, float, float]]:
    return [(low_x, low_y, 0.0), (high_x, low_y, 0.0), (high_x, high_y, 0.0), (low_x, high_y, 0.0)]


def test_a_box_has_twelve_square_edges() -> None:
    edges = _edges(box_scene(((1.0, 2.0, 3.0), (2.0, 4.0, 6.0))))
    assert sorted(edges.length_E.round(4)) == [1.0] * 4 + [2.0] * 4 + [3.0] * 4
    assert np.allclose(edges.angle_E, 1.5 * math.pi)
    middle_3 = np.array([1.5, 3.0, 4.5])
    inward_E3 = middle_3 - (edges.start_E3 + 0.5 * edges.length_E[:, None] * edges.axis_E3)
    outward_E3 = edges.direction(0.5 * edges.angle_E)
    assert (np.sum(inward_E3 * outward_E3, axis=1) < 0.0).all(), "the open sector points away from the solid"
    for vector_E3 in (edges.axis_E3, edges.face_E3, edges.normal_E3):
        assert np.allclose(np.linalg.norm(vector_E3, axis=1), 1.0)
    assert np.allclose(np.cross(edges.face_E3, edges.normal_E3), edges.axis_E3)


def test_a_sheet_has_four_free_edges_for_any_triangulation() -> None:
    whole = _edges(quads(_upright(0.0, 2.0, 1.0, 2.0)))
    # Pieces whose ends meet the middle of other pieces' sides: T-junctions everywhere and no shared vertices.
    cut = _edges(
        quads(
            _upright(0.0, 1.3, 1.0, 1.6),
            _upright(1.3, 2.0, 1.0, 1.6),
            _upright(0.0, 0.7, 1.6, 2.0),
            _upright(0.7, 2.0, 1.6, 2.0),
        )
    )
    for edges in (whole, cut):
        assert edges.length_E.round(4).tolist() == [2.0, 2.0, 1.0, 1.0]
        assert np.allclose(edges.angle_E, 2.0 * math.pi)
    assert np.allclose(whole.start_E3, cut.start_E3, atol=1e-4)


def test_winding_and_order_of_triangles_do_not_matter() -> None:
    scene = box_scene(*flat())
    rng = np.random.default_rng(1)
    shuffled_F3 = scene.faces_F3[rng.permutation(len(scene.faces_F3))]
    shuffled_F3 = np.where(rng.random((len(shuffled_F3), 1)) < 0.5, shuffled_F3, shuffled_F3[:, ::-1])
    one, other = _edges(scene), _edges(mesh_scene(scene.vertices_V3, shuffled_F3))
    assert np.allclose(one.length_E, other.length_E, atol=1e-6)
    assert np.allclose(one.start_E3, other.start_E3, atol=1e-5)
    assert np.allclose(one.direction(0.5 * one.angle_E), other.direction(0.5 * other.angle_E), atol=1e-5)


def test_corners_of_a_room_seen_from_inside_do_not_diffract_but_a_doorway_does() -> None:
    inside = _edges(box_scene(*flat()))
    middle_E3 = inside.start_E3 + 0.5 * inside.length_E[:, None] * inside.axis_E3
    jambs = (np.abs(inside.axis_E3[:, 1]) > 0.99) & (np.abs(middle_E3[:, 0] - 5.0) < 0.06) & (inside.length_E < 2.2)
    assert sorted(middle_E3[jambs, 2].round(3)) == [3.5, 3.5, 4.5, 4.5]
    assert np.allclose(inside.length_E[jambs], 2.1), "a jamb ends at the lintel"
    feet = (middle_E3[:, 1] < 0.01) & (middle_E3[:, 0] > 0.01) & (middle_E3[:, 0] < 9.99)
    assert not (feet & (middle_E3[:, 2] > 0.01) & (middle_E3[:, 2] < 7.99)).any(), (
        "there is no air below the foot of a wall"
    )


def test_an_object_lying_on_another_surface_does_not_diffract() -> None:
    rug = [(1.0, 0.005, 1.0), (3.0, 0.005, 1.0), (3.0, 0.005, 2.0), (1.0, 0.005, 2.0)]
    floor = [(-9.0, 0.0, -9.0), (9.0, 0.0, -9.0), (9.0, 0.0, 9.0), (-9.0, 0.0, 9.0)]
    edges = _edges(quads(floor, rug))
    assert edges.length_E.round(3).tolist() == [18.0] * 4


def test_facets_of_round_objects_do_not_diffract() -> None:
    around = np.linspace(0.0, 2.0 * math.pi, 25)
    sides = [
        [
            (math.cos(a), 0.0, math.sin(a)),
            (math.cos(b), 0.0, math.sin(b)),
            (math.cos(b), 3.0, math.sin(b)),
            (math.cos(a), 3.0, math.sin(a)),
        ]
        for a, b in itertools.pairwise(around)
    ]
    assert not (np.abs(_edges(quads(*sides)).axis_E3[:, 1]) > 0.99).any()


def test_the_longest_edges_are_kept_and_short_ones_are_dropped() -> None:
    scene = box_scene(((0.0, 0.0, 0.0), (0.2, 1.0, 4.0)))
    assert sorted(_edges(scene).length_E.round(3)) == [1.0] * 4 + [4.0] * 4
    assert _edges(scene, EdgesConfig(max_edges=4)).length_E.round(3).tolist() == [4.0] * 4
    assert len(_edges(scene, EdgesConfig(min_length=5.0))) == 0


def test_bad_vertices_and_degenerate_faces_are_ignored() -> None:
    scene = box_scene(((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    vertices_V3 = np.concatenate([scene.vertices_V3, [[np.nan, 0.0, 0.0]]])
    faces_F3 = np.concatenate([scene.faces_F3, [[0, 1, 8], [2, 2, 3], [0, 1, 1]]])
    assert len(_edges(mesh_scene(vertices_V3, faces_F3))) == 12


def test_the_door_jambs_of_a_generated_house_are_found() -> None:
    scene = generate_house(0)
    edges = _edges(scene)
    upright = np.abs(edges.axis_E3[:, 1]) > 0.99
    jambs = upright & (edges.length_E > 1.9) & (edges.length_E < 2.3)
    assert np.count_nonzero(jambs) >= 4
    assert (edges.angle_E > math.pi + EdgesConfig().min_bend - 1e-6).all()
    assert (np.diff(edges.length_E) <= 1e-3).all()


def test_an_empty_room_has_no_edges_inside() -> None:
    edges = _edges(box_scene(*room(4.0, 3.0)))
    middle_E3 = edges.start_E3 + 0.5 * edges.length_E[:, None] * edges.axis_E3
    off_E3 = middle_E3 + 0.02 * edges.direction(0.5 * edges.angle_E)
    within = (off_E3 > [0.0, 0.0, 0.0]).all(axis=1) & (off_E3 < [4.0, 2.6, 3.0]).all(axis=1)
    assert not within.any()


def test_impossible_configurations_are_refused() -> None:
    with pytest.raises(UsageError, match="min_bend"):
        EdgesConfig(min_bend=4.0)
    with pytest.raises(UsageError, match="min_length"):
        EdgesConfig(min_length=0.0)
