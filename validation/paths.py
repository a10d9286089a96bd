"""Propagation of sound compared with closed forms: distance, transmission through walls, diffraction at edges."""

from __future__ import annotations

import math

import numpy as np

from avw.avw4k.viewing.charts import Line
from avw.sim_bridge.acoustics.bands import band_responses
from avw.sim_bridge.acoustics.free_field import empty_space
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.shoebox import shoebox, uniform_material
from avw.sim_bridge.selftest.edge_theory import behind_an_edge
from avw.sim_bridge.types import SAMPLE_RATE
from validation.figures import GREY, OURS, chart
from validation.findings import Finding, Section
from validation.listening import converged_bands, ours
from validation.rooms import MIDDLE, OPEN_AIR, octave_material, open_air

TRANSMISSION_6 = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002)  # transmission losses of 10 to 27 dB
_DEPTHS = (0.3, 0.6, 1.0)  # height of the edge of a screen above source and listener, metres
_AWAY = 2.0  # distance of both from the screen, metres


def distance_section() -> Section:
    """The direct sound in empty space falls as 1/r."""
    section = Section(
        title="Distance",
        method="A source in empty space, an omnidirectional microphone 0.5 to 9 m away, no air absorption.",
    )
    distances = (0.5, 1.0, 2.0, 4.0, 9.0)
    make = ours(empty_space(), air=False)
    source_3 = np.array([0.0, 10.0, 4.5])
    heard = converged_bands(make, source_3, [source_3 - [0.0, 0.0, r] for r in distances], 1).sum(axis=(1, 2))
    errors = 10.0 * np.log10(heard / heard[1]) + 20.0 * np.log10(distances)
    worst = float(errors[np.abs(errors).argmax()])
    section.findings.append(
        Finding.within("level × distance, 0.5 to 9 m", worst, 0.25, "dB", target="the 1 m value", digits=2)
    )
    return section


def transmission_section(*, quick: bool) -> Section:
    """Transmission through a wall across empty space, and through a wall between two reverberant rooms."""
    section = Section(
        title="Through walls",
        method=(
            "A wall with a transmission loss of 10 to 27 dB, different in each octave band. First the wall stands "
            "across empty space: the loss of the direct sound is measured. Then a wall separates two closed rooms: "
            "the theory of diffuse sound predicts a level difference of R + 10 log(A/S), where R is the transmission "
            "loss of the wall, S its area and A the absorption area of the receiving room."
        ),
    )
    high, wide = OPEN_AIR[1], OPEN_AIR[2] / 2
    panel = [((0.0, 0.0, -wide), (0.0, high, wide))]
    source_3, ear_3 = np.array([-2.0, MIDDLE, 0.0]), np.array([2.0, MIDDLE, 0.7])
    levels = []
    for transmission_6 in (TRANSMISSION_6, (1.0,) * 6):
        scene = open_air(panel, octave_material(transmission_6, absorption=1.0))
        make = ours(scene, air=False, emitters=200, rays=200, diffraction=False)
        levels.append(converged_bands(make, source_3, [ear_3], 1)[0].sum(axis=1))
    loss_B = -10.0 * np.log10(levels[0] / levels[1])
    expected_B = -10.0 * np.log10(TRANSMISSION_6)
    for hertz, loss, expected in zip(OCTAVE_BANDS, loss_B, expected_B, strict=True):
        section.findings.append(
            Finding.within(
                f"direct sound through a wall, {hertz:.0f} Hz", loss - expected, 2.0, "dB", target=f"{expected:.1f} dB"
            )
        )
    size, absorption, share = (8.0, 3.0, 5.0), 0.15, 0.01
    scene = shoebox(size, absorption, 0.8, wall_x=0.0, transmission=share)
    make = ours(scene, air=False, emitters=5_000 if quick else 40_000)
    source_3 = np.array([-2.0, 1.5, 0.4])
    grid = [(1.0, 1.1), (1.6, -1.3), (2.3, 0.5), (3.0, -0.9), (3.2, 1.6), (1.5, 0.2)]
    here = [np.array([-x, 1.0 + 0.2 * n, z]) for n, (x, z) in enumerate(grid) if math.dist((x, z), (2.0, 0.4)) > 0.9]
    there = [np.array([x, 1.0 + 0.2 * n, z]) for n, (x, z) in enumerate(grid)]
    energy_RB = converged_bands(make, source_3, here + there, 2 if quick else 6).sum(axis=2)
    # The direct sound is not part of the diffuse field in the room of the source.
    direct_R = np.array([1.0 / np.square(place - source_3).sum() for place in here])
    diffuse = float(energy_RB[: len(here)].sum(axis=1).mean() - direct_R.mean())
    difference = 10.0 * math.log10(diffuse / float(energy_RB[len(here) :].sum(axis=1).mean()))
    area, wall = 2 * (4.0 * 3.0 + 3.0 * 5.0 + 4.0 * 5.0), 3.0 * 5.0
    theory = -10.0 * math.log10(share) + 10.0 * math.log10(area * absorption / wall)
    section.findings.append(
        Finding.within("between two closed rooms", difference - theory, 2.0, "dB", target=f"{theory:.1f} dB (theory)")
    )
    return section


