"""Coupled rooms and a furnished apartment in octave bands, compared with RLR: decay, clarity, level, ear differences.

Shapes: R receivers · B octave bands · S samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from avw.avw4k.viewing.charts import Line
from avw.sim_bridge.acoustics.measures import c50, decay_db, drr, edt, ild_db, rt60
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.types import SAMPLE_RATE, Pose
from benchmarks.places import find_places
from validation import rlr_peer
from validation.figures import OURS, PEER, chart
from validation.findings import Finding, Section, Verdict
from validation.listening import Microphone, converged_bands, ours
from validation.rooms import coupled_rooms

SECONDS = 2.0
TIMES_LIMIT = 15.0  # per cent, from 500 Hz up
LEVEL_LIMIT = 3.0  # dB, behind a wall
_LIMITED_BANDS = tuple(index for index, hertz in enumerate(OCTAVE_BANDS) if hertz >= 500.0)
_COUPLED = (8.0, 3.0, 5.0)  # metres


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """Measures of a group of receivers per octave band (B,), from energies averaged over draws.

    t20, early: T20 and EDT of the mean decay of the group (s)
    clarity, direct: C50 and direct-to-reverberant ratio, averaged over receivers (dB)
    level: of the mean energy, relative to the direct sound at 1 m in the same band (dB)
    decay_BS: the mean decay (dB)
    """

    t20: np.ndarray
    early: np.ndarray
    clarity: np.ndarray
    direct: np.ndarray
    level: np.ndarray
    decay_BS: np.ndarray

    @classmethod
    def of(cls, energy_RBS: np.ndarray) -> Measures:
        """Measures of mean energies per receiver, octave band and sample."""
        mean_BS = energy_RBS.mean(axis=0)
        pressure_BS, pressure_RBS = np.sqrt(mean_BS), np.sqrt(energy_RBS)

        def mean_over_receivers(measure: Callable[[np.ndarray], float]) -> np.ndarray:
            return np.array([[measure(band_S) for band_S in one_BS] for one_BS in pressure_RBS]).mean(axis=0)

        return cls(
            t20=np.array([rt60(band_S) for band_S in pressure_BS]),
            early=np.array([edt(band_S) for band_S in pressure_BS]),
            clarity=mean_over_receivers(c50),
            direct=mean_over_receivers(drr),
            level=10.0 * np.log10(mean_BS.sum(axis=1)) - band_levels(),
            decay_BS=np.stack([decay_db(band_S) for band_S in pressure_BS]),
        )


def coupled_section(*, quick: bool) -> Section:
    """Two rooms with a doorway between them; the listeners do not see the source."""
    section = Section(
        title="Coupled rooms: behind a wall",
        method=(
            f"A room of {_COUPLED[0]:g} × {_COUPLED[1]:g} × {_COUPLED[2]:g} m, absorption 0.1, scattering 0.5, with a "
            "wall across its middle and a doorway of 0.9 × 2.0 m in the wall. The source is on one side, three "
            "microphones are on the other side without line of sight. The wall transmits nothing, and diffraction is "
            "off in both engines, so all sound comes through the doorway by reflections. Converged: the mean energy "
            "of many draws."
        ),
    )
    scene = coupled_rooms(_COUPLED, 0.1, 0.5)
    source_3 = np.array([2.5, 1.5, -1.2])
    receivers = [np.array(place) for place in ((-2.0, 1.5, -1.5), (-3.0, 1.4, -0.5), (-1.3, 1.6, -1.8))]
    own, peer = _both(scene, source_3, receivers, through_and_around=False, quick=quick)
    if peer is None:
        section.findings.append(rlr_peer.NOT_INSTALLED)
        return section
    section.findings += _with_limits("behind the wall", own, peer, level_limit=LEVEL_LIMIT)
    section.charts["coupled"] = _bands_chart("T20 behind a wall, s", {"ours": own.t20, "RLR": peer.t20})
    section.charts["coupled-level"] = _bands_chart("Level behind a wall, dB", {"ours": own.level, "RLR": peer.level})
    return section


def flat_section(*, scene: str, quick: bool) -> Section:
    """A furnished apartment: three listeners in the room of the source and three listeners two rooms away."""
    loaded = load_scene(scene)
    places = find_places(loaded, free_space_of(loaded), listeners=1 if quick else 3)
    section = Section(
        title="A furnished apartment",
        method=(
            f"`{scene}`: {len(loaded.faces_F3):,} triangles and {len(loaded.surfaces)} surfaces in {len(loaded.rooms)} "
            "rooms, with the same octave-band materials in both engines. Three microphones are in the room of the "
            "source and three are two rooms away. Transmission and diffraction are off in both engines to make them "
            "comparable; the rows marked *as shipped* include everything that each engine models. Converged: the mean "
            "energy of many draws."
        ),
    )
    for where, poses in (("same room", places.same_room), ("two rooms away", places.two_rooms_away)):
        receivers = [pose.ears_3 for pose in poses]
        own, peer = _both(loaded, places.source_3, receivers, through_and_around=False, quick=quick)
        if peer is None:
            section.findings.append(rlr_peer.NOT_INSTALLED)
            return section
        section.findings += _with_limits(where, own, peer)
        section.charts[f"flat-t20-{where.replace(' ', '-')}"] = _bands_chart(
            f"T20, {where}, s", {"ours": own.t20, "RLR": peer.t20}
        )
        section.charts[f"flat-decay-{where.replace(' ', '-')}"] = _decay_chart(f"Decay at 1 kHz, {where}", own, peer)
        own, peer = _both(loaded, places.source_3, receivers, through_and_around=True, quick=quick)
        if peer is not None:
            section.findings += _without_limits(f"{where}, as shipped", own, peer)
    section.charts["flat-ild"], spread = _turning_chart(loaded, places.source_3, places.same_room[0], quick=quick)
    section.findings.append(
        Finding.note("interaural level difference while turning in the same room, ours relative to RLR", spread)
    )
    return section


def _both(
    scene: Scene, source_3: np.ndarray, receivers: Sequence[np.ndarray], *, through_and_around: bool, quick: bool
) -> tuple[Measures, Measures | None]:
    """Measures of our engine and, if it is installed, of RLR."""
    make = ours(
        scene,
        emitters=10_000 if quick else 40_000,
        length_seconds=SECONDS,
        transmission=through_and_around,
        diffraction=through_and_around,
    )
    own = Measures.of(converged_bands(make, source_3, receivers, 2 if quick else 8))
    if not rlr_peer.installed():
        return own, None
    make_rlr: Callable[[], Microphone] = rlr_peer.rlr(
        scene, seconds=SECONDS, through_and_around=through_and_around, quick=quick
    )
    return own, Measures.of(converged_bands(make_rlr, source_3, receivers, 4 if quick else 6))


def _with_limits(where: str, own: Measures, peer: Measures, level_limit: float = 2.0) -> list[Finding]:
    """A finding per measure, with all octave bands: times in per cent, others in dB; limits apply from 500 Hz up."""
    return [
        _row(f"T20, {where}", 100.0 * (own.t20 / peer.t20 - 1.0), TIMES_LIMIT, "%", peer.t20, "s"),
        _row(f"EDT, {where}", 100.0 * (own.early / peer.early - 1.0), TIMES_LIMIT, "%", peer.early, "s"),
        _row(f"C50, {where}", own.clarity - peer.clarity, 2.0, "dB", peer.clarity, "dB"),
        _row(f"level, {where}", own.level - peer.level, level_limit, "dB", peer.level, "dB"),
        _row(f"DRR, {where}", own.direct - peer.direct, math.inf, "dB", peer.direct, "dB"),
    ]


def _without_limits(where: str, own: Measures, peer: Measures) -> list[Finding]:
    return [
        _row(f"T20, {where}", 100.0 * (own.t20 / peer.t20 - 1.0), math.inf, "%", peer.t20, "s"),
        _row(f"level, {where}", own.level - peer.level, math.inf, "dB", peer.level, "dB"),
    ]


def _row(what: str, difference_B: np.ndarray, limit: float, unit: str, peer_B: np.ndarray, peer_unit: str) -> Finding:
    """A finding for one measure in all bands; with an infinite limit it has no expectation."""
    digits = 2 if peer_unit == "s" else 1
    values = " ".join(f"{value:.{digits}f}" for value in peer_B)
    worst = float(np.max(np.abs(difference_B[list(_LIMITED_BANDS)])))
    verdict = Verdict.HOLDS if worst <= limit else Verdict.FAILS
    relation = f"within {limit:g} {unit} of" if math.isfinite(limit) else "compared with"
    return Finding(
        what=what,
        expected=f"{relation} RLR's {values} {peer_unit}",
        measured=" ".join(f"{value:+.{1 if unit == 'dB' else 0}f}" for value in difference_B) + f" {unit}",
        verdict=verdict if math.isfinite(limit) else Verdict.NOTE,
    )


def band_levels() -> np.ndarray:
    """Energy of a unit impulse in each octave band: (B,), dB."""
    from avw.sim_bridge.acoustics.measures import octave_bands

    impulse_S = np.zeros(4_096)
    impulse_S[64] = 1.0
    return 10.0 * np.log10(np.square(octave_bands(impulse_S)).sum(axis=1))


def _bands_chart(title: str, values: dict[str, np.ndarray]) -> str:
    colours = {"ours": OURS, "RLR": PEER}
    lines = [
        Line(name=name, x=OCTAVE_BANDS, y=value_B.tolist(), colour=colours[name], points=True)
        for name, value_B in values.items()
    ]
    return chart(lines, title=title, x_label="octave band, Hz", log_x=True, x_ticks=OCTAVE_BANDS)


def _decay_chart(title: str, own: Measures, peer: Measures) -> str:
    band, every = OCTAVE_BANDS.index(1_000.0), slice(0, round(0.9 * SAMPLE_RATE), 80)
    seconds = (np.arange(own.decay_BS.shape[1])[every] / SAMPLE_RATE).tolist()
    lines = [
        Line(name=name, x=seconds, y=one.decay_BS[band, every].tolist(), colour=colour)
        for name, one, colour in (("RLR", peer, PEER), ("ours", own, OURS))
    ]
    return chart(lines, title=f"{title}, dB", x_label="seconds")


def _turning_chart(scene: Scene, source_3: np.ndarray, pose: Pose, *, quick: bool) -> tuple[str, str]:
    """Chart of the interaural level difference over a whole turn, and the rms difference of the engines."""
    yaws = np.linspace(-math.pi, math.pi, 7 if quick else 25)
    curves: dict[str, list[float]] = {}
    for name, make in (
        ("RLR", rlr_peer.rlr(scene, seconds=SECONDS, through_and_around=True, quick=quick)),
        ("ours", ours(scene, length_seconds=SECONDS)),
    ):
        engine = make()
        engine.set_source(source_3)
        turns = [Pose(pose.x, pose.y, pose.z, float(yaw)) for yaw in yaws]
        curves[name] = [ild_db(engine.impulse_response(turned)) for turned in turns]
        engine.close()
    colours = {"ours": OURS, "RLR": PEER}
    drawn = chart(
        [
            Line(name=name, x=np.degrees(yaws).tolist(), y=values, colour=colours[name], points=True)
            for name, values in curves.items()
        ],
        title="Left over right ear in the same room, dB",
        x_label="yaw, degrees",
        x_ticks=(-180, -90, 0, 90, 180),
    )
    spread = float(np.sqrt(np.mean(np.square(np.subtract(curves["ours"], curves["RLR"])))))
    return drawn, f"{spread:.1f} dB rms (two different heads)"
