"""Read the object categories of scans: Matterport3D's `.house`, HM3D's `.semantic.txt`, Replica's and Gibson's JSON.

Formats: the .house file, github.com/niessner/Matterport, data_organization.md, and habitat-sim,
src/esp/scene/Mp3dSemanticScene.cpp; HM3D's, HM3DSemanticScene.cpp there; `info_semantic.json`,
ReplicaSemanticScene.cpp; `.scn` (3D Scene Graph, Armeni et al. 2019), GibsonSemanticScene.cpp and tools/npz2scn.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import SceneError

MAX_OBJECTS = 65_536  # Habitat stores object numbers in 16 bits
_MAX_BYTES = 500_000_000  # .house files of Matterport3D list every image and segment, and have a few megabytes
_MAX_LETTERS = 200  # of a category
_HOUSE, _HM3D = "ASCII 1.1", "HM3D Semantic Annotations"
_HM3D_LINE = re.compile(r'\s*(\d+)\s*,\s*([0-9A-Fa-f]{1,6})\s*,\s*"(.*)"\s*,\s*(-?\d+)\s*')


@dataclass(frozen=True, slots=True)
class ObjectLabel:
    """The label of an object.

    category: its category in the collection · words: labels that may name its material, the most specific first
    """

    category: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SceneLabels:
    """The labels of a scan.

    objects: object number -> label, of objects that have one · source: the file they were read from
    colours: 0xRRGGBB -> object number, if the objects of the semantic mesh are distinguished by colour
    skipped: what is wrong with each entry that could not be read, in the order of the file
    """

    objects: Mapping[int, ObjectLabel]
    source: Path
    colours: Mapping[int, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def read_labels(path: Path) -> SceneLabels:
    """Read a file in any of the four formats; an entry that is not valid drops its object.

    Raises SceneError for another format, or for a file without any valid entry.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise ValueError("it is empty (0 bytes)")
        if size > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8", errors="replace")
        head = text[:200].partition("\n")[0]
        skipped: list[str] = []
        colours: dict[int, int] = {}
        if _HOUSE in head:
            objects = dict(_house(text, skipped))
        elif _HM3D in head:
            objects = dict(_hm3d(text, colours, skipped))
        else:
            objects = dict(_json(text, skipped))
        if skipped and not objects:
            raise ValueError(skipped[0])
        return SceneLabels(objects, path, colours, tuple(skipped))
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, (KeyError, TypeError, IndexError)) else error
        raise SceneError(
            f"{path} cannot be read as the semantics of a scene ({reason}): its download was interrupted, or it has "
            "another format; download it again, or move it away to read the scene without semantics"
        ) from None


@contextmanager
def _one_entry(what: str, skipped: list[str]) -> Iterator[None]:
    """Note an entry that is not valid instead of giving up the file."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reason = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        skipped.append(f"{what}: {reason}"[:200])


def _house(text: str, skipped: list[str]) -> Iterator[tuple[int, ObjectLabel]]:
    """`C index mapping_index mapping_name mpcat40_index mpcat40_name ...` and `O index region category ...`."""
    categories: dict[int, ObjectLabel] = {}
    # Objects may precede their categories in the file, so the categories are read first.
    lines = [(k, line.split()) for k, line in enumerate(text.splitlines(), start=1) if line[:2] in ("C ", "O ")]
    for index, words in lines:
        with _one_entry(f"line {index}", skipped):
            if words[0] == "C":
                # `#` stands for a space in a name.
                own, coarse = (_clean(word.replace("#", " ")) for word in (words[3], words[5]))
                # The words of the annotators ("shower wall", "rug") are more specific than the 40 classes.
                categories[_number(words[1])] = ObjectLabel(coarse, (own, coarse))
    for index, words in lines:
        with _one_entry(f"line {index}", skipped):
            if words[0] == "O" and int(words[3]) >= 0:
                label = categories.get(int(words[3]))
                if label is None:
                    raise ValueError(f"object {words[1]} has category {words[3]}, which is not listed")
                yield _number(words[1]), label


def _hm3d(text: str, colours: dict[int, int], skipped: list[str]) -> Iterator[tuple[int, ObjectLabel]]:
    """`number,RRGGBB,"category",region` in every line after the first."""
    for index, line in enumerate(text.splitlines()[1:], start=2):
        if not line.strip():
            continue
        with _one_entry(f"line {index}", skipped):
            match = _HM3D_LINE.fullmatch(line)
            if match is None:
                raise ValueError('it is not NUMBER,COLOUR,"CATEGORY",REGION')
            name, number = _clean(match[3]), _number(match[1])
            colours[int(match[2], 16)] = number
            yield number, ObjectLabel(name, (name,))


def _json(text: str, skipped: list[str]) -> Iterator[tuple[int, ObjectLabel]]:
    tree = json.loads(text)
    if not isinstance(tree, dict) or not isinstance(tree.get("objects"), list):
        raise ValueError("it has no list of objects")
    classes: dict[int, str] = {}
    for index, entry in enumerate(tree.get("classes", [])):
        with _one_entry(f"class {index}", skipped):
            classes[int(entry["id"])] = _clean(str(entry["name"]))
    for index, entry in enumerate(tree["objects"]):
        with _one_entry(f"object {index}", skipped):
            if "class_" in entry:  # Gibson's
                name = _clean(str(entry["class_"]))
                yield _number(entry["id"]), ObjectLabel(name, (*_only_material(entry), name))
            else:
                name = classes.get(int(entry["class_id"])) or _clean(str(entry.get("class_name", "")))
                if name:
                    yield _number(entry["id"]), ObjectLabel(name, (name,))


def _only_material(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The material of an object of 3D Scene Graph, if it has exactly one."""
    named = entry.get("material")
    listed = [_clean(str(value)) for value in (named if isinstance(named, list) else [named]) if value]
    return tuple(listed) if len(listed) == 1 else ()


def _number(value: Any) -> int:
    number = int(value)
    if not 0 <= number < MAX_OBJECTS:
        raise ValueError(f"object or category number {number} is not from 0 to {MAX_OBJECTS - 1}")
    return number


def _clean(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name[:_MAX_LETTERS]).strip().lower()
