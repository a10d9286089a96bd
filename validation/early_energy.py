"""Early sound of both engines in a plain shoebox, compared with independent rays.

Two engines may agree on the decay of a room but not on the level of its first 50 ms. For the furnished apartment the
only reference is another engine; for a shoebox there is an independent one.
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
    """T20, EDT, C50 and level of both engines relative to rays, at absorption 0.2 and 0.4."""
    section = Section(
        title="Early sound: both engines against rays",
        method=(
            "The same shoebox with scattering 0.5, in the 1 kHz octave, with 8 microphones and both engines "
            "converged. T20, EDT and level are those of the mean decay; C50 is the mean over microphones. Only our "
            "engine has expectations; the rows of RLR help to interpret differences between the engines in rooms "
            "without a reference."
        ),
    )
    for absorption in (0.2, 0.4):
        scene = shoebox(SIZE, absorption, _SCATTERING)
        expected = _measures(reference(_SCATTERING, quick).energy_ARW[ABSORPTIONS.index(absorption)])
        make = ours(scene, air=False, length_seconds=2.0)
        heard = converged_bands(make, SOURCE_3, list(RECEIVERS_83), 2 if quick else 8)[:, _BAND]
        own = _measures(np.array([in_bins(energy_S) for energy_S in heard]), band_levels()[_BAND])
        for name, limit in (("T20", 5.0), ("EDT", 15.0)):
            difference = 100.0 * (own[name] / expected[name] - 1.0)
            target = f"{expected[name]:.3f} s (rays)"
            what = f"{name}, absorption {absorption:g}"
            section.findings.append(Finding.within(what, difference, limit, "%", target=target))
        for name in ("C50", "level"):
            target = f"{expected[name]:.1f} dB (rays)"
            what = f"{name}, absorption {absorption:g}"
            section.findings.append(
                Finding.within(what, own[name] - expected[name], 1.0, "dB", target=target, digits=2)
            )
        if rlr_peer.installed():
            make_rlr = rlr_peer.rlr(scene, seconds=2.0, through_and_around=False, quick=quick)
            heard = converged_bands(make_rlr, SOURCE_3, list(RECEIVERS_83), 2 if quick else 3)[:, _BAND]
            peer = _measures(np.array([in_bins(energy_S) for energy_S in heard]), band_levels()[_BAND])
            times = [f"{100.0 * (peer[name] / expected[name] - 1.0):+.0f} %" for name in ("T20", "EDT")]
            levels = [f"{peer[name] - expected[name]:+.1f} dB" for name in ("C50", "level")]
            what = f"RLR, absorption {absorption:g}: T20, EDT, C50, level"
            section.findings.append(Finding.note(what, ", ".join(times + levels), "compared with rays"))
    if not rlr_peer.installed():
        section.findings.append(rlr_peer.NOT_INSTALLED)
    return section


def _measures(energy_RW: np.ndarray, impulse_level: float = 0.0) -> dict[str, float]:
    """T20 and EDT (s), C50 and level (dB) of energies (receivers, time bins).

    impulse_level: level of a unit impulse in the band (dB), if the energies are those of one octave band
    """
    mean_W = energy_RW.mean(axis=0)
    return {
        "T20": t20(mean_W),
        "EDT": edt(np.sqrt(mean_W), RATE),
        "C50": float(np.mean([c50(np.sqrt(energy_W), RATE) for energy_W in energy_RW])),
        "level": level(mean_W) - impulse_level,
    }
