"""Ears: level and time differences of the direct sound at every azimuth, compared with KEMAR measurements and RLR."""

from __future__ import annotations

import math

import numpy as np

from avw.avw4k.viewing.charts import Line
from avw.sim_bridge.acoustics.free_field import empty_space
from avw.sim_bridge.acoustics.measures import ild_db, itd_seconds
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.selftest.check import EngineMaker
from avw.sim_bridge.selftest.direct_sound import DEGREES, compare_direct_sound
from avw.sim_bridge.types import EAR_HEIGHT, Pose
from validation import rlr_peer
from validation.figures import GREY, OURS, PEER, chart
from validation.findings import Finding, Section
from validation.listening import ours

ILD_LIMIT = 1.0  # dB
ITD_LIMIT = 50.0  # microseconds


def heads_section() -> Section:
    """Direct sound in empty space from 72 azimuths."""
    section = Section(
        title="Ears",
        method=(
            "A source in empty space, 2 m away, at 72 azimuths in steps of 5°. Expected: MIT's raw measurements of "
            "the KEMAR head. Both are weighted by the spectrum of the measurements "
            "(`sim_bridge/selftest/direct_sound.py` explains why). RLR has a different head, so its figures have no "
            "expectation."
        ),
    )
    comparison = compare_direct_sound(lambda scene: ours(scene, emitters=1, rays=1)())
    for hertz, error_A in zip(OCTAVE_BANDS, comparison.band_ild_AB.T, strict=True):
        section.findings.append(_worst(f"ILD in the {hertz:.0f} Hz octave", error_A, ILD_LIMIT, "dB", 2))
    section.findings.append(_worst("ILD, all frequencies", comparison.ild_A, ILD_LIMIT, "dB", 2))
    section.findings.append(_worst("ITD below 1.5 kHz", 1e6 * comparison.itd_A, ITD_LIMIT, "µs", 0))
    own_ild, own_itd = _around(lambda scene: ours(scene, emitters=1, rays=1)())
    curves = [
        ("ours", own_ild, own_itd, OURS),
        ("KEMAR", own_ild - comparison.uncoloured_ild_A, own_itd - comparison.itd_A, GREY),
    ]
    if rlr_peer.installed():
        make: EngineMaker = lambda scene: rlr_peer.rlr(scene, seconds=0.2, through_and_around=False, quick=True)()  # noqa: E731
        ild, itd = _around(make)
        curves.append(("RLR's head", ild, itd, PEER))
        section.findings.append(
            Finding.note(
                "RLR's head relative to ours, rms over azimuths",
                f"{_rms(ild - own_ild):.1f} dB, {1e6 * _rms(itd - own_itd):.0f} µs",
                "a different head",
            )
        )
    else:
        section.findings.append(rlr_peer.NOT_INSTALLED)
    for name, title, column, factor in (
        ("ild", "Left over right ear, dB", 1, 1.0),
        ("itd", "Left later than right below 1.5 kHz, µs", 2, 1e6),
    ):
        section.charts[name] = chart(
            [
                Line(
                    name=curve[0],
                    x=DEGREES,
                    y=(factor * np.asarray(curve[column])).tolist(),
                    colour=curve[3],
                    dash="4 3" if curve[0] == "KEMAR" else "",
                    width=3.5 if curve[0] == "KEMAR" else 2.0,
                )
                for curve in curves
            ],
            title=title,
            x_label="azimuth of the source, degrees clockwise",
            x_ticks=(0, 90, 180, 270),
        )
    return section


def _around(make: EngineMaker) -> tuple[np.ndarray, np.ndarray]:
    """ILD (dB) and ITD (s) of the direct sound at all azimuths."""
    engine = make(empty_space())
    engine.set_source(np.array([0.0, 8.0 + EAR_HEIGHT, -2.0]))
    heard = [engine.impulse_response(Pose(0.0, 8.0, 0.0, math.radians(degrees))) for degrees in DEGREES]
    engine.close()
    return np.array([ild_db(one) for one in heard]), np.array([itd_seconds(one) for one in heard])


def _worst(what: str, error_A: np.ndarray, limit: float, unit: str, digits: int) -> Finding:
    at = int(np.abs(error_A).argmax())
    where = f"{what}, worst azimuth ({DEGREES[at]}°)"
    return Finding.within(where, float(error_A[at]), limit, unit, target="the KEMAR measurement", digits=digits)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))