def diffraction_section() -> Section:
    """The shadow of a screen in empty space, compared with the exact solution."""
    section = Section(
        title="Around edges",
        method=(
            "The upper edge of a thin rigid screen in empty space. Source and microphone are 2 m in front of and "
            "behind the screen, 0.3 to 1 m below its edge. Expected: the exact field of M. A. Biot and I. Tolstoy "
            "(1957), integrated numerically in `sim_bridge/selftest/edge_theory.py`, with its power averaged over the "
            "same octave bands. The figures are attenuations relative to the free field at the same distance."
        ),
    )
    wide = OPEN_AIR[2] / 2
    screen = [((0.0, 0.0, -wide), (0.0, MIDDLE, wide))]
    make = ours(open_air(screen, uniform_material(0.02, 0.1)), air=False, emitters=200, rays=200)
    curves: dict[str, np.ndarray] = {}
    for depth in _DEPTHS:
        source_3, ear_3 = np.array([-_AWAY, MIDDLE - depth, 0.0]), np.array([_AWAY, MIDDLE - depth, 1.0])
        free = 1.0 / float(np.square(source_3 - ear_3).sum())
        heard_B = converged_bands(make, source_3, [ear_3], 1)[0].sum(axis=1) / _impulse_energy_B()
        expected_B = _exact_energy_B(depth, along=1.0)
        curves[f"ours, {depth:g} m below"] = -10.0 * np.log10(np.maximum(heard_B, 1e-12) / free)
        curves[f"exact, {depth:g} m below"] = -10.0 * np.log10(expected_B / free)
        difference_B = 10.0 * np.log10(np.maximum(heard_B, 1e-12) / expected_B)
        worst = float(difference_B[np.abs(difference_B).argmax()])
        attenuation = " ".join(f"{value:.1f}" for value in curves[f"exact, {depth:g} m below"])
        section.findings.append(
            Finding.within(
                f"{depth:g} m below the edge, worst octave band", worst, 2.0, "dB", target=f"{attenuation} dB"
            )
        )
    section.charts["diffraction"] = chart(
        [
            Line(
                name=name,
                x=OCTAVE_BANDS,
                y=value_B.tolist(),
                colour=OURS if name.startswith("ours") else GREY,
                dash="" if name.startswith("ours") else "4 3",
                points=name.startswith("ours"),
            )
            for name, value_B in curves.items()
        ],
        title="Attenuation behind a screen, dB",
        x_label="octave band, Hz",
        log_x=True,
        x_ticks=OCTAVE_BANDS,
    )
    return section


def _exact_energy_B(depth: float, along: float) -> np.ndarray:
    """Exact mean square pressure in each octave band, weighted by the filter bank: (B,).

    depth: of source and listener below the edge (metres) · along: their distance along the edge (metres)
    """
    hertz_F = np.geomspace(40.0, 7_990.0, 240)
    distance, angle = math.hypot(_AWAY, depth), math.atan2(_AWAY, depth)
    power_F = np.square(
        np.abs(behind_an_edge(hertz_F, (distance, angle), (distance, 2 * math.pi - angle), along, 2 * math.pi))
    )
    n_fft = 4_096
    grid_F = np.arange(n_fft // 2 + 1) * (SAMPLE_RATE / n_fft)
    bands_BF = np.square(np.abs(band_responses(n_fft, SAMPLE_RATE)))
    on_grid_F = np.interp(grid_F, hertz_F, power_F)
    return (bands_BF * on_grid_F).sum(axis=1) / bands_BF.sum(axis=1)


def _impulse_energy_B() -> np.ndarray:
    """Energy of a unit impulse in each octave band: (B,)."""
    n_fft = 4_096
    power_BF = np.square(np.abs(band_responses(n_fft, SAMPLE_RATE)))
    return (2.0 * power_BF.sum(axis=1) - power_BF[:, 0] - power_BF[:, -1]) / n_fft
