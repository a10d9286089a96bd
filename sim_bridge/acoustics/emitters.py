"""The virtual-emitter engine: trace rays from the source once, then connect every listener pose to the result.

The source does not move during an episode, so its rays are traced once into *virtual emitters*: points on surfaces,
each with the path travelled so far and the energy left in six octave bands. For a listener, every visible emitter (one
shadow ray each) re-radiates its energy by Lambert's law. Early arrivals are rendered one by one; later ones are
gathered into a late field. The direct sound, the mirror images of the source and the paths around edges are exact, with
the receiver's own response for their direction. Neighbouring poses share their emitters and therefore their noise. A
response is a pure function of (scene, source, seed, pose). A turn on the spot traces no rays.

Shapes: N emitters or rays · I discrete paths · B octave bands · C channels of the receiver · E ears · S samples ·
Q whole metres of path.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.acoustics import emitter_kernels as kernels
from avw.sim_bridge.acoustics.arrivals import Arrivals, prepare_receiver, render
from avw.sim_bridge.acoustics.bands import SPEED_OF_SOUND, air_amplitude, shelf_weights
from avw.sim_bridge.acoustics.diffraction import EdgesInSight, diffracted_paths, edges_in_sight
from avw.sim_bridge.acoustics.directivity import Directivity, make_directivity
from avw.sim_bridge.acoustics.edges import scene_edges
from avw.sim_bridge.acoustics.emitter_trace import Emitters, trace_emitters
from avw.sim_bridge.acoustics.engine import checked_position
from avw.sim_bridge.acoustics.images import Images, image_paths
from avw.sim_bridge.acoustics.surfaces import acoustic_surfaces
from avw.sim_bridge.acoustics.walls import LIFT_METRES, transmitted_energy
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.types import SAMPLE_RATE, Pose

_OMNI = make_directivity("omni")
KEPT_SOURCES = 16  # traced sources: those of the last episodes, which other policies walk to again


@dataclass(frozen=True, kw_only=True, slots=True)
class EmittersConfig:
    """Quality, cost and features of the responses.

    emitters: virtual emitters kept per source; noise falls with their square root, time grows linearly
    rays: rays traced from each source; every bounce of a ray may become an emitter
    length_seconds: length of a response; later sound is dropped
    near_metres: below this distance levels stop growing, which keeps the levels of a dataset bounded
    image_order: highest order of exact specular reflections: 0, 1 or 2; the total energy is the same for each
    transmission: whether sound passes through walls · diffraction: whether it bends around edges
    air: whether air absorbs sound
    layout: "binaural" (channels left, right), "mono" or "foa" (W, Y, Z, X; SN3D)
    hrtf: a SOFA file for binaural layouts; None: MIT KEMAR, which is measured up to 8 kHz (16 kHz rate)
    positions: listener positions per source whose arrivals are cached, for turns on the spot
    """

    emitters: int = 10_000
    rays: int = 4_000
    length_seconds: float = 1.25
    near_metres: float = 0.5
    image_order: int = 2
    transmission: bool = True
    diffraction: bool = True
    air: bool = True
    layout: str = "binaural"
    hrtf: str | None = None
    positions: int = 4

    def __post_init__(self) -> None:
        if self.emitters < 1 or self.rays < 1 or self.positions < 1:
            raise UsageError("emitters, rays and positions must be at least 1")
        if not 0.1 <= self.length_seconds <= 20.0:
            raise UsageError(f"length_seconds = {self.length_seconds}: expected 0.1 to 20 seconds")
        if self.image_order not in (0, 1, 2):
            raise UsageError(f"image_order = {self.image_order}: expected 0, 1 or 2")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedSource:
    """A source in the engine. position_3: metres · forward_3: the axis of its directivity, of any length above 0."""

    position_3: tuple[float, float, float]
    directivity: Directivity = _OMNI
    forward_3: tuple[float, float, float] = (0.0, 0.0, -1.0)


@dataclass(frozen=True, slots=True)
class _Traced:
    """A traced source. turn: rotation of the late field's carriers in bins, so that every seed has its own noise."""

    source: PlacedSource
    source_3: np.ndarray
    emitters: Emitters
    images: Images
    edges: EdgesInSight | None
    turn: int


