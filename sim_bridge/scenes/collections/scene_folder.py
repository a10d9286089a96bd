"""The folder that holds the scanned collections, in the layouts that Habitat's tools create.

Layouts: habitat-sim, DATASETS.md and src_python/habitat_sim/utils/datasets_download.py; habitat-lab, DATASETS.md;
Replica-Dataset, README.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.paths import local_path, own_files
from avw.sim_bridge.scenes.collections.collections import COLLECTIONS, HM3D_SPLITS, Y_UP, Z_UP
from avw.sim_bridge.scenes.collections.dataset_configs import CONFIG, Stage, own_name, read_stages, stage_defaults
from avw.sim_bridge.scenes.collections.scene_files import SceneFiles, with_companions
from avw.sim_bridge.scenes.meshes.mesh_options import split_options
from avw.sim_bridge.suggestions import similar_path


class SceneFolder:
    """Finds scenes by their ids: those of a collection or of a scene dataset under the root, and mesh files.

    root: None: $AVW_SCENES, else data/scene_datasets. It may also be the folder of one collection, or Habitat's `data`.
    Folders are listed once: an object of this class does not notice files that are added later.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = local_path(root or os.environ.get("AVW_SCENES") or "data/scene_datasets")
        self._meshes: dict[str, dict[str, Path]] = {}
        self._folders: dict[str, list[Path]] = {}
        self._defaults: dict[Path, dict[str, Any]] = {}
        self._stages: dict[Path, tuple[Stage, ...]] = {}

    def find(self, name: str) -> Path | None:
        """The existing file or folder called `name`, relative to the current folder or to the root."""
        for path in (local_path(name), self.root / name):
            if path.exists():
                return path
        return None

    def folders(self, collection: str) -> list[Path]:
        """The existing folders of a collection."""
        if collection not in self._folders:
            root, names = self.root, COLLECTIONS[collection].folders
            # v1/tasks is where the archives of Matterport3D unpack to.
            above = (root, root / "scene_datasets", root / "v1" / "tasks")
            likely = [place / name for place in above for name in names]
            if root.name in names:
                likely.append(root)
            self._folders[collection] = [path for path in likely if path.is_dir()]
        return self._folders[collection]

    def meshes(self, collection: str) -> dict[str, Path]:
        """{scene name: its mesh}, sorted, of all scenes that have a folder or any file. A mesh may be missing."""
        if collection not in self._meshes:
            found: dict[str, Path] = {}
            for folder in self.folders(collection):
                for name, mesh in _meshes(collection, folder):
                    found.setdefault(name, mesh)
            self._meshes[collection] = dict(sorted(found.items()))
        return self._meshes[collection]

    def hm3d_splits(self) -> dict[str, list[str]]:
        """{split of HM3D: names of the scenes in its folders}."""
        splits: dict[str, list[str]] = {}
        for folder in self.folders("hm3d"):
            for split in HM3D_SPLITS:
                if (folder / split).is_dir():
                    splits.setdefault(split, []).extend(name for name, _ in _hm3d(folder / split))
        return splits

    def how_to_obtain(self, collection: str, split: str = "minival") -> str:
        """What to do and what to type to get a collection, as a clause without a full stop. split: of HM3D"""
        data = self.root.parent if self.root.name == "scene_datasets" else self.root
        uid = "hm3d_example" if split == "example" else f"hm3d_{split}_v0.2"
        return COLLECTIONS[collection].obtain.format(root=self.root, data=f"{data}/", uid=uid)

    def wrong_root(self) -> str:
        """A sentence about a root that cannot be right, with a space before it; "" if nothing is wrong with it."""
        if self.root.is_file():
            return (
                f" {self.root} is a file: --scene-root (or AVW_SCENES) must be the folder that holds the collections."
            )
        if not self.root.exists():
            return f" {self.root} does not exist: check --scene-root (or AVW_SCENES)."
        names = {name for about in COLLECTIONS.values() for name in about.folders}
        above = next((parent for parent in self.root.resolve().parents if parent.name in names), None)
        if above is not None:
            return f" {self.root} is inside a collection: type --scene-root {above.parent}."
        return ""

    def other_datasets(self) -> tuple[Path, ...]:
        """Scene dataset configurations under the root that belong to none of the collections."""
        own = {name for about in COLLECTIONS.values() for name in about.folders}
        found = [*self.root.glob(f"*{CONFIG}"), *self.root.glob(f"*/*{CONFIG}")] if self.root.is_dir() else []
        return tuple(path for path in own_files(found) if path.parent.name not in own)

    def dataset(self, name: str) -> tuple[Path, str]:
        """(the configuration, the handle or "") of `FILE.scene_dataset_config.json:HANDLE`. Raises SceneError."""
        file, _, handle = name.partition(CONFIG)
        path = self.find(file + CONFIG)
        if path is None or not path.is_file():
            raise SceneError(
                f"{file + CONFIG} does not exist: expected the path of a scene dataset configuration, as Habitat's "
                "tools write it"
            )
        return path, handle.removeprefix(":")

    def stages(self, config: Path) -> tuple[Stage, ...]:
        """The scenes of a scene dataset. Raises SceneError."""
        if config not in self._stages:
            self._stages[config] = read_stages(config)
        return self._stages[config]

    def files(self, scene_id: str) -> SceneFiles:
        """The files of a scene of a collection, of a scene dataset, or of a mesh file.

        Raises SceneError for a scene that is missing or incomplete.
        """
        name, options = split_options(scene_id)
        collection, _, scene = name.partition("/")
        if collection in COLLECTIONS and scene and not local_path(name).is_file():
            return self._of_collection(collection, scene, options)
        if CONFIG in name:
            return self._of_dataset(name, options)
        path = self.find(name)
        if path is None:
            raise SceneError(
                f"scene file {name} does not exist, neither here nor under {self.root}: check the path, or use "
                "procedural:N for generated houses"
            )
        return mesh_file(path, options)

    def _of_collection(self, collection: str, scene: str, options: str) -> SceneFiles:
        about, folders, found = COLLECTIONS[collection], self.folders(collection), self.meshes(collection)
        if not folders:
            raise SceneError(
                f"scene {collection}/{scene} is missing, because {self.root} has no folder {about.folders[0]}."
                f"{self.wrong_root()} Type "
                f"--scene-root DIR if {about.title} is elsewhere; to get it, {self.how_to_obtain(collection)}"
            )
        if scene not in found:
            scene = next((name for name in found if name.partition("-")[2] == scene), scene)
        if scene not in found:
            where = ", ".join(map(str, folders))
            raise SceneError(
                f"scene {collection}/{scene} is not in {where}, which has {len(found)} scenes: list them with "
                f"avw scenes {collection}; to get it, {self.how_to_obtain(collection)}"
            )
        mesh = found[scene]
        if not mesh.is_file():
            raise SceneError(
                f"scene {collection}/{scene} is incomplete: {mesh} is missing, so its download was interrupted, or was "
                f"for other files; to get it, {self.how_to_obtain(collection)}"
            )
        config = next((c for folder in folders for n in about.configs if (c := folder / n).is_file()), None)
        stated = self._stage_defaults(config) if config is not None else {}
        frame, source = frame_of(stated, bare=True, defaults=bool(stated))
        files = SceneFiles(
            scene_id=with_options(f"{collection}/{scene}", options),
            mesh=mesh,
            options=options,
            dataset_config=config,
            collection=collection,
            stage={**stated, **frame},
            stage_source=source or str(config),
        )
        folder = config.parent if config is not None else folders[0]
        stage = Stage(handle=scene, mesh=mesh, attributes=stated, source=config or mesh, folder=folder)
        return with_companions(files, stage)

    def _of_dataset(self, name: str, options: str) -> SceneFiles:
        config, handle = self.dataset(name)
        found = [stage for stage in self.stages(config) if handle in ("", stage.handle)]
        if len(found) != 1:
            what = f"no scene {handle!r}" if handle else f"{len(found)} scenes"
            raise SceneError(
                f"{config} has {what}: list them with avw scenes {config} --names, and open {config}:HANDLE"
            )
        stage = found[0]
        if not stage.problem and not stage.mesh.is_file():
            raise SceneError(f"scene {name} is incomplete: {stage.mesh} is missing; download the dataset again")
        if stage.problem:
            raise SceneError(stage.problem)
        bare = stage.mesh.suffix.lower() in (".glb", ".gltf")
        frame, source = frame_of(stage.attributes, bare=bare, defaults=bool(self._stage_defaults(config)))
        source = source or str(stage.source)
        files = SceneFiles(
            scene_id=with_options(f"{config}:{stage.handle}", options),
            mesh=stage.mesh,
            options=options,
            dataset_config=config,
            stage={**stage.attributes, **frame},
            stage_source=source,
            objects=stage.objects,
        )
        return with_companions(files, stage)

    def _stage_defaults(self, config: Path) -> dict[str, Any]:
        if config not in self._defaults:
            self._defaults[config] = stage_defaults(config)
        return self._defaults[config]


