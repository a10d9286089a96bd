"""Diffraction compared with exact solutions for the half-plane and the wedge, and with boundary elements for a wall."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import hankel1

from avw.sim_bridge.acoustics.diffraction import DiffractedPaths, DiffractionConfig, diffracted_paths, edges_in_sight
from avw.sim_bridge.acoustics.edges import find_edges
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.scene import Scene
from benchmarks.exact_wedge import OCTAVE, biot_tolstoy, in_band, macdonald
from tests.sim_bridge.acoustics.test_edges import quads
from tests.sim_bridge.boxes import box_scene, flat

C = 343.0
FAR = 60.0


def _paths(scene: Scene, source: tuple, listener: tuple, config: DiffractionConfig | None = None) -> DiffractedPaths:
    rays = RayScene(scene)
    sight = edges_in_sight(find_edges(rays), rays, np.array(source), config)
    return diffracted_paths(sight, rays, np.array(listener))


def _half_plane() -> Scene:
    """A screen in the plane z = 0 below y = 0."""
    return quads([(-FAR, -FAR, 0.0), (FAR, -FAR, 0.0), (FAR, 0.0, 0.0), (-FAR, 0.0, 0.0)])


def _quarter_space() -> Scene:
    """A solid that fills y < 0, z < 0."""
    return box_scene(((-FAR, -FAR, -FAR), (FAR, 0.0, 0.0)))


def _at(angle: float, radius: float, x: float) -> tuple[float, float, float]:
    """A point around the x axis; angle 0 lies in the face of the screen or solid, y < 0, and increases towards +z."""
    return x, -radius * math.cos(angle), radius * math.sin(angle)


def _worst_db(paths: DiffractedPaths, exact: object) -> float:
    assert len(paths) == 1
    levels_6 = [20.0 * math.log10(in_band(exact, band)) for band in OCTAVE_BANDS]
    return float(np.abs(20.0 * np.log10(np.abs(paths.pressure_N6[0])) - levels_6).max())


GEOMETRIES = [  # source radius and angle, listener radius, bend beyond the shadow boundary, offset along the edge
    (1.0, 0.8, 1.5, 0.02, 0.0),
    (3.0, 0.5, 1.0, 0.2, 2.0),
    (2.0, 0.9, 4.0, 0.5, 0.5),
    (0.7, 0.3, 0.7, 1.2, 1.0),
]


@pytest.mark.parametrize(("r0", "phi0", "r", "bend", "x"), GEOMETRIES)
def test_half_plane_within_1_db_of_macdonald_in_every_band(
    r0: float, phi0: float, r: float, bend: float, x: float
) -> None:
    phi = phi0 + math.pi + bend
    paths = _paths(_half_plane(), _at(phi0, r0, 0.0), _at(phi, r, x))
    assert _worst_db(paths, lambda k: macdonald(k, r, r0, phi, phi0, x)) < 1.0


@pytest.mark.parametrize(("r0", "phi0", "r", "bend", "x"), GEOMETRIES[:3])
def test_rigid_corner_within_1_db_of_biot_and_tolstoy_in_every_band(
    r0: float, phi0: float, r: float, bend: float, x: float
) -> None:
    phi = phi0 + math.pi + bend
    assert phi < 1.5 * math.pi
    paths = _paths(_quarter_space(), _at(phi0, r0, 0.0), _at(phi, r, x))
    assert _worst_db(paths, lambda k: biot_tolstoy(k, 1.5 * math.pi, r, r0, phi, phi0, x)) < 1.0


def test_length_direction_and_apex_of_a_path() -> None:
    source, listener = np.array(_at(0.5, 2.0, -1.0)), np.array(_at(0.5 + math.pi + 0.4, 1.0, 2.0))
    paths = _paths(_half_plane(), tuple(source), tuple(listener))
    assert paths.order_N.tolist() == [1]
    assert paths.length_N[0] == pytest.approx(math.hypot(3.0, 3.0), abs=1e-6)
    apex_3 = np.array([-1.0 + 3.0 * 2.0 / 3.0, 0.0, 0.0])
    towards_3 = (apex_3 - listener) / np.linalg.norm(apex_3 - listener)
    assert np.allclose(paths.direction_N3[0], towards_3, atol=0.02), "1 cm of stand-off"
    assert (np.diff(paths.pressure_N6[0]) < 0.0).all(), "high frequencies are diffracted less"


def _total_level_db(scene: Scene, rays: RayScene, source: tuple, listener: tuple, sight: object) -> np.ndarray:
    """The sum of direct and diffracted pressure in each band, relative to an unobstructed direct sound."""
    source_3, listener_3 = np.array(source), np.array(listener)
    distance = float(np.linalg.norm(source_3 - listener_3))
    hidden = rays.occluded(listener_3[None], ((source_3 - listener_3) / distance)[None], distance)[0]
    paths = diffracted_paths(sight, rays, listener_3)  # type: ignore[arg-type]
    total_6 = paths.pressure_N6.sum(axis=0) * distance + (0.0 if hidden else 1.0)
    return 20.0 * np.log10(np.abs(total_6))


@pytest.mark.parametrize("solid", ["screen", "corner", "wall"])
def test_walking_into_the_shadow_is_continuous_and_starts_at_minus_6_db(solid: str) -> None:
    scene = {
        "screen": _half_plane(),
        "corner": _quarter_space(),
        "wall": box_scene(((-FAR, -FAR, -0.15), (FAR, 0.0, 0.0))),
    }[solid]
    rays = RayScene(scene)
    source = (0.0, -0.8, 1.6)
    sight = edges_in_sight(find_edges(rays), rays, np.array(source))
    heights = np.arange(2.2, 0.05 if solid == "corner" else -1.2, -0.005)
    levels_N6 = np.array([_total_level_db(scene, rays, source, (0.3, y, -2.2), sight) for y in heights])
    assert np.abs(np.diff(levels_N6, axis=0)).max() < 0.3, "no step at any boundary"
    boundary = np.argmin(np.abs(heights - (0.8 / 1.6) * 2.2))
    assert levels_N6[boundary, 5] == pytest.approx(-6.0, abs=1.0)
    assert (levels_N6[-1] < levels_N6[boundary]).all()
    assert (np.diff(levels_N6[boundary + 100 :], axis=1) < 0.1).all(), "in the shadow, high frequencies are weaker"


@pytest.mark.parametrize("thickness", [0.1, 0.3])
def test_a_thick_wall_within_2_db_of_boundary_elements(thickness: float) -> None:
    """An independent wave solver in two dimensions, where relative pressures can be compared with ours."""
    source, listener = np.array([1.3, -0.9]), np.array([-1.0 - thickness, -0.7])  # z, y
    scene = box_scene(((-FAR, -FAR, -thickness), (FAR, 0.0, 0.0)))
    paths = _paths(scene, (0.0, source[1], source[0]), (0.0, listener[1], listener[0]))
    assert paths.order_N.tolist() == [2]
    for index, band in enumerate(OCTAVE_BANDS[:2]):
        free = [abs(hankel1(0, 2.0 * np.pi * f / C * paths.length_N[0])) for f in band * OCTAVE[::3]]
        there = [_slab(2.0 * np.pi * f / C, thickness, source, listener) for f in band * OCTAVE[::3]]
        reference = 10.0 * math.log10(np.mean(np.square(np.array(there) / free)))
        ours = 20.0 * math.log10(paths.pressure_N6[0, index] * paths.length_N[0])
        assert abs(ours - reference) < 2.0, band


def _slab(k: float, thickness: float, source_2: np.ndarray, listener_2: np.ndarray) -> float:
    """Field at a listener behind a rigid slab 8 m deep, relative to |H0|: collocation with constant elements."""
    corners = np.array([(-thickness, 0.0), (0.0, 0.0), (0.0, -8.0), (-thickness, -8.0)])
    middle, normal, size = [], [], []
    for a_2, b_2 in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = float(np.linalg.norm(b_2 - a_2))
        count = max(6, math.ceil(length / min(0.08, thickness / 2)))
        along_2 = (b_2 - a_2) / length
        middle.append(a_2 + (np.arange(count) + 0.5)[:, None] / count * (b_2 - a_2))
        normal.append(np.tile([-along_2[1], along_2[0]], (count, 1)))
        size.append(np.full(count, length / count))
    y_N2, n_N2, ds_N = np.concatenate(middle), np.concatenate(normal), np.concatenate(size)

    def from_elements(x_M2: np.ndarray) -> np.ndarray:
        away_MN2 = x_M2[:, None] - y_N2
        r_MN = np.hypot(away_MN2[..., 0], away_MN2[..., 1])
        with np.errstate(invalid="ignore", divide="ignore"):
            kernel_MN = 0.25j * k * hankel1(1, k * r_MN) * np.sum(away_MN2 * n_N2, axis=-1) / r_MN * ds_N
        return np.where(r_MN == 0.0, 0.0, kernel_MN)

    def free(a_2: np.ndarray) -> np.ndarray:
        return 0.25j * hankel1(0, k * np.linalg.norm(a_2 - source_2, axis=-1))

    surface_N = np.linalg.solve(0.5 * np.eye(len(y_N2)) - from_elements(y_N2), free(y_N2))
    return 4.0 * abs(free(listener_2) + (from_elements(listener_2[None]) @ surface_N)[0])


def test_half_an_edge_gives_half_the_pressure() -> None:
    """If the apex lies at the free end of an edge, only one side of its Fresnel zones exists."""
    whole = _paths(_half_plane(), _at(0.6, 2.0, 0.0), _at(4.2, 2.0, 0.0))
    half = quads([(0.0, -FAR, 0.0), (FAR, -FAR, 0.0), (FAR, 0.0, 0.0), (0.0, 0.0, 0.0)])
    paths = _paths(half, _at(0.6, 2.0, 0.0), _at(4.2, 2.0, 0.0))
    top = np.argmin(np.abs(paths.length_N - 4.0))
    assert np.allclose(paths.pressure_N6[top] / whole.pressure_N6[0], 0.5, atol=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_swapping_source_and_listener_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = tuple(rng.uniform([0.3, 0.3, 0.3], [4.6, 2.3, 7.7])), tuple(rng.uniform([5.4, 0.3, 0.3], [9.7, 2.3, 7.7]))
    config = DiffractionConfig(edges=500, pairs=5000, gap=20.0)
    there, back = (_paths(box_scene(*flat()), p, q, config) for p, q in ((a, b), (b, a)))
    assert len(there) == len(back) > 0
    one, other = np.argsort(there.length_N), np.argsort(back.length_N)
    assert np.allclose(there.length_N[one], back.length_N[other], atol=1e-5)
    assert np.allclose(there.departure_N3[one], back.direction_N3[other], atol=1e-4)
    assert np.allclose(there.pressure_N6.sum(axis=0), back.pressure_N6.sum(axis=0), rtol=0.01)


def test_no_diffracted_path_leaves_a_closed_room() -> None:
    closed = [*flat(), ((4.95, 0.0, 3.5), (5.05, 2.1, 4.5))]
    assert len(_paths(box_scene(*closed), (3.0, 1.5, 4.0), (8.0, 1.5, 1.0))) == 0
    assert len(_paths(box_scene(*flat()), (3.0, 1.5, 4.0), (8.0, 1.5, 1.0))) > 0


def test_an_edge_in_pieces_gives_one_path() -> None:
    cuts = [-FAR, -3.0, -0.4, 0.0, 0.1, 1.0, 8.0, FAR]
    pieces = [
        [(a, low, 0.0), (b, low, 0.0), (b, 0.0, 0.0), (a, 0.0, 0.0)]
        for a, b, low in zip(cuts, cuts[1:], (-3.0, -2.0, -4.0, -1.0, -2.5, -3.5, -2.0), strict=False)
    ]
    pieces += [[(-FAR, -FAR, 0.0), (FAR, -FAR, 0.0), (FAR, -1.0, 0.0), (-FAR, -1.0, 0.0)]]
    source, listener = _at(0.7, 1.5, -0.5), _at(4.3, 1.2, 0.4)
    whole, cut = (_paths(scene, source, listener) for scene in (_half_plane(), quads(*pieces)))
    assert len(whole) == len(cut) == 1
    assert np.allclose(whole.pressure_N6, cut.pressure_N6, rtol=1e-6)


def test_an_obstacle_on_a_segment_removes_the_path() -> None:
    screen = [(-FAR, -FAR, 0.0), (FAR, -FAR, 0.0), (FAR, 0.0, 0.0), (-FAR, 0.0, 0.0)]
    source, listener = (0.0, -1.0, 2.0), (0.0, -1.0, -2.0)
    board = [(-0.1, -0.6, 1.0), (0.1, -0.6, 1.0), (0.1, -0.4, 1.0), (-0.1, -0.4, 1.0)]
    assert len(_paths(quads(screen), source, listener)) == 1
    assert len(_paths(quads(screen, board), source, listener)) == 0


def test_the_open_field_far_on_the_lit_side_has_no_diffraction() -> None:
    """Far on the lit side there is only direct and reflected sound."""
    assert len(_paths(_half_plane(), (0.0, 3.0, 2.0), (0.0, 3.0, -2.0))) == 0


def test_results_are_reproducible_to_the_byte() -> None:
    scene, source, listener = box_scene(*flat()), (1.0, 1.5, 6.0), (8.3, 1.5, 2.0)
    one, other = _paths(scene, source, listener), _paths(scene, source, listener)
    assert len(one) > 0
    assert one.pressure_N6.tobytes() == other.pressure_N6.tobytes()
    assert one.direction_N3.tobytes() == other.direction_N3.tobytes()
    assert one.pressure_N6.shape == (len(one), len(OCTAVE_BANDS))


def test_bad_positions_and_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="source's position"):
        _paths(_half_plane(), (0.0, math.nan, 0.0), (0.0, 0.0, 1.0))
    with pytest.raises(UsageError, match="gap >= 0"):
        DiffractionConfig(gap=-1.0)
