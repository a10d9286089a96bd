"""The virtual-emitter engine: trace from the source once, then connect every listener pose to what was found.

The source stands still for a whole episode, so its rays are traced once into *virtual emitters*: points on
surfaces, each with the path already travelled and the energy left in six octave bands. For a listener, every
emitter in sight (one shadow ray each) re-radiates its energy by Lambert's law; the head's level and time
differences for its direction are applied when it is deposited. Neighbouring poses share their emitters and so
their noise; a response is a pure function of (scene, source, seed, pose); turning on the spot traces nothing.

What it leaves out: diffraction, specular images in the early reflections (the last hop before the listener is
always diffuse), and sound through walls except for the direct path.

Shapes: N emitters or rays · B octave bands · E ears · S samples.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from scipy import fft

from sim_bridge.acoustics import emitter_kernels as kernels
from sim_bridge.acoustics.bands import RINGING_SECONDS, air_amplitude, band_responses
from sim_bridge.acoustics.hrtf import FRACTIONAL_CENTRE, TAPS, fractional_delay, load_hrtf
from sim_bridge.errors import UsageError
from sim_bridge.randomness import keyed_rng
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.scenes.materials import OCTAVE_BANDS
from sim_bridge.types import SAMPLE_RATE, Pose

SPEED_OF_SOUND = 343.0  # m/s, air at 20 degrees C
LIFT_METRES = 1e-3  # emitters float this far off their surface, so that no ray meets the face it starts on
_MAX_BOUNCES = 400
_MAX_WALLS = 8  # walls that the direct sound may be followed through
_FULL_POWER = 4.0 * math.pi  # of a source whose pressure is 1/r, in units where intensity is pressure squared


@dataclass(frozen=True, kw_only=True, slots=True)
class EmittersConfig:
    """What the responses cost and how they sound.

    emitters: virtual emitters kept per source; noise falls with the root of it, time grows with it
    rays: rays traced from a source, each bounce of which may become an emitter
    length_seconds: of a response; later sound is dropped
    near_metres: sources and emitters grow no louder nearer than this; keeps the levels of a dataset bounded
    air: whether air absorbs (reflections only: 10 m cost the direct sound 0.3 dB at 4 kHz, 0.05 below 1 kHz)
    positions: listener positions whose visibility is remembered, for turns on the spot
    """

    emitters: int = 20_000
    rays: int = 2_000
    length_seconds: float = 1.25
    near_metres: float = 0.5
    air: bool = True
    positions: int = 4

    def __post_init__(self) -> None:
        if self.emitters < 1 or self.rays < 1 or self.positions < 1:
            raise UsageError("emitters, rays and positions must be at least 1")
        if not 0.1 <= self.length_seconds <= 20.0:
            raise UsageError(f"length_seconds = {self.length_seconds}: expected 0.1 to 20 seconds")


@dataclass(frozen=True, slots=True)
class _Emitters:
    """What one source turned into. position_N3, normal_N3: metres · path_N: metres from the source, all float32.

    amplitude_NB: signed pressure of each band, such that `amplitude**2 * cos / distance**2` is its mean square.
    """

    position_N3: np.ndarray
    normal_N3: np.ndarray
    path_N: np.ndarray
    amplitude_NB: np.ndarray


@dataclass(frozen=True, slots=True)
class _Audible:
    """What reaches one position, whichever way the head is turned.

    arrival_N: samples · amplitude_NB · azimuth_N: radians, clockwise from -Z · row_N: elevation row of the head
    direct: (arrival in samples, azimuth, elevation, 1/r, band amplitudes or None if nothing stands between)
    """

    arrival_N: np.ndarray
    amplitude_NB: np.ndarray
    azimuth_N: np.ndarray
    row_N: np.ndarray
    direct: tuple[float, float, float, float, np.ndarray | None] | None


class EmittersEngine:
    """Binaural responses from virtual emitters; see `AcousticEngine` for units and the module for the method.

    Pressure is such that the direct sound of a frontal source at r metres has energy 1/r^2 in the mean of the ears.
    """

    name = "emitters"
    reproducible = True

    def __init__(self, ray_scene: RayScene, config: EmittersConfig | None = None, sample_rate: int = SAMPLE_RATE):
        self.config = config or EmittersConfig()
        self.sample_rate = sample_rate
        self.n_samples = round(self.config.length_seconds * sample_rate)
        self._rays = ray_scene
        self._head = load_hrtf(sample_rate)
        scene = ray_scene.scene
        corners = scene.triangles_F33.astype(np.float64)
        normal_F3 = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length_F1 = np.linalg.norm(normal_F3, axis=1, keepdims=True)
        self._normal_F3 = (normal_F3 / np.maximum(length_F1, 1e-20)).astype(np.float32)
        materials = [surface.material for surface in scene.surfaces]
        self._reflection_MB = 1.0 - np.array([m.absorption_6 for m in materials], dtype=np.float32)
        self._transmission_MB = np.array([m.transmission_6 for m in materials], dtype=np.float64)
        # A ray carries all bands at once, so it scatters by the mean of the mid bands.
        self._scattering_M = np.array([np.mean(m.scattering_6[2:5]) for m in materials], dtype=np.float32)
        self._surface_F = np.ascontiguousarray(scene.surface_F, dtype=np.int32)

        self._n_fft = fft.next_fast_len(self.n_samples + round(RINGING_SECONDS * sample_rate), real=True)
        self._bands_BF = band_responses(self._n_fft, sample_rate)
        path_S = np.arange(self.n_samples) * (SPEED_OF_SOUND / sample_rate)
        self._air_BS = air_amplitude(path_S) if self.config.air else None
        self._deposit_EBS = np.zeros((2, len(OCTAVE_BANDS), self._n_fft), dtype=np.float32)
        self._source_3: np.ndarray | None = None
        self._emitters: _Emitters | None = None
        self._audible: OrderedDict[tuple[float, float, float], _Audible] = OrderedDict()

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        """Trace the source at `position_3` (metres). Raises UsageError for a position that is not three numbers."""
        source_3 = np.asarray(position_3, dtype=np.float64)
        if source_3.shape != (3,) or not np.isfinite(source_3).all():
            raise UsageError(f"a source's position must be three finite numbers (metres), not {position_3!r}")
        self._source_3 = source_3
        self._emitters = self._trace(source_3, seed)
        self._audible.clear()

    def impulse_response(self, pose: Pose) -> np.ndarray:
        """float32 (2, S): from the source to the left and right ear of a head at `pose`."""
        audible = self._hear(pose.ears_3)
        self._deposit_EBS[:] = 0.0
        kernels.deposit(
            self._deposit_EBS,
            self.n_samples,
            audible.arrival_N,
            audible.amplitude_NB,
            audible.azimuth_N,
            audible.row_N,
            pose.yaw,
            self._head.gain_PAEB,
            self._head.delay_PAE,
        )
        response_ES = self._filter(self._deposit_EBS)
        if audible.direct is not None:
            self._add_direct(response_ES, audible.direct, pose.yaw)
        return response_ES

    def omni_response(self, position_3: np.ndarray) -> np.ndarray:
        """float32 (S,): to an omnidirectional microphone at `position_3` (the very point, not a floor point)."""
        audible = self._hear(np.asarray(position_3, dtype=np.float64))
        deposit_1BS = self._deposit_EBS[:1]
        deposit_1BS[:] = 0.0
        kernels.deposit_omni(deposit_1BS[0], self.n_samples, audible.arrival_N, audible.amplitude_NB)
        response_S = self._filter(deposit_1BS)[0]
        if audible.direct is not None:
            arrival, _, _, level, band_B = audible.direct
            impulse = self._through_walls(fractional_delay(arrival % 1.0) * level, band_B)
            _add_at(response_S, impulse, math.floor(arrival) - FRACTIONAL_CENTRE)
        return response_S

    def close(self) -> None:
        self._audible.clear()
        self._emitters = None

    def _filter(self, deposit_EBS: np.ndarray) -> np.ndarray:
        if self._air_BS is not None:
            deposit_EBS[..., : self.n_samples] *= self._air_BS
        spectrum_EBF = fft.rfft(deposit_EBS, axis=-1)
        spectrum_EF = np.einsum("ebf,bf->ef", spectrum_EBF, self._bands_BF)
        return np.ascontiguousarray(fft.irfft(spectrum_EF, self._n_fft, axis=-1)[:, : self.n_samples])

    def _add_direct(
        self, response_ES: np.ndarray, direct: tuple[float, float, float, float, np.ndarray | None], yaw: float
    ) -> None:
        arrival, azimuth, elevation, level, band_B = direct
        ir_ES, delay_E = self._head.towards(azimuth + yaw, elevation)
        for ear in range(2):
            at = arrival + delay_E[ear]
            impulse = np.convolve(ir_ES[ear] * level, fractional_delay(at % 1.0))
            _add_at(response_ES[ear], self._through_walls(impulse, band_B), math.floor(at) - FRACTIONAL_CENTRE)

    def _through_walls(self, impulse_S: np.ndarray, band_B: np.ndarray | None) -> np.ndarray:
        """The impulse with each octave band scaled, for a direct sound that comes through walls."""
        if band_B is None:
            return impulse_S
        n_fft = fft.next_fast_len(len(impulse_S) + round(RINGING_SECONDS * self.sample_rate), real=True)
        response_F = band_B @ band_responses(n_fft, self.sample_rate)
        return fft.irfft(fft.rfft(impulse_S, n_fft) * response_F, n_fft)

    def _trace(self, source_3: np.ndarray, seed: int) -> _Emitters:
        """Follow the rays of a source until they are spent, and keep `config.emitters` of their hits."""
        config = self.config
        rng = keyed_rng("emitters", seed)
        direction_N3 = _sphere(config.rays, rng)
        origin_N3 = np.broadcast_to(source_3.astype(np.float32), direction_N3.shape).copy()
        path_N = np.zeros(config.rays, dtype=np.float32)
        energy_NB = np.full((config.rays, len(OCTAVE_BANDS)), _FULL_POWER / config.rays, dtype=np.float32)
        longest = np.float32(config.length_seconds * SPEED_OF_SOUND)
        faintest = np.float32(1e-7 * _FULL_POWER / config.rays)
        hits: list[tuple[np.ndarray, ...]] = []
        for _ in range(_MAX_BOUNCES):
            if len(origin_N3) == 0:
                break
            hit = self._rays.trace(origin_N3, direction_N3)
            random_N3 = rng.random((len(origin_N3), 3), dtype=np.float32)
            alive_N, normal_N3 = kernels.bounce(
                origin_N3,
                direction_N3,
                path_N,
                energy_NB,
                hit["primID"],
                hit["tfar"],
                random_N3,
                self._normal_F3,
                self._surface_F,
                self._reflection_MB,
                self._scattering_M,
                np.float32(LIFT_METRES),
                longest,
                faintest,
            )
            origin_N3, direction_N3 = origin_N3[alive_N], direction_N3[alive_N]
            path_N, energy_NB = path_N[alive_N], energy_NB[alive_N]
            # Copies: the next bounce changes all of them in place.
            hits.append((origin_N3.copy(), normal_N3[alive_N], path_N.copy(), energy_NB.copy()))
        return _thin(hits, config.emitters, rng)

    def _hear(self, ear_3: np.ndarray) -> _Audible:
        """Everything that reaches a point, from memory if it was asked for lately."""
        if self._emitters is None or self._source_3 is None:
            raise UsageError("no source in this acoustic engine: call set_source before impulse_response")
        key = (float(ear_3[0]), float(ear_3[1]), float(ear_3[2]))
        if key in self._audible:
            self._audible.move_to_end(key)
            return self._audible[key]
        emitters = self._emitters
        index_N, direction_N3, distance_N = kernels.facing(
            emitters.position_N3,
            emitters.normal_N3,
            emitters.path_N,
            ear_3,
            np.float32(self.n_samples * SPEED_OF_SOUND / self.sample_rate),
        )
        origin_N3 = np.empty_like(direction_N3)
        origin_N3[:] = ear_3
        hidden_N = self._rays.occluded(origin_N3, direction_N3, distance_N - np.float32(LIFT_METRES))
        arrival_N, amplitude_NB, azimuth_N, row_N = kernels.connect(
            index_N,
            hidden_N,
            direction_N3,
            distance_N,
            emitters.normal_N3,
            emitters.path_N,
            emitters.amplitude_NB,
            np.float32(self.config.near_metres),
            self.sample_rate / SPEED_OF_SOUND,
            self._head.gain_PAEB.shape[0],
        )
        audible = _Audible(arrival_N, amplitude_NB, azimuth_N, row_N, self._direct(ear_3, self._source_3))
        self._audible[key] = audible
        while len(self._audible) > self.config.positions:
            self._audible.popitem(last=False)
        return audible

    def _direct(
        self, ear_3: np.ndarray, source_3: np.ndarray
    ) -> tuple[float, float, float, float, np.ndarray | None] | None:
        """The straight path: free, through walls that let something pass, or None."""
        towards_3 = source_3 - ear_3
        distance = float(np.linalg.norm(towards_3))
        level = 1.0 / max(distance, self.config.near_metres)
        arrival = distance / SPEED_OF_SOUND * self.sample_rate
        if arrival + TAPS >= self.n_samples:
            return None
        if distance < 1e-6:
            return arrival, 0.0, 0.0, level, None
        unit_3 = towards_3 / distance
        azimuth = math.atan2(unit_3[0], -unit_3[2])
        elevation = math.asin(min(max(unit_3[1], -1.0), 1.0))
        energy_B = np.ones(len(OCTAVE_BANDS))
        at_3, left = ear_3.astype(np.float64), distance - LIFT_METRES
        for _ in range(_MAX_WALLS):
            face_N, distance_N, _ = self._rays.closest(at_3[None], unit_3[None])
            if face_N[0] < 0 or distance_N[0] >= left:
                return arrival, azimuth, elevation, level, None if energy_B.min() == 1.0 else np.sqrt(energy_B)
            energy_B *= self._transmission_MB[self._surface_F[face_N[0]]]
            if energy_B.max() < 1e-9:
                return None
            travelled = float(distance_N[0]) + LIFT_METRES
            at_3, left = at_3 + unit_3 * travelled, left - travelled
        return None


def _thin(hits: list[tuple[np.ndarray, ...]], budget: int, rng: np.random.Generator) -> _Emitters:
    """Keep `budget` hits, the early and the strong ones rather, and raise the energy of the kept by 1/probability.

    Probability is min(1, c * energy / (mean energy of its bounce) / path): as many emitters in every octave of time,
    each of about the same energy as its contemporaries. Drawn systematically, which keeps the counts exact.
    """
    hits = [hit for hit in hits if len(hit[2])]
    if not hits:
        empty = np.zeros((0, 3), dtype=np.float32)
        return _Emitters(empty, empty, empty[:, 0].copy(), np.zeros((0, len(OCTAVE_BANDS)), dtype=np.float32))
    merit_N = np.concatenate([_relative(energy_NB) / np.maximum(path_N, 1.0) for _, _, path_N, energy_NB in hits])
    position_N3, normal_N3, path_N, energy_NB = (np.concatenate(column) for column in zip(*hits, strict=True))
    probability_N = _inclusion(merit_N, budget)
    picked_N = np.flatnonzero(np.diff(np.floor(np.cumsum(probability_N) + rng.random()), prepend=0.0) > 0)
    # Neighbours in memory are neighbours in space: shadow rays and kernels then walk warm caches.
    order = np.lexsort(np.floor(position_N3[picked_N].T / 0.5)[[0, 1, 2]])
    picked_N = picked_N[order]
    sign_N = rng.integers(0, 2, len(picked_N)) * 2.0 - 1.0
    scale_N = 1.0 / (math.pi * probability_N[picked_N])  # Lambert's law: power / pi per unit of solid angle
    amplitude_NB = sign_N[:, None] * np.sqrt(energy_NB[picked_N] * scale_N[:, None])
    return _Emitters(
        np.ascontiguousarray(position_N3[picked_N]),
        np.ascontiguousarray(normal_N3[picked_N]),
        np.ascontiguousarray(path_N[picked_N]),
        amplitude_NB.astype(np.float32),
    )


def _relative(energy_NB: np.ndarray) -> np.ndarray:
    energy_N = energy_NB.mean(axis=1, dtype=np.float64)
    return energy_N / energy_N.mean()


def _inclusion(merit_N: np.ndarray, budget: int) -> np.ndarray:
    """min(1, c * merit) with c such that the sum is `budget` (all ones where there are no more than that)."""
    if len(merit_N) <= budget:
        return np.ones(len(merit_N))
    falling_N = np.sort(merit_N)[::-1]
    rest_N = np.cumsum(falling_N[::-1])[::-1]  # sum of this merit and all smaller ones
    certain_N = np.arange(len(merit_N))
    scale_N = (budget - certain_N[:budget]) / rest_N[:budget]  # if the first `certain` are kept for sure
    first = int(np.argmax(scale_N * falling_N[:budget] <= 1.0))
    return np.minimum(1.0, scale_N[first] * merit_N)


def _sphere(count: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (count, 3): unit vectors on a Fibonacci lattice, turned about its axis by a random angle."""
    index_N = np.arange(count) + 0.5
    height_N = 1.0 - 2.0 * index_N / count
    radius_N = np.sqrt(1.0 - height_N**2)
    angle_N = index_N * math.pi * (3.0 - math.sqrt(5.0)) + rng.random() * 2.0 * math.pi
    return np.stack([radius_N * np.cos(angle_N), height_N, radius_N * np.sin(angle_N)], axis=1).astype(np.float32)


def _add_at(response_S: np.ndarray, impulse_S: np.ndarray, start: int) -> None:
    """Add an impulse in place, cut where it reaches over either end."""
    first, last = max(start, 0), min(start + len(impulse_S), len(response_S))
    if last > first:
        response_S[first:last] += impulse_S[first - start : last - start]
