"""What the objects of a scan are: Matterport3D's `.house`, HM3D's `.semantic.txt`, Replica's and Gibson's JSON.

Formats: the .house file, github.com/niessner/Matterport, data_organization.md, and habitat-sim,
src/esp/scene/Mp3dSemanticScene.cpp; HM3D's, HM3DSemanticScene.cpp there; `info_semantic.json`,
ReplicaSemanticScene.cpp; `.scn` (3D Scene Graph, Armeni et al. 2019), GibsonSemanticScene.cpp and tools/npz2scn.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import SceneError

MOST_OBJECTS = 65_536  # Habitat keeps 16 bits of an object's number
_LARGEST = (
    500_000_000  # bytes; the .house files of Matterport3D list every picture and segment, and take some megabytes
)
_LONGEST = 200  # letters of a category
_HOUSE, _HM3D = "ASCII 1.1", "HM3D Semantic Annotations"
_HM3D_LINE = re.compile(r'\s*(\d+)\s*,\s*([0-9A-Fa-f]{1,6})\s*,\s*"(.*)"\s*,\s*(-?\d+)\s*')


@dataclass(frozen=True, slots=True)
class ObjectLabel:
    """category: what it is, as its collection says · words: labels for its material, the most telling first."""

    category: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SceneLabels:
    """objects: number -> label, of those that have one · source: the file that said so
    colours: 0xRRGGBB -> number, where the mesh is painted by object"""

    objects: Mapping[int, ObjectLabel]
    source: Path
    colours: Mapping[int, int] = field(default_factory=dict)


def read_labels(path: Path) -> SceneLabels:
    """Raises SceneError for a file that is none of the four formats, or damaged."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise ValueError("it is empty (0 bytes)")
        if size > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST:,} bytes")
        text = path.read_text(encoding="utf-8", errors="replace")
        head = text[:200].partition("\n")[0]
        if _HOUSE in head:
            return SceneLabels(dict(_house(text)), path)
        if _HM3D in head:
            return _hm3d(text, path)
        return SceneLabels(dict(_json(text)), path)
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, (KeyError, TypeError, IndexError)) else error
        raise SceneError(
            f"{path} cannot be read as a scene's semantics ({reason}): its download broke off, or it is of another "
            "format; download it again, or move it away to read the scene without"
        ) from None


def _house(text: str) -> Iterator[tuple[int, ObjectLabel]]:
    """`C index mapping_index mapping_name mpcat40_index mpcat40_name ...` and `O index region category ...`."""
    categories: dict[int, ObjectLabel] = {}
    # Objects may stand before categories, so the categories are read first.
    lines = [line.split() for line in text.splitlines() if line[:2] in ("C ", "O ")]
    for words in lines:
        if words[0] == "C":
            # `#` stands for a space in a name.
            own, coarse = (_clean(word.replace("#", " ")) for word in (words[3], words[5]))
            # What annotators wrote ("shower wall", "rug") says more about a material than the 40 classes do.
            categories[_number(words[1])] = ObjectLabel(coarse, (own, coarse))
    for words in lines:
        if words[0] == "O" and int(words[3]) >= 0:
            label = categories.get(int(words[3]))
            if label is None:
                raise ValueError(f"object {words[1]} is of category {words[3]}, which is not listed")
            yield _number(words[1]), label


def _hm3d(text: str, path: Path) -> SceneLabels:
    """`number,RRGGBB,"category",region` in each line but the first."""
    objects: dict[int, ObjectLabel] = {}
    colours: dict[int, int] = {}
    for index, line in enumerate(text.splitlines()[1:], start=2):
        if not line.strip():
            continue
        match = _HM3D_LINE.fullmatch(line)
        if match is None:
            raise ValueError(f'line {index} is not NUMBER,COLOUR,"CATEGORY",REGION')
        name = _clean(match[3])
        objects[_number(match[1])] = ObjectLabel(name, (name,))
        colours[int(match[2], 16)] = int(match[1])
    return SceneLabels(objects, path, colours)


def _json(text: str) -> Iterator[tuple[int, ObjectLabel]]:
    tree = json.loads(text)
    if not isinstance(tree, dict) or not isinstance(tree.get("objects"), list):
        raise ValueError("it has no list of objects")
    classes = {int(entry["id"]): _clean(str(entry["name"])) for entry in tree.get("classes", [])}
    for entry in tree["objects"]:
        if "class_" in entry:  # Gibson's
            name = _clean(str(entry["class_"]))
            yield _number(entry["id"]), ObjectLabel(name, (*_only_material(entry), name))
        else:
            name = classes.get(int(entry["class_id"])) or _clean(str(entry.get("class_name", "")))
            if name:
                yield _number(entry["id"]), ObjectLabel(name, (name,))


def _only_material(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """What an object of 3D Scene Graph is made of, if it is made of one thing."""
    named = entry.get("material")
    listed = [_clean(str(value)) for value in (named if isinstance(named, list) else [named]) if value]
    return tuple(listed) if len(listed) == 1 else ()


def _number(value: Any) -> int:
    number = int(value)
    if not 0 <= number < MOST_OBJECTS:
        raise ValueError(f"object or category number {number} is not from 0 to {MOST_OBJECTS - 1}")
    return number


def _clean(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name[:_LONGEST]).strip().lower()
