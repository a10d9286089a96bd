"""Folder trees like those of HM3D, Replica and Gibson for Habitat, made from one of our houses.

Formats: habitat-sim, src/esp/scene/{HM3D,Replica,Gibson}SemanticScene.cpp; folders: DATASETS.md there, and
Replica-Dataset, README.md. Matterport3D's is in `mp3d_tree`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from avw.sim_bridge.scenes.scene import Scene
from tests.sim_bridge.mp3d_tree import TO_Z_UP, objects_of, scan_glb, write_semantic_ply

SCENES = {"hm3d": "00800-TEEsavR23oF", "replica": "apartment_0", "gibson": "Allensville"}
_FRAME = {"shader_type": "flat", "up": [0, 0, 1], "front": [0, 1, 0], "origin": [0, 0, 0]}
_OWN = "%%CONFIG_NAME_AS_ASSET_FILENAME%%"


def scan_tree(collection: str, root: Path, house: Scene) -> tuple[str, np.ndarray]:
    """Write the tree; returns the scene id, and int32 (F,): the object number of each face in the files."""
    write = {"hm3d": _hm3d, "replica": _replica, "gibson": _gibson}[collection]
    return f"{collection}/{SCENES[collection]}", write(root, house)


def _hm3d(root: Path, house: Scene) -> np.ndarray:
    """Objects are numbered from 1, and each has its own colour."""
    number, name = SCENES["hm3d"].split("-")
    folder = root / "hm3d" / "val" / f"{number}-{name}"
    folder.mkdir(parents=True)
    (folder / f"{name}.basis.glb").write_bytes(scan_glb(house))
    object_F, kinds = objects_of(house)
    side = int(np.ceil(np.sqrt(len(kinds))))
    # Linear values with distinct sRGB values: vertex colours are stored in linear light, the list of objects in sRGB.
    index_N = np.arange(side * side)
    linear_N3 = 30 * (1 + np.stack([index_N % 8, index_N // 8 % 8, index_N // 64 % 8], axis=1))
    srgb_N3 = np.round(255.0 * (1.055 * (linear_N3 / 255.0) ** (1.0 / 2.4) - 0.055)).astype(np.uint8)
    codes = srgb_N3.astype(np.int64) @ np.array([65536, 256, 1])
    palette_HWC = srgb_N3.reshape(side, side, 3)
    uv_F2 = (np.stack([object_F % side, object_F // side], axis=1) + 0.5) / side
    look = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(palette_HWC))
    visual = trimesh.visual.TextureVisuals(
        uv=np.repeat(np.stack([uv_F2[:, 0], 1.0 - uv_F2[:, 1]], axis=1), 3, axis=0), material=look
    )
    # Habitat also requires vertex colours.
    own_F4 = np.full((len(object_F), 4), 255, dtype=np.uint8)
    own_F4[:, :3] = linear_N3[object_F]
    visual.vertex_attributes["color"] = np.repeat(own_F4, 3, axis=0)
    trimesh.Trimesh(
        vertices=house.triangles_F33.reshape(-1, 3) @ TO_Z_UP.T,
        faces=np.arange(3 * len(object_F)).reshape(-1, 3),
        visual=visual,
        process=False,
    ).export(folder / f"{name}.semantic.glb")
    lines = [f'{k + 1},{codes[k]:06X},"{words}",0' for k, (words, _) in enumerate(kinds)]
    (folder / f"{name}.semantic.txt").write_text("\n".join(["HM3D Semantic Annotations", *lines]) + "\n")
    attributes = _FRAME | {
        "semantic_descriptor_filename": f"{_OWN}.semantic.txt", "semantic_asset": f"{_OWN}.semantic.glb",
        "has_semantic_textures": False,  # true in HM3D itself, but Habitat cannot use textures written by trimesh
    }  # fmt: skip
    config = {"stages": {"paths": {".glb": ["val/*/*.basis.glb"]}, "default_attributes": attributes}}
    (root / "hm3d" / "hm3d_annotated_basis.scene_dataset_config.json").write_text(json.dumps(config))
    return object_F + 1


def _replica(root: Path, house: Scene) -> np.ndarray:
    """One mesh for colour and semantics, with a colour per vertex."""
    folder = root / "replica" / SCENES["replica"] / "habitat"
    folder.mkdir(parents=True)
    object_F, kinds = objects_of(house)
    write_semantic_ply(folder / "mesh_semantic.ply", house, object_F)
    classes = sorted({words for words, _ in kinds})
    tree = {
        "classes": [{"id": index, "name": words.replace(" ", "-")} for index, words in enumerate(classes)],
        "objects": [
            {
                "id": index, "class_id": classes.index(words), "class_name": words,
                "oriented_bbox": {
                    "abb": {"center": [0, 0, 0], "sizes": [1, 1, 1]},
                    "orientation": {"rotation": [0, 0, 0, 1], "translation": [0, 0, 0]},
                },
            }
            for index, (words, _) in enumerate(kinds)
        ],
    }  # fmt: skip
    (folder / "info_semantic.json").write_text(json.dumps(tree))
    return object_F


def _gibson(root: Path, house: Scene) -> np.ndarray:
    """Objects are numbered from 1; 0 means not labelled."""
    folder = root / "gibson"
    folder.mkdir(parents=True)
    name = SCENES["gibson"]
    (folder / f"{name}.glb").write_bytes(scan_glb(house))
    object_F, kinds = objects_of(house)
    write_semantic_ply(folder / f"{name}_semantic.ply", house, object_F + 1)
    objects = [
        {"id": index + 1, "class_": words, "location": [0, 0, 0], "size": [1, 1, 1]}
        for index, (words, _) in enumerate(kinds)
    ]
    (folder / f"{name}.scn").write_text(json.dumps({"objects": objects, "rooms": []}))
    attributes = _FRAME | {
        "semantic_asset": f"{_OWN}_semantic.ply", "semantic_descriptor_filename": f"{_OWN}.scn",
        "semantic_up": [0, 1, 0], "semantic_front": [0, 0, -1],
    }  # fmt: skip
    config = {"stages": {"paths": {".glb": ["*.glb"]}, "default_attributes": attributes}}
    (folder / "gibson_semantic.scene_dataset_config.json").write_text(json.dumps(config))
    return object_F + 1
