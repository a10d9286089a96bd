"""glTF as its standard says: every kind of geometry and placement is read, or is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.meshes.mesh_files import load_mesh, read_mesh
from tests.sim_bridge.gltf_files import Gltf, room, walls
from tests.sim_bridge.looks import area, colours

CEILING, CEILING_RGB = walls()["white ceiling"]
SHOWN = "?up=y"  # as given: the search for the up axis takes most of the time of a tiny file
ROOM = {name: list(rgb) for name, (_, rgb) in walls().items()}


def _primitive(gltf: Gltf, mode: int, indices: list[int] | None, corners: np.ndarray = CEILING) -> None:
    """Add the ceiling as a primitive of another mode."""
    primitive = gltf.quad(corners, gltf.material("white ceiling", CEILING_RGB), "white ceiling")
    primitive["mode"] = mode
    if indices is None:
        del primitive["indices"]
    else:
        primitive["indices"] = gltf.accessor(indices, "<u1")


def _strip(gltf: Gltf) -> None:
    _primitive(gltf, 5, [0, 1, 3, 2])


def _fan(gltf: Gltf) -> None:
    _primitive(gltf, 6, [0, 1, 2, 3])


def _fan_without_indices(gltf: Gltf) -> None:
    _primitive(gltf, 6, None)


def _triangles_without_indices(gltf: Gltf) -> None:
    _primitive(gltf, 4, None, CEILING[[0, 1, 2, 0, 2, 3]])


def _all_sparse(gltf: Gltf) -> None:
    _primitive(gltf, 4, [0, 1, 2, 0, 2, 3])
    entry = gltf.tree["accessors"][gltf.tree["meshes"][-1]["primitives"][0]["attributes"]["POSITION"]]
    del entry["bufferView"]
    places, values = gltf.view(np.arange(4, dtype="<u2").tobytes()), gltf.view(CEILING.tobytes())
    indices = {"bufferView": places, "componentType": 5123}
    entry["sparse"] = {"count": 4, "indices": indices, "values": {"bufferView": values}}


def _some_sparse(gltf: Gltf) -> None:
    _primitive(gltf, 4, [0, 1, 2, 0, 2, 3], CEILING - np.float32([0, 9, 0]))
    entry = gltf.tree["accessors"][gltf.tree["meshes"][-1]["primitives"][0]["attributes"]["POSITION"]]
    places, values = gltf.view(np.arange(4, dtype="<u1").tobytes()), gltf.view(CEILING.tobytes())
    indices = {"bufferView": places, "componentType": 5121}
    entry["sparse"] = {"count": 4, "indices": indices, "values": {"bufferView": values}}


def _node_with_a_camera(gltf: Gltf) -> None:
    _primitive(gltf, 4, [0, 1, 2, 0, 2, 3])
    gltf.add("cameras", {"type": "perspective", "perspective": {"yfov": 1.0, "znear": 0.1}})
    gltf.tree["nodes"][-1]["camera"] = 0


def _child_of_a_camera(gltf: Gltf) -> None:
    _node_with_a_camera(gltf)
    child = gltf.tree["scenes"][0]["nodes"].pop()
    parent = gltf.add("nodes", {"camera": 0, "children": [child], "translation": [0, 1, 0]})
    gltf.tree["nodes"][child]["translation"] = [0, -1, 0]
    gltf.tree["scenes"][0]["nodes"].append(parent)


def _quantised(gltf: Gltf) -> None:
    primitive = gltf.quad(CEILING, gltf.material("white ceiling", CEILING_RGB), "white ceiling", scale=[4, 4, 4])
    values = np.round(CEILING / 4.0 * 32_767)
    primitive["attributes"]["POSITION"] = gltf.accessor(values, "<i2", normalized=True)
    gltf.tree["extensionsRequired"] = ["KHR_mesh_quantization"]


def _matrix(gltf: Gltf) -> None:
    _primitive(gltf, 4, [0, 1, 2, 0, 2, 3], CEILING - np.float32([0, 2, 0]))
    gltf.tree["nodes"][-1]["matrix"] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 2, 0, 1]


def _morphed(gltf: Gltf) -> None:
    _primitive(gltf, 4, [0, 1, 2, 0, 2, 3], CEILING - np.float32([0, 2, 0]))
    target = {"POSITION": gltf.accessor(np.tile([0.0, 4.0, 0.0], (4, 1)))}
    gltf.tree["meshes"][-1]["primitives"][0]["targets"] = [target]
    gltf.tree["meshes"][-1]["weights"] = [0.5]


def _skinned(gltf: Gltf) -> None:
    """The joint places the mesh; the transform of its node does not."""
    primitive = gltf.quad(CEILING, gltf.material("white ceiling", CEILING_RGB), "white ceiling")
    primitive["attributes"]["JOINTS_0"] = gltf.accessor(np.zeros((4, 4)), "<u1")
    primitive["attributes"]["WEIGHTS_0"] = gltf.accessor(np.tile([1.0, 0, 0, 0], (4, 1)))
    joint = gltf.add("nodes", {"translation": [0, 7, 0]})
    gltf.tree["scenes"][0]["nodes"].append(joint)
    inverse = np.eye(4)
    inverse[3, 1] = -7.0
    skin = gltf.add("skins", {"joints": [joint], "inverseBindMatrices": gltf.accessor(inverse.reshape(1, 16))})
    gltf.tree["nodes"][joint - 1] |= {"skin": skin, "translation": [0, 99, 0]}


def _specular_gloss(gltf: Gltf) -> None:
    _primitive(gltf, 4, [0, 1, 2, 0, 2, 3])
    factor = gltf.tree["materials"][-1].pop("pbrMetallicRoughness")["baseColorFactor"]
    gltf.tree["materials"][-1]["extensions"] = {"KHR_materials_pbrSpecularGlossiness": {"diffuseFactor": factor}}


@pytest.mark.parametrize(
    "add",
    [_strip, _fan, _fan_without_indices, _triangles_without_indices, _all_sparse, _some_sparse, _node_with_a_camera,
     _child_of_a_camera, _quantised, _matrix, _morphed, _skinned, _specular_gloss],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_the_ceiling_is_there_however_it_is_stored(tmp_path: Path, add: Callable[[Gltf], None], suffix: str) -> None:
    gltf = room("white ceiling")
    add(gltf)
    scene, report = read_mesh(f"{gltf.write(tmp_path / f'a room.{suffix}')}{SHOWN}")
    assert len(scene.faces_F3) == 12
    assert area(scene) == pytest.approx(180.0, rel=1e-4)
    np.testing.assert_allclose(np.ptp(scene.vertices_V3, axis=0), [6.0, 3.0, 8.0], rtol=1e-4)
    assert colours(scene) == ROOM
    assert report.warnings == ()
    corners = scene.triangles_F33.astype(np.float64)
    volume = (corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume == pytest.approx(-144.0, rel=1e-3), "every face is seen from inside"


def test_negative_weights_of_a_skin_are_refused(tmp_path: Path) -> None:
    gltf = room("white ceiling")
    _skinned(gltf)
    attributes = gltf.tree["meshes"][-1]["primitives"][0]["attributes"]
    attributes["WEIGHTS_0"] = gltf.accessor(np.tile([2.0, -1.0, 0, 0], (4, 1)))
    with pytest.raises(SceneError, match="the weights of a skin are negative"):
        load_mesh(f"{gltf.write(tmp_path / 'a.glb')}{SHOWN}")


def test_instances_are_placed(tmp_path: Path) -> None:
    gltf = room()
    table = np.float32([[-0.5, 0.7, 0.5], [0.5, 0.7, 0.5], [0.5, 0.7, -0.5], [-0.5, 0.7, -0.5]])
    places = gltf.accessor([[-2.0, 0, -2], [0, 0, 0], [2, 0, 2]])
    attributes = {"TRANSLATION": places, "SCALE": gltf.accessor([[1.0, 1, 1], [1, 1, 1], [2, 1, 1]])}
    attributes["ROTATION"] = gltf.accessor([[0.0, 1, 0, 0]] * 3)  # half a turn about the vertical
    extension = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    gltf.quad(table, gltf.material("wooden table", (120, 80, 40)), "table", extensions=extension)
    gltf.tree["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    scene = load_mesh(f"{gltf.write(tmp_path / 'a.glb')}{SHOWN}")
    assert area(scene) == pytest.approx(184.0)
    wooden = np.array([surface.name == "wooden table" for surface in scene.surfaces])[scene.surface_F]
    middles = np.unique(scene.triangles_F33[wooden].reshape(-1, 6, 3).mean(axis=1).round(1), axis=0)
    np.testing.assert_allclose(middles[:, [0, 2]], [[-2, -2], [0, 0], [2, 2]], atol=0.2)


def _points(gltf: Gltf) -> None:
    gltf.quad(CEILING, None)["mode"] = 0


def _not_in_the_scene(gltf: Gltf) -> None:
    gltf.quad(CEILING, None)
    gltf.tree["scenes"][0]["nodes"].pop()


def _hidden(gltf: Gltf) -> None:
    gltf.quad(CEILING, None, extensions={"KHR_node_visibility": {"visible": False}})


def _two_scenes(gltf: Gltf) -> None:
    gltf.tree["scenes"].append({"nodes": [0]})


def _no_scene(gltf: Gltf) -> None:
    gltf.tree["scenes"] = []
    del gltf.tree["scene"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_points, "1 primitives are points or lines"),
        (_not_in_the_scene, "1 of 7 meshes are in the file but not in its scene"),
        (_hidden, "1 nodes are hidden in the file"),
        (_two_scenes, "the file has 2 scenes"),
        (_no_scene, "the file has no scene"),
    ],
)
def test_what_is_not_shown_is_a_warning(tmp_path: Path, change: Callable[[Gltf], None], sentence: str) -> None:
    gltf = room()
    change(gltf)
    scene, report = read_mesh(f"{gltf.write(tmp_path / 'a.glb')}{SHOWN}")
    assert len(scene.faces_F3) == 12
    assert [sentence in warning for warning in report.warnings] == [True]


def _unknown_extension(gltf: Gltf) -> None:
    gltf.tree["extensionsRequired"] = ["ACME_folded_space"]


def _many_nodes(gltf: Gltf) -> None:
    gltf.tree["nodes"] += [{"mesh": 0}] * 60_000


def _many_instances(gltf: Gltf) -> None:
    gltf.tree["accessors"].append({"count": 4_000, "componentType": 5126, "type": "VEC3"})
    attributes = {"TRANSLATION": len(gltf.tree["accessors"]) - 1}
    for _ in range(20):
        gltf.quad(CEILING, None, extensions={"EXT_mesh_gpu_instancing": {"attributes": attributes}})


def _index_past_the_end(gltf: Gltf) -> None:
    gltf.tree["meshes"][0]["primitives"][0]["indices"] = gltf.accessor([0, 1, 9], "<u1")


def _four_indices(gltf: Gltf) -> None:
    gltf.tree["meshes"][0]["primitives"][0]["indices"] = gltf.accessor([0, 1, 2, 3], "<u1")


def _negative_material(gltf: Gltf) -> None:
    gltf.tree["meshes"][0]["primitives"][0]["material"] = -1


def _short_buffer(gltf: Gltf) -> None:
    gltf.tree["accessors"][0]["count"] = 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unknown_extension, "requires ACME_folded_space"),
        (_many_nodes, "have a mesh, more than 50,000"),
        (_many_instances, "places more than 50,000 meshes"),
        (_index_past_the_end, "vertices that do not exist"),
        (_four_indices, "not a multiple of 3"),
        (_negative_material, "materials -1"),
        (_short_buffer, "does not fit into buffer view"),
    ],
)
def test_what_cannot_be_right_is_an_error(tmp_path: Path, change: Callable[[Gltf], None], message: str) -> None:
    gltf = room()
    change(gltf)
    with pytest.raises(SceneError, match=message):
        load_mesh(f"{gltf.write(tmp_path / 'a.glb')}{SHOWN}")


def test_names_with_spaces_percent_signs_and_backslashes_are_found(tmp_path: Path) -> None:
    gltf = room()
    path = gltf.write(tmp_path / "my scene.gltf")
    assert (tmp_path / "my scene.bin").is_file()
    assert area(load_mesh(f"{path}{SHOWN}")) == pytest.approx(180.0)
    path.write_text(path.read_text().replace("my%20scene.bin", "sub\\\\my scene.bin"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "my scene.bin").rename(tmp_path / "sub" / "my scene.bin")
    assert area(load_mesh(f"{path}{SHOWN}")) == pytest.approx(180.0)
