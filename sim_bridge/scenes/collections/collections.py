"""Scanned collections on disk: Matterport3D, HM3D, Replica and Gibson, in the folders that Habitat's tools create.

Layouts: habitat-sim, DATASETS.md and src_python/habitat_sim/utils/datasets_download.py; habitat-lab, DATASETS.md;
Replica-Dataset, README.md. Ids are `mp3d/17DRP5sb8fy`, `hm3d/00800-TEEsavR23oF`, `replica/apartment_0`,
`gibson/Adrian`, and `FILE.scene_dataset_config.json:HANDLE` for any other dataset that Habitat knows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.collections.dataset_configs import CONFIG, Stage, own_name, read_stages, stage_defaults
from avw.sim_bridge.scenes.collections.splits import split_of
from avw.sim_bridge.scenes.meshes.mesh_options import split_options

Z_UP = {"up": (0.0, 0.0, 1.0), "front": (0.0, 1.0, 0.0)}  # how Habitat takes a bare .glb, and any semantic .ply
HM3D_SPLITS = ("train", "val", "minival", "example", "test")  # the first that has a scene counts: minival is in val


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """title: its name in print · folders: where it may lie under the root · configs: its scene dataset configurations
    scenes: how many there are · terms: what data made from it are bound by
    obtain: what to do, and to type, to get it; {root} stands for the root, {data} for the folder above it"""

    title: str
    folders: tuple[str, ...]
    configs: tuple[str, ...]
    scenes: int
    terms: str
    obtain: str


COLLECTIONS = {
    "mp3d": Collection(
        title="Matterport3D", folders=("mp3d", "mp3d_example"), configs=("mp3d.scene_dataset_config.json",), scenes=90,
        terms="Matterport3D Terms of Use (kaldir.vc.in.tum.de/matterport/MP_TOS.pdf): academic, not commercial",
        obtain="sign the agreement at niessner.github.io/Matterport, type with the script that they send: "
        "python2 download_mp.py --task habitat -o {root}, and unpack its mp3d_habitat.zip so that "
        "{root}/mp3d/ID/ID.glb exists",
    ),
    "hm3d": Collection(
        title="Habitat-Matterport 3D", folders=("hm3d",),
        configs=("hm3d_annotated_basis.scene_dataset_config.json", "hm3d_basis.scene_dataset_config.json"), scenes=1000,
        terms="Matterport's End User License Agreement for Academic Use of Model Data: academic, not commercial",
        obtain="make an API token at my.matterport.com (Settings, Account, Developer tools), and type with a Python "
        "that has habitat-sim: python -m habitat_sim.utils.datasets_download --username ID --password SECRET "
        "--uids hm3d_minival_v0.2 --data-path {data}",
    ),
    "replica": Collection(
        title="Replica", folders=("replica", "replica_v1", "replica_dataset"), configs=(), scenes=18,
        terms="Replica Dataset Research Terms (LICENSE in its repository): research and education, not commercial",
        obtain="type: git clone https://github.com/facebookresearch/Replica-Dataset && "
        "Replica-Dataset/download.sh {root}/replica",
    ),
    "gibson": Collection(
        title="Gibson", folders=("gibson", "gibson_semantic"),
        configs=("gibson_semantic.scene_dataset_config.json", "gibson.scene_dataset_config.json"), scenes=572,
        terms="Gibson's License Agreement (signed to get it): research and education, not commercial",
        obtain="sign the agreement at github.com/StanfordVL/GibsonEnv#database, and unpack its archive for Habitat so "
        "that {root}/gibson/NAME.glb exists",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneFiles:
    """Where everything of one scene lies.

    mesh: what is rendered · options: what the user said behind a question mark, as `mesh_options` has them
    navmesh: Habitat's · semantic_mesh, semantic_text: whose faces know their object, and what the objects are
    dataset_config: the scene dataset configuration to give Habitat · collection: "" for a mesh of one's own
    stage, stage_source: what is said about the mesh, in Habitat's keys (`up`, `front`, ...), and by whom
    objects: pieces that a scene instance adds to the mesh
    """

    scene_id: str
    mesh: Path
    options: str = ""
    navmesh: Path | None = None
    semantic_mesh: Path | None = None
    semantic_text: Path | None = None
    dataset_config: Path | None = None
    collection: str = ""
    stage: Mapping[str, Any] = field(default_factory=dict)
    stage_source: str = ""
    objects: int = 0


def scene_root_path(scene_root: str | None) -> Path:
    """Where collections are looked for: `scene_root`, else $AVW_SCENES, else data/scene_datasets."""
    return Path(scene_root or os.environ.get("AVW_SCENES") or "data/scene_datasets").expanduser()


def scene_files(scene_id: str, scene_root: str | None = None) -> SceneFiles:
    """The files of a scene of a collection or a dataset, or of a mesh file (also one that lies under the root).

    Raises SceneError for a scene that is not there or only half there.
    """
    name, options = split_options(scene_id)
    collection, _, scene = name.partition("/")
    if collection in COLLECTIONS and scene and not Path(name).expanduser().is_file():
        return _of_collection(collection, scene, options, scene_root)
    if CONFIG in name:
        return _of_dataset(name, options, scene_root)
    path = Path(name).expanduser()
    if not path.exists() and (scene_root_path(scene_root) / name).exists():
        path = scene_root_path(scene_root) / name
    if not path.exists():
        raise SceneError(f"scene file {path} does not exist: check the path, or use procedural:N for generated houses")
    return _with_companions(SceneFiles(scene_id=scene_id, mesh=path, options=options))


def decodable(mesh: Path) -> Path:
    """HM3D's mesh with pictures in JPEG, where it is beside the one in Basis, which AVW does not decode."""
    plain = mesh.with_name(mesh.name.replace(".basis.glb", ".glb"))
    return plain if plain.is_file() else mesh


