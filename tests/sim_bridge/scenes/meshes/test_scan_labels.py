"""Object labels of scans in the four formats, and errors for other files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.materials.labels import DEFAULTED, label_material, material_from_label
from avw.sim_bridge.scenes.meshes.scan_labels import ObjectLabel, read_labels

HOUSE = """ASCII 1.1
H 17DRP5sb8fy 17DRP5sb8fy 0 0 0 0 0 3 2 1 0 1 0 0 0 0 0 0 0 0 1 1 1 0 0 0 0 0
L 0 1 0 0 0 0 0 0 0 1 1 1 0 0 0 0 0
R 0 0 0 0 b 0 0 0 0 0 0 1 1 1 2.5 0 0 0 0
O 0 0 0 0 0 0 1 0 0 0 1 0 1 1 1 0 0 0 0 0 0 0 0
C 0 1 shower#wall 1 wall 0 0 0 0 0
C 1 7 television 22 tv_monitor 0 0 0 0 0
O 1 0 1 0 0 0 1 0 0 0 1 0 1 1 1 0 0 0 0 0 0 0 0
O 2 0 -1 0 0 0 1 0 0 0 1 0 1 1 1 0 0 0 0 0 0 0 0
E 0 1 12 1 0 0 0 0 0 0 1 1 1 0 0 0 0 0
"""
GIBSON_JSON = '{"objects": [{"id": 1, "class_": "chair", "material": ["leather"]}, {"id": 2, "class_": "bed"}]}'
HM3D = """HM3D Semantic Annotations
1,0A5724,"ceiling",0
2,E88A17,"picture, framed",0

