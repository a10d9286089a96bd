"""Habitat's `*.scene_dataset_config.json`: which meshes are the stages of a dataset, and how to read them.

AVW uses the paths of stages and scene instances from these files, and what they say about frames and semantics.
Format: habitat-sim, docs/pages/attributesJSON.rst, and src/esp/metadata/managers/StageAttributesManager.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.paths import own_files
from avw.sim_bridge.storage.small_files import read_object

CONFIG = ".scene_dataset_config.json"
_STAGE, _INSTANCE = ".stage_config.json", ".scene_instance.json"
_OWN_NAME = "%%CONFIG_NAME_AS_ASSET_FILENAME%%"  # stands for the stage's name in default attributes
_MESHES = (".glb", ".gltf", ".obj", ".ply")
_LARGEST = 20_000_000  # bytes of a configuration; HSSD's lists of objects have a few megabytes
_MAX_STAGES = 100_000  # stages of one dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One scene of a dataset.

    handle: its name · mesh: the file that is rendered · attributes: its properties, with Habitat's keys
    source: the file that contains them · folder: of the dataset; files outside of it are never read
    objects: number of objects that a scene instance adds to the stage
    problem: why the scene cannot be opened, "" if it can: one wrong entry does not spoil the dataset
    """

    handle: str
    mesh: Path
    source: Path
    folder: Path
    attributes: Mapping[str, Any] = field(default_factory=dict)
    objects: int = 0
    problem: str = ""

    def asset(self, key: str) -> Path | None:
        """The existing file that attribute `key` names ("nav_asset", "semantic_asset", ...), or None."""
        name = self.attributes.get(key)
        if not isinstance(name, str) or not name:
            return None
        for beside in (self.mesh, self.source):
            path = Path(os.path.normpath(beside.parent / name.replace(_OWN_NAME, own_name(self.mesh))))
            if path.is_file() and _is_inside(self.folder, path):
                return path
        return None


def own_name(mesh: Path) -> str:
    """A file's name up to its first full stop: "TEEsavR23oF" of TEEsavR23oF.basis.glb."""
    return mesh.name.partition(".")[0]


def stage_defaults(config: Path) -> dict[str, Any]:
    """The default attributes of the stages of `config`. Raises SceneError for a damaged file."""
    return _object(_object(_read(config), "stages", config), "default_attributes", config)


def read_stages(config: Path) -> tuple[Stage, ...]:
    """The scenes of a dataset: its scene instances if it has any, else its stages; sorted by handle.

    Raises SceneError for a damaged file, or a path that leads out of its folder.
    """
    tree = _read(config)
    stages = {stage.handle: stage for stage in _stages(config, _object(tree, "stages", config))}
    instances = _object(_object(tree, "scene_instances", config), "paths", config)
    scenes = [_instance_or_problem(config, path, stages) for path in _listed(config, instances, _INSTANCE)]
    found = scenes or list(stages.values())
    if len(found) > _MAX_STAGES:
        raise SceneError(f"{config} lists {len(found):,} scenes, more than {_MAX_STAGES:,}: it is damaged")
    return tuple(sorted(found, key=lambda stage: stage.handle))


def _stages(config: Path, tree: dict[str, Any]) -> Iterator[Stage]:
    defaults = _object(tree, "default_attributes", config)
    paths = _object(tree, "paths", config)
    for suffix in _MESHES:
        for mesh in _listed(config, paths, suffix):
            if not mesh.name.endswith((".semantic.glb", "_semantic.glb")):
                yield Stage(handle=own_name(mesh), mesh=mesh, attributes=defaults, source=config, folder=config.parent)
    listed = {}
    for path in _listed(config, paths, _STAGE):
        handle = path.name.removesuffix(_STAGE)
        try:
            listed[handle] = _stage(config, path, handle, {**defaults, **_read(path)})
        except SceneError as error:
            listed[handle] = _broken(config, handle, error)
    yield from listed.values()
    entries = tree.get("configs", [])
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        try:
            yield _configured(config, entry, defaults, listed)
        except SceneError as error:
            yield _broken(config, f"configs-{number}", error)


