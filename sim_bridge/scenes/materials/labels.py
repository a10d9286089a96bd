"""Choose acoustic materials from the labels in a mesh, and measure how much of a scene has a known material.

The vocabulary covers plain English and the categories of Matterport40, Replica, HM3D, ScanNet (NYU40) and ADE20k. The
longest phrase in a label decides ("shower curtain" before "shower"). Among phrases of equal length the first in
labels.json decides. Its order is: coverings, named materials, kinds of furniture, parts of a building. So "carpet on
wood" is carpet, "brick wall" is brick, and "oak door" is a door.

Names that a program gave say nothing: "Mat.001" is not a mat, `wire_088144225` of 3ds Max is not a wire, and
`Tile_+005_+003` of a photogrammetry program is not made of tiles. A compound word counts only if every part is a
known word: "woodenfloor" is a floor, but "Decke", the German word for ceiling, is not a deck.
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
# Parts of compound words that name no material.
_PARTS = frozenset({
    "kitchen", "bath", "bathroom", "bed", "bedroom", "living", "dining", "room", "hall", "hallway", "office",
    "house", "home", "wall", "floor", "main", "front", "back", "left", "right", "inner", "outer", "inside",
    "outside", "upper", "lower", "top", "bottom", "new", "old", "big", "small", "large", "little", "light", "dark",
    "white", "black", "grey", "gray", "red", "green", "blue", "yellow", "brown", "beige", "cream",
})  # fmt: skip
# Default names of modelling and photogrammetry programs, as whole labels.
_DEFAULT_NAMES = re.compile(
    r"wire[\W_]*\d{3}[\W_]*\d{3}[\W_]*\d{3}|(mesh|model)?[\W_]*tile[\W_]*\d+([\W_]+\d+)+([\W_]*lod\d+)?"
    r"|(box|scale)[\W_]*\d*|sheet[\W_]*\d+|render[\W_]*(mesh|model|geometry)?[\W_]*\d*"
    r"|(default|new|standard)?[\W_]*mat(erial|l)?s?[\W_]*\d*",
    re.IGNORECASE,
)
# "mat" for "material", before or after the name: MAT_Glass, matWall, Ceiling_mat, M_Wall_MAT.002.
_MAT_FIRST = re.compile(r"^([Mm][Aa][Tt](?=[\W_\d])|[Mm]at(?=[A-Z]))[\W_\d]*")
_MAT_LAST = re.compile(r"([\W_][Mm][Aa][Tt]|(?<=[a-z])Mat|(?<=[a-z\d])MAT)[\W_\d]*$")
_REAL_MATS = re.compile(r"(?i:(bath|yoga|exercise|treadmill)[\W_]*mat)|(door|floor) mat")


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
    found = _phrase(_own_words(label))
    return material(found[1]) if found else None


def label_material(
    labels: Sequence[str], given: Mapping[str, str] | None = None, *, categories: bool = False
) -> Labelled:
    """The material of a surface with several labels (of its material, node and mesh), the most specific first.

    given: label -> material name, from a sidecar file; whole labels are compared, ignoring case
    categories: the labels are categories of objects, which people gave: "mat" is a mat, and "box" a box
    Without a known word the material is `DEFAULT_MATERIAL` and the evidence `DEFAULTED`. Raises UsageError if `given`
    names an unknown material.
    """
    lowered = {key.lower(): name for key, name in (given or {}).items()}
    for label in labels:
        if label.lower() in lowered:
            return Labelled(material(lowered[label.lower()]), "sidecar")
    for label in labels:
        found = _phrase(label if categories else _own_words(label))
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


def _own_words(label: str) -> str:
    """A label without what a program added to it; "" for a default name."""
    if _DEFAULT_NAMES.fullmatch(label.strip()):
        return ""
    if _REAL_MATS.fullmatch(label.strip("_. 0123456789")):
        return label
    return _MAT_LAST.sub("", _MAT_FIRST.sub("", label))


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
        # No whole word is known: take the longest known word inside a compound word ("woodenfloor01").
        compounds = " ".join(word for word in text.split() if _is_compound(word))
        for rank, (phrase, name) in enumerate(_phrases()):
            joined = phrase.replace(" ", "")
            if len(joined) >= _MIN_LETTERS_INSIDE and joined in compounds and (best is None or len(joined) > best[0]):
                best = (len(joined), rank, phrase, name)
    return None if best is None else (best[2], best[3])


def _is_compound(word: str) -> bool:
    """Whether a word consists of known words only."""
    ends = {0}
    for end in range(3, len(word) + 1):
        if any(start in ends and word[start:end] in _known_parts() for start in range(end - 2)):
            ends.add(end)
    return len(word) in ends and len(word) <= 40


@lru_cache(maxsize=1)
def _known_parts() -> frozenset[str]:
    """Words of a compound: those of the vocabulary in singular and plural, joined phrases, and `_PARTS`."""
    words = {word for phrase, _ in _phrases() for word in (*phrase.split(), phrase.replace(" ", "")) if len(word) > 2}
    return frozenset(words | {f"{word}s" for word in words} | _PARTS)


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
