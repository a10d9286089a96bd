"""Cost and noise of binaural responses: `python -m benchmarks.acoustics [--quick] [--json]`.

Definitions. *Noise*: rms error in dB of the energy in windows of 20 ms over 8 draws, compared with a converged response
of the same engine, in windows down to 40 dB below its loudest one; 3 listeners in the source's room and 3 two rooms
away (`benchmarks.envelopes`). *Cost*: CPU time on one core of a response at each translating step of a walk of 160
steps, plus a 160th of the work that is done once per source; turns are measured separately
(`benchmarks.noise_and_cost`). *Reference quality*: no noisier than RLR with 500 rays.

Peers run if they are installed. RLR-Audio-Propagation runs as shipped (4 bands, a depth of 200, one thread), with the
number of rays that SoundSpaces uses for navigation and with its own default; the upload of the scene is not included in
its time. pyroomacoustics runs in a shoebox, the type of scene for which it is made. The limit for the stream is one
forward and one inverse real FFT per ear.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import partial

import click
import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine
from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.acoustics.stream import BinauralStream
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from benchmarks.noise_and_cost import Cost, Noise, Setting, cheapest_at_most, costs, noises
from benchmarks.places import Places, find_places
from benchmarks.rows import Row, alternate, present
from benchmarks.scaling import Load, points

EMITTERS = (5_000, 10_000, 20_000, 40_000, 60_000, 100_000)
CONVERGED_EMITTERS = 100_000
RLR_RAYS = {500: 1 / 10, 5_000: 1 / 30}  # rays → target ratio of our cost to RLR's
ROOM = (6.0, 3.0, 5.0)  # metres


@click.command()
@click.option("--scene", default="procedural-0003", show_default=True, help="Generated house.")
@click.option("--emitters", default=",".join(map(str, EMITTERS)), show_default=True, help="Emitter counts to try.")
@click.option("--peers/--no-peers", default=True, show_default=True, help="Also run the peers that are installed.")
@click.option("--quick", is_flag=True, help="One listener per place and few converged draws, for a quick try.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def acoustics(scene: str, emitters: str, peers: bool, quick: bool, as_json: bool) -> None:
    """Cost and noise of binaural responses at several settings, compared with RLR; cost of turns; scaling."""
    loaded = load_scene(scene)
    rays = RayScene(loaded)
    places = find_places(loaded, free_space_of(loaded), listeners=1 if quick else 3)
    ours = [_ours(loaded, rays, int(count)) for count in emitters.split(",")]
    theirs = _rlr_settings(loaded, quick) if peers and importlib.util.find_spec("rlr_audio_propagation") else []
    cost_of = costs([*ours, *theirs], places)
    noise_of = noises(ours, _ours(loaded, rays, CONVERGED_EMITTERS), places, 6 if quick else 20)
    if theirs:
        noise_of |= noises(theirs, theirs[-1], places, 4 if quick else 12)
    place = f"{loaded.scene_id}, {len(loaded.faces_F3)} triangles"
    reference = theirs[0].name if theirs else None
    rows = []
    for setting in ours:
        rows += _setting_rows(setting.name, setting.name, reference, cost_of, noise_of, f"; {place}")
    for setting, aim in zip(theirs, RLR_RAYS.values(), strict=False):
        rows += _headline_rows([one.name for one in ours], setting.name, aim, cost_of, noise_of)
    if not theirs:
        absent = "pip install 'avw[rlr]'" if peers else "--peers"
        rows.append(Row(name="RLR did not run", ours=0.0, unit="-", conditions=f"for the comparison use: {absent}"))
    rows += _stream_rows(loaded, rays, places)
    if peers and (row := _shoebox_row()) is not None:
        rows.append(row)
    rows += _growth_rows(loaded, places, quick)
    present("acoustics", rows, as_json=as_json)


def _ours(scene: Scene, rays: RayScene, emitters: int) -> Setting:
    return Setting(name=f"{emitters:,} emitters", make=partial(make_engine, "emitters", scene, rays, emitters=emitters))


def _rlr_settings(scene: Scene, quick: bool) -> list[Setting]:
    """RLR as shipped, with both numbers of rays; the slower one is measured at fewer steps of the walk."""
    return [
        Setting(
            name=f"RLR, {rays:,} rays",
            make=partial(RlrEngine, scene, RlrConfig(rays=rays, bands=4)),
            stride=(1 if rays == 500 else 3) * (4 if quick else 1),
        )
        for rays in RLR_RAYS
    ]


def _setting_rows(
    label: str, name: str, reference: str | None, cost_of: dict[str, Cost], noise_of: dict[str, Noise], note: str
) -> list[Row]:
    """Cost and noise of a setting, compared with the reference if that ran."""
    cost, noise = cost_of[name], noise_of[name]
    peer_cost, peer_noise = (cost_of[reference], noise_of[reference]) if reference else (None, None)
    rows = (
        (
            "response",
            cost.per_response,
            peer_cost.per_response if peer_cost else None,
            f"{cost.response:.2f} at the step + {cost.once:.0f} / {cost.steps} once per source{note}",
        ),
        ("turn on the spot", cost.turn, peer_cost.turn if peer_cost else None, ""),
        (
            "noise, same room",
            noise.same_room,
            peer_noise.same_room if peer_noise else None,
            f"mean level {noise.bias_same_room:+.2f} dB relative to the converged response",
        ),
        (
            "noise, two rooms away",
            noise.two_rooms_away,
            peer_noise.two_rooms_away if peer_noise else None,
            f"mean level {noise.bias_two_rooms_away:+.2f} dB relative to the converged response",
        ),
    )
    return [
        Row(
            name=f"{label}: {figure}",
            ours=ours,
            unit="dB" if figure.startswith("noise") else "ms of CPU",
            conditions=conditions,
            peer=peer,
            peer_name=reference or "",
        )
        for figure, ours, peer, conditions in rows
    ]


def _headline_rows(
    ours: Sequence[str], peer: str, aim: float, cost_of: dict[str, Cost], noise_of: dict[str, Noise]
) -> list[Row]:
    """The cheapest of our settings that is no noisier than the peer; if there is none, the quietest, with a note."""
    chosen = cheapest_at_most(cost_of, noise_of, ours, noise_of[peer])
    note = f"; aim: 1/{1 / aim:.0f} = {aim:.3f}"
    if chosen is None:
        chosen = min(ours, key=lambda name: noise_of[name].two_rooms_away)
        note += "; NO SETTING IS AS QUIET AS THE PEER: this is the quietest"
    return _setting_rows(f"no noisier than {peer}: {chosen}", chosen, peer, cost_of, noise_of, note)


def _stream_rows(scene: Scene, rays: RayScene, places: Places) -> list[Row]:
    """A step of sound through one response, compared with its FFTs only."""
    engine = EmittersEngine(rays)
    engine.set_source(places.source_3)
    response_ES = engine.impulse_response(places.walk[0])
    stream = BinauralStream(load_sound("ring"))
    stream.reset(response_ES)
    loop_ES = np.ones((2, len(load_sound("ring"))), dtype=np.float32)
    seconds = alternate(
        {
            "step": lambda: stream.step(response_ES),
            "fft": lambda: fft.irfft(fft.rfft(loop_ES, axis=-1), axis=-1),
        }
    )
    return [
        Row(
            name="0.15 s of sound",
            ours=1e3 * seconds["step"],
            unit="ms of CPU",
            conditions=f"ring, {engine.n_samples / engine.sample_rate:g} s response, two ears",
            peer=1e3 * seconds["fft"],
            peer_name="limit: its FFTs",
        )
    ]


def _shoebox_row() -> Row | None:
    """A mono response in a shoebox, compared with pyroomacoustics' hybrid mode: images (order 3) and ray tracing."""
    if importlib.util.find_spec("pyroomacoustics") is None:
        return None
    import pyroomacoustics

    source_3, ear_3 = np.array([1.5, 1.5, -1.0]), np.array([-1.4, 1.5, 1.1])
    engine = EmittersEngine(RayScene(shoebox(ROOM, 0.2, 0.5)), EmittersConfig())
    engine.set_source(source_3)
    half = np.array([ROOM[0] / 2, 0.0, ROOM[2] / 2])

    def peer() -> None:
        material = pyroomacoustics.Material(energy_absorption=0.2, scattering=0.5)
        room = pyroomacoustics.ShoeBox(
            ROOM, fs=16_000, materials=material, max_order=3, ray_tracing=True, air_absorption=True
        )
        room.set_ray_tracing(receiver_radius=0.3)
        room.add_source(source_3 + half)
        room.add_microphone(ear_3 + half)
        room.compute_rir()

    moved_3 = ear_3.copy()

    def ours() -> None:
        moved_3[0] += 1e-3  # a position that is not cached
        engine.omni_response(moved_3)

    seconds = alternate({"ours": ours, "peer": peer}, rounds=5)
    return Row(
        name="mono response in a shoebox",
        ours=1e3 * seconds["ours"],
        unit="ms of CPU",
        conditions=f"{ROOM[0]:g} x {ROOM[1]:g} x {ROOM[2]:g} m, absorption 0.2, scattering 0.5",
        peer=1e3 * seconds["peer"],
        peer_name="pyroomacoustics, hybrid",
    )


def _growth_rows(scene: Scene, places: Places, quick: bool) -> list[Row]:
    """Time and memory as a function of triangles and emitters."""
    default = EmittersConfig().emitters
    loads = [Load(splits=splits, emitters=default) for splits in ((0, 1) if quick else (0, 1, 2, 3))]
    loads += [Load(splits=0, emitters=count) for count in ((5_000,) if quick else (5_000, 40_000, 100_000))]
    rows = []
    for point in points(scene, places, loads):
        load = f"{point.triangles:,} triangles, {point.emitters:,} emitters"
        conditions = f"tree {point.tree:.0f} ms, source {point.once:.0f} ms of CPU"
        rows += [
            Row(name=f"{load}: response", ours=point.response, unit="ms of CPU", conditions=conditions),
            Row(name=f"{load}: memory", ours=point.memory, unit="MiB", conditions="tree, engine and emitters"),
        ]
    return rows


if __name__ == "__main__":
    acoustics()
