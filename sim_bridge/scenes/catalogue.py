"""From what a user types to scenes: generated houses, scanned collections, Habitat's datasets, mesh files, folders."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.scenes.collections.collections import (
    COLLECTIONS,
    HM3D_SPLITS,
    collection_meshes,
    how_to_obtain,
    scene_files,
    scene_root_path,
    split_dataset,
    split_folders,
)
from avw.sim_bridge.scenes.collections.dataset_configs import CONFIG, read_stages
from avw.sim_bridge.scenes.collections.splits import split_names, split_scenes
from avw.sim_bridge.scenes.meshes.mesh_options import split_options
from avw.sim_bridge.scenes.scene import Scene

if TYPE_CHECKING:
    from avw.sim_bridge.scenes.meshes.mesh_files import MeshReport

MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply")
_GENERATED = re.compile(r"procedural-(\d{4,})")
_MOST = 100_000  # generated houses in one request: a typing error should not fill the memory


def expand_scenes(text: str, scene_root: str | None = None) -> list[str]:
    """The scene ids that `text` stands for; several requests are separated by commas.

    `procedural:12` is houses 0-11, `procedural:40-59` those twenty, `procedural-0007` that one. `mp3d` is every scan of
    Matterport3D that is on the disk, `mp3d:val` a split, `mp3d:ID,ID` and `mp3d/ID` those; the other collections alike.
    `X.scene_dataset_config.json` is all scenes of that dataset, with `:HANDLE` behind it one. A path is a mesh file
    or a folder of them, searched under `scene_root` too. Options go last (`scan.glb?up=z`, as `mesh_options` has them).
    Raises UsageError or SceneError.
    """
    scenes: list[str] = []
    collection = ""  # of `mp3d:ID`, to which the next plain words belong
    for request in (part.strip() for part in text.split(",")):
        plain = re.fullmatch(r"[\w-]+", request) and request not in COLLECTIONS and not _GENERATED.fullmatch(request)
        if collection and plain:
            request = f"{collection}:{request}"
        before, colon, _ = request.partition(":")
        collection = before if colon and before in COLLECTIONS else ""
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
    name, options = split_options(request)
    said = f"?{options}" if options else ""
    collection, colon, words = name.partition(":")
    if collection in COLLECTIONS:
        return [f"{scene}{said}" for scene in _expand_collection(collection, words if colon else None, scene_root)]
    if CONFIG in name:
        config, handle = split_dataset(name, scene_root)
        if handle:
            return [scene_files(request, scene_root).scene_id]
        return [f"{config}:{stage.handle}{said}" for stage in read_stages(config)]
    if collection.partition("/")[0] in COLLECTIONS and not _exists(name, scene_root):
        return [scene_files(request, scene_root).scene_id]
    path = _find(name, scene_root)
    if path.is_dir():
        meshes = sorted(f"{p}{said}" for p in path.iterdir() if p.suffix.lower() in MESH_SUFFIXES)
        if not meshes:
            raise SceneError(f"folder {path} holds no mesh: expected files ending in {', '.join(MESH_SUFFIXES)}")
        return meshes
    return [f"{path}{said}"]


def _expand_collection(collection: str, words: str | None, scene_root: str | None) -> list[str]:
    """words: what stands behind the colon, a split or a scene; None: every scene that is there."""
    root, obtain = scene_root_path(scene_root), how_to_obtain(collection, scene_root)
    if words is None:
        found = list(collection_meshes(collection, scene_root))
        if not found:
            raise SceneError(
                f"no scene of {collection} is under {root}: type --scene-root DIR if it lies elsewhere; "
                f"to get it, {obtain}"
            )
        return [scene_files(f"{collection}/{name}", scene_root).scene_id for name in found]
    if collection == "hm3d" and words in HM3D_SPLITS:
        names = split_folders(scene_root).get(words, [])
        if not names:
            raise SceneError(f"no folder hm3d/{words} with scenes is under {root}; to get it, {obtain}")
        return [scene_files(f"{collection}/{name}", scene_root).scene_id for name in names]
    if words not in split_names(collection):
        if not words:
            known = ", ".join(("NAME,NAME", *(HM3D_SPLITS if collection == "hm3d" else split_names(collection))))
            raise UsageError(f"scenes '{collection}:' has nothing behind the colon: expected one of {known}")
        return [scene_files(f"{collection}/{words}", scene_root).scene_id]
    there, wanted = collection_meshes(collection, scene_root), split_scenes(collection, words)
    missing = [name for name in wanted if name not in there]
    if missing:
        # A split with holes would be another data set under the same name.
        raise SceneError(
            f"{len(missing)} of the {len(wanted)} scenes of {collection}:{words} are not under {root}, the first is "
            f"{missing[0]}: name those that you have, {collection}:ID,ID (avw scenes {collection} lists them); "
            f"to get the others, {obtain}"
        )
    return [scene_files(f"{collection}/{name}", scene_root).scene_id for name in wanted]


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


def _exists(name: str, scene_root: str | None) -> bool:
    return Path(name).expanduser().is_file() or (scene_root_path(scene_root) / name).is_file()


def _find(request: str, scene_root: str | None) -> Path:
    root = scene_root_path(scene_root)
    for path in (Path(request).expanduser(), root / request):
        if path.exists():
            return path
    raise SceneError(
        f"scene {request!r} was found neither here nor under {root}: expected procedural:N, procedural:FIRST-LAST, "
        f"a mesh file or a folder of meshes, or a collection ({', '.join(COLLECTIONS)})"
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
        from avw.sim_bridge.scenes.houses.procedural import generate_house

        return generate_house(int(match[1])), None
    from avw.sim_bridge.scenes.meshes.mesh_files import read_files

    return read_files(scene_files(found[0], scene_root))


def scene_sha256(scene: Scene) -> str:
    """SHA-256 over all that a simulator uses of the scene: geometry, looks, materials, categories and lights."""
    digest = hashlib.sha256()
    arrays = [scene.vertices_V3, scene.faces_F3, scene.uv_F32, scene.surface_F]
    if scene.object_F is not None:
        arrays.append(scene.object_F)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    pictures: dict[int, bytes] = {}  # a scan's pictures are shared by many surfaces
    for surface in scene.surfaces:
        look = (surface.name, surface.texture_HWC.shape, surface.material, surface.emission, surface.category)
        digest.update(repr(look).encode())
        key = id(surface.texture_HWC)
        if key not in pictures:
            pictures[key] = hashlib.sha256(surface.texture_HWC.tobytes()).digest()
        digest.update(pictures[key])
    digest.update(repr((scene.lights, scene.rooms)).encode())
    return digest.hexdigest()