313,23694C,"refrigerator cabinet",9
"""
# The 40 classes of Matterport3D (metadata/mpcat40.tsv of github.com/niessner/Matterport).
MPCAT40 = [
    "wall",
    "floor",
    "chair",
    "door",
    "table",
    "picture",
    "cabinet",
    "cushion",
    "window",
    "sofa",
    "bed",
    "curtain",
    "chest_of_drawers",
    "plant",
    "sink",
    "stairs",
    "ceiling",
    "toilet",
    "stool",
    "towel",
    "mirror",
    "tv_monitor",
    "shower",
    "column",
    "bathtub",
    "counter",
    "fireplace",
    "lighting",
    "beam",
    "railing",
    "shelving",
    "blinds",
    "gym_equipment",
    "seating",
    "board_panel",
    "furniture",
    "appliances",
    "clothes",
]
# Classes of Replica's info_semantic.json (Straub et al. 2019) that are common in homes.
REPLICA = [
    "wall",
    "floor",
    "ceiling",
    "door",
    "window",
    "blinds",
    "curtain",
    "sofa",
    "bed",
    "chair",
    "table",
    "cushion",
    "pillow",
    "blanket",
    "comforter",
    "rug",
    "lamp",
    "sink",
    "refrigerator",
    "cabinet",
    "shelf",
    "desk",
    "nightstand",
    "picture",
    "plant",
    "indoor-plant",
    "tv-screen",
    "vase",
    "wall-cabinet",
    "base-cabinet",
    "countertop",
    "stair",
    "handrail",
    "bench",
    "stool",
    "mat",
    "bowl",
    "plate",
    "bottle",
    "book",
    "bin",
    "basket",
    "box",
    "clock",
    "camera",
    "candle",
    "tissue-paper",
    "faucet",
    "major-appliance",
    "chopping-board",
    "kitchen-utensil",
    "coat",
    "cloth",
    "clothing",
    "shoe",
    "switch",
    "vent",
    "wall-plug",
    "pipe",
    "panel",
]
GIBSON = [
    "bed",
    "bench",
    "book",
    "bottle",
    "bowl",
    "chair",
    "clock",
    "couch",
    "cup",
    "dining table",
    "microwave",
    "oven",
    "potted plant",
    "refrigerator",
    "sink",
    "toilet",
    "tv",
    "vase",
]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_house(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "a.house", HOUSE))
    assert labels.objects == {
        0: ObjectLabel("wall", ("shower wall", "wall")),
        1: ObjectLabel("tv monitor", ("television", "tv monitor")),
    }
    # The words of the annotators are more specific than the class.
    assert label_material(labels.objects[0].words).material.name == "ceramic_tiles"


def test_hm3d(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "a.semantic.txt", HM3D))
    assert {number: label.category for number, label in labels.objects.items()} == {
        1: "ceiling", 2: "picture, framed", 313: "refrigerator cabinet",
    }  # fmt: skip
    assert labels.colours == {0x0A5724: 1, 0xE88A17: 2, 0x23694C: 313}


def test_replica(tmp_path: Path) -> None:
    tree = {
        "classes": [{"id": 93, "name": "wall"}, {"id": 47, "name": "indoor-plant"}],
        "objects": [{"id": 4, "class_id": 93}, {"id": 7, "class_id": 47}, {"id": 8, "class_id": -1}],
    }
    labels = read_labels(write(tmp_path / "info_semantic.json", json.dumps(tree)))
    assert {n: label.category for n, label in labels.objects.items()} == {4: "wall", 7: "indoor plant"}


def test_gibson(tmp_path: Path) -> None:
    tree = {"objects": [{"id": 1, "class_": "chair", "material": ["leather"]}, {"id": 2, "class_": "dining table"}]}
    labels = read_labels(write(tmp_path / "a.scn", json.dumps(tree)))
    assert labels.objects[1] == ObjectLabel("chair", ("leather", "chair"))
    assert label_material(labels.objects[1].words).material.name == "leather"
    assert labels.objects[2].words == ("dining table",)


@pytest.mark.parametrize("name", [*MPCAT40, *REPLICA, *GIBSON])
def test_classes_of_the_collections_have_a_material(name: str) -> None:
    assert label_material([name.replace("_", " ")], categories=True).evidence != DEFAULTED


@pytest.mark.parametrize(
    ("words", "expected"),
    [  # labels of Matterport3D's annotators for which a single word would give the wrong material
        ("shower wall", "ceramic_tiles"),
        ("bath cabinet", "wood_furniture"),
        ("computer desk", "wood_furniture"),
        ("computer chair", "upholstery"),
        ("window shade", "curtain"),
        ("window valence", "curtain"),
        ("curtain rod", "metal"),
        ("ceiling light", "metal"),
        ("ceiling duct", "metal"),
        ("stair rail", "metal"),
        ("wall art", "wood_furniture"),
        ("wall hanging", "cloth"),
        ("closet wall", "plaster_wall"),
        ("towel shelf", "wood_furniture"),
        ("laundry machine", "metal"),
        ("door frame", "wooden_door"),
        ("throw pillow", "bedding"),
        ("tub", "sanitary_ceramic"),
    ],
)
def test_longer_phrases_decide(words: str, expected: str) -> None:
    found = material_from_label(words)
    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize("name", ["objects", "misc", "void", "unlabeled", "undefined", "other", "Unknown"])
def test_classes_without_meaning_have_no_material(name: str) -> None:
    assert material_from_label(name) is None


@given(
    text=st.sampled_from([HOUSE, HM3D, GIBSON_JSON]),
    place=st.integers(0, 2_000),
    new=st.text(max_size=3),
    cut=st.integers(0, 2_000),
)
def test_altered_and_truncated_files_are_read_or_raise_scene_errors(
    tmp_path_factory: Any, text: str, place: int, new: str, cut: int
) -> None:
    altered = (text[: place % len(text)] + new + text[place % len(text) + 1 :])[:cut]
    path = write(tmp_path_factory.mktemp("altered") / "a.house", altered)
    sentence = ""
    try:
        labels = read_labels(path)
        assert all(0 <= number < 65_536 and label.words for number, label in labels.objects.items())
    except SceneError as error:
        sentence = str(error)
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "content", "kept", "reason"),
    [
        ("a.house", HOUSE.replace("O 1 0 1", "O 1 0 7"), {0}, "line 8: object 1 has category 7, which is not listed"),
        ("a.house", HOUSE.replace("C 1 7 television 22 tv_monitor 0 0 0 0 0", "C 1"), {0}, "line 7: IndexError"),
        ("a.house", HOUSE.replace("O 1 0 1 0", "O 99999999 0 1 0"), {0}, "line 8: object or category number 99999999"),
        ("a.semantic.txt", HM3D + "7,zz,x\n", {1, 2, 313}, "line 6: it is not NUMBER,COLOUR"),
        ("a.scn", GIBSON_JSON.replace('"id": 1', '"id": "x"'), {2}, "object 0: invalid literal"),
        ("a.scn", GIBSON_JSON.replace("[{", "[3, {"), {1, 2}, "object 0: TypeError"),
    ],
)
def test_an_entry_that_is_not_valid_drops_its_object_only(
    tmp_path: Path, name: str, content: str, kept: set[int], reason: str
) -> None:
    labels = read_labels(write(tmp_path / name, content))
    assert set(labels.objects) == kept
    assert labels.skipped[0].startswith(reason)
    assert read_labels(write(tmp_path / "whole.house", HOUSE)).skipped == ()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.house", "", "empty"),
        ("a.house", "<!DOCTYPE html><html>", "download it again"),
        ("a.house", "ASCII 2.0\nO 1", "download it again"),
        ("a.house", "ASCII 1.1\nO 1 0 7\n", "category 7, which is not listed"),
        ("a.scn", "[1, 2]", "no list of objects"),
        ("a.scn", '{"objects": [{"id": "x", "class_": "bed"}]}', "invalid literal"),
        ("a.scn", '{"objects": [{"id": -1, "class_": "bed"}]}', "is not from 0"),
        ("a.scn", '{"objects": [3]}', "TypeError"),
        ("a.scn", "[" * 100_000, "RecursionError|recursion"),
        ("info_semantic.json", b"\xff\xfe\x00pickle", "download it again"),
    ],
)
def test_damaged_files_are_errors_of_one_line(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(SceneError, match=message) as raised:
        read_labels(write(tmp_path / name, content))
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)