def _configured(config: Path, entry: Any, defaults: dict[str, Any], listed: dict[str, Stage]) -> Stage:
    """A stage that an entry of `configs` describes: new, or `original_file` with some attributes replaced.

    Without `template_handle`, the entry changes the original in place.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("attributes", {}), dict):
        raise SceneError(f"{config}: an entry of the configs of stages is not an object with attributes; correct it")
    original, own = entry.get("original_file"), entry.get("attributes", {})
    handle = _bare(str(entry.get("template_handle") or original or own.get("render_asset") or ""))
    if not isinstance(original, str) or not original:
        return _stage(config, config, handle, {**defaults, **own})
    known = listed.get(_bare(original))
    source = known.source if known is not None else _inside(config, config.parent / original, config)
    if known is not None and not known.problem:
        attributes = dict(known.attributes)
    elif original.endswith(_MESHES):
        attributes, source = {**defaults, "render_asset": original}, config
    else:
        source = source if original.endswith(_STAGE) else source.with_name(f"{source.name}{_STAGE}")
        attributes = {**defaults, **_read(source)}
    # The asset of an override is relative to the dataset, that of the original to the original.
    return _stage(config, config if "render_asset" in own else source, handle, {**attributes, **own})


def _bare(name: str) -> str:
    """A handle: the name of a file without its folder and its suffixes."""
    return Path(name).name.partition(".")[0]


def _broken(config: Path, handle: str, error: SceneError) -> Stage:
    return Stage(handle=handle, mesh=config, source=config, folder=config.parent, problem=str(error))


def _stage(config: Path, source: Path, handle: str, attributes: dict[str, Any]) -> Stage:
    asset = attributes.get("render_asset")
    if not isinstance(asset, str) or not asset:
        raise SceneError(f"{source} has no render_asset: a stage needs a mesh; correct or delete the file")
    mesh = _inside(config, source.parent / asset.replace(_OWN_NAME, handle), source)
    return Stage(handle=handle, mesh=mesh, attributes=attributes, source=source, folder=config.parent)


def _instance_or_problem(config: Path, path: Path, stages: Mapping[str, Stage]) -> Stage:
    try:
        return _instance(config, path, stages)
    except SceneError as error:
        return _broken(config, path.name.removesuffix(_INSTANCE), error)


def _instance(config: Path, path: Path, stages: Mapping[str, Stage]) -> Stage:
    tree = _read(path)
    wanted = str(_object(tree, "stage_instance", path).get("template_name", ""))
    # Habitat uses the first stage whose handle contains the name; here handles have neither folder nor suffix.
    stage = stages.get(Path(wanted).name.partition(".")[0])
    if stage is None:
        raise SceneError(f"{path} needs stage {wanted!r}, which {config} does not list: the dataset is incomplete")
    pieces = [tree.get("object_instances", []), tree.get("articulated_object_instances", [])]
    return replace(
        stage,
        handle=path.name.removesuffix(_INSTANCE),
        objects=sum(len(listed) for listed in pieces if isinstance(listed, list)),
    )


def _listed(config: Path, paths: dict[str, Any], suffix: str) -> Iterator[Path]:
    """Files that end in `suffix` and match the globs of `paths`; a folder stands for the files directly in it."""
    globs = paths.get(f".{suffix.rpartition('.')[2]}", [])
    for text in globs if isinstance(globs, list) else []:
        pattern = os.path.normpath(str(text))
        if Path(pattern).is_absolute() or pattern.startswith(".."):
            raise SceneError(f"{config} refers to {text!r}, outside its own folder: copy the scenes beside it")
        for path in sorted(config.parent.glob(pattern)):
            found = own_files(path.iterdir() if path.is_dir() else [path])
            yield from (file for file in found if file.name.endswith(suffix) and file.is_file())


def _inside(config: Path, path: Path, source: Path) -> Path:
    if not _is_inside(config.parent, path):
        raise SceneError(f"{source} refers to {path}, outside the folder of {config.name}: copy it there")
    return Path(os.path.normpath(path))


def _is_inside(folder: Path, path: Path) -> bool:
    # Compares names: scenes may be links to another disk, like those that Habitat's tool downloads.
    return Path(os.path.normpath(path.absolute())).is_relative_to(os.path.normpath(folder.absolute()))


def _object(tree: dict[str, Any], key: str, source: Path) -> dict[str, Any]:
    value = tree.get(key, {})
    if not isinstance(value, dict):
        raise SceneError(f"{source}: {key!r} is not a JSON object; correct the file, or download it again")
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_object(path, _LARGEST, links=True)
    except (OSError, ValueError) as error:
        raise SceneError(f"{path} cannot be read ({error}): correct it, or download it again") from None
