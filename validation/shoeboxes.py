"""Rectangular rooms: decay and level compared with rays, Eyring's formula and image sources."""

from __future__ import annotations

import importlib.util

import numpy as np

from avw.avw4k.viewing.charts import Line
from avw.sim_bridge.acoustics.measures import decay_db, eyring_rt60, rt60
from avw.sim_bridge.scenes.shoebox import shoebox
from validation.figures import GREY, OURS, PEER, THEORY, chart
from validation.findings import Finding, Section
from validation.listening import converged, ours
from validation.ray_decay import BIN_SECONDS, RayDecay, ray_decay

SIZE = (6.0, 3.0, 5.0)  # metres
VOLUME, AREA = 90.0, 126.0
SOURCE_3 = np.array([1.5, 1.5, -1.0])
RECEIVERS_83 = np.array(
    [
        [-1.4, 1.6, 1.1],
        [2.0, 1.2, 1.5],
        [-2.2, 1.0, -1.7],
        [0.2, 2.0, 1.6],
        [-0.5, 1.4, -1.5],
        [-2.2, 1.9, 0.3],
        [0.3, 0.9, 0.2],
        [2.2, 2.2, 0.6],
    ]
)
ABSORPTIONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
SCATTERINGS = (0.5, 1.0)
SECONDS = 2.5
RATE = round(1.0 / BIN_SECONDS)  # bins per second of the reference, and of decays compared with it


def reference_section(*, quick: bool) -> Section:
    """Checks of the ray tracer: closed forms, and image sources for specular walls."""
    section = Section(
        title="The reference: rays in plain NumPy",
        method=(
            "`validation/ray_decay.py` shares no code with the engine: rays leave the source, lose energy at walls, "
            "are reflected specularly or by Lambert's law, and are counted where they cross 8 spheres of 0.4 m "
            "radius. It is checked against the mean free path 4V/S and, with specular walls, against pyroomacoustics' "
            f"image sources (no air absorption, one absorption coefficient). Room: {SIZE[0]:g} × {SIZE[1]:g} × "
            f"{SIZE[2]:g} m."
        ),
    )
    diffuse = reference(1.0, quick)
    error = 100.0 * (diffuse.free_path / (4.0 * VOLUME / AREA) - 1.0)
    section.findings.append(
        Finding.within("mean free path, all walls diffuse", error, 1.0, "%", target="4V/S = 2.86 m", digits=2)
    )
    section.findings.append(
        Finding.note("variance of free paths divided by their squared mean", f"{diffuse.path_spread:.3f}", "above 0")
    )
    if importlib.util.find_spec("pyroomacoustics") is None:
        section.findings.append(
            Finding.note("specular walls: T20", "pyroomacoustics is not installed; type: pip install pyroomacoustics")
        )
        return section
    mirror = reference(0.0, quick)
    for absorption, order in ((0.2, 80), (0.5, 40)):
        images_W = _image_decay(absorption, order)
        rays_W = mirror.energy_ARW[ABSORPTIONS.index(absorption)].mean(axis=0)
        for what, difference, limit, unit in (
            ("T20", 100.0 * (t20(rays_W) / t20(images_W) - 1.0), 3.0, "%"),
            ("level", level(rays_W) - level(images_W), 0.2, "dB"),
        ):
            section.findings.append(
                Finding.within(
                    f"specular walls, absorption {absorption:g}: {what}",
                    difference,
                    limit,
                    unit,
                    target=f"pyroomacoustics' image sources up to order {order}",
                    digits=2,
                )
            )
    return section


