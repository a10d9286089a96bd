"""Accuracy and cost of diffraction: `python -m benchmarks.diffraction [--json]`.

Screens and corners are compared with exact solutions at random positions in the shadow; then the CPU time in a
furnished house is measured.
"""

from __future__ import annotations

import math

import click
import numpy as np

from avw.sim_bridge.acoustics.diffraction import DiffractionConfig, diffracted_paths, edges_in_sight
from avw.sim_bridge.acoustics.edges import Edges, find_edges
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from benchmarks.exact_wedge import biot_tolstoy, in_band, macdonald
from benchmarks.rows import Row, alternate, present

_POSITIONS = 30
_FAR = 60.0  # metres to either end of the edge
_FAR_OFFSET = np.array([1e4, 0.0, 0.0])


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def diffraction(as_json: bool) -> None:
    """Largest errors in the shadow, and milliseconds per scene, source and listener."""
    rows = [
        Row(
            name=f"error in the shadow of a {name}, {band:.0f} Hz octave",
            ours=worst,
            peer=2.0,
            peer_name="limit",
            unit="dB",
            conditions=f"worst of {_POSITIONS} random positions, 0.3 to 4 m from the edge; {exact}",
        )
        for name, open_angle, exact in (
            ("half-plane", 2.0 * math.pi, "MacDonald"),
            ("right-angled corner", 1.5 * math.pi, "Biot and Tolstoy"),
        )
        for band, worst in zip(OCTAVE_BANDS, _worst_errors(open_angle), strict=True)
    ]
    present("diffraction", rows + _costs(), as_json=as_json)


def _worst_errors(open_angle: float) -> list[float]:
    """Largest error in dB per band behind one long edge along x, with faces at the angles 0 and `open_angle`."""
    edge = Edges(
        start_E3=np.array([[-_FAR, 0.0, 0.0]]),
        axis_E3=np.array([[1.0, 0.0, 0.0]]),
        length_E=np.array([2.0 * _FAR]),
        face_E3=np.array([[0.0, -1.0, 0.0]]),
        normal_E3=np.array([[0.0, 0.0, 1.0]]),
        angle_E=np.array([open_angle]),
    )
    empty = RayScene(_far_away())
    rng = np.random.default_rng(0)
    worst_6 = np.zeros(len(OCTAVE_BANDS))
    for _ in range(_POSITIONS):
        r0, r, x = rng.uniform(0.3, 4.0), rng.uniform(0.3, 4.0), rng.uniform(0.0, 3.0)
        phi0 = rng.uniform(0.05, open_angle - math.pi - 0.05)
        phi = rng.uniform(phi0 + math.pi + 0.01, open_angle - 0.02)
        sight = edges_in_sight(edge, empty, _at(0.0, r0, phi0), DiffractionConfig(gap=0.0))
        pressure_6 = diffracted_paths(sight, empty, _at(x, r, phi)).pressure_N6[0]

        def exact(k: float, r: float = r, r0: float = r0, phi: float = phi, phi0: float = phi0, x: float = x) -> float:
            if open_angle == 2.0 * math.pi:
                return macdonald(k, r, r0, phi, phi0, x)
            return biot_tolstoy(k, open_angle, r, r0, phi, phi0, x)

        error_6 = [
            abs(20.0 * math.log10(ours / in_band(exact, band)))
            for ours, band in zip(pressure_6, OCTAVE_BANDS, strict=True)
        ]
        worst_6 = np.maximum(worst_6, error_6)
    return worst_6.tolist()


def _at(x: float, radius: float, angle: float) -> np.ndarray:
    return np.array([x, -radius * math.cos(angle), radius * math.sin(angle)])


def _far_away() -> Scene:
    """A scene without obstacles: the faces of the edge are part of the wedge solution."""
    box = shoebox((1.0, 1.0, 1.0))
    return Scene(
        scene_id="empty",
        vertices_V3=(box.vertices_V3 + _FAR_OFFSET).astype(np.float32),
        faces_F3=box.faces_F3,
        uv_F32=box.uv_F32,
        surface_F=box.surface_F,
        surfaces=box.surfaces,
    )


def _costs() -> list[Row]:
    house = generate_house(0)
    rays = RayScene(house)
    edges = find_edges(rays)
    middles = [np.array([(r.min_x + r.max_x) / 2, 1.5, (r.min_z + r.max_z) / 2]) for r in house.rooms]
    sight = edges_in_sight(edges, rays, middles[0])
    positions = len(middles) * 20
    seconds = alternate(
        {
            "scene": lambda: find_edges(rays),
            "source": lambda: edges_in_sight(edges, rays, middles[0]),
            "listener": lambda: [diffracted_paths(sight, rays, m + 0.01 * i) for m in middles for i in range(20)],
        }
    )
    where = f"house 0, {len(house.faces_F3)} triangles, {len(edges)} edges, {len(sight.edges)} kept"
    return [
        Row(name="edges of a scene", ours=1e3 * seconds["scene"], unit="ms", conditions=where),
        Row(name="edges in sight of a source", ours=1e3 * seconds["source"], unit="ms", conditions=where),
        Row(
            name="paths to a listener position",
            ours=1e3 * seconds["listener"] / positions,
            peer=1.0,
            peer_name="limit",
            unit="ms",
            conditions=f"{where}; mean of {positions} positions in all rooms",
        ),
    ]


if __name__ == "__main__":
    diffraction()
