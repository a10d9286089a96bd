"""A scene for Habitat's audio sensor: a semantic mesh in which every object is one of AVW's acoustic surfaces.

The sensor takes materials from the category names of a semantic scene only; without them, everything has one default
material. So the triangles that AVW's own engines use are written as such a scene.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from avw.sim_bridge.acoustics.rlr_materials import write_materials
from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.scene import Scene

_MAX_OBJECTS = 10_000  # that Habitat reads from a description of this kind


def write_heard_scene(scene: Scene, folder: Path) -> tuple[Path, Path]:
    """Write `scene` into `folder`; returns the .stage_config.json for Habitat and the file of RLR's materials.

    Raises SceneError for a scene with more surfaces than Habitat can distinguish.
    """
    if len(scene.surfaces) > _MAX_OBJECTS:
        raise SceneError(
            f"scene {scene.scene_id!r} has {len(scene.surfaces)} surfaces, and Habitat's audio sensor can distinguish "
            f"{_MAX_OBJECTS}: use --acoustics emitters or rlr"
        )
    materials = folder / "materials.json"
    names = write_materials(scene, materials)
    _write_ply(scene, folder / "heard.ply")
    unit = {"location": [0.0, 0.0, 0.0], "size": [1.0, 1.0, 1.0]}
    described = [{"id": index, "class_": name, **unit} for index, name in enumerate(names)]
    (folder / "heard.scn").write_text(json.dumps({"objects": described}), encoding="utf-8")
    _write_speck(folder / "speck.glb")
    stage = {
        "render_asset": "speck.glb",
        "semantic_asset": "heard.ply",
        "semantic_descriptor_filename": "heard.scn",
        "up": [0, 1, 0],
        "front": [0, 0, -1],
    }
    path = folder / "heard.stage_config.json"
    path.write_text(json.dumps(stage), encoding="utf-8")
    return path, materials


def _write_ply(scene: Scene, path: Path) -> None:
    """Triangles with the number of their surface, in the form of Matterport3D's semantic meshes."""
    vertex_V = np.zeros(len(scene.vertices_V3), dtype=[("position", "<f4", 3), ("colour", "u1", 3)])
    # Habitat reads any .ply of this kind as Z-up: (x, y, z) becomes (x, z, -y).
    vertex_V["position"] = scene.vertices_V3[:, [0, 2, 1]] * np.array([1.0, -1.0, 1.0], dtype=np.float32)
    face_F = np.zeros(len(scene.faces_F3), dtype=[("count", "u1"), ("corners", "<i4", 3), ("surface", "<i4")])
    face_F["count"], face_F["corners"], face_F["surface"] = 3, scene.faces_F3, scene.surface_F
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(vertex_V)}\nproperty float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {len(face_F)}\nproperty list uchar int vertex_indices\nproperty int object_id\nend_header\n"
    )
    path.write_bytes(header.encode() + vertex_V.tobytes() + face_F.tobytes())


def _write_speck(path: Path) -> None:
    """One triangle of a millimetre: a stage needs a mesh to render, which the sensor does not use."""
    import trimesh

    corners_33 = 1e-3 * np.eye(3)
    trimesh.Trimesh(corners_33, [[0, 1, 2]], process=False).export(path)
