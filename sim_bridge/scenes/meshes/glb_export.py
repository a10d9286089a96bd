"""Write scenes as binary glTF, with a stage configuration that makes Habitat-Sim load them upright."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.storage.atomic_write import atomic_write

EXTRAS = "avw"  # key in the glTF extras for lights, rooms and categories, which glTF itself cannot store


def export_glb(scene: Scene, path: str | Path) -> None:
    """Write `scene` as binary glTF with one mesh per surface. `load_mesh` reads everything back except object numbers.

    Surface names include the acoustic material ("oak floor|wood_floor"). Lights, rooms and categories are stored as
    glTF extras. Habitat-Sim assumes that a GLB is Z-up; NAME.stage_config.json beside NAME.glb declares it as Y-up, and
    turns shading off, because Habitat does not read the lamps.
    """
    target = Path(path)
    atomic_write(target, _glb(scene))
    config = {"render_asset": target.name, "up": [0, 1, 0], "front": [0, 0, -1], "force_flat_shading": True}
    atomic_write(target.with_name(f"{target.stem}.stage_config.json"), json.dumps(config, indent=1) + "\n")


def _glb(scene: Scene) -> bytes:
    import trimesh
    from PIL import Image

    out = trimesh.Scene()
    for index, surface in enumerate(scene.surfaces):
        chosen_F = scene.surface_F == index
        if not chosen_F.any():
            continue
        faces_F3 = scene.faces_F3[chosen_F]
        uv_N2 = scene.uv_F32[chosen_F].reshape(-1, 2).astype(np.float64)
        # Corners that share position and texture coordinate become one vertex again.
        key_N3 = np.concatenate([faces_F3.reshape(-1, 1), np.round(uv_N2, 5)], axis=1)
        _, first, inverse = np.unique(key_N3, axis=0, return_index=True, return_inverse=True)
        look = trimesh.visual.material.PBRMaterial(
            name=f"{surface.name}|{surface.material.name}",
            baseColorTexture=Image.fromarray(surface.texture_HWC),
            metallicFactor=0.0,
            roughnessFactor=0.9,
            emissiveFactor=[surface.emission] * 3,
            emissiveTexture=Image.fromarray(surface.texture_HWC) if surface.emission > 0 else None,
        )
        uv_V2 = np.stack([uv_N2[first, 0], 1.0 - uv_N2[first, 1]], axis=1)
        mesh = trimesh.Trimesh(
            vertices=scene.vertices_V3[faces_F3.reshape(-1)[first]],
            faces=inverse.reshape(-1, 3),
            visual=trimesh.visual.TextureVisuals(uv=uv_V2, material=look),
            process=False,
        )
        out.add_geometry(mesh, geom_name=surface.name, node_name=surface.name)
    out.metadata[EXTRAS] = {
        "lights": [[*light.position_3, *light.power_3] for light in scene.lights],
        "rooms": [[r.kind, r.min_x, r.min_z, r.max_x, r.max_z] for r in scene.rooms],
        "categories": {surface.name: surface.category for surface in scene.surfaces if surface.category},
    }
    data: bytes = out.export(file_type="glb")
    return data