def frame_of(attributes: Mapping[str, Any], *, bare: bool, defaults: bool) -> tuple[dict[str, Any], str]:
    """What Habitat takes for the `up` and `front` of a stage, and the reason; "" if the attributes say so.

    bare: whether the mesh is glTF · defaults: whether the dataset has default attributes. A bare .glb is Z-up, but the
    stages of a dataset with default attributes are Y-up unless they say otherwise (StageAttributesManager.cpp).
    """
    if "up" in attributes:  # a `front` of another frame must not be combined with it
        return {key: attributes[key] for key in ("up", "front") if key in attributes}, ""
    if defaults:
        return dict(Y_UP), "the frame of a dataset whose default attributes name no up axis, in Habitat"
    return (dict(Z_UP), "the frame in which Habitat reads a bare .glb") if bare else ({}, "")


def mesh_file(path: str | Path, options: str | None = None) -> SceneFiles:
    """The files of a mesh file of the user's own. options: None: they are part of `path`, after a question mark.

    Raises SceneError for a file that does not exist.
    """
    if options is None:
        path, options = split_options(str(path))
    mesh = local_path(path)
    if not mesh.exists():
        meant = similar_path(mesh) or " Check the path, or use procedural:N for generated houses"
        raise SceneError(f"scene file {mesh} does not exist.{meant}")
    return with_companions(SceneFiles(scene_id=with_options(str(mesh), options), mesh=mesh, options=options))


