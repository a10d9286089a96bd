"""What Habitat is given of a mesh whose faces show their backs: both windings, because it hides back faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.scenes.meshes.mesh_files import load_mesh
from avw.sim_bridge.simulators.habitat.simulator import open_place
from tests.sim_bridge.gltf_files import Gltf, walls


def written(path: Path, *reversed_walls: str) -> Path:
    """A room; some of its walls are seen from outside only."""
    gltf = Gltf()
    for name, (corners, rgb) in walls().items():
        gltf.quad(corners[::-1] if name in reversed_walls else corners, gltf.material(name, rgb), name)
    return gltf.write(path)


def volume(triangles_F33: np.ndarray) -> float:
    corners = triangles_F33.astype(np.float64)
    return float((corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


@pytest.mark.parametrize("reversed_walls", [tuple(walls()), ("glass", "curtain")], ids=["inside-out", "mixed"])
def test_a_mesh_that_shows_backs_is_given_with_both_windings(tmp_path: Path, reversed_walls: tuple[str, ...]) -> None:
    place = open_place(scene_ref(str(written(tmp_path / "room.glb", *reversed_walls))))
    given = load_mesh(f"{place.mesh}?up=y")
    assert len(given.faces_F3) == 24
    assert volume(given.triangles_F33) == pytest.approx(0.0, abs=1e-3), "every face has its opposite"
    assert len(place.scene.faces_F3) == 12, "the scene of the sound stays as it is"


def test_a_mesh_that_shows_fronts_is_given_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "room.glb")
    assert open_place(scene_ref(str(path))).mesh == path.resolve()
