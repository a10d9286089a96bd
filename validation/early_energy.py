"""Who is right about early sound? Both engines in a plain shoebox, where independent rays can say it.

Engines that agree on how a room decays may disagree on how loud its first 50 ms are. The furnished flat has no
reference but another engine; a shoebox has one.
"""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.acoustics.measures import c50, edt
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.shoebox import shoebox
from validation import rlr_peer
from validation.findings import Finding, Section
from validation.houses import band_levels
from validation.listening import converged_bands, ours
from validation.shoeboxes import ABSORPTIONS, RATE, RECEIVERS_83, SIZE, SOURCE_3, in_bins, level, reference, t20

_BAND = OCTAVE_BANDS.index(1_000.0)
_SCATTERING = 0.5


def early_section(*, quick: bool) -> Section:
    """T20, EDT, C50 and level of both engines against rays, at absorption 0.2 and 0.4."""
    section = Section(
        title="Early sound: both engines against rays",
        method=(
            "The shoebox again, scattering 0.5, the 1 kHz octave, 8 microphones, both engines converged. T20, EDT and "
            "level are of the mean decay, C50 is the mean over microphones. Ours is judged; RLR's rows say what to "
            "make of differences from it in rooms where nobody knows the truth."
        ),
    )
    for absorption in (0.2, 0.4):
        scene = shoebox(SIZE, absorption, _SCATTERING)
        expected = _measures(reference(_SCATTERING, quick).energy_ARW[ABSORPTIONS.index(absorption)])
        make = ours(scene, air=False, length_seconds=2.0)
        heard = converged_bands(make, SOURCE_3, list(RECEIVERS_83), 2 if quick else 8)[:, _BAND]
        mine = _measures(np.array([in_bins(energy_S) for energy_S in heard]), band_levels()[_BAND])
        for name, limit in (("T20", 5.0), ("EDT", 15.0)):
            difference = 100.0 * (mine[name] / expected[name] - 1.0)
            target = f"{expected[name]:.3f} s by rays"
            what = f"{name}, absorption {absorption:g}"
            section.findings.append(Finding.within(what, difference, limit, "%", target=target))
        for name in ("C50", "level"):
            target = f"{expected[name]:.1f} dB by rays"
            what = f"{name}, absorption {absorption:g}"
            section.findings.append(
                Finding.within(what, mine[name] - expected[name], 1.0, "dB", target=target, digits=2)
            )
        if rlr_peer.installed():
            theirs = rlr_peer.rlr(scene, seconds=2.0, through_and_around=False, quick=quick)
            heard = converged_bands(theirs, SOURCE_3, list(RECEIVERS_83), 2 if quick else 3)[:, _BAND]
            peer = _measures(np.array([in_bins(energy_S) for energy_S in heard]), band_levels()[_BAND])
            times = [f"{100.0 * (peer[name] / expected[name] - 1.0):+.0f} %" for name in ("T20", "EDT")]
            levels = [f"{peer[name] - expected[name]:+.1f} dB" for name in ("C50", "level")]
            what = f"RLR, absorption {absorption:g}: T20, EDT, C50, level"
            section.findings.append(Finding.note(what, ", ".join(times + levels), "beside the rays"))
    if not rlr_peer.installed():
        section.findings.append(rlr_peer.ABSENT)
    return section


def _measures(energy_RW: np.ndarray, impulse_level: float = 0.0) -> dict[str, float]:
    """impulse_level: dB, of a unit impulse in the band, where the energies are a band's."""
    mean_W = energy_RW.mean(axis=0)
    return {
        "T20": t20(mean_W),
        "EDT": edt(np.sqrt(mean_W), RATE),
        "C50": float(np.mean([c50(np.sqrt(energy_W), RATE) for energy_W in energy_RW])),
        "level": level(mean_W) - impulse_level,
    }