def with_options(scene_id: str, options: str) -> str:
    """The inverse of `split_options`."""
    return f"{scene_id}?{options}" if options else scene_id


def _meshes(collection: str, folder: Path) -> Iterator[tuple[str, Path]]:
    if collection == "hm3d":
        for split in HM3D_SPLITS:
            if (folder / split).is_dir():
                yield from _hm3d(folder / split)
    elif collection == "gibson":
        stems = {own_name(path) for path in own_files(folder.iterdir()) if path.suffix in (".glb", ".navmesh", ".scn")}
        yield from ((name, folder / f"{name}.glb") for name in sorted(stems))
    else:
        for place in sorted(path for path in folder.iterdir() if path.is_dir()):
            if collection == "mp3d" and any(place.glob(f"{place.name}[._]*")):
                yield place.name, place / f"{place.name}.glb"
            if collection == "replica" and ((place / "habitat").is_dir() or (place / "mesh.ply").is_file()):
                yield place.name, place / "habitat" / "mesh_semantic.ply"


def _hm3d(folder: Path) -> Iterator[tuple[str, Path]]:
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        number, _, name = place.name.partition("-")
        if number.isdigit() and name:
            plain = place / f"{name}.glb"
            basis = place / f"{name}.basis.glb"
            yield place.name, plain if plain.is_file() and not basis.is_file() else basis
