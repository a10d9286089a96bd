"""A folder tree like Matterport3D's for Habitat, made from one of our houses: mesh, semantics and configuration.

The formats are those of the real files: `.house` as in data_organization.md of github.com/niessner/Matterport and in
habitat-sim's src/esp/scene/Mp3dSemanticScene.cpp; `_semantic.ply` as written by habitat-sim's data tool
(src/utils/datatool/Mp3dInstanceMeshData.cpp until 0.3.2); file names as in DATASETS.md of both repositories.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.materials.labels import material_from_label
from avw.sim_bridge.scenes.materials.materials import DEFAULT_MATERIAL, material
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox

TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # from a Y-up position to the frame of a scan
CONFIG = "mp3d.scene_dataset_config.json"
MPCAT40 = {"wall": 1, "floor": 2, "door": 4, "window": 9, "ceiling": 17, "furniture": 36, "objects": 39, "misc": 40}
# Labels that an annotator might write for objects of our materials.
_WORDS = {
    "bedding": "mattress", "books": "bookshelf", "brick_wall": "brick wall", "carpet_thick": "thick carpet",
    "carpet_thin": "rug", "ceramic_tiles": "ceramic tile", "cloth": "towel", "concrete": "concrete floor",
    "curtain": "curtain", "foliage": "plant", "glass": "mirror", "leather": "leather sofa", "linoleum": "linoleum",
    "marble_floor": "marble floor", "metal": "radiator", "plaster_ceiling": "plaster ceiling",
    "plaster_wall": "wall", "plasterboard_ceiling": "ceiling", "plasterboard_wall": "drywall", "plastic": "toy",
    "sanitary_ceramic": "sink", "upholstery": "couch", "window_glass": "window", "wood_floor": "parquet",
    "wood_furniture": "coffee table", "wood_panelling": "wood panel", "wooden_chair": "dining chair",
    "wooden_door": "door",
}  # fmt: skip
_NAVMESH = """
import ctypes, sys
ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)  # audio builds contain their own copy
import habitat_sim
glb, config, out = sys.argv[1:]
settings = habitat_sim.SimulatorConfiguration()
settings.scene_id, settings.scene_dataset_config_file = glb, config
settings.gpu_device_id, settings.create_renderer = -1, False
sim = habitat_sim.Simulator(habitat_sim.Configuration(settings, [habitat_sim.agent.AgentConfiguration()]))
navmesh = habitat_sim.NavMeshSettings()
navmesh.set_defaults()
navmesh.agent_radius, navmesh.agent_height = 0.1, 1.5
assert sim.recompute_navmesh(sim.pathfinder, navmesh)
sim.pathfinder.save_nav_mesh(out)
sim.close()
"""


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of one scene. root: the scene root · object_F: int32, the object of each face in the files"""

    root: Path
    scene: str
    object_F: np.ndarray

    def file(self, end: str) -> Path:
        """The path of the scene's file whose name ends in `end`."""
        return self.root / "mp3d" / self.scene / f"{self.scene}{end}"


def concrete_box() -> Scene:
    """A house of twelve triangles and one material, for tests that do not need more."""
    box = shoebox((6.0, 3.0, 5.0))
    return replace(box, surfaces=(replace(box.surfaces[0], material=material("concrete")),))


