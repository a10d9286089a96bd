"""Colours of glTF: linear factors, pictures, vertex colours and light, in the right colour space and place."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.meshes.formats import pictures
from avw.sim_bridge.scenes.meshes.mesh_files import MeshReport, load_mesh, read_mesh
from avw.sim_bridge.scenes.scene import Scene
from tests.sim_bridge.gltf_files import BLUE, CORNER_UV, FLOOR, RED, Gltf, halves, linear, room, walls
from tests.sim_bridge.looks import colours

CORNERS = walls()[FLOOR][0]
LEFT_UV = [(0.1, 0.1), (0.4, 0.1), (0.4, 0.4), (0.1, 0.4)]  # on the red half of `halves`
SHOWN = "?up=y"  # as given: the search for the up axis takes most of the time of a tiny file
WHITE = np.full((2, 2, 3), 255, dtype=np.uint8)


def _shifted(across: float) -> np.ndarray:
    return np.array(LEFT_UV) + np.array([across, 0.0])


def floor(tmp_path: Path, make: Callable[[Gltf], dict[str, Any]], **material: Any) -> tuple[Scene, MeshReport]:
    """The room with a floor of another material. make: adds pictures, returns `attributes` and entries of the look"""
    gltf = room(FLOOR)
    more = make(gltf)
    attributes = more.pop("attributes", {})
    gltf.quad(CORNERS, gltf.material(FLOOR, **material, **more), FLOOR, attributes=attributes)
    return read_mesh(f"{gltf.write(tmp_path / 'a.glb')}{SHOWN}")


def _textured(uv: Any = LEFT_UV, dtype: str = "<f4", **info: Any) -> Callable[[Gltf], dict[str, Any]]:
    def make(gltf: Gltf) -> dict[str, Any]:
        more = {"normalized": True} if dtype != "<f4" else {}
        coordinates = {"TEXCOORD_0": gltf.accessor(uv, dtype, **more)}
        texture = {"index": gltf.picture(halves()), **info}
        return {"pbr": {"baseColorTexture": texture}, "attributes": coordinates}

    return make


def _sampler(mode: int, uv: Any) -> Callable[[Gltf], dict[str, Any]]:
    def make(gltf: Gltf) -> dict[str, Any]:
        made = _textured(uv)(gltf)
        gltf.tree["textures"][-1]["sampler"] = gltf.add("samplers", {"wrapS": mode, "wrapT": mode})
        return made

    return make


def _second_set(gltf: Gltf) -> dict[str, Any]:
    made = _textured(texCoord=1)(gltf)
    right = _shifted(0.5)
    made["attributes"] = {"TEXCOORD_0": gltf.accessor(LEFT_UV), "TEXCOORD_1": gltf.accessor(right)}
    return made


def _moved(**values: Any) -> Callable[[Gltf], dict[str, Any]]:
    return _textured(extensions={"KHR_texture_transform": values})


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_textured(), RED),
        (_textured(np.array(LEFT_UV) * 255, "<u1"), RED),
        (_textured(np.array(LEFT_UV) * 65_535, "<u2"), RED),
        (_moved(offset=[0.5, 0.0]), BLUE),
        (_moved(offset=[0.0, 0.5], scale=[1.0, 0.5]), RED),
        # The lower left quarter, turned by 90 degrees: the example of the extension's specification.
        (_moved(offset=[0.0, 1.0], rotation=np.pi / 2, scale=[0.5, 0.5]), RED),
        (_moved(offset=[1.0, 1.0], rotation=np.pi, scale=[1.0, 1.0]), BLUE),
        (_second_set, BLUE),
        (_sampler(10497, _shifted(1.0)), RED),
        (_sampler(33071, _shifted(1.0)), BLUE),
        (_sampler(33071, _shifted(-1.0)), RED),
        (_sampler(33648, _shifted(1.0)), BLUE),
        (_sampler(33648, _shifted(2.0)), RED),
    ],
)
def test_pictures_are_in_the_right_place(tmp_path: Path, make: Callable[[Gltf], dict[str, Any]], expected: Any) -> None:
    scene, report = floor(tmp_path, make)
    assert colours(scene)[FLOOR] == list(expected)
    assert report.warnings == ()


def _white(gltf: Gltf) -> dict[str, Any]:
    texture = {"index": gltf.picture(WHITE)}
    pbr = {"baseColorTexture": texture, "baseColorFactor": [0.5, 0.5, 0.5, 1.0]}
    return {"pbr": pbr, "attributes": {"TEXCOORD_0": gltf.accessor(CORNER_UV)}}


def _vertex_colours(values: Any, dtype: str = "<f4", picture: bool = False) -> Callable[[Gltf], dict[str, Any]]:
    def make(gltf: Gltf) -> dict[str, Any]:
        more = {"normalized": True} if dtype != "<f4" else {}
        made = _white(gltf) if picture else {}
        made["attributes"] = {**made.get("attributes", {}), "COLOR_0": gltf.accessor(values, dtype, **more)}
        return made

    return make


LINEAR_RED = np.tile(linear(RED), (4, 1))
SHADES = np.repeat(linear([[200] * 3, [100] * 3]), 2, axis=0)


@pytest.mark.parametrize(
    ("make", "expected", "tolerance"),
    [
        (lambda gltf: {"pbr": {"baseColorFactor": [*linear((150, 100, 50)), 1.0]}}, (150, 100, 50), 0),
        (_white, (188, 188, 188), 0),
        (_vertex_colours(LINEAR_RED), RED, 0),
        (_vertex_colours(LINEAR_RED * 65_535, "<u2"), RED, 0),
        (_vertex_colours(np.concatenate([LINEAR_RED, np.ones((4, 1))], axis=1) * 65_535, "<u2"), RED, 0),
        (_vertex_colours(LINEAR_RED, picture=True), np.round(188 * np.array([200, 30, 30]) / 255), 4),
        (_vertex_colours(SHADES), (160, 160, 160), 8),
    ],
)
def test_factors_and_vertex_colours_are_linear(tmp_path: Path, make: Any, expected: Any, tolerance: int) -> None:
    scene, _ = floor(tmp_path, make)
    np.testing.assert_allclose(colours(scene)[FLOOR], expected, atol=tolerance)


def test_the_faces_of_a_picture_keep_their_own_vertex_colours(tmp_path: Path) -> None:
    """Two quads of one mesh, one tinted red and one blue, on a white picture."""
    gltf = room(FLOOR)
    corners = np.concatenate([CORNERS, CORNERS + np.float32([0, 0.1, 0])])
    tints = np.repeat([[1.0, 0, 0], [0, 0, 1.0]], 4, axis=0)
    texture = {"baseColorTexture": {"index": gltf.picture(WHITE)}}
    primitive = gltf.quad(corners, gltf.material(FLOOR, pbr=texture), FLOOR)
    primitive["indices"] = gltf.accessor([0, 1, 2, 0, 2, 3, 4, 5, 6, 4, 6, 7], "<u1")
    primitive["attributes"] |= {"COLOR_0": gltf.accessor(tints), "TEXCOORD_0": gltf.accessor([*CORNER_UV, *CORNER_UV])}
    scene = load_mesh(f"{gltf.write(tmp_path / 'a.glb')}{SHOWN}")
    shown = {tuple(s.texture_HWC[0, 0].tolist()) for s in scene.surfaces if s.name == FLOOR}
    assert shown == {(255, 0, 0), (0, 0, 255)}


def _light(factor: list[float], base: tuple[int, int, int], picture: np.ndarray | None = None, **more: Any) -> Any:
    def make(gltf: Gltf) -> dict[str, Any]:
        made: dict[str, Any] = {"rgb": base, "emissiveFactor": factor, **more}
        if picture is not None:
            made |= {"emissiveTexture": {"index": gltf.picture(picture)}}
            made |= {"attributes": {"TEXCOORD_0": gltf.accessor(CORNER_UV)}}
        return made

    return make


SPOT = np.zeros((8, 8, 3), dtype=np.uint8)
SPOT[2, 5] = 255


@pytest.mark.parametrize(
    ("make", "power_3"),
    [
        (_light([1.0, 1.0, 1.0], (120, 80, 40), SPOT), [1 / 64] * 3),
        (_light([1.0, 0.0, 0.0], (0, 0, 0)), [1.0, 0.0, 0.0]),
        (_light([0.5, 0.5, 0.5], (255, 255, 255)), [0.5] * 3),
        (_light([0.0, 0.0, 0.0], (255, 255, 255), SPOT), [0.0] * 3),
        (_light([0.1, 0.1, 0.1], (0, 0, 0), extensions={"KHR_materials_emissive_strength": {"emissiveStrength": 4.0}}),
         [0.4] * 3),
    ],
)  # fmt: skip
def test_the_emitted_power_is_that_of_factor_times_picture(tmp_path: Path, make: Any, power_3: list[float]) -> None:
    scene, report = floor(tmp_path, make)
    shown = next(surface for surface in scene.surfaces if surface.name == FLOOR)
    emitted_3 = linear(shown.texture_HWC).reshape(-1, 3).mean(axis=0) * shown.emission
    luminance_3 = np.array([0.2126, 0.7152, 0.0722])
    assert emitted_3 @ luminance_3 == pytest.approx(np.array(power_3) @ luminance_3, abs=0.005)
    if power_3 == [1.0, 0.0, 0.0]:
        assert emitted_3 == pytest.approx([1.0, 0.0, 0.0], abs=0.01)
    assert bool([note for note in report.notes if "glow evenly" in note]) == (power_3[0] == 1 / 64)


def _grey_16(gltf: Gltf) -> dict[str, Any]:
    stream = io.BytesIO()
    Image.fromarray(np.full((2, 2), 100 * 257, dtype=np.uint16)).save(stream, "PNG")
    texture = {"index": gltf.picture(stream.getvalue())}
    return {"pbr": {"baseColorTexture": texture}, "attributes": {"TEXCOORD_0": gltf.accessor(CORNER_UV)}}


def test_16_bit_pictures_are_not_clipped(tmp_path: Path) -> None:
    assert colours(floor(tmp_path, _grey_16)[0])[FLOOR] == [100, 100, 100]


def _broken(data: bytes | None) -> Callable[[Gltf], dict[str, Any]]:
    def make(gltf: Gltf) -> dict[str, Any]:
        made = _textured()(gltf)
        if data is None:
            del gltf.tree["textures"][0]["source"]
        else:
            gltf.tree["images"][0]["bufferView"] = gltf.view(data)
        return made

    return make


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff\xd8\xff\xe0broken", "cannot be decoded"),
        (b"DDS " + bytes(53), "cannot be decoded"),
        (None, "names no picture"),
        (b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(80), "KTX2/Basis"),
    ],
)
def test_pictures_that_cannot_be_shown_are_warnings(tmp_path: Path, data: bytes | None, sentence: str) -> None:
    _, report = floor(tmp_path, _broken(data))
    assert [sentence in warning for warning in report.warnings] == [True]


def test_a_picture_without_coordinates_is_a_warning(tmp_path: Path) -> None:
    def make(gltf: Gltf) -> dict[str, Any]:
        return {**_textured()(gltf), "attributes": {}}

    assert any("no texture coordinates" in warning for warning in floor(tmp_path, make)[1].warnings)


def test_a_picture_that_many_textures_share_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_DECODED", 100)
    gltf = room(FLOOR)
    texture = gltf.picture(halves())
    for _ in range(5):
        copy = gltf.add("images", dict(gltf.tree["images"][gltf.tree["textures"][texture]["source"]]))
        look = {"baseColorTexture": {"index": gltf.add("textures", {"source": copy})}}
        gltf.quad(CORNERS, gltf.material(FLOOR, pbr=look), attributes={"TEXCOORD_0": gltf.accessor(LEFT_UV)})
    assert colours(load_mesh(f"{gltf.write(tmp_path / 'a.glb')}{SHOWN}"))[FLOOR] == list(RED)
    look = {"baseColorTexture": {"index": gltf.picture(halves(grey=True))}}
    gltf.quad(CORNERS, gltf.material("other", pbr=look), attributes={"TEXCOORD_0": gltf.accessor(LEFT_UV)})
    with pytest.raises(SceneError, match="more than 100 pixels"):
        load_mesh(gltf.write(tmp_path / "b.glb"))


def test_see_through_materials_and_lamps_are_notes(tmp_path: Path) -> None:
    gltf = room()
    gltf.tree["materials"][0]["alphaMode"] = "BLEND"
    gltf.tree["extensions"] = {"KHR_lights_punctual": {"lights": [{"type": "point"}]}}
    report = read_mesh(f"{gltf.write(tmp_path / 'a.glb')}{SHOWN}")[1]
    assert [("see-through" in note, "lamps" in note) for note in report.notes] == [(True, False), (False, True)]
    assert report.warnings == ()


def _shades(values: Any, dtype: str, **more: Any) -> Callable[[Gltf], dict[str, Any]]:
    return lambda gltf: {"attributes": {"COLOR_0": gltf.accessor(np.full((4, 3), values), dtype, **more)}}


@pytest.mark.parametrize(
    ("make", "grey", "sentence"),
    [
        (
            lambda gltf: {"pbr": {"baseColorFactor": [3.0, 3.0, 3.0, 1.0]}},
            255,
            "the base colour of oak floor is outside",
        ),
        (_shades(1.5, "<f4"), 255, "vertex colours are outside 0 to 1"),
        (_shades(1.0004, "<f4"), 255, ""),
        (_shades(55, "u1"), 128, "vertex colours are whole numbers that are not marked as normalised"),
        (_shades(55, "u1", normalized=True), 128, ""),
    ],
)
def test_colours_out_of_range_are_named(tmp_path: Path, make: Any, grey: int, sentence: str) -> None:
    scene, report = floor(tmp_path, make)
    np.testing.assert_allclose(colours(scene)[FLOOR], grey, atol=2)
    assert sentence in " ".join(report.warnings)
    assert bool(sentence) == bool(report.warnings)
