"""From a mesh's own words to acoustic materials, and how much of a scene those words covered.

The vocabulary covers plain English and the categories of Matterport40, Replica, HM3D, ScanNet (NYU40) and ADE20k. The
longest phrase found in a label wins ("shower curtain" before "shower"); among equally long ones the earlier in
labels.json, which goes from coverings over stated materials to kinds of furniture and, last, the parts of a building:
"carpet on wood" is a carpet, a "brick wall" brick, an "oak door" a door.
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

DEFAULTED = "default"  # the evidence for a surface whose label says nothing
SEMANTICS = "semantics: "  # begins the evidence for a surface whose label comes from a scan's semantics

# Rooms are not things: the bed room's wall is a wall, and a book store's floor a floor.
_ROOMS = re.compile(r"\b(bed|bath|living|dining|book|wash|tv|family|powder|shower|laundry) (room|store)\b")
_SHORTEST_INSIDE = 4  # letters that a word needs to be looked for inside other words ("kitchenfloor")


@dataclass(frozen=True, slots=True)
class Labelled:
    """The material of a surface and why: the phrase that was found, `|NAME`, `sidecar`, or `DEFAULTED`.

    What was found in a scan's semantics has `SEMANTICS` before it.
    """

    material: Material
    evidence: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a scene's surfaces are made of, by area.

    share: material name -> share of the area in [0, 1], the largest first
    defaulted: surface name -> share of the area, of surfaces whose label named no material
    area: square metres of all faces · semantic: share whose material comes from what a scan's semantics say it is
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
    """The material that a mesh's own label points to, or None where no word of it is known.

    A label that ends in `|NAME` (as `export_glb` writes it) names the material itself.
    """
    found = _phrase(label)
    return material(found[1]) if found else None


def label_material(labels: Sequence[str], given: Mapping[str, str] | None = None) -> Labelled:
    """The material of a surface that goes by several labels (its material's, its node's, its mesh's), best first.

    given: label -> material name, from a sidecar; compared whole, without case. Raises UsageError for a name that
    is no material. A surface that no label speaks for is a hard surface, and its evidence is `DEFAULTED`.
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
    """How the area of `scene` is spread over materials. evidence: of each surface, as `Labelled` has it."""
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
    """float64 (F,): square metres of every face."""
    corners = np.asarray(triangles_F33, dtype=np.float64)
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return 0.5 * np.linalg.norm(np.cross(edge_a, edge_b), axis=1)


@lru_cache(maxsize=4096)
def _phrase(label: str) -> tuple[str, str] | None:
    """(the phrase found, the material's name), or None."""
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
        # No whole word is known: the longest word inside another one ("woodenfloor01").
        for rank, (phrase, name) in enumerate(_phrases()):
            joined = phrase.replace(" ", "")
            if len(joined) >= _SHORTEST_INSIDE and joined in text and (best is None or len(joined) > best[0]):
                best = (len(joined), rank, phrase, name)
    return None if best is None else (best[2], best[3])


@lru_cache(maxsize=1)
def _phrases() -> tuple[tuple[str, str], ...]:
    known = set(material_names())
    pairs = []
    text = files(__package__).joinpath("labels.json").read_text(encoding="utf-8")
    for name, phrases in json.loads(text):
        if name not in known:
            raise UsageError(f"the vocabulary of labels names {name!r}, which is no material of the table")
        pairs += [(_words(phrase), name) for phrase in phrases]
    return tuple(pairs)


def _words(label: str) -> str:
    """Lower-case singular words with single spaces: "KitchenShelves_02" becomes "kitchen shelf"."""
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