def mp3d_tree(root: Path, house: Scene, scene: str = "17DRP5sb8fy", *, python: str | None = None) -> Tree:
    """Write ROOT/mp3d/SCENE/... from `house`. python: an interpreter with habitat-sim, used to add the navmesh."""
    folder = root / "mp3d" / scene
    folder.mkdir(parents=True)
    (folder / f"{scene}.glb").write_bytes(scan_glb(house))
    object_F, categories = objects_of(house)
    write_semantic_ply(folder / f"{scene}_semantic.ply", house, object_F)
    (folder / f"{scene}.house").write_text(_house_file(house, object_F, categories, scene))
    name = "%%CONFIG_NAME_AS_ASSET_FILENAME%%"
    config = {
        "stages": {
            "paths": {".glb": ["*/*.glb"]},
            "default_attributes": {
                "shader_type": "flat", "up": [0, 0, 1], "front": [0, 1, 0], "origin": [0, 0, 0],
                # Habitat turns every semantic .ply Y-up itself; without these two lines it would do so twice.
                "semantic_up": [0, 1, 0], "semantic_front": [0, 0, -1],
                "nav_asset": f"{name}.navmesh", "semantic_asset": f"{name}_semantic.ply",
                "semantic_descriptor_filename": f"{name}.house",
            },
        },
        "scene_instances": {"default_attributes": {"default_lighting": "no_lights"}},
    }  # fmt: skip
    (root / "mp3d" / CONFIG).write_text(json.dumps(config, indent=1))
    tree = Tree(root, scene, object_F)
    if python is not None:
        command = [
            python,
            "-c",
            _NAVMESH,
            *map(str, (tree.file(".glb"), root / "mp3d" / CONFIG, tree.file(".navmesh"))),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return tree


def scan_glb(house: Scene) -> bytes:
    """A GLB with one mesh per texture and with meaningless names, like the files of scanners."""
    out = trimesh.Scene()
    for index, surface in enumerate(house.surfaces):
        faces_F3 = house.faces_F3[house.surface_F == index]
        if len(faces_F3) == 0:
            continue
        uv_V2 = house.uv_F32[house.surface_F == index].reshape(-1, 2).astype(np.float64)
        look = trimesh.visual.material.PBRMaterial(
            name=f"material_{index}", baseColorTexture=Image.fromarray(surface.texture_HWC)
        )
        mesh = trimesh.Trimesh(
            vertices=house.vertices_V3[faces_F3].reshape(-1, 3) @ TO_Z_UP.T,
            faces=np.arange(3 * len(faces_F3)).reshape(-1, 3),
            visual=trimesh.visual.TextureVisuals(uv=np.stack([uv_V2[:, 0], 1.0 - uv_V2[:, 1]], axis=1), material=look),
            process=False,
        )
        out.add_geometry(mesh, geom_name=f"chunk{index:04d}", node_name=f"chunk{index:04d}")
    data: bytes = out.export(file_type="glb")
    return data


def objects_of(house: Scene) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """The object of each face, and (label, mpcat40 class) of each object: a piece of furniture or a surface."""
    thing_F = np.zeros(len(house.faces_F3), dtype=np.int64) if house.object_F is None else house.object_F
    pairs, object_F = np.unique(np.stack([thing_F, house.surface_F], axis=1), axis=0, return_inverse=True)
    kinds = []
    for thing, surface in pairs:
        name, category = house.surfaces[surface].material.name, house.surfaces[surface].category
        if name == DEFAULT_MATERIAL:  # no label means this material
            kinds.append(("misc", "misc"))
            continue
        words = _WORDS[name]
        found = material_from_label(words)
        assert found is not None
        assert found.name == name, f"{words} is {found.name}, not {name}"
        coarse = category if category in MPCAT40 else ("objects" if thing == 0 else "furniture")
        kinds.append((words, coarse))
    return object_F.reshape(-1).astype(np.int32), kinds


def write_semantic_ply(path: Path, house: Scene, object_F: np.ndarray) -> None:
    """Another tessellation of the house, a few millimetres off: semantic and colour meshes of scans differ."""
    corners_F33 = house.triangles_F33.astype(np.float64)
    longest_F = np.linalg.norm(corners_F33 - np.roll(corners_F33, 1, axis=1), axis=2).max(axis=1)
    large_F = longest_F > 1.0
    middle_L3 = corners_F33[large_F].mean(axis=1)
    parts = [corners_F33[~large_F]]
    for corner in range(3):
        first_L3, second_L3 = corners_F33[large_F, corner], corners_F33[large_F, (corner + 1) % 3]
        parts.append(np.stack([first_L3, second_L3, middle_L3], axis=1))
    triangles_G33 = np.concatenate(parts) @ TO_Z_UP.T
    object_G = np.concatenate([object_F[~large_F], *[object_F[large_F]] * 3])
    triangles_G33 = triangles_G33 + keyed_rng("test", "mp3d").normal(scale=0.001, size=triangles_G33.shape)
    vertex = np.zeros(3 * len(object_G), dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertex["xyz"] = triangles_G33.reshape(-1, 3)
    vertex["rgb"] = np.repeat((object_G[:, None] * np.array([37, 91, 151])) % 256, 3, axis=0)
    face = np.zeros(len(object_G), dtype=[("n", "u1"), ("v", "<i4", 3), ("object", "<i4")])
    face["n"], face["v"], face["object"] = 3, np.arange(3 * len(object_G)).reshape(-1, 3), object_G
    header = (
        "ply", "format binary_little_endian 1.0", f"element vertex {len(vertex)}", "property float x",
        "property float y", "property float z", "property uchar red", "property uchar green", "property uchar blue",
        f"element face {len(face)}", "property list uchar int vertex_indices", "property int object_id", "end_header",
    )  # fmt: skip
    path.write_bytes(("\n".join(header) + "\n").encode() + vertex.tobytes() + face.tobytes())


def _house_file(house: Scene, object_F: np.ndarray, kinds: list[tuple[str, str]], scene: str) -> str:
    vertices_V3 = house.vertices_V3.astype(np.float64) @ TO_Z_UP.T
    listed = sorted(set(kinds))
    box = " ".join(f"{v:g}" for v in (*vertices_V3.min(axis=0), *vertices_V3.max(axis=0)))
    middle = " ".join(f"{v:g}" for v in vertices_V3.mean(axis=0))
    counts = f"0 0 0 0 {len(kinds)} {len(kinds)} {len(listed)} 1 0 1"
    lines = ["ASCII 1.1", f"H {scene} {scene} {counts} 0 0 0 0 0 {box} 0 0 0 0 0", f"L 0 1 0 {middle} {box} 0 0 0 0 0"]
    lines.append(f"R 0 0 0 0 z {middle} {box} {np.ptp(vertices_V3[:, 2]):g} 0 0 0 0")
    for index, (words, coarse) in enumerate(listed):
        lines.append(f"C {index} {index + 1} {words.replace(' ', '#')} {MPCAT40[coarse]} {coarse} 0 0 0 0 0")
    corners_F33 = vertices_V3[house.faces_F3]
    for number, kind in enumerate(kinds):
        own_N3 = corners_F33[object_F == number].reshape(-1, 3)
        low_3, high_3 = own_N3.min(axis=0), own_N3.max(axis=0)
        centre = " ".join(f"{v:g}" for v in (low_3 + high_3) / 2)
        radii = " ".join(f"{v:g}" for v in (high_3 - low_3) / 2)
        lines.append(f"O {number} 0 {listed.index(kind)} {centre} 1 0 0 0 1 0 {radii} 0 0 0 0 0 0 0 0")
    for number in range(len(kinds)):
        lines.append(f"E {number} {number} {number} 1 {middle} {box} 0 0 0 0 0")
    return "\n".join(lines) + "\n"
