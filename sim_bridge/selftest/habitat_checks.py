"""The self-test of a Habitat-Sim: an acoustic engine in its scenes, its images, and its navigation mesh.

Scenes take the same path as a user's: written as a GLB, opened by Habitat, and read again for the engines of this
process. A problem of the environment is a failed check that says what to type.
"""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.errors import AvwError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.scenes.meshes.mesh_files import load_mesh
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.check import Check, run_check
from avw.sim_bridge.selftest.engine_checks import ANY_ENGINE
from avw.sim_bridge.selftest.engines import RLR_RAYS, engine_maker
from avw.sim_bridge.selftest.floor_checks import FLOOR
from avw.sim_bridge.selftest.sight_checks import DEPTH, RendererMaker
from avw.sim_bridge.simulators.habitat import remedies
from avw.sim_bridge.simulators.habitat.audio_sensor import AudioSensorConfig, AudioSensorEngine
from avw.sim_bridge.simulators.habitat.navmesh import SETTINGS, NavMesh
from avw.sim_bridge.simulators.habitat.sensor_trust import PLACINGS, misplacings
from avw.sim_bridge.simulators.habitat.session import Session, Stage, open_session
from avw.sim_bridge.types import CAMERA_HEIGHT

_ROOM = (6.0, 3.0, 5.0)  # metres


def run_habitat_checks(acoustics: str, python: str | None) -> Iterator[Check]:
    """Run the checks of the engine `acoustics` on the Habitat-Sim of `python`, and of that Habitat-Sim, one by one.

    Checks that depend on a failed one are skipped.
    """
    try:
        session = open_session(python)
    except AvwError as error:
        yield _failed("a habitat-sim", f"{remedies.OLDEST} or newer", error)
        return
    yield _version(session)
    with tempfile.TemporaryDirectory(prefix="avw-selftest-") as folder:
        bench = Bench(session, acoustics, Path(folder))
        heard = run_check(bench.sensor_places_sources if acoustics == "habitat" else bench.engine_opens, None)
        yield heard
        if heard.ok:
            for check in ANY_ENGINE:
                yield run_check(check, bench.engine)
        drawn = run_check(textures_are_unlit, bench.camera)
        yield drawn
        if drawn.ok:
            for look in DEPTH:
                yield run_check(look, bench.camera)
            for floor in FLOOR:
                yield run_check(floor, bench.navmesh)


class Bench:
    """Opens test scenes in a Habitat-Sim, as files in `folder`, and makes engines, cameras and navigation meshes."""

    def __init__(self, session: Session, acoustics: str, folder: Path) -> None:
        self._session, self._acoustics, self._folder = session, acoustics, folder
        self._numbers = itertools.count()

    def engine(self, scene: Scene) -> AcousticEngine:
        """The engine in `scene`: Habitat's sensor, trusted or not, or an engine of this process on the GLB as read."""
        if self._acoustics == "habitat":
            return AudioSensorEngine(self._session, scene, AudioSensorConfig(rays=RLR_RAYS))
        heard = load_mesh(self._export(scene))
        # The materials of these rooms are not in the library, so a file cannot name them.
        known = {f"{surface.name}|{surface.material.name}": surface.material for surface in scene.surfaces}
        surfaces = tuple(dataclasses.replace(surface, material=known[surface.name]) for surface in heard.surfaces)
        heard = dataclasses.replace(heard, surfaces=surfaces)
        return engine_maker(self._acoustics)(heard)

    def camera(self, scene: Scene, size: int = 96, hfov: float = 90.0) -> Camera:
        """Habitat's camera in `scene`. size: pixels · hfov: degrees."""
        return Camera(self._session, self._stage(scene, size, hfov))

    def navmesh(self, scene: Scene) -> NavMesh:
        """The navigation mesh that Habitat computes for `scene`."""
        return NavMesh(self._session, self._stage(scene, 96, 90.0), RayScene(scene))

    def sensor_places_sources(self, _: None) -> Check:
        """Habitat's sensor must pass the test of source positions before anything uses it."""
        found = misplacings(self._session)
        version = str(self._session.hello["version"])
        return Check(
            name="the audio sensor hears sources at their positions",
            expected=f"{len(PLACINGS)} of {len(PLACINGS)}",
            measured="; ".join(found) or f"{len(PLACINGS)} of {len(PLACINGS)}",
            ok=not found,
            fix=remedies.misplaced(self._session.python, version, "; ".join(found)),
        )

    def engine_opens(self, _: None) -> Check:
        """An engine of this process is installed, and accepts a mesh that was read from a file."""
        self.engine(shoebox(_ROOM)).close()
        return Check(name=f"--acoustics {self._acoustics}", expected="opens", measured="opens", ok=True, fix="")

    def _export(self, scene: Scene) -> Path:
        path = self._folder / f"{next(self._numbers)}.glb"
        export_glb(scene, path)
        return path

    def _stage(self, scene: Scene, size: int, hfov: float) -> Stage:
        mesh = self._export(scene)
        return Stage(
            scene_id=scene.scene_id,
            stage=str(mesh.with_suffix(".stage_config.json")),
            mesh=str(mesh),
            stamp=None,
            navmesh=None,
            settings=SETTINGS,
            size=size,
            hfov=hfov,
            camera=CAMERA_HEIGHT,
        )


class Camera:
    """Habitat's camera as an `avw.sim_bridge.selftest.sight_checks.Sees`."""

    def __init__(self, session: Session, stage: Stage) -> None:
        self._session, self._stage = session, stage

    def render(self, camera_3: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        return self._session.look(self._stage, camera_3 - np.array([0.0, CAMERA_HEIGHT, 0.0]), yaw)


def textures_are_unlit(make: RendererMaker) -> Check:
    """Habitat does not use AVW's lamps: a uniformly grey room must show that grey, with the same bytes on reopening."""
    looks = [make(shoebox(_ROOM), 96, 90.0).render(np.array([0.7, CAMERA_HEIGHT, -0.4]), 0.6)[0] for _ in range(2)]
    grey = shoebox(_ROOM).surfaces[0].texture_HWC[0, 0, 0]
    worst = max(int(np.abs(look_HWC.astype(int) - int(grey)).max()) for look_HWC in looks)
    equal = looks[0].tobytes() == looks[1].tobytes()
    return Check(
        name="unlit textures, equal bytes on reopening",
        expected="within 1 of 255, equal bytes",
        measured=f"{worst}, {'equal' if equal else 'different'} bytes",
        ok=worst <= 1 and equal,
        fix="Habitat's images are lit, or wrong: use --backend embedded, and report it with this table",
    )


def _version(session: Session) -> Check:
    hello = session.hello
    return Check(
        name="a habitat-sim",
        expected=f"{remedies.OLDEST} or newer",
        measured=f"{hello['version']}, {'with' if hello['audio'] else 'without'} audio, Python {hello['python']}",
        ok=True,
        fix="",
    )


def _failed(name: str, expected: str, error: AvwError) -> Check:
    return Check(name=name, expected=expected, measured="not usable", ok=False, fix=str(error))
