"""Statistics of generated houses: `python -m benchmarks.houses [--houses 100] [--picture FILE.jpg] [--json]`.

Each house is generated, linted and searched for free floor; the first ones are drawn. The time to generate a house is
compared with the time to open it completely (generation, Embree's tree, baked light, free space) in the same run.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
from PIL.Image import Image

from avw.sim_bridge.inspection.lint import lint
from avw.sim_bridge.navigation.open_free_space import CELL, NavGrid, free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.lighting import bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.houses.floor_plan import draw_floor_plan
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.scene import Scene
from benchmarks.house_views import house_pictures, sheet
from benchmarks.rows import Row, present

_Result = TypeVar("_Result")
BUILDING = {"floor", "wall", "ceiling", "window", "window frame", "door frame", "door", "skirting"}
ENOUGH = 0.25  # square metres of a room that must be reachable
OPENED = 8  # every eighth house is opened completely


@dataclass(frozen=True, kw_only=True, slots=True)
class House:
    """Measurements of one house; times in milliseconds of CPU, areas in square metres."""

    name: str
    building: str
    generate_ms: float
    open_ms: float | None
    triangles: int
    rooms: int
    reached: int
    kinds: frozenset[str]
    objects: int
    floor_m2: float
    findings: tuple[str, ...]
    coverage: float
    watertight: bool
    plan: tuple[tuple[float, ...], ...]


@click.command()
@click.option("--houses", default=100, show_default=True, help="Number of houses, starting with --first.")
@click.option("--first", default=0, show_default=True, help="Seed of the first house.")
@click.option("--picture", type=click.Path(path_type=Path), help="Write a contact sheet (.jpg or .png).")
@click.option("--drawn", default=24, show_default=True, help="Number of houses on the contact sheet.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def houses(houses: int, first: int, picture: Path | None, drawn: int, as_json: bool) -> None:
    """Time, size, variety, lint findings and walkability of generated houses, and a contact sheet."""
    from tqdm import tqdm

    generate_house(first)  # compilation and caches are not part of the time per house
    measured: list[House] = []
    strips: list[tuple[str, list[Image]]] = []
    seeds = range(first, first + houses)
    for seed in tqdm(seeds, unit="house", file=sys.stderr, disable=not sys.stderr.isatty()):
        house, scene, navgrid = measure(seed, opened=(seed - first) % OPENED == 0)
        measured.append(house)
        if picture is not None and len(strips) < drawn:
            caption = f"{house.name} · {house.building} · {house.rooms} rooms · {house.floor_m2:.0f} sq m free"
            strips.append((caption, house_pictures(scene, navgrid, size=190, views=2)))
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        sheet(strips, columns=3).save(picture, quality=86)
    present("houses", rows(measured), as_json=as_json)


def measure(seed: int, *, opened: bool) -> tuple[House, Scene, NavGrid]:
    """Generate and lint one house, and measure its free floor."""
    generate_ms, scene = _timed(lambda: generate_house(seed))
    open_ms = _timed(lambda: _open(seed))[0] if opened else None
    report = lint(scene)
    navgrid = free_space_of(scene)
    categories = np.array([surface.category for surface in scene.surfaces])
    objects = 0 if scene.object_F is None else int(scene.object_F.max())
    house = House(
        name=scene.scene_id,
        building=draw_floor_plan(keyed_rng(seed, "floor plan")).building,
        generate_ms=generate_ms,
        open_ms=open_ms,
        triangles=len(scene.faces_F3),
        rooms=len(scene.rooms),
        reached=sum(area >= ENOUGH for area in walkable_areas(scene, navgrid)),
        kinds=frozenset(categories.tolist()) - BUILDING,
        objects=objects,
        floor_m2=navgrid.area,
        findings=tuple(f"{f.severity}: {f.name}" for f in report.findings),
        coverage=float(report.facts["material_coverage"]),
        watertight=is_watertight(scene),
        plan=tuple((r.min_x, r.min_z, r.max_x, r.max_z) for r in scene.rooms),
    )
    return house, scene, navgrid


def _open(seed: int) -> None:
    scene = generate_house(seed)
    bake_light(RayScene(scene))
    free_space_of(scene)


def _timed(task: Callable[[], _Result]) -> tuple[float, _Result]:
    start = time.process_time()
    result = task()
    return 1000.0 * (time.process_time() - start), result


def walkable_areas(scene: Scene, navgrid: NavGrid) -> list[float]:
    """Square metres per room that belong to the island on which the agent walks."""
    x, _, z = navgrid.near(np.array([0.0, navgrid.floor_y, 0.0]), math.inf).T
    inside = [(x > r.min_x) & (x < r.max_x) & (z > r.min_z) & (z < r.max_z) for r in scene.rooms]
    return [float(room.sum()) * CELL**2 for room in inside]


def is_watertight(scene: Scene) -> bool:
    """Whether every edge of floors, walls, ceilings and panes belongs to exactly two faces of the same orientation."""
    categories = np.array([surface.category for surface in scene.surfaces])
    shell_F = np.isin(categories[scene.surface_F], ["floor", "wall", "ceiling", "window"])
    _, vertex_V = np.unique(scene.vertices_V3, axis=0, return_inverse=True)
    faces_F3 = vertex_V.ravel()[scene.faces_F3[shell_F]].astype(np.int64)
    edges = np.concatenate([faces_F3[:, [0, 1]], faces_F3[:, [1, 2]], faces_F3[:, [2, 0]]])
    most = faces_F3.max() + 1
    there, back = edges[:, 0] * most + edges[:, 1], edges[:, 1] * most + edges[:, 0]
    return len(np.unique(there)) == len(there) and bool(np.isin(there, back).all())


def rows(measured: list[House]) -> list[Row]:
    """The rows of the printed table."""
    many = f"{measured[0].name} to {measured[-1].name}"
    buildings = Counter(house.building for house in measured)
    opened = [house.open_ms for house in measured if house.open_ms is not None]
    whole = [house.generate_ms for house in measured if house.open_ms is not None]
    findings = Counter(finding for house in measured for finding in house.findings)

    def span(name: str, values: list[float], unit: str) -> Row:
        return Row(
            name=name,
            ours=float(np.median(values)),
            unit=unit,
            conditions=f"median; {min(values):.0f} to {max(values):.0f}; {many}",
        )

    def share(name: str, values: list[bool], conditions: str) -> Row:
        return Row(name=name, ours=100.0 * float(np.mean(values)), unit="%", conditions=conditions)

    return [
        Row(
            name="generate",
            ours=float(np.median(whole)),
            peer=float(np.median(opened)),
            peer_name="opening it completely",
            unit="ms of CPU",
            conditions=f"median of {len(opened)} houses, one core",
        ),
        span("generate, every house", [house.generate_ms for house in measured], "ms of CPU"),
        span("triangles", [float(house.triangles) for house in measured], "triangles"),
        span("rooms", [float(house.rooms) for house in measured], "rooms"),
        span("floor to walk on", [house.floor_m2 for house in measured], "m²"),
        span("objects", [float(house.objects) for house in measured], "objects"),
        span("kinds of furniture and clutter in a house", [float(len(house.kinds)) for house in measured], "kinds"),
        Row(
            name="kinds of furniture and clutter in total",
            ours=float(len(frozenset().union(*(house.kinds for house in measured)))),
            unit="kinds",
            conditions=many,
        ),
        Row(
            name="different plans",
            ours=float(len({house.plan for house in measured})),
            unit="plans",
            conditions=", ".join(f"{count} {name}s" for name, count in buildings.most_common()),
        ),
        share(
            "rooms on the one walkable island",
            [k < house.reached for house in measured for k in range(house.rooms)],
            f"at least {ENOUGH} m² of each of {sum(house.rooms for house in measured)} rooms",
        ),
        share("watertight shells", [house.watertight for house in measured], many),
        share(
            "lint-clean houses",
            [not house.findings for house in measured],
            ", ".join(f"{count} x {name}" for name, count in findings.most_common()) or "no finding of any severity",
        ),
        Row(
            name="area whose acoustic material is named",
            ours=100.0 * min(house.coverage for house in measured),
            unit="%",
            conditions=f"least of all; {many}",
        ),
    ]


if __name__ == "__main__":
    houses()