def collection_meshes(collection: str, scene_root: str | None = None) -> dict[str, Path]:
    """Scene name -> its mesh, of all that have a folder or any file, sorted; a mesh may be missing."""
    found: dict[str, Path] = {}
    for folder in collection_folders(collection, scene_root):
        for name, mesh in _meshes(collection, folder):
            found.setdefault(name, mesh)
    return dict(sorted(found.items()))


def collection_folders(collection: str, scene_root: str | None = None) -> list[Path]:
    """The folders of a collection under the root that exist; the root may also be that folder, or Habitat's `data`."""
    root, names = scene_root_path(scene_root), COLLECTIONS[collection].folders
    likely = [*(root / name for name in names), *(root / "scene_datasets" / name for name in names)]
    if root.name in names:
        likely.append(root)
    return [path for path in likely if path.is_dir()]


def split_folders(scene_root: str | None = None) -> dict[str, list[str]]:
    """HM3D's splits: the names of the scenes in each of its folders."""
    splits: dict[str, list[str]] = {}
    for folder in collection_folders("hm3d", scene_root):
        for split in HM3D_SPLITS:
            if (folder / split).is_dir():
                splits.setdefault(split, []).extend(name for name, _ in _hm3d(folder / split))
    return splits


def scene_split(scene_id: str) -> str | None:
    """The official split of a collection's scene, "train", "val" or "test"; None where nobody published one."""
    collection, _, name = scene_id.partition("?")[0].partition("/")
    return split_of(collection, name) if collection in COLLECTIONS else None


def how_to_obtain(collection: str, scene_root: str | None = None) -> str:
    """One sentence without a full stop: whom to ask and what to type."""
    root = scene_root_path(scene_root)
    data = root.parent if root.name == "scene_datasets" else root
    return COLLECTIONS[collection].obtain.format(root=root, data=f"{data}/")


def files_stamp(scene_id: str, scene_root: str | None = None) -> tuple[int, int] | None:
    """Changes when a file of the scene does, so that one edited in between is loaded again; None: it has no files."""
    try:
        files = scene_files(scene_id, scene_root)
    except SceneError:
        return None
    mesh = decodable(files.mesh)
    beside = (mesh.with_suffix(".avw.json"), mesh.with_suffix(".stage_config.json"))
    named = (mesh, files.navmesh, files.semantic_mesh, files.semantic_text, files.dataset_config, *beside)
    states = [path.stat() for path in named if path is not None and path.is_file()]
    return max(state.st_mtime_ns for state in states), sum(state.st_size for state in states)


