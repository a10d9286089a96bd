"""Checks of the paths in AVW's engine: image sources, walls, edges, layouts, and rays traced when turning.

`make` takes fields of EmittersConfig besides the scene. Used by `avw.sim_bridge.selftest.run_checks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from avw.sim_bridge.acoustics.bands import band_responses
from avw.sim_bridge.acoustics.free_field import empty_space
from avw.sim_bridge.acoustics.measures import difference_db, octave_bands
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.check import Check, EngineMaker
from avw.sim_bridge.selftest.edge_theory import behind_an_edge
from avw.sim_bridge.selftest.engine_checks import FIX_ROOM
from avw.sim_bridge.types import EAR_HEIGHT, SAMPLE_RATE, TURN_RADIANS, Pose

_ROOM = (6.0, 3.0, 5.0)
_SOURCE_3 = np.array([1.5, EAR_HEIGHT, -1.0])
_EARS_N3 = np.array([[-1.4, 1.6, 1.1], [2.0, 1.2, 1.5], [-2.2, 1.0, -1.7], [0.2, 2.0, 1.6]])
_SEEDS = 4


def image_sources_keep_the_energy(make: EngineMaker) -> Check:
    """Exact image sources replace energy of emitters: the total stays the same in a specular and in a diffuse room."""
    worst = 0.0
    for scattering in (0.1, 0.6):
        room = shoebox(_ROOM, 0.2, scattering)
        energies = [_mean_energy(make(room, image_order=order), _EARS_N3, _SEEDS) for order in (0, 2)]
        worst = max(worst, abs(10.0 * math.log10(energies[1] / energies[0])))
    return Check(
        name="energy with and without image sources",
        expected="equal within 0.5 dB",
        measured=f"{worst:.2f} dB",
        ok=worst <= 0.5,
        fix=FIX_ROOM,
    )


def paths_are_reciprocal(make: EngineMaker) -> Check:
    """Exchanging an omnidirectional source and microphone changes nothing: every octave band, mean of several seeds."""
    scene = shoebox(_ROOM, 0.2, 0.5)
    levels = []
    for one_3, other_3 in ((_SOURCE_3, _EARS_N3[0]), (_EARS_N3[0], _SOURCE_3)):
        engine, total_B = make(scene), np.zeros(len(OCTAVE_BANDS))
        for seed in range(2 * _SEEDS):
            engine.set_source(one_3, seed)
            total_B += np.square(octave_bands(_omni(engine, other_3))).sum(axis=1)
        engine.close()
        levels.append(10.0 * np.log10(total_B))
    worst = float(np.abs(levels[0] - levels[1]).max())
    return Check(
        name="source and microphone exchanged",
        expected="equal within 1 dB in every octave band",
        measured=f"{worst:.2f} dB",
        ok=worst <= 1.0,
        fix=FIX_ROOM,
    )


def walls_attenuate_as_specified(make: EngineMaker) -> Check:
    """A wall across open space transmits the share given by its material, in every octave band."""
    shares = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002)
    levels = []
    for transmission_6 in ((1.0,) * 6, shares):
        wall = _across_the_open(30.0, absorption_6=(1.0,) * 6, transmission_6=transmission_6)
        engine = make(wall, air=False, diffraction=False)
        engine.set_source(np.array([-2.0, 10.0, 0.0]))
        heard_BS = octave_bands(_omni(engine, np.array([2.0, 10.0, 0.7])))
        levels.append(10.0 * np.log10(np.maximum(np.square(heard_BS).sum(axis=1), 1e-30)))
        engine.close()
    worst = float(np.abs(levels[0] - levels[1] + 10.0 * np.log10(shares)).max())
    return Check(
        name="transmission loss of a wall, 10 to 27 dB by octave band",
        expected="within 2 dB",
        measured=f"{worst:.2f} dB",
        ok=worst <= 2.0,
        fix=FIX_ROOM,
    )


def diffraction_matches_theory(make: EngineMaker) -> Check:
    """The field behind the edge of a screen in open space is the exact one (Biot and Tolstoy) in every octave band."""
    engine = make(_across_the_open(10.0, absorption_6=(0.02,) * 6, transmission_6=(0.0,) * 6), air=False)
    worst = 0.0
    for depth in (0.3, 1.0):
        engine.set_source(np.array([-2.0, 10.0 - depth, 0.0]))
        heard_BS = octave_bands(_omni(engine, np.array([2.0, 10.0 - depth, 0.0])))
        heard_B = np.maximum(np.square(heard_BS).sum(axis=1), 1e-30) / _impulse_energy_B()
        away, angle = math.hypot(2.0, depth), math.atan2(2.0, depth)
        centres = np.array(OCTAVE_BANDS)
        exact_B = np.abs(behind_an_edge(centres, (away, angle), (away, 2 * math.pi - angle), 0.0, 2 * math.pi)) ** 2
        worst = max(worst, float(np.abs(10.0 * np.log10(heard_B / exact_B)).max()))
    engine.close()
    return Check(
        name="diffraction behind the edge of a screen",
        expected="within 2 dB of the exact field in every octave band",
        measured=f"{worst:.2f} dB",
        ok=worst <= 2.0,
        fix=FIX_ROOM,
    )


def layouts_agree(make: EngineMaker) -> Check:
    """In open space, the W channel of ambisonics is the mono response, and the other channels point to the source."""
    azimuth, elevation, distance = 0.7, 0.4, 2.0  # clockwise from -Z, upwards
    direction_3 = np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), -math.cos(azimuth) * math.cos(elevation)]
    )
    pose = Pose(0.0, 8.0, 0.0, 0.3)
    heard = {}
    for layout in ("mono", "foa"):
        engine = make(empty_space(), layout=layout)
        engine.set_source(pose.ears_3 + distance * direction_3)
        heard[layout] = engine.impulse_response(pose).astype(np.float64)
        engine.close()
    w_S, y_S, z_S, x_S = heard["foa"]
    seen = azimuth + pose.yaw  # turning left moves a source to the right
    expected_3 = np.array(
        [-math.sin(seen) * math.cos(elevation), math.sin(elevation), math.cos(seen) * math.cos(elevation)]
    )
    found_3 = np.array([axis_S @ w_S for axis_S in (y_S, z_S, x_S)]) / (w_S @ w_S)
    pointing = float(np.abs(found_3 - expected_3).max())
    mono = difference_db(w_S[None], heard["mono"])
    return Check(
        name="mono and ambisonics agree",
        expected="W = mono <= -60 dB, direction within 0.01",
        measured=f"{mono:.0f} dB, {pointing:.3f}",
        ok=mono <= -60.0 and pointing <= 0.01,
        fix=FIX_ROOM,
    )


def turning_traces_no_rays(make: EngineMaker) -> Check:
    """After one response at a position, a whole turn there traces no ray."""
    engine = make(shoebox(_ROOM, 0.2, 0.5))
    engine.set_source(_SOURCE_3)
    pose = Pose(-1.0, 0.0, 0.5, 0.7)
    with _counted_rays() as moved:
        engine.impulse_response(pose)
    with _counted_rays() as turned:
        for step in range(1, 37):
            engine.impulse_response(Pose(pose.x, pose.y, pose.z, pose.yaw + step * TURN_RADIANS))
    engine.close()
    return Check(
        name="turning on the spot traces no rays",
        expected="rays at a new position, none for 36 turns there",
        measured=f"{moved[0]:,} rays, then {turned[0]:,}",
        ok=moved[0] > 0 and turned[0] == 0,
        fix="the engine does not reuse what it traced: report it with this table",
    )


def _mean_energy(engine: object, places_N3: np.ndarray, seeds: int) -> float:
    total = 0.0
    for seed in range(seeds):
        engine.set_source(_SOURCE_3, seed)  # type: ignore[attr-defined]
        total += sum(float(np.square(_omni(engine, place_3), dtype=np.float64).sum()) for place_3 in places_N3)
    engine.close()  # type: ignore[attr-defined]
    return total


def _omni(engine: object, place_3: np.ndarray) -> np.ndarray:
    return engine.omni_response(place_3)  # type: ignore[attr-defined]


def _impulse_energy_B() -> np.ndarray:
    """Energy of a unit impulse in each octave band, (B,)."""
    n_fft = 4_096
    power_BF = np.square(np.abs(band_responses(n_fft, SAMPLE_RATE)))
    return (2.0 * power_BF.sum(axis=1) - power_BF[:, 0] - power_BF[:, -1]) / n_fft


def _across_the_open(height: float, absorption_6: tuple[float, ...], transmission_6: tuple[float, ...]) -> Scene:
    """A thin wall at x = 0, from the floor up to `height`, across a room whose walls absorb everything."""
    scene = shoebox((30.0, 30.0, 30.0), 1.0, 0.5, wall_x=0.0)
    vertices_V3 = scene.vertices_V3.copy()
    vertices_V3[8:, 1] = np.minimum(vertices_V3[8:, 1], np.float32(height))
    surface = scene.surfaces[0]
    material = replace(surface.material, absorption_6=absorption_6, transmission_6=transmission_6)
    wall_F = np.zeros(len(scene.faces_F3), dtype=np.int32)
    wall_F[-2:] = 1
    return replace(
        scene,
        vertices_V3=vertices_V3,
        surface_F=wall_F,
        surfaces=(surface, replace(surface, name="wall", material=material)),
    )


@contextmanager
def _counted_rays() -> Iterator[list[int]]:
    """Counts the rays that are sent into any scene inside the `with` block."""
    count = [0]
    kept: dict[str, Callable[..., object]] = {
        name: getattr(RayScene, name) for name in ("closest", "occluded", "trace") if hasattr(RayScene, name)
    }

    def counting(method: Callable[..., object]) -> Callable[..., object]:
        def counted(self: RayScene, origins_N3: np.ndarray, *rest: object, **more: object) -> object:
            count[0] += len(origins_N3)
            return method(self, origins_N3, *rest, **more)

        return counted

    try:
        for name, method in kept.items():
            setattr(RayScene, name, counting(method))
        yield count
    finally:
        for name, method in kept.items():
            setattr(RayScene, name, method)


PATHS = (
    image_sources_keep_the_energy,
    paths_are_reciprocal,
    walls_attenuate_as_specified,
    diffraction_matches_theory,
    layouts_agree,
    turning_traces_no_rays,
)
