"""A scene that was found: what everything after the command line works with."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.collections.scene_files import SceneFiles
from avw.sim_bridge.scenes.digest_cache import digests, known_digests
from avw.sim_bridge.scenes.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from avw.sim_bridge.scenes.meshes.mesh_files import MeshReport

_GENERATED = re.compile(r"procedural-(\d{4,})")
Stamp = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneRef:
    """One scene. It can be pickled, compared and used as a key.

    scene_id: the name of the scene in datasets, records and messages
    files: where its files are; None for a generated house, and for a scene that is not on this machine
    root: the folder of scanned collections in which it was looked for
    problem: why the scene cannot be opened, if its files were not found; reading it raises SceneError with this text
    """

    scene_id: str
    files: SceneFiles | None = None
    root: Path | None = None
    problem: str = ""

    @property
    def options(self) -> str:
        """How the mesh is to be read, e.g. "up=z&units=cm", see `mesh_options`."""
        return "" if self.files is None else self.files.options

    @property
    def house(self) -> int | None:
        """The number of a generated house; None for any other scene."""
        return house_number(self.scene_id) if self.files is None else None

    def stamp(self) -> Stamp | None:
        """It changes when a file of the scene changes, so that an edited scene is loaded again; None: no files."""
        return None if self.files is None else self.files.stamp()

    def read(self) -> tuple[Scene, MeshReport | None]:
        """The scene, and how it was read if it came from a mesh file. Raises SceneError."""
        if self.problem:
            raise SceneError(self.problem)
        if self.files is None:
            from avw.sim_bridge.scenes.houses.procedural import generate_house

            assert self.house is not None
            return generate_house(self.house), None
        from avw.sim_bridge.scenes.meshes.mesh_files import read_files

        return read_files(self.files)

    def load(self) -> Scene:
        """The scene: generated, or read from a mesh file. Raises SceneError."""
        return self.read()[0]


def house_number(scene_id: str) -> int | None:
    """7 for "procedural-0007"; None for a scene that is not generated."""
    match = _GENERATED.fullmatch(scene_id)
    return None if match is None else int(match[1])


def scene_digests(scenes: Iterable[SceneRef], *, read: bool = True) -> dict[str, str]:
    """{scene id: SHA-256 of its mesh and its semantics} of those scenes that have files.

    A file is read in full if its digest is not in the cache. read=False: it is not read, and the scene is left out.
    """
    files = {scene.scene_id: scene.files.hashed for scene in scenes if scene.files is not None}
    wanted = [path for paths in files.values() for path in paths]
    of_path = digests(wanted) if read else known_digests(wanted)
    return {name: _combined(paths, of_path) for name, paths in files.items() if all(path in of_path for path in paths)}


def _combined(paths: tuple[Path, ...], of_path: Mapping[Path, str]) -> str:
    found = [of_path[path] for path in paths]
    return found[0] if len(found) == 1 else hashlib.sha256(" ".join(found).encode()).hexdigest()
