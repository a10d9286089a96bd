"""Cost and noise of a response, for engines at several settings, in the same house and the same run.

Cost is CPU time: of a response at each translating step of a walk of 160 steps, plus 1/160 of the work per source.
Turns are measured separately. The upload of the scene to RLR, which sources could share, is not included. Noise is
defined in `benchmarks.envelopes`. The converged response is the mean energy of draws with seeds that no tested setting
uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.acoustics.rlr import RlrEngine
from avw.sim_bridge.types import Pose
from benchmarks.envelopes import DRAWS, bias_db, energy_envelope, noise_db
from benchmarks.places import Places, translates

CHUNKS = 4  # the walk is split into pieces and the settings alternate, so that drift affects all equally


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """An engine with its settings. make: returns a new engine · stride: use every stride-th translating step"""

    name: str
    make: Callable[[], AcousticEngine]
    stride: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """CPU milliseconds.

    once: per source · response: per translating step, without `once` · turn: per turn on the spot
    steps: steps that share one source · per_response: per translating step, with its share of `once`
    """

    once: float
    response: float
    turn: float
    steps: int

    @property
    def per_response(self) -> float:
        return self.response + self.once / self.steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """Noise in dB: rms error of the envelope, and the bias of its mean relative to the converged envelope."""

    same_room: float
    two_rooms_away: float
    bias_same_room: float
    bias_two_rooms_away: float

    def at_most(self, other: Noise) -> bool:
        """Whether the noise is not larger than `other` in both places."""
        return self.same_room <= other.same_room and self.two_rooms_away <= other.two_rooms_away


Envelopes = tuple[list[np.ndarray], list[np.ndarray]]  # of the listeners in the same room, and two rooms away


def costs(settings: Sequence[Setting], places: Places) -> dict[str, Cost]:
    """Measure the cost of every setting on the walk. Settings alternate after each piece of the walk."""
    moves = [pose for pose, moved in zip(places.walk[1:], translates(places.walk), strict=True) if moved]
    engines = {setting.name: setting.make() for setting in settings}
    once: dict[str, float] = {}
    for name, engine in engines.items():
        engine.set_source(places.source_3)  # the first one also compiles and fills caches
        engine.impulse_response(places.walk[0])
        if isinstance(engine, RlrEngine):
            once[name] = 0.0
        else:
            # A source that was traced before is not traced again, so each of them has a seed of its own.
            traces = [_cpu(engine, partial(engine.set_source, places.source_3, seed)) for seed in (1, 2, 3)]
            once[name] = float(np.median(traces))
            engine.set_source(places.source_3)
    spent = {setting.name: 0.0 for setting in settings}
    calls = {setting.name: 0 for setting in settings}
    turning = {setting.name: [0.0, 0] for setting in settings}
    for chunk in range(CHUNKS):
        for setting in settings:
            engine = engines[setting.name]
            for pose in moves[:: setting.stride][chunk::CHUNKS]:
                spent[setting.name] += _cpu(engine, partial(engine.impulse_response, pose))
                calls[setting.name] += 1
                turned = Pose(pose.x, pose.y, pose.z, pose.yaw + 0.2)
                if calls[setting.name] % 4 == 0:
                    turning[setting.name][0] += _cpu(engine, partial(engine.impulse_response, turned))
                    turning[setting.name][1] += 1
    for engine in engines.values():
        engine.close()
    return {
        name: Cost(
            once=1e3 * once[name],
            response=1e3 * spent[name] / calls[name],
            turn=1e3 * turning[name][0] / max(turning[name][1], 1),
            steps=len(places.walk) - 1,
        )
        for name in spent
    }


def _cpu(engine: AcousticEngine, task: Callable[[], object]) -> float:
    """CPU seconds of a task, in the process of the engine if it has its own."""
    if isinstance(engine, RlrEngine):
        before = engine.cpu_seconds
        task()
        return engine.cpu_seconds - before
    begin = time.process_time()
    task()
    return time.process_time() - begin


def drawn(make: Callable[[], AcousticEngine], places: Places, seeds: Sequence[int]) -> Envelopes:
    """Envelopes (K draws, W windows) for each listener, one draw per seed. RLR makes a new draw at every call."""
    engine = make()
    near: list[list[np.ndarray]] = [[] for _ in places.same_room]
    far: list[list[np.ndarray]] = [[] for _ in places.two_rooms_away]
    for number, seed in enumerate(seeds):
        if engine.reproducible or number == 0:
            engine.set_source(places.source_3, seed)
        for poses, kept in ((places.same_room, near), (places.two_rooms_away, far)):
            for index, pose in enumerate(poses):
                kept[index].append(energy_envelope(engine.impulse_response(pose), engine.sample_rate))
    engine.close()
    return [np.array(one) for one in near], [np.array(one) for one in far]


def noises(
    settings: Sequence[Setting], converged: Setting, places: Places, converged_draws: int, draws: int = DRAWS
) -> dict[str, Noise]:
    """Noise of settings of one engine, relative to the mean energy of `converged_draws` draws of `converged`."""
    reference = drawn(converged.make, places, range(10_000, 10_000 + converged_draws))
    mean = tuple([envelope_KW.mean(axis=0) for envelope_KW in listeners] for listeners in reference)
    found: dict[str, Noise] = {}
    for setting in settings:
        near, far = drawn(setting.make, places, range(draws))
        near_pairs, far_pairs = list(zip(near, mean[0], strict=True)), list(zip(far, mean[1], strict=True))
        found[setting.name] = Noise(
            same_room=noise_db(near_pairs),
            two_rooms_away=noise_db(far_pairs),
            bias_same_room=bias_db(near_pairs),
            bias_two_rooms_away=bias_db(far_pairs),
        )
    return found


def cheapest_at_most(
    costs_of: Mapping[str, Cost], noises_of: Mapping[str, Noise], candidates: Sequence[str], limit: Noise
) -> str | None:
    """The cheapest candidate with at most the noise of `limit` in both places, or None."""
    quiet = [name for name in candidates if noises_of[name].at_most(limit)]
    return min(quiet, key=lambda name: costs_of[name].per_response, default=None)
