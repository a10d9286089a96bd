"""The scanned collections that AVW knows: Matterport3D, HM3D, Replica and Gibson.

Scene ids are `mp3d/17DRP5sb8fy`, `hm3d/00800-TEEsavR23oF`, `replica/apartment_0` and `gibson/Adrian`. `scene_folder`
finds their files on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass

from avw.sim_bridge.scenes.collections.splits import split_of

Z_UP = {"up": (0.0, 0.0, 1.0), "front": (0.0, 1.0, 0.0)}  # frame of a bare .glb in Habitat, and of any semantic .ply
Y_UP = {"up": (0.0, 1.0, 0.0), "front": (0.0, 0.0, -1.0)}  # Habitat's default for a stage that is described by JSON
HM3D_SPLITS = ("train", "val", "minival", "example", "test")  # searched in this order; minival is a part of val


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """A published data set of scanned buildings.

    title: name for messages · folders: names of its folder under the root · configs: its scene dataset configurations
    scenes: number of published scenes · terms: licence terms that also bind data made from it
    obtain: what to do and what to type to get it; {root} stands for the root, {data} for the
    folder above it, {uid} for the download of a split of HM3D
    """

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
        "--uids {uid} --data-path {data}",
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


def collection_split(scene_id: str) -> str | None:
    """The official split of a scene, "train", "val" or "test"; None if no split was published for it."""
    collection, _, name = scene_id.partition("?")[0].partition("/")
    return split_of(collection, name) if collection in COLLECTIONS else None
