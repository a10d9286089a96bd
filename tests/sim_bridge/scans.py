"""Meshes like those of scanners: noise, holes, vertex colours or an atlas, many triangles, any up axis."""

from __future__ import annotations

import numpy as np
import trimesh
from PIL import Image

from avw.sim_bridge.randomness import keyed_rng
from tests.sim_bridge.boxes import Box, box_scene

Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])  # from a Y-up mesh to a Z-up mesh


def building(*boxes: Box) -> trimesh.Trimesh:
    """The boxes as one Y-up mesh without colours."""
    scene = box_scene(*boxes)
    return trimesh.Trimesh(scene.vertices_V3.astype(np.float64), scene.faces_F3, process=False)


def scan(
    mesh: trimesh.Trimesh, *, edge: float = 0.1, noise: float = 0.004, holes: int = 0, hole: float = 0.25, seed: int = 0
) -> trimesh.Trimesh:
    """`mesh` with sides of at most `edge` metres, noise of `noise` metres on its vertices, and `holes` holes."""
    vertices_V3, faces_F3 = trimesh.remesh.subdivide_to_size(mesh.vertices, mesh.faces, max_edge=edge)
    rng = keyed_rng("test", "scan", seed)
    centres_F3 = vertices_V3[faces_F3].mean(axis=1)
    kept_F = np.ones(len(faces_F3), dtype=bool)
    for index in rng.integers(len(faces_F3), size=holes):
        kept_F &= np.linalg.norm(centres_F3 - centres_F3[index], axis=1) > hole
    vertices_V3 = vertices_V3 + rng.normal(scale=noise, size=vertices_V3.shape)
    return trimesh.Trimesh(vertices_V3, faces_F3[kept_F], process=False)


def coloured(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh with vertex colours that are redder towards +x."""
    shade_V = np.clip((mesh.vertices[:, 0] - mesh.bounds[0, 0]) / np.ptp(mesh.bounds[:, 0]) * 255, 0, 255)
    colours_V4 = np.stack([shade_V, 0 * shade_V + 90, 255 - shade_V, 0 * shade_V + 255], axis=1).astype(np.uint8)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours_V4, process=False)


def with_atlas(mesh: trimesh.Trimesh, name: str = "material_0", size: int = 512) -> trimesh.Trimesh:
    """The mesh with one texture for all faces, as in photogrammetry."""
    picture = (keyed_rng("test", "atlas").random((size, size, 3)) * 255).astype(np.uint8)
    uv_V2 = (mesh.vertices[:, [0, 2]] - mesh.bounds[0, [0, 2]]) / np.ptp(mesh.bounds[:, [0, 2]], axis=0)
    look = trimesh.visual.material.PBRMaterial(name=name, baseColorTexture=Image.fromarray(picture))
    visual = trimesh.visual.TextureVisuals(uv=uv_V2, material=look)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, visual=visual, process=False)
