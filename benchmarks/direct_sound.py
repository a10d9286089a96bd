"""Comparison of the direct sound with KEMAR: `python -m benchmarks.direct_sound [--json]`.

The responses of our engine for a source at every azimuth in empty space are compared with MIT's raw measurements, in
steps of 5 degrees; each figure is for the worst azimuth. Both are weighted by the spectrum of the measurements
(`selftest/direct_sound.py` says why); one row shows the result without this weighting.
"""

from __future__ import annotations

import click
import numpy as np

from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.selftest.direct_sound import DEGREES, compare_direct_sound
from benchmarks.rows import Row, present


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def direct_sound(as_json: bool) -> None:
    """Largest differences between our binaural responses and KEMAR's, over all measured azimuths of the horizon."""
    found = compare_direct_sound(lambda scene: EmittersEngine(RayScene(scene), EmittersConfig(emitters=1, rays=1)))

    def worst(name: str, difference_A: np.ndarray, unit: str, limit: float | None, weights: str) -> Row:
        at = int(np.abs(difference_A).argmax())
        return Row(
            name=name,
            ours=float(np.abs(difference_A[at])),
            unit=unit,
            conditions=f"worst of {len(DEGREES)} azimuths, at {DEGREES[at]} degrees; {weights}",
            peer=limit,
            peer_name="limit" if limit else "",
        )

    twelfths_AF = found.twelfth_ild_AF
    same = "the measurements' spectrum"
    rows = [
        worst(f"ILD error, {hertz:.0f} Hz octave", found.band_ild_AB[:, band], "dB", 1.0, same)
        for band, hertz in enumerate(OCTAVE_BANDS)
    ]
    rows += [
        worst("ILD error, all frequencies", found.ild_A, "dB", 1.0, same),
        worst("ITD error below 1.5 kHz", 1e6 * found.itd_A, "us", 50.0, same),
        worst(
            "ILD error, any twelfth of an octave",
            np.take_along_axis(twelfths_AF, np.abs(twelfths_AF).argmax(axis=1)[:, None], axis=1)[:, 0],
            "dB",
            1.0,
            "200 Hz to 6.8 kHz, each its own spectrum",
        ),
        worst("ILD difference, all frequencies, unequal spectra", found.uncoloured_ild_A, "dB", None, "ours is white"),
    ]
    present("direct_sound", rows, as_json=as_json)


if __name__ == "__main__":
    direct_sound()
