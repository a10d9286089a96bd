"""Materials for the labels of meshes, and the share of a scene that they cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.materials.labels import DEFAULTED, coverage, face_areas, label_material, material_from_label
from avw.sim_bridge.scenes.materials.materials import DEFAULT_MATERIAL, material
from tests.sim_bridge.boxes import PLAIN, box_scene, flat

# All 40 categories of Matterport3D, except those that name no object.
MATTERPORT = {
    "wall": "plaster_wall", "floor": "wood_floor", "chair": "wooden_chair", "door": "wooden_door",
    "table": "wood_furniture", "picture": "wood_furniture", "cabinet": "wood_furniture", "cushion": "upholstery",
    "window": "window_glass", "sofa": "upholstery", "bed": "bedding", "curtain": "curtain",
    "chest_of_drawers": "wood_furniture", "plant": "foliage", "sink": "sanitary_ceramic", "stairs": "wood_floor",
    "ceiling": "plasterboard_ceiling", "toilet": "sanitary_ceramic", "stool": "wooden_chair", "towel": "cloth",
    "mirror": "glass", "tv_monitor": "glass", "shower": "ceramic_tiles", "column": "plaster_wall",
    "bathtub": "sanitary_ceramic", "counter": "wood_furniture", "fireplace": "brick_wall", "lighting": "metal",
    "beam": "wood_panelling", "railing": "metal", "shelving": "wood_furniture", "blinds": "curtain",
    "gym_equipment": "metal", "seating": "upholstery", "board_panel": "wood_panelling", "furniture": "wood_furniture",
    "appliances": "metal", "clothes": "cloth",
}  # fmt: skip
NAMELESS = ("void", "misc", "objects", "unlabeled", "Material.001", "atlas_0", "chunk003", "mesh_12", "defaultMaterial")


@pytest.mark.parametrize(("label", "expected"), MATTERPORT.items())
def test_the_categories_of_matterport(label: str, expected: str) -> None:
    found = material_from_label(label)
    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Red Carpet on wood", "carpet_thin"),
        ("Wooden_Door.003", "wooden_door"),
        ("kitchen window", "window_glass"),
        ("oak_table", "wood_furniture"),
        ("anything|brick_wall", "brick_wall"),
        ("carpet|no_such_material", "carpet_thin"),
        ("shower curtain", "curtain"),
        ("shower", "ceramic_tiles"),
        ("brick wall", "brick_wall"),
        ("KitchenShelves_02", "wood_furniture"),
        ("woodenfloor01", "wood_floor"),
        ("refridgerator", "metal"),  # the spelling of ScanNet
        ("tissue-paper box", "wood_furniture"),
        ("base-cabinet", "wood_furniture"),
        ("indoor-plant", "foliage"),
    ],
)
def test_the_longest_phrase_decides(label: str, expected: str) -> None:
    found = material_from_label(label)
    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize("label", ["bathroom_wall", "BedroomWall02", "bed room wall", "Living Room.Wall"])
def test_names_of_rooms_are_ignored(label: str) -> None:
    found = material_from_label(label)
    assert found is not None
    assert found.name == "plaster_wall"


@pytest.mark.parametrize("label", NAMELESS)
def test_a_label_without_meaning_has_no_material(label: str) -> None:
    assert material_from_label(label) is None
    assert label_material([label]).evidence == DEFAULTED
    assert label_material([label]).material.name == DEFAULT_MATERIAL


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Mat_Wall_A", "plaster_wall"),
        ("MAT_Glass", "glass"),
        ("matWall", "plaster_wall"),
        ("Ceiling_mat", "plasterboard_ceiling"),
        ("M_Wall_MAT.002", "plaster_wall"),
        ("Chair_mat.003", "wooden_chair"),
        ("Bath_Mat", "carpet_thin"),
        ("door mat", "carpet_thin"),
        ("mat|brick_wall", "brick_wall"),
        ("floor_tile_3", "ceramic_tiles"),
        ("steel wire", "metal"),
        ("cardboard box", "wood_furniture"),
        ("kitchenfloors", "wood_floor"),
        ("GlassDoor", "glass"),
    ],
)
def test_what_a_program_adds_to_a_name_says_nothing(label: str, expected: str) -> None:
    assert label_material([label]).material.name == expected


@pytest.mark.parametrize(
    "label",
    ["mat", "Mat.001", "mat_5", "MATERIAL_3", "wire_088144225", "wire 088 144 225", "Tile_+005_+003",
     "Mesh_Tile_-1_002", "Box001", "RenderMesh_2", "Decke", "Deckenlampe", "ventana", "tableau", "photogrammetry",
     "Tischplatte"],
)  # fmt: skip
def test_default_names_and_words_of_other_languages_are_unknown(label: str) -> None:
    assert label_material([label]).evidence == DEFAULTED


def test_categories_are_words_of_people() -> None:
    for category, expected in (("mat", "carpet_thin"), ("box", "wood_furniture"), ("tile", "ceramic_tiles")):
        assert label_material([category], categories=True).material.name == expected


def test_labels_are_tried_in_order_after_the_sidecar() -> None:
    assert label_material(["Material.001", "sofa_3"]).material.name == "upholstery"
    assert label_material(["oak", "sofa_3"]).material.name == "wood_furniture"
    given = label_material(["Material.001", "sofa_3"], {"SOFA_3": "leather"})
    assert (given.material.name, given.evidence) == ("leather", "sidecar")
    with pytest.raises(UsageError, match="unknown acoustic material 'cheese'"):
        label_material(["a"], {"a": "cheese"})


def test_coverage_is_in_shares_of_the_area() -> None:
    scene = box_scene(*flat())
    area_F = face_areas(scene.triangles_F33)
    level_F = np.ptp(scene.triangles_F33[:, :, 1], axis=1) == 0
    floors = replace(PLAIN, name="floor", material=material("wood_floor"))
    scene = replace(scene, surfaces=(PLAIN, floors), surface_F=level_F.astype(np.int32))
    covered = coverage(scene, (DEFAULTED, "floor"))
    assert covered.area == pytest.approx(area_F.sum())
    assert covered.share["wood_floor"] == pytest.approx(area_F[level_F].sum() / area_F.sum())
    assert sum(covered.share.values()) == pytest.approx(1.0)
    assert covered.defaulted == {"plain": pytest.approx(1.0 - covered.share["wood_floor"])}
    assert covered.named == pytest.approx(covered.share["wood_floor"])
    assert coverage(scene).named == 1.0, "without evidence, all materials count as named"
