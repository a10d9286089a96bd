"""From what a user types to scenes: `procedural:12`, `procedural:40-59`, a mesh file, a folder of meshes."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sim_bridge.errors import SceneError, UsageError
from sim_bridge.scenes.mesh_options import split_options
from sim_bridge.scenes.scene import Scene

if TYPE_CHECKING:
    from sim_bridge.scenes.mesh_files import MeshReport

MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply")
COLLECTIONS = ("mp3d", "hm3d", "replica", "gibson")
_SCAN = re.compile(rf"({'|'.join(COLLECTIONS)})(:.*|/[^/.]+)?")  # mp3d, mp3d:val, mp3d/17DRP5sb8fy
_GENERATED = re.compile(r"procedural-(\d{4,})")
_MOST = 100_000  # generated houses in one request: a typing error should not fill the memory


def expand_scenes(text: str, scene_root: str | None = None) -> list[str]:
    """The scene ids that `text` stands for; several requests are separated by commas.

    `procedural:12` is houses 0-11, `procedural:40-59` those twenty, `procedural-0007` that one; a path is a mesh
    file or a folder of them, searched under `scene_root` too, perhaps with options (`scan.glb?up=z`, as `mesh_options`
    has them). Raises UsageError or SceneError.
    """
    scenes: list[str] = []
    for request in (part.strip() for part in text.split(",")):
        scenes += _expand_one(request, scene_root)
    repeated = sorted({s for s in scenes if scenes.count(s) > 1}) if len(scenes) < 2000 else []
    if repeated:
        raise UsageError(f"scenes {text!r}: {repeated[0]} is named twice; name every scene once")
    return scenes


def _expand_one(request: str, scene_root: str | None) -> list[str]:
    if not request:
        raise UsageError("an empty scene name: write for instance procedural:12, or the path of a .glb file")
    if request.startswith("procedural:"):
        return [f"procedural-{seed:04d}" for seed in _seeds(request)]
    if _GENERATED.fullmatch(request):
        return [request]
    if _SCAN.fullmatch(request):
        raise UsageError(
            f"scenes {request!r}: scanned collections need the Habitat bridge, which this version does not have; "
            "give the path of a mesh instead (a .glb, .obj or .ply file, or a folder of them)"
        )
    name, options = split_options(request)
    path = _find(name, scene_root)
    said = f"?{options}" if options else ""
    if path.is_dir():
        meshes = sorted(f"{p}{said}" for p in path.iterdir() if p.suffix.lower() in MESH_SUFFIXES)
        if not meshes:
            raise SceneError(f"folder {path} holds no mesh: expected files ending in {', '.join(MESH_SUFFIXES)}")
        return meshes
    return [f"{path}{said}"]


def _seeds(request: str) -> range:
    match = re.fullmatch(r"procedural:(\d+)(?:-(\d+))?", request)
    if match is None:
        raise UsageError(f"scenes {request!r}: expected procedural:N (N houses) or procedural:FIRST-LAST")
    first, last = (0, int(match[1]) - 1) if match[2] is None else (int(match[1]), int(match[2]))
    if last < first:
        raise UsageError(f"scenes {request!r} stands for no house: expected N of at least 1, or FIRST <= LAST")
    if last - first >= _MOST:
        raise UsageError(f"scenes {request!r}: more than {_MOST} houses in one request")
    return range(first, last + 1)


def _find(request: str, scene_root: str | None) -> Path:
    root = Path(scene_root or os.environ.get("AVW_SCENES") or "data/scene_datasets")
    for path in (Path(request).expanduser(), root / request):
        if path.exists():
            return path
    raise SceneError(
        f"scene {request!r} was found neither here nor under {root}: expected procedural:N, procedural:FIRST-LAST, "
        "a mesh file or a folder of meshes"
    )


def load_scene(scene_id: str, scene_root: str | None = None) -> Scene:
    """The scene called `scene_id`: generated, or read from a mesh file. Raises SceneError."""
    return read_scene(scene_id, scene_root)[0]


def read_scene(scene_id: str, scene_root: str | None = None) -> tuple[Scene, MeshReport | None]:
    """The scene, and how it was read if it came from a mesh file. Raises SceneError."""
    found = _expand_one(scene_id, scene_root)
    if len(found) != 1:
        raise SceneError(f"scene {scene_id!r} stands for {len(found)} scenes: open one of them at a time")
    match = _GENERATED.fullmatch(found[0])
    if match is not None:
        from sim_bridge.scenes.procedural import generate_house

        return generate_house(int(match[1])), None
    from sim_bridge.scenes.mesh_files import read_mesh

    return read_mesh(found[0])


def scene_sha256(scene: Scene) -> str:
    """SHA-256 over all that a simulator uses of the scene: geometry, looks, materials, categories and lights."""
    digest = hashlib.sha256()
    arrays = [scene.vertices_V3, scene.faces_F3, scene.uv_F32, scene.surface_F]
    if scene.object_F is not None:
        arrays.append(scene.object_F)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    for surface in scene.surfaces:
        look = (surface.name, surface.texture_HWC.shape, surface.material, surface.emission, surface.category)
        digest.update(repr(look).encode())
        digest.update(surface.texture_HWC.tobytes())
    digest.update(repr((scene.lights, scene.rooms)).encode())
    return digest.hexdigest()
