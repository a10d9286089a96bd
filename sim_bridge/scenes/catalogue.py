"""From the text of `--scenes` to scenes. This is the only place that knows its syntax."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.paths import local_path
from avw.sim_bridge.scenes.collections.collections import COLLECTIONS, HM3D_SPLITS
from avw.sim_bridge.scenes.collections.dataset_configs import CONFIG
from avw.sim_bridge.scenes.collections.scene_files import MESH_SUFFIXES, meshes_in
from avw.sim_bridge.scenes.collections.scene_folder import SceneFolder, with_options
from avw.sim_bridge.scenes.collections.splits import split_names, split_scenes
from avw.sim_bridge.scenes.meshes.mesh_options import split_options
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.scene_ref import SceneRef, house_number
from avw.sim_bridge.suggestions import did_you_mean, similar_path

if TYPE_CHECKING:
    from avw.sim_bridge.scenes.meshes.mesh_files import MeshReport

COMMA_HINT = ". If a name contains a comma, type \\, for it"
_MOST = 100_000  # generated houses in one request, so that a typing error does not fill the memory


def resolve_scenes(text: str | Path | Iterable[str | Path], root: str | Path | None = None) -> tuple[SceneRef, ...]:
    r"""The scenes that `text` stands for; several requests are separated by commas, or are several texts.

    `procedural:12` is houses 0 to 11, `procedural:40-59` those twenty, `procedural-0007` that one. `mp3d` is every scan
    of Matterport3D on the disk, `mp3d:val` a split, `mp3d:ID,ID` and `mp3d/ID` those scans; the other collections
    likewise. `X.scene_dataset_config.json` is all scenes of that dataset, `X.scene_dataset_config.json:HANDLE` one of
    them. Anything else is a mesh file or a folder of mesh files, relative to the current folder or to the root; `~` is
    the home folder, and a comma in a name is written `\,`. Options go last (`scan.glb?up=z`, see `mesh_options`).

    root: the folder of scanned collections; None: $AVW_SCENES, else data/scene_datasets.
    Raises UsageError or SceneError.
    """
    folder = SceneFolder(root)
    scenes: list[SceneRef] = []
    collection = ""  # of `mp3d:ID`, to which the plain words that follow belong
    texts = [os.fspath(one) for one in ([text] if isinstance(text, str | Path) else text)]
    for request, listed in ((part, "," in one) for one in texts for part in _requests(one, folder)):
        plain = re.fullmatch(r"[\w-]+", request) and request not in COLLECTIONS and house_number(request) is None
        if collection and plain:
            request = f"{collection}:{request}"
        before, colon, _ = request.partition(":")
        collection = before if colon and before in COLLECTIONS else ""
        scenes += _resolve_one(request, folder, listed=listed)
    _refuse_repetition(scenes)
    return tuple(scenes)


def scene_ref(scene: str | Path | SceneRef, root: str | Path | None = None) -> SceneRef:
    """One scene by its name: a name from a dataset, or what a user types for a single scene. The name is kept as it is.

    Raises UsageError or SceneError, also for a text that stands for several scenes.
    """
    if isinstance(scene, SceneRef):
        return scene
    return _named(os.fspath(scene), SceneFolder(root))


def scene_refs(names: Iterable[str], root: str | Path | None = None) -> dict[str, SceneRef]:
    """{name: scene} of the scenes of a dataset. A scene that is not on this machine has a `problem`."""
    folder = SceneFolder(root)
    found: dict[str, SceneRef] = {}
    for name in names:
        try:
            found[name] = _named(name, folder)
        except UsageError as error:
            found[name] = SceneRef(scene_id=name, root=folder.root, problem=str(error))
    return found


def load_scene(scene: str | SceneRef) -> Scene:
    """The scene called `scene`: generated, or read from a mesh file. Raises SceneError."""
    return scene_ref(scene).load()


def read_scene(scene: str | SceneRef) -> tuple[Scene, MeshReport | None]:
    """The scene, and how it was read if it came from a mesh file. Raises SceneError."""
    return scene_ref(scene).read()


def _requests(text: str, folder: SceneFolder) -> list[str]:
    r"""The parts of `text` between commas. `\,` is a comma in a name, and so is any in the name of an existing path."""
    if "," in text and folder.find(split_options(text)[0]) is not None:
        return [text]
    return [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text)]


def _named(name: str, folder: SceneFolder) -> SceneRef:
    found = _resolve_one(name, folder)
    if len(found) != 1:
        raise SceneError(f"scene {name!r} stands for {len(found)} scenes: open one of them at a time")
    return SceneRef(scene_id=name, files=found[0].files, root=folder.root)


def _resolve_one(request: str, folder: SceneFolder, *, listed: bool = False) -> list[SceneRef]:
    """listed: whether the request is one of several between commas."""
    if not request:
        raise UsageError("an empty scene name: type for instance procedural:12, or the path of a .glb file")
    if request.startswith("procedural:"):
        return [SceneRef(scene_id=f"procedural-{seed:04d}") for seed in _seeds(request)]
    if house_number(request) is not None:
        return [SceneRef(scene_id=request)]
    name, options = split_options(request)
    collection, colon, words = name.partition(":")
    if collection in COLLECTIONS:
        names = _names_in_collection(collection, words if colon else None, folder)
        return _all_found([with_options(f"{collection}/{scene}", options) for scene in names], folder)
    if CONFIG in name:
        config, handle = folder.dataset(name)
        handles = [handle] if handle else [stage.handle for stage in folder.stages(config)]
        return _all_found([with_options(f"{config}:{one}", options) for one in handles], folder)
    path = folder.find(name)
    if collection.partition("/")[0] in COLLECTIONS and (path is None or path.is_dir()):
        return [_found(request, folder)]
    if path is None:
        meant = did_you_mean(collection, ("procedural", *COLLECTIONS)) or similar_path(local_path(name))
        raise SceneError(
            f"scene {request!r} was not found, neither here nor under {folder.root}.{meant} Expected procedural:N, "
            f"procedural:FIRST-LAST, a mesh file, a folder of mesh files, or a collection ({', '.join(COLLECTIONS)})"
            f"{COMMA_HINT if listed else ''}"
        )
    if not path.is_dir():
        return [_found(with_options(str(path), options), folder)]
    meshes = meshes_in(path)
    if not meshes:
        raise SceneError(
            f"folder {path} contains no scene: expected files that end in {', '.join(MESH_SUFFIXES)}, other than the "
            "semantic meshes of scans"
        )
    return [_found(with_options(str(mesh), options), folder) for mesh in meshes]


def _found(scene_id: str, folder: SceneFolder) -> SceneRef:
    files = folder.files(scene_id)
    return SceneRef(scene_id=files.scene_id, files=files, root=folder.root)


def _all_found(names: list[str], folder: SceneFolder) -> list[SceneRef]:
    """All of these scenes. Raises SceneError if one is incomplete, and says how to go on without it."""
    found: list[SceneRef] = []
    broken: list[SceneError] = []
    for name in names:
        try:
            found.append(_found(name, folder))
        except SceneError as error:
            broken.append(error)
    if not broken:
        return found
    if not found or len(names) == 1:
        raise broken[0]
    # To leave scenes out silently would give another data set under the same name.
    raise SceneError(
        f"{len(broken)} of {len(names)} scenes cannot be opened. The first: {broken[0]}. To go on without them, name "
        f"the others, separated by commas: {','.join(scene.scene_id for scene in found[:2])}"
        f"{',...' if len(found) > 2 else ''}"
    )


def _names_in_collection(collection: str, words: str | None, folder: SceneFolder) -> list[str]:
    """words: what follows the colon, a split or a scene; None: every scene that is there."""
    obtain = folder.how_to_obtain(collection)
    if words is None:
        found = list(folder.meshes(collection))
        if not found:
            raise SceneError(
                f"no scene of {collection} is under {folder.root}.{folder.wrong_root()} Type --scene-root DIR if it is "
                f"elsewhere; to get it, {obtain}"
            )
        return found
    if collection == "hm3d" and words in HM3D_SPLITS:
        names = folder.hm3d_splits().get(words, [])
        if not names:
            obtain = folder.how_to_obtain(collection, words)
            raise SceneError(
                f"no folder hm3d/{words} with scenes is under {folder.root}.{folder.wrong_root()} To get it, {obtain}"
            )
        return names
    if words not in split_names(collection):
        if not words:
            known = ", ".join(("NAME,NAME", *(HM3D_SPLITS if collection == "hm3d" else split_names(collection))))
            raise UsageError(f"scenes '{collection}:': nothing follows the colon; expected one of {known}")
        return [words]
    there, wanted = folder.meshes(collection), split_scenes(collection, words)
    missing = [name for name in wanted if name not in there]
    if missing:
        # An incomplete split would be another data set under the same name.
        raise SceneError(
            f"{len(missing)} of the {len(wanted)} scenes of {collection}:{words} are not under {folder.root}, the "
            f"first is {missing[0]}: name those that you have, {collection}:ID,ID (avw scenes {collection} lists "
            f"them); to get the others, {obtain}"
        )
    return list(wanted)


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


def _refuse_repetition(scenes: list[SceneRef]) -> None:
    """Raises UsageError for a scene that is named twice, even if it is a mesh file under two names."""
    seen: dict[object, str] = {}
    for scene in scenes:
        own = scene.files is not None and not scene.files.collection and scene.files.dataset_config is None
        key = (os.path.realpath(scene.files.mesh), scene.options) if own and scene.files else scene.scene_id
        if key in seen:
            other = "" if seen[key] == scene.scene_id else f" (also as {seen[key]})"
            raise UsageError(f"scene {scene.scene_id} is named twice{other}: name every scene once")
        seen[key] = scene.scene_id


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