def files_sha256(files: SceneFiles) -> str:
    """SHA-256 of the mesh, and of the semantics where it has any: another mesh under the same name is another scene."""
    digests = []
    for path in (decodable(files.mesh), files.semantic_mesh, files.semantic_text):
        if path is not None:
            with path.open("rb") as stream:
                digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _of_collection(collection: str, scene: str, options: str, scene_root: str | None) -> SceneFiles:
    about, root = COLLECTIONS[collection], scene_root_path(scene_root)
    folders = collection_folders(collection, scene_root)
    if not folders:
        raise SceneError(
            f"scene {collection}/{scene} is not there, because {root} has no folder {about.folders[0]}. Type "
            f"--scene-root DIR if {about.title} lies elsewhere; to get it, {how_to_obtain(collection, scene_root)}"
        )
    found = collection_meshes(collection, scene_root)
    scene = next((name for name in found if scene in (name, name.partition("-")[2])), scene)
    if scene not in found:
        where = ", ".join(map(str, folders))
        raise SceneError(
            f"scene {collection}/{scene} is not in {where}, which has {len(found)} scenes: list them with "
            f"avw scenes {collection}; to get it, {how_to_obtain(collection, scene_root)}"
        )
    mesh = found[scene]
    if not mesh.is_file():
        raise SceneError(
            f"scene {collection}/{scene} is only half there: {mesh} is missing, so its download stopped, or was for "
            f"other files; to get it, {how_to_obtain(collection, scene_root)}"
        )
    config = next((c for folder in folders for n in about.configs if (c := folder / n).is_file()), None)
    said = stage_defaults(config) if config is not None else {}
    source = str(config) if "up" in said else f"the frame of {about.title}, in which Habitat reads it"
    files = SceneFiles(
        scene_id=f"{collection}/{scene}{f'?{options}' if options else ''}",
        mesh=mesh,
        options=options,
        dataset_config=config,
        collection=collection,
        stage={**Z_UP, **said},
        stage_source=source,
    )
    folder = config.parent if config is not None else folders[0]
    stage = Stage(handle=scene, mesh=mesh, attributes=said, source=config or mesh, folder=folder)
    return _with_companions(files, stage)


def _of_dataset(name: str, options: str, scene_root: str | None) -> SceneFiles:
    config, handle = split_dataset(name, scene_root)
    found = [stage for stage in read_stages(config) if handle in ("", stage.handle)]
    if len(found) != 1:
        what = f"no scene {handle!r}" if handle else f"{len(found)} scenes"
        raise SceneError(f"{config} has {what}: list them with avw scenes {config} --names, and open {config}:HANDLE")
    stage = found[0]
    if not stage.mesh.is_file():
        raise SceneError(f"scene {name} is only half there: {stage.mesh} is missing; download the dataset again")
    frame = Z_UP if stage.mesh.suffix.lower() in (".glb", ".gltf") else {}
    source = str(stage.source) if "up" in stage.attributes else "the frame in which Habitat reads a bare .glb"
    files = SceneFiles(
        scene_id=f"{config}:{stage.handle}{f'?{options}' if options else ''}",
        mesh=stage.mesh,
        options=options,
        dataset_config=config,
        stage={**frame, **stage.attributes},
        stage_source=source,
        objects=stage.objects,
    )
    return _with_companions(files, stage)


def split_dataset(name: str, scene_root: str | None = None) -> tuple[Path, str]:
    """(the configuration, the handle or "") of `FILE.scene_dataset_config.json:HANDLE`. Raises SceneError."""
    file, _, handle = name.partition(CONFIG)
    text = file + CONFIG
    for path in (Path(text).expanduser(), scene_root_path(scene_root) / text):
        if path.is_file():
            return path, handle.removeprefix(":")
    raise SceneError(
        f"{text} does not exist: expected the path of a dataset's configuration, as Habitat's tools made it"
    )


def _with_companions(files: SceneFiles, stage: Stage | None = None) -> SceneFiles:
    """With the navmesh and the semantics: those that `stage` names, else those beside the mesh under usual names."""
    mesh, stem = files.mesh, files.mesh.stem.removesuffix(".basis")
    by_face = mesh.name.endswith("_semantic.ply")  # Replica's mesh is both, and its list has one name in every scene
    texts = [mesh.parent / f"{stem}{end}" for end in (".house", ".semantic.txt", "_semantic.txt", ".scn")]
    told = stage.asset if stage is not None else lambda key: None
    return replace(
        files,
        navmesh=told("nav_asset") or _first(mesh.with_suffix(".navmesh"), mesh.parent / f"{stem}.navmesh"),
        semantic_mesh=told("semantic_asset")
        or _first(mesh.parent / f"{stem}_semantic.ply", mesh.parent / f"{stem}.semantic.glb")
        or (mesh if by_face else None),
        semantic_text=told("semantic_descriptor_filename")
        or _first(*texts, *([mesh.parent / "info_semantic.json"] if by_face else [])),
    )


def _first(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _meshes(collection: str, folder: Path) -> Iterator[tuple[str, Path]]:
    if collection == "hm3d":
        for split in HM3D_SPLITS:
            if (folder / split).is_dir():
                yield from _hm3d(folder / split)
    elif collection == "gibson":
        stems = {own_name(path) for path in folder.iterdir() if path.suffix in (".glb", ".navmesh", ".scn")}
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
