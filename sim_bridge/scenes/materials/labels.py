"""Choose acoustic materials from the labels in a mesh, and measure how much of a scene has a known material.

The vocabulary covers plain English and the categories of Matterport40, Replica, HM3D, ScanNet (NYU40) and ADE20k. The
longest phrase in a label decides ("shower curtain" before "shower"). Among phrases of equal length the first in
labels.json decides. Its order is: coverings, named materials, kinds of furniture, parts of a building. So "carpet on
wood" is carpet, "brick wall" is brick, and "oak door" is a door.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.materials.materials import DEFAULT_MATERIAL, Material, material, material_names
from avw.sim_bridge.scenes.scene import Scene

DEFAULTED = "default"  # evidence of a surface whose labels name no known material
SEMANTICS = "semantics: "  # prefix of the evidence if the label comes from the semantics of a scan

# Names of rooms are removed: the wall of a bed room is a wall, not a bed.
_ROOMS = re.compile(r"\b(bed|bath|living|dining|book|wash|tv|family|powder|shower|laundry) (room|store)\b")
_MIN_LETTERS_INSIDE = 4  # shortest word that is searched for inside other words ("kitchenfloor")


@dataclass(frozen=True, slots=True)
class Labelled:
    """The material of a surface and the evidence for it: the phrase found, `|NAME`, `sidecar`, or `DEFAULTED`.

    Evidence from the semantics of a scan has the prefix `SEMANTICS`.
    """

    material: Material
    evidence: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The materials of a scene by area.

    area: of all faces (m²) · share: material name -> share of the area in [0, 1], largest first
    defaulted: surface name -> share of the area, for surfaces whose labels name no known material
    semantic: share of the area whose material comes from the semantics of a scan
    """

    area: float
    share: dict[str, float]
    defaulted: dict[str, float]
    semantic: float = 0.0

    @property
    def named(self) -> float:
        """Share of the area whose material was named by a label, in [0, 1]."""
        return 1.0 - sum(self.defaulted.values())


def material_from_label(label: str) -> Material | None:
    """The material for a label of a mesh, or None if it contains no known word.

    A label that ends in `|NAME` (as written by `export_glb`) names the material directly.
    """
    found = _phrase(label)
    return material(found[1]) if found else None


def label_material(labels: Sequence[str], given: Mapping[str, str] | None = None) -> Labelled:
    """The material of a surface with several labels (of its material, node and mesh), the most specific first.

    given: label -> material name, from a sidecar file; whole labels are compared, ignoring case
    Without a known word the material is `DEFAULT_MATERIAL` and the evidence `DEFAULTED`. Raises UsageError if `given`
    names an unknown material.
    """
    lowered = {key.lower(): name for key, name in (given or {}).items()}
    for label in labels:
        if label.lower() in lowered:
            return Labelled(material(lowered[label.lower()]), "sidecar")
    for label in labels:
        found = _phrase(label)
        if found:
            return Labelled(material(found[1]), found[0])
    return Labelled(material(DEFAULT_MATERIAL), DEFAULTED)


def coverage(scene: Scene, evidence: Sequence[str] = ()) -> Coverage:
    """Measure the materials of `scene` by area. evidence: of each surface, as in `Labelled`"""
    area_F = face_areas(scene.triangles_F33)
    area_S = np.bincount(scene.surface_F, weights=area_F, minlength=len(scene.surfaces))
    total = max(float(area_S.sum()), 1e-12)
    share: dict[str, float] = {}
    defaulted: dict[str, float] = {}
    semantic = 0.0
    for index, surface in enumerate(scene.surfaces):
        part = float(area_S[index]) / total
        share[surface.material.name] = share.get(surface.material.name, 0.0) + part
        if index < len(evidence) and evidence[index].startswith(SEMANTICS):
            semantic += part
        if index < len(evidence) and evidence[index] == DEFAULTED:
            defaulted[surface.name] = defaulted.get(surface.name, 0.0) + part
    largest_first = sorted(share.items(), key=lambda item: -item[1])
    return Coverage(
        area=float(area_S.sum()),
        share=dict(largest_first),
        defaulted=dict(sorted(defaulted.items(), key=lambda item: -item[1])),
        semantic=semantic,
    )


def face_areas(triangles_F33: np.ndarray) -> np.ndarray:
    """Area of every face (m²): float64 (F,)."""
    corners = np.asarray(triangles_F33, dtype=np.float64)
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return 0.5 * np.linalg.norm(np.cross(edge_a, edge_b), axis=1)


@lru_cache(maxsize=4096)
def _phrase(label: str) -> tuple[str, str] | None:
    """The phrase found in a label and the name of its material, or None."""
    _, bar, name = label.rpartition("|")
    if bar and name in material_names():
        return f"|{name}", name
    text = _ROOMS.sub(" ", _words(label))
    padded = f" {text} "
    best: tuple[int, int, str, str] | None = None
    for rank, (phrase, name) in enumerate(_phrases()):
        if f" {phrase} " in padded and (best is None or (phrase.count(" "), -rank) > (best[0], -best[1])):
            best = (phrase.count(" "), rank, phrase, name)
    if best is None:
        # No whole word is known: take the longest known word inside another word ("woodenfloor01").
        for rank, (phrase, name) in enumerate(_phrases()):
            joined = phrase.replace(" ", "")
            if len(joined) >= _MIN_LETTERS_INSIDE and joined in text and (best is None or len(joined) > best[0]):
                best = (len(joined), rank, phrase, name)
    return None if best is None else (best[2], best[3])


@lru_cache(maxsize=1)
def _phrases() -> tuple[tuple[str, str], ...]:
    known = set(material_names())
    pairs = []
    text = files(__package__).joinpath("labels.json").read_text(encoding="utf-8")
    for name, phrases in json.loads(text):
        if name not in known:
            raise UsageError(f"labels.json names {name!r}, which is not in materials.json")
        pairs += [(_words(phrase), name) for phrase in phrases]
    return tuple(pairs)


def _words(label: str) -> str:
    """Convert to lower-case singular words with single spaces: "KitchenShelves_02" becomes "kitchen shelf"."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return " ".join(_singular(word) for word in re.findall(r"[a-z]+", parted.lower()))


def _singular(word: str) -> str:
    if word.endswith("lves"):
        return word[:-3] + "f"
    if word == "leaves":
        return "leaf"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