class EmittersEngine:
    """Room responses from virtual emitters; see `AcousticEngine` for units and the module docstring for the method.

    The direct sound of a frontal source at r metres has energy 1/r^2 in the mean of the ears.
    Raises UsageError for an unknown layout and for a head that does not support the sample rate.
    """

    name = "emitters"
    reproducible = True

    def __init__(self, ray_scene: RayScene, config: EmittersConfig | None = None, sample_rate: int = SAMPLE_RATE):
        self.config = config or EmittersConfig()
        self.sample_rate = sample_rate
        self.n_samples = round(self.config.length_seconds * sample_rate)
        self._receiver = prepare_receiver(self.config.layout, sample_rate, self.n_samples, self.config.hrtf)
        self._rays = ray_scene
        self._surfaces = acoustic_surfaces(ray_scene)
        metres_Q = np.arange(math.ceil(self.config.length_seconds * SPEED_OF_SOUND) + 2)
        air_QB = air_amplitude(metres_Q).T if self.config.air else np.ones((len(metres_Q), len(OCTAVE_BANDS)))
        self._air_QB = np.ascontiguousarray(air_QB, dtype=np.float32)
        self._traced: list[_Traced] = []
        self._kept: OrderedDict[tuple[object, ...], _Traced] = OrderedDict()
        self._cache: OrderedDict[tuple[int, float, float, float], Arrivals] = OrderedDict()

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        """Trace the source at `position_3` (metres). Raises UsageError unless that is three finite numbers."""
        x, y, z = checked_position(position_3).tolist()
        self.set_sources([PlacedSource(position_3=(x, y, z))], seed)

    def set_sources(self, sources: Sequence[PlacedSource], seed: int = 0) -> None:
        """Trace several sources, each with its own rays; `impulse_response(pose, k)` is the response to source k.

        The response to a source does not depend on the others. Raises UsageError for a position that is not finite.
        """
        self._traced = [self._trace(source, seed) for source in sources]
        self._cache.clear()

    def _trace(self, source: PlacedSource, seed: int) -> _Traced:
        """A source with its emitters, from the last `KEPT_SOURCES` ones if it is one of them."""
        source_3 = checked_position(source.position_3)
        pattern = source.directivity
        key = (*source_3.tolist(), *source.forward_3, pattern.angle_K.tobytes(), pattern.amplitude_KB.tobytes(), seed)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        rng = keyed_rng("emitters", seed)
        emitters, images = trace_emitters(
            self._rays,
            self._surfaces,
            source_3,
            rng,
            count=self.config.rays,
            budget=self.config.emitters,
            longest=self.config.length_seconds * SPEED_OF_SOUND,
            image_order=self.config.image_order,
            transmission=self.config.transmission,
            directivity=source.directivity,
            forward_3=np.asarray(source.forward_3, dtype=np.float64),
        )
        edges = None
        if self.config.diffraction:
            edges = edges_in_sight(scene_edges(self._rays), self._rays, source_3)
        traced = _Traced(source, source_3, emitters, images, edges, int(rng.integers(1 << 31)))
        self._kept[key] = traced
        if len(self._kept) > KEPT_SOURCES:
            self._kept.popitem(last=False)
        return traced

    def impulse_response(self, pose: Pose, source: int = 0) -> np.ndarray:
        """float32 (channels, S): from a source to the receiver at `pose`; channels 0, 1 are the left and right ear."""
        arrivals = self._arrivals_at(pose.ears_3, source)
        return render(arrivals, pose.yaw, self._receiver, self._traced[source].turn)

    def omni_response(self, position_3: np.ndarray, source: int = 0) -> np.ndarray:
        """float32 (S,): from a source to an omnidirectional microphone at `position_3` (metres; not on the floor)."""
        arrivals = self._arrivals_at(np.asarray(position_3, dtype=np.float64), source)
        microphone = prepare_receiver("mono", self.sample_rate, self.n_samples)
        return render(arrivals, 0.0, microphone, self._traced[source].turn)[0]

    def close(self) -> None:
        """Release the traced sources; `set_source` makes the engine usable again."""
        self._cache.clear()
        self._kept.clear()
        self._traced = []

    def _arrivals_at(self, ear_3: np.ndarray, source: int) -> Arrivals:
        """All sound that reaches a point, from the cache if it was requested recently."""
        if not 0 <= source < len(self._traced):
            if not self._traced:
                raise UsageError("no source in this acoustic engine: call set_source before impulse_response")
            raise UsageError(f"no source {source} in this acoustic engine: it has {len(self._traced)}, numbered from 0")
        key = (source, float(ear_3[0]), float(ear_3[1]), float(ear_3[2]))
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        arrivals = self._find_arrivals(self._traced[source], ear_3)
        self._cache[key] = arrivals
        while len(self._cache) > self.config.positions * len(self._traced):
            self._cache.popitem(last=False)
        return arrivals

    def _find_arrivals(self, traced: _Traced, ear_3: np.ndarray) -> Arrivals:
        """Connect a point to every visible emitter and every discrete path."""
        emitters, rate = traced.emitters, self.sample_rate / SPEED_OF_SOUND
        index_N, direction_N3, distance_N = kernels.facing_emitters(
            emitters.position_N3, emitters.normal_N3, emitters.path_N, ear_3, np.float32(self.n_samples / rate)
        )
        origin_N3 = np.empty_like(direction_N3)
        origin_N3[:] = ear_3
        hidden_N = self._rays.occluded(origin_N3, direction_N3, distance_N - np.float32(LIFT_METRES), coherent=True)
        arrival_N, amplitude_NB, azimuth_N, row_N = kernels.connect(
            index_N,
            hidden_N,
            direction_N3,
            distance_N,
            emitters.normal_N3,
            emitters.path_N,
            emitters.amplitude_NB,
            np.float32(self.config.near_metres),
            rate,
            self._air_QB,
        )
        path_I, towards_I3, amplitude_IB = self._discrete_paths(traced, ear_3)
        within_I = path_I * rate < self.n_samples - 1
        path_I, towards_I3, amplitude_IB = path_I[within_I], towards_I3[within_I], amplitude_IB[within_I]
        arrival_I = path_I * rate
        if self.config.air and len(arrival_I):
            amplitude_IB = amplitude_IB * air_amplitude(path_I).T
        return Arrivals(
            arrival_N,
            amplitude_NB,
            azimuth_N,
            row_N,
            arrival_I,
            np.arctan2(towards_I3[:, 0], -towards_I3[:, 2]),
            np.arcsin(np.clip(towards_I3[:, 1], -1.0, 1.0)),
            shelf_weights(amplitude_IB, self.sample_rate),
        )

    def _discrete_paths(self, traced: _Traced, ear_3: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Direct sound, images and edges: path_I (metres), towards_I3 (unit vectors from the ear), amplitude_IB."""
        config, source, source_3 = self.config, traced.source, traced.source_3
        paths, towards, amplitudes = [], [], []
        line_3 = source_3 - ear_3
        distance = float(np.linalg.norm(line_3))
        unit_3 = line_3 / distance if distance > 1e-6 else np.array([0.0, 0.0, -1.0])
        passed_B = transmitted_energy(self._rays, self._surfaces, ear_3, unit_3, distance)
        free = passed_B is not None and passed_B.min() == 1.0
        if passed_B is not None and (free or config.transmission):
            gain_B = _gain(source, -unit_3[None])[0]
            paths.append(np.array([distance]))
            towards.append(unit_3[None])
            amplitudes.append((np.sqrt(passed_B) * gain_B / max(distance, config.near_metres))[None])
        if len(traced.images.first_I):
            found = image_paths(traced.images, self._surfaces, self._rays, source_3, ear_3)
            gain_IB = _gain(source, found.departure_I3)
            spread_I1 = 1.0 / np.maximum(found.path_I, config.near_metres)[:, None]
            paths.append(found.path_I)
            towards.append(found.towards_I3)
            amplitudes.append(traced.images.amplitude_IB[found.index_I] * gain_IB * spread_I1)
        if traced.edges is not None:
            bent = diffracted_paths(traced.edges, self._rays, ear_3)
            paths.append(bent.length_N)
            towards.append(bent.direction_N3)
            nearness_N1 = (bent.length_N / np.maximum(bent.length_N, config.near_metres))[:, None]
            amplitudes.append(bent.pressure_N6 * nearness_N1 * _gain(source, bent.departure_N3))
        if not paths:
            return np.zeros(0), np.zeros((0, 3)), np.zeros((0, len(OCTAVE_BANDS)))
        return np.concatenate(paths), np.concatenate(towards), np.concatenate(amplitudes)


def _gain(source: PlacedSource, direction_N3: np.ndarray) -> np.ndarray:
    """The source's amplitude in the directions in which sound leaves it: (N, B), or (1, 1), which broadcasts to it."""
    if source.directivity is _OMNI:
        return np.ones((1, 1), dtype=np.float32)
    return source.directivity.gain(direction_N3, np.asarray(source.forward_3, dtype=np.float64))
