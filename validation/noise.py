"""Noise against cost: the figures of `benchmarks.acoustics` as a chart."""

from __future__ import annotations

from functools import partial

from avw.avw4k.viewing.charts import Line
from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.catalogue import load_scene
from benchmarks.noise_and_cost import Setting, costs, noises
from benchmarks.places import find_places
from validation import rlr_peer
from validation.figures import OURS, PEER, chart
from validation.findings import Finding, Section, Verdict


def noise_section(*, scene: str, quick: bool) -> Section:
    """Our engine at five settings and RLR at three, in the same house."""
    loaded = load_scene(scene)
    rays = RayScene(loaded)
    places = find_places(loaded, free_space_of(loaded), listeners=1 if quick else 2)
    section = Section(
        title="Noise against cost",
        method=(
            "Noise: the rms error of the energy in windows of 20 ms over 8 draws, relative to a converged response of "
            "the same engine, for windows down to 40 dB below the loudest. Cost: CPU milliseconds of one core per "
            "response at a new position; the work per source is divided by 160 positions. RLR runs as shipped (4 "
            "bands, depth 200). `python -m benchmarks.acoustics` measures the same with more listeners."
        ),
    )
    counts = (1_000, 4_000) if quick else (5_000, 10_000, 20_000, 40_000, 100_000)
    own = [
        Setting(
            name=f"{count:,} emitters", make=partial(make_engine, "emitters", loaded, rays, emitters=count), stride=4
        )
        for count in counts
    ]
    best = Setting(name="", make=partial(make_engine, "emitters", loaded, rays, emitters=20_000 if quick else 150_000))
    noise_of = noises(own, best, places, 3 if quick else 10)
    rlr = []
    if rlr_peer.installed():
        rlr = [
            Setting(
                name=f"RLR, {count:,} rays", make=partial(RlrEngine, loaded, RlrConfig(rays=count, bands=4)), stride=16
            )
            for count in ((200, 500) if quick else (500, 1_000, 5_000))
        ]
        noise_of |= noises(rlr, rlr[-1], places, 3 if quick else 8)
    cost_of = costs([*own, *rlr], places)
    for setting in [*own, *rlr]:
        noise, cost = noise_of[setting.name], cost_of[setting.name].per_response
        section.findings.append(
            Finding(
                what=setting.name,
                expected="–",
                measured=(
                    f"{cost:.1f} ms; {noise.same_room:.2f} dB in the same room, {noise.two_rooms_away:.2f} dB two "
                    "rooms away"
                ),
                verdict=Verdict.NOTE,
            )
        )
    if not rlr:
        section.findings.append(rlr_peer.NOT_INSTALLED)
    lines = []
    for name, settings, colour in (("ours", own, OURS), ("RLR", rlr, PEER)):
        for where, dash in (("same room", ""), ("two rooms away", "4 3")):
            if settings:
                lines.append(
                    Line(
                        name=f"{name}, {where}",
                        x=[cost_of[one.name].per_response for one in settings],
                        y=[getattr(noise_of[one.name], where.replace(" ", "_")) for one in settings],
                        colour=colour,
                        dash=dash,
                        points=True,
                    )
                )
    section.charts["noise"] = chart(
        lines,
        title="Noise, dB",
        x_label="CPU ms per response",
        log_x=True,
        log_y=True,
        x_ticks=(1, 3, 10, 30, 100, 300),
    )
    return section