def decay_section(*, quick: bool) -> Section:
    """T20 of the mean decay of 8 positions, and the mean level, for six absorptions and two scattering coefficients."""
    section = Section(
        title="Shoeboxes: decay and level",
        method=(
            "T20 of the mean decay of 8 positions (energies are summed before the backward integration), with one "
            "absorption coefficient in all bands and no air absorption. Eyring's formula assumes that every path "
            "between walls has the mean length. Real paths vary in length, so rooms decay more slowly than the "
            "formula predicts, and the difference grows with absorption. The strict comparison is therefore with "
            "rays; Eyring's formula is compared for absorption 0.1 to 0.3 only."
        ),
    )
    draws = 1 if quick else 4
    emitters = 5_000 if quick else 20_000
    errors: dict[str, list[float]] = {}
    for scattering in SCATTERINGS:
        rays = reference(scattering, quick)
        for absorption, heard_RW in zip(ABSORPTIONS, rays.energy_ARW, strict=True):
            expected_W = heard_RW.mean(axis=0)
            scene = shoebox(SIZE, absorption, scattering)
            make = ours(scene, air=False, length_seconds=SECONDS, emitters=emitters)
            measured_W = in_bins(converged(make, SOURCE_3, list(RECEIVERS_83), draws).mean(axis=0))
            eyring = eyring_rt60(VOLUME, AREA, absorption)
            where = f"absorption {absorption:g}, scattering {scattering:g}"
            error = 100.0 * (t20(measured_W) / t20(expected_W) - 1.0)
            section.findings.append(
                Finding.within(f"T20, {where}", error, 5.0, "%", target=f"{t20(expected_W):.3f} s (rays)")
            )
            if 0.1 <= absorption <= 0.3:
                to_eyring = 100.0 * (t20(measured_W) / eyring - 1.0)
                section.findings.append(
                    Finding.within(f"T20, {where}", to_eyring, 15.0, "%", target=f"{eyring:.3f} s (Eyring)")
                )
            difference = level(measured_W) - level(expected_W)
            section.findings.append(
                Finding.within(
                    f"level, {where}", difference, 1.0, "dB", target=f"{level(expected_W):.1f} dB (rays)", digits=2
                )
            )
            errors.setdefault(f"ours, scattering {scattering:g}", []).append(error)
            errors.setdefault(f"Eyring, scattering {scattering:g}", []).append(100.0 * (eyring / t20(expected_W) - 1.0))
            if (scattering, absorption) == (0.5, 0.2):
                section.charts["decay"] = _decay_chart(measured_W, expected_W, eyring)
    section.charts["t20"] = chart(
        [
            Line(
                name=name,
                x=ABSORPTIONS,
                y=values,
                colour=OURS if name.startswith("ours") else THEORY,
                dash="" if name.endswith("0.5") else "4 3",
                points=True,
            )
            for name, values in errors.items()
        ],
        title="T20: % above the ray-decay reference",
        x_label="absorption of every wall",
        x_ticks=(0.1, 0.2, 0.3, 0.4, 0.5),
    )
    return section


def t20(energy_W: np.ndarray) -> float:
    """T20 (s) of energies in the time bins of the reference."""
    return rt60(np.sqrt(energy_W), RATE)


def level(energy_W: np.ndarray) -> float:
    """Level (dB) relative to the direct sound at 1 m."""
    return float(10.0 * np.log10(energy_W.sum()))


_references: dict[tuple[float, bool], RayDecay] = {}


def reference(scattering: float, quick: bool) -> RayDecay:
    """The ray-traced decay of this room; cached per scattering."""
    key = (scattering, quick)
    if key not in _references:
        _references[key] = ray_decay(
            SIZE, ABSORPTIONS, scattering, SOURCE_3, RECEIVERS_83, seconds=SECONDS, rays=6_000 if quick else 60_000
        )
    return _references[key]


def in_bins(energy_S: np.ndarray, sample_rate: int = 16_000) -> np.ndarray:
    """Sum energies of samples into the time bins of the reference."""
    width = round(BIN_SECONDS * sample_rate)
    return energy_S[: len(energy_S) // width * width].reshape(-1, width).sum(axis=1)


def _image_decay(absorption: float, order: int) -> np.ndarray:
    """Energies of pyroomacoustics' image sources in the time bins of the reference, averaged over the 8 positions."""
    import pyroomacoustics

    to_corner_3 = np.array([SIZE[0] / 2, 0.0, SIZE[2] / 2])
    room = pyroomacoustics.ShoeBox(
        SIZE, fs=16_000, materials=pyroomacoustics.Material(absorption), max_order=order, air_absorption=False
    )
    room.add_source(SOURCE_3 + to_corner_3)
    room.add_microphone_array((RECEIVERS_83 + to_corner_3).T)
    room.image_source_model()
    image_N3, damping_N = room.sources[0].images.T, room.sources[0].damping[0]
    bins = round(SECONDS / BIN_SECONDS)
    energy_W = np.zeros(bins)
    for receiver_3 in RECEIVERS_83 + to_corner_3:
        distance_N = np.linalg.norm(image_N3 - receiver_3, axis=1)
        bin_N = (distance_N / (343.0 * BIN_SECONDS)).astype(np.int64)
        near_N = bin_N < bins
        energy_W += np.bincount(bin_N[near_N], np.square(damping_N / distance_N)[near_N], minlength=bins)
    return energy_W / len(RECEIVERS_83)


def _decay_chart(measured_W: np.ndarray, expected_W: np.ndarray, eyring: float) -> str:
    every = slice(0, round(0.7 / BIN_SECONDS), 5)
    seconds = np.arange(len(expected_W))[every] * BIN_SECONDS
    start = int(np.flatnonzero(expected_W)[0]) * BIN_SECONDS
    curves = {
        ("Eyring", GREY, "3 3", 2.0): -60.0 * np.maximum(seconds - start, 0.0) / eyring,
        ("rays", PEER, "", 4.0): decay_db(np.sqrt(expected_W))[every],
        ("ours", OURS, "", 2.0): decay_db(np.sqrt(measured_W))[every],
    }
    return chart(
        [
            Line(name=name, x=seconds.tolist(), y=values.tolist(), colour=colour, dash=dash, width=width)
            for (name, colour, dash, width), values in curves.items()
        ],
        title="Decay, dB; absorption 0.2, scattering 0.5",
        x_label="seconds",
    )
