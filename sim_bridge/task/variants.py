"""Variants of the task: what the source plays, how long, where, and in which houses.

Start and source of an episode are those of the standard task for the same seed, so that a variant can be compared with
it episode by episode.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.sound_events import NOTHING, SoundEvents
from avw.sim_bridge.task.task import TRY_SOURCES, sample_source
from avw.sim_bridge.types import FORWARD_METRES, SAMPLE_RATE, STEP_SECONDS, Pose, Source

SILENT_SECONDS = (1.5, 6.0)  # the sound ends after a time in this range
DISTRACTOR_METRES = 3.0  # of walking between source and distractor, at least
SPEED = 0.3  # metres per second, of a moving source; the agent walks 1 m/s
LEG_STEPS = 10  # a moving source jumps every 1.5 s
LEGS = 51  # of a route: as many as an episode of 500 steps can have


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """about: one line for the help page · scenes: houses that belong to it, as for `--scenes`; "": any"""

    about: str
    scenes: str = ""


VARIANTS = {
    "standard": Variant(about="one source that never stops, with the sound of the training"),
    "unheard": Variant(about="another sound than in training"),
    "silent": Variant(about="the sound ends after 1.5 to 6 s"),
    "distractor": Variant(about="a second source with another sound, which is not the goal"),
    "moving": Variant(about="the source moves at 0.3 m/s"),
    "small-houses": Variant(
        about="the standard task in houses of 3 or 4 rooms",
        scenes="procedural-6000,procedural-6011,procedural-6026,procedural-6099",
    ),
    "large-houses": Variant(
        about="the standard task in houses of 12 rooms",
        scenes="procedural-6015,procedural-6022,procedural-6027,procedural-6040",
    ),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where an episode starts, its source, and what happens to the sound."""

    start: Pose
    source: Source
    events: SoundEvents = NOTHING


def scenario(variant: str, navgrid: FreeSpace, start: Pose, source: Source, seed: int) -> Scenario:
    """The episode of `variant` that belongs to a start and a source. Raises UsageError for an unknown variant or a
    scene that is too small for it."""
    rng = keyed_rng("variant", variant, seed)
    if variant not in VARIANTS:
        raise UsageError(f"unknown task {variant!r}: expected one of {', '.join(VARIANTS)}")
    if variant == "unheard":
        return Scenario(start, dataclasses.replace(source, sound=_another(source, rng)))
    if variant == "silent":
        return Scenario(start, source, SoundEvents(silent_after=round(rng.uniform(*SILENT_SECONDS) / STEP_SECONDS)))
    if variant == "distractor":
        return Scenario(start, source, SoundEvents(distractor=_distractor(navgrid, source, rng)))
    if variant == "moving":
        return Scenario(start, source, SoundEvents(route=_route(navgrid, source, rng), leg_steps=LEG_STEPS))
    return Scenario(start, source)


def _another(source: Source, rng: np.random.Generator) -> str:
    from avw.sim_bridge.acoustics.sounds import SOUNDS  # with SciPy, which `avw navigate --help` does not need

    return str(rng.choice([sound for sound in SOUNDS if sound != source.sound]))


def _distractor(navgrid: FreeSpace, source: Source, rng: np.random.Generator) -> Source:
    """Another sound at a random place, far from the source."""
    field = navgrid.geodesic(source.floor_3)
    sound = _another(source, rng)
    best, farthest = source, 0.0
    for _ in range(TRY_SOURCES):
        other = sample_source(navgrid, rng, sound=sound)
        metres = field.distance(np.asarray(other.floor_3))
        if DISTRACTOR_METRES <= metres < np.inf:
            return other
        if farthest < metres < np.inf:
            best, farthest = other, metres
    if farthest < 1.0:
        raise UsageError(f"scene {navgrid.scene_id!r} is too small for a distractor: choose a larger scene")
    return best


def _route(navgrid: FreeSpace, source: Source, rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """Points of walks from one random place to the next, as far apart as the source moves in `LEG_STEPS` steps."""
    stride = SPEED * LEG_STEPS * STEP_SECONDS
    points = [np.asarray(source.floor_3, dtype=np.float64)]
    while len(points) < LEGS:
        goal_3 = navgrid.sample(rng, clearance=0.5)
        corners_N3 = navgrid.geodesic(goal_3).path(points[-1])
        if len(corners_N3) < 2:
            continue
        legs_N = np.linalg.norm(np.diff(corners_N3, axis=0), axis=1)
        along_N = np.concatenate([[0.0], np.cumsum(legs_N)])
        metres_M = np.arange(stride, along_N[-1], stride)
        walk_M3 = np.stack([np.interp(metres_M, along_N, corners_N3[:, axis]) for axis in range(3)], axis=-1)
        points += [point_3 for point_3 in walk_M3 if navgrid.is_free(point_3)]
    return tuple((float(x), float(y), float(z)) for x, y, z in points[:LEGS])


def shortest_walk(navgrid: FreeSpace, start: Pose, source: Source, events: SoundEvents) -> float:
    """Metres of the shortest walk that ends at the source; of one that moves, to where a walker can first meet it.

    With a moving source this is the path length in the dynamic SPL of Younes et al. (arXiv 2111.14843).
    """
    if not events.route:
        return navgrid.geodesic(source.floor_3).distance(start.position_3)
    field = navgrid.geodesic(start.position_3)
    for leg, place_3 in enumerate(events.route):
        metres = field.distance(np.asarray(place_3))
        if metres <= (leg + 1) * events.leg_steps * FORWARD_METRES:
            return metres
    return field.distance(np.asarray(events.route[-1]))


def random_phase(seed: int) -> int:
    """The phase of the loop of an episode whose file does not give one."""
    return int(keyed_rng("phase", seed).integers(3600 * SAMPLE_RATE))
