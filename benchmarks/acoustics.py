"""How fast a binaural response is: `python -m benchmarks.acoustics [--scene procedural-0003] [--json]`.

All times are one core's CPU time. Peers run where they are installed: RLR-Audio-Propagation in the same house at the
settings that SoundSpaces ships, pyroomacoustics in a shoebox, which is the scene it is made for. The stream's limit
is one real FFT each way for each ear.
"""

from __future__ import annotations

import importlib.util
import math
import statistics
from collections.abc import Callable

import click
import numpy as np
from scipy import fft

from benchmarks.rows import Row, alternate, present
from sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine
from sim_bridge.acoustics.measures import level_db
from sim_bridge.acoustics.sounds import load_sound
from sim_bridge.acoustics.stream import BinauralStream
from sim_bridge.navigation.navgrid import NavGrid
from sim_bridge.randomness import keyed_rng
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.scenes.catalogue import load_scene
from sim_bridge.scenes.scene import Scene
from sim_bridge.scenes.shoebox import shoebox
from sim_bridge.types import SOURCE_HEIGHT, Action, Pose

ROOM = (6.0, 3.0, 5.0)  # metres
RLR_RAYS = {"SoundSpaces' navigation": 500, "SoundSpaces 2.0's default": 5_000}


@click.command()
@click.option("--scene", default="procedural-0003", show_default=True, help="A scene, as for `avw generate`.")
@click.option("--emitters", default=20_000, show_default=True, help="Virtual emitters kept per source.")
@click.option("--poses", default=12, show_default=True, help="Listener positions in a round.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def acoustics(scene: str, emitters: int, poses: int, as_json: bool) -> None:
    """Milliseconds per binaural response, per turn, per source and per step of sound; and the noise they carry."""
    loaded = load_scene(scene)
    rng = keyed_rng("benchmark", "acoustics", loaded.scene_id)
    navgrid = NavGrid.from_scene(loaded)
    source_3 = navgrid.sample(rng) + np.array([0.0, SOURCE_HEIGHT, 0.0])
    places = [navgrid.sample(rng) for _ in range(poses)]
    walk = [Pose(float(x), float(y), float(z), rng.uniform(-math.pi, math.pi)) for x, y, z in places]
    engine = EmittersEngine(RayScene(loaded), EmittersConfig(emitters=emitters, rays=max(1, emitters // 10)))
    engine.set_source(source_3)
    stream = BinauralStream(load_sound("ring"))
    response_ES = engine.impulse_response(walk[0])
    stream.reset(response_ES)
    turns = [walk[0]]
    for _ in range(poses - 1):
        turns.append(turns[-1].after(Action.TURN_LEFT))
    loop_ES = np.ones((2, len(load_sound("ring"))), dtype=np.float32)

    def listen(asked: list[Pose]) -> Callable[[], None]:
        def ask() -> None:
            for pose in asked:
                engine.impulse_response(pose)

        return ask

    seconds = alternate(
        {
            "move": listen(walk),
            "turn": listen(turns),
            "step": lambda: stream.step(response_ES),
            "fft": lambda: fft.irfft(fft.rfft(loop_ES, axis=-1), axis=-1),
        }
    )
    seconds |= alternate({"source": lambda: engine.set_source(source_3)}, rounds=3)
    place = f"{loaded.scene_id}, {len(loaded.faces_F3)} triangles, {emitters} emitters, one core"
    peer, peer_name, rows = None, "", []
    for name, rays in RLR_RAYS.items():
        if (measured := _rlr_milliseconds(loaded, source_3, walk, rays)) is not None:
            peer, peer_name = measured, f"RLR, {rays} rays, {name}"
            rows.append(_response_row(seconds["move"], poses, place, peer, peer_name))
    if not rows:
        rows.append(_response_row(seconds["move"], poses, place, None, ""))
    rows += [
        Row(name="turn on the spot", ours=1e3 * seconds["turn"] / poses, unit="ms", conditions=place),
        Row(name="new source", ours=1e3 * seconds["source"], unit="ms", conditions=place),
        Row(
            name="0.15 s of sound",
            ours=1e3 * seconds["step"],
            unit="ms",
            conditions="the ring, 1.25 s response, two ears",
            peer=1e3 * seconds["fft"],
            peer_name="limit: its FFTs",
        ),
        _noise_row(engine, source_3, walk, place),
    ]
    if (row := _shoebox_row(emitters)) is not None:
        rows.append(row)
    present("acoustics", rows, as_json=as_json)


def _response_row(seconds: float, poses: int, place: str, peer: float | None, peer_name: str) -> Row:
    return Row(
        name="response at a new position",
        ours=1e3 * seconds / poses,
        unit="ms",
        conditions=place,
        peer=peer,
        peer_name=peer_name,
    )


def _noise_row(engine: EmittersEngine, source_3: np.ndarray, walk: list[Pose], place: str) -> Row:
    """How far the level at a pose depends on the seed."""
    levels = []
    for seed in range(5):
        engine.set_source(source_3, seed)
        levels.append([level_db(engine.impulse_response(pose)) for pose in walk])
    engine.set_source(source_3)
    spread = float(np.sqrt(np.var(levels, axis=0, ddof=1).mean()))
    return Row(name="level between seeds, standard deviation", ours=spread, unit="dB", conditions=place)


def _rlr_milliseconds(scene: Scene, source_3: np.ndarray, walk: list[Pose], rays: int) -> float | None:
    if importlib.util.find_spec("rlr_audio_propagation") is None:
        return None
    from sim_bridge.acoustics.rlr import RlrConfig, RlrEngine

    engine = RlrEngine(scene, RlrConfig(rays=rays, bands=4))
    engine.set_source(source_3)
    engine.impulse_response(walk[0])
    times = []
    for pose in walk:
        before = engine.cpu_seconds
        engine.impulse_response(pose)
        times.append(engine.cpu_seconds - before)
    engine.close()
    return 1e3 * statistics.median(times)


def _shoebox_row(emitters: int) -> Row | None:
    """A mono response in a shoebox, beside pyroomacoustics' images (order 3) and ray tracing, its hybrid mode."""
    if importlib.util.find_spec("pyroomacoustics") is None:
        return None
    import pyroomacoustics

    source_3, ear_3 = np.array([1.5, 1.5, -1.0]), np.array([-1.4, 1.5, 1.1])
    engine = EmittersEngine(RayScene(shoebox(ROOM, 0.2, 0.5)), EmittersConfig(emitters=emitters))
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
        moved_3[0] += 1e-3  # a position not asked for before
        engine.omni_response(moved_3)

    seconds = alternate({"ours": ours, "peer": peer}, rounds=5)
    return Row(
        name="mono response in a shoebox",
        ours=1e3 * seconds["ours"],
        unit="ms",
        conditions=f"{ROOM[0]:g} x {ROOM[1]:g} x {ROOM[2]:g} m, absorption 0.2, scattering 0.5",
        peer=1e3 * seconds["peer"],
        peer_name="pyroomacoustics, hybrid, CPU time",
    )


if __name__ == "__main__":
    acoustics()
