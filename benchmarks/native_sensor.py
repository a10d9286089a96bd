"""Compare Habitat's audio sensor with the RLR wheel and with our engine: `python -m benchmarks.native_sensor`.

All three get the same generated house with its materials, sources and listeners. The sensor and the wheel contain the
same library, so they differ only by the effects of Habitat's interface and by the noise of the rays.
"""

from __future__ import annotations

import importlib.util
import time

import click
import numpy as np

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.acoustics.measures import ild_db, level_db, rt60
from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.open_free_space import NavGrid, free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.simulators.habitat.audio_sensor import AudioSensorConfig, AudioSensorEngine
from avw.sim_bridge.simulators.habitat.sensor_trust import trusted_engine
from avw.sim_bridge.simulators.habitat.session import open_session
from avw.sim_bridge.types import SOURCE_HEIGHT, Pose
from benchmarks.rows import Row, present

RAYS, FEW_RAYS = 5_000, 500  # the default of Habitat (for levels); that of SoundSpaces for navigation (for times)


@click.command()
@click.option(
    "--habitat-python", metavar="PYTHON", help="Python with a habitat-sim whose audio sensor works correctly."
)
@click.option("--scene", default="procedural-0003", show_default=True)
@click.option("--places", default=12, show_default=True, help="Number of sources, each with one listener.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def native_sensor(habitat_python: str | None, scene: str, places: int, as_json: bool) -> None:
    """Compare levels, interaural differences, decays and times of three engines at the same places in one house."""
    if importlib.util.find_spec("rlr_audio_propagation") is None:
        raise UsageError("this compares with the RLR engine; type: pip install 'avw[rlr]'")
    house = load_scene(scene)
    rays = RayScene(house)
    drawn = _places(free_space_of(house), places)
    session = open_session(habitat_python)
    native, wheel = (_heard(engine, drawn) for engine in (
        trusted_engine(session, house, AudioSensorConfig(rays=RAYS)), RlrEngine(house, RlrConfig(rays=RAYS)),
    ))  # fmt: skip
    again = _heard(RlrEngine(house, RlrConfig(rays=RAYS)), drawn, discarded=1)
    ours = _heard(make_engine("emitters", house, rays), drawn)
    where = f"{scene}, {places} places, {RAYS} rays"
    rows = []
    for name, unit, measure in (("level", "dB", 0), ("ILD", "dB", 1), ("RT60", "%", 2)):
        for label, figures, reference in (
            ("audio sensor", native, wheel), ("RLR, drawn again", again, wheel), ("emitters", ours, wheel),
        ):  # fmt: skip
            gap_N = figures[:, measure] - reference[:, measure]
            if unit == "%":
                gap_N = 100.0 * gap_N / reference[:, measure]
            rows.append(Row(name=f"{name}, {label} - RLR: mean", ours=float(gap_N.mean()), unit=unit, conditions=where))
            rms = float(np.sqrt(np.square(gap_N).mean()))
            rows.append(Row(name=f"{name}, {label} - RLR: rms", ours=rms, unit=unit, conditions=where))
    rows += _times(
        trusted_engine(session, house, AudioSensorConfig(rays=FEW_RAYS)), RlrEngine(house, RlrConfig(rays=FEW_RAYS)),
        make_engine("emitters", house, rays), drawn, scene,
    )  # fmt: skip
    present("native_sensor", rows, as_json=as_json)


def _places(navgrid: NavGrid, count: int) -> list[tuple[np.ndarray, Pose]]:
    """Random sources (3,) and listeners on the free floor."""
    rng = keyed_rng("benchmark", "native sensor")
    drawn = []
    for _ in range(count):
        source_3, (x, y, z) = navgrid.sample(rng), navgrid.sample(rng)
        drawn.append((source_3 + np.array([0.0, SOURCE_HEIGHT, 0.0]), Pose(x, y, z, rng.uniform(-np.pi, np.pi))))
    return drawn


def _heard(engine: AcousticEngine, places: list[tuple[np.ndarray, Pose]], discarded: int = 0) -> np.ndarray:
    """Level and ILD (dB) and RT60 of the energy of both ears (s): float64 (places, 3).

    discarded: number of responses that are computed first and not used
    """
    figures = []
    for source_3, pose in places:
        engine.set_source(source_3)
        for _ in range(discarded):
            engine.impulse_response(pose)
        response_ES = engine.impulse_response(pose)
        energy_S = np.square(response_ES, dtype=np.float64).sum(axis=0)
        figures.append((level_db(response_ES), ild_db(response_ES), rt60(np.sqrt(energy_S))))
    engine.close()
    return np.array(figures)


def _times(
    native: AudioSensorEngine,
    wheel: RlrEngine,
    ours: AcousticEngine,
    places: list[tuple[np.ndarray, Pose]],
    scene: str,
) -> list[Row]:
    """CPU milliseconds per further response from a known source. Engines run in separate processes and alternate."""
    spent = np.zeros(3)
    source_3, first = places[0]
    for engine in (native, wheel, ours):
        engine.set_source(source_3)
        engine.impulse_response(first)
    before = native.cpu_seconds, wheel.cpu_seconds
    for _, pose in places:
        native.impulse_response(pose)
        wheel.impulse_response(pose)
        begin = time.process_time()
        ours.impulse_response(pose)
        spent[2] += time.process_time() - begin
    spent[:2] = native.cpu_seconds - before[0], wheel.cpu_seconds - before[1]
    for engine in (native, wheel, ours):
        engine.close()
    milliseconds = 1e3 * spent / len(places)
    return [
        Row(
            name=f"one response, {name}",
            ours=float(milliseconds[index]),
            peer=float(milliseconds[1]),
            peer_name=f"RLR, {FEW_RAYS} rays",
            unit="ms of CPU",
            conditions=scene,
        )
        for index, name in ((0, f"audio sensor, {FEW_RAYS} rays"), (2, "emitters, default"))
    ]


if __name__ == "__main__":
    native_sensor()
