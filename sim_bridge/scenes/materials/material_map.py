"""A user's own map from labels to acoustic materials, in the JSON of RLR-Audio-Propagation that SoundSpaces hears with.

Format: github.com/facebookresearch/rlr-audio-propagation, RLRAudioPropagationPkg/data/mp3d_material_config.json: a list
`materials` of entries with eight keys. Curves are flat lists (frequency, value, frequency, value, ...); they are read
at our octave bands, straight between their points over the logarithm of frequency, constant outside. What no entry
labels gets the entry labelled "default". `damping`, `density` and `speed` are of the inside of a wall and are not used.

Its values are kept as they are. Where more passes a surface than it absorbs (foliage: 0.9 against 0.03), `emitters`
lets no more through than is absorbed, since absorption is all that does not come back; RLR gets both as they stand.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.materials.labels import DEFAULTED, face_areas
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS, Material
from avw.sim_bridge.scenes.scene import Scene, Surface

KEYS = ("name", "labels", "absorption", "scattering", "transmission", "damping", "density", "speed")
CURVES = ("absorption", "scattering", "transmission")
DEFAULT_LABEL = "default"
_LARGEST = 4 * 2**20  # bytes
_MOST = 1_000  # materials


@dataclass(frozen=True, kw_only=True, eq=False)
class MaterialMap:
    """default: of what no label names · by_label: words of a label, in lower case with single spaces -> material"""

    name: str
    default: Material
    by_label: dict[str, Material]

    def find(self, labels: Sequence[str]) -> tuple[Material, str]:
        """(material, the label of the map that decided): a whole label first, then the most words found in one."""
        spoken = [_words(label) for label in labels]
        for text in spoken:
            if text in self.by_label:
                return self.by_label[text], text
        for text in spoken:
            inside = [key for key in self.by_label if f" {key} " in f" {text} "]
            if inside:
                key = max(inside, key=lambda k: (k.count(" "), len(k)))
                return self.by_label[key], key
        return self.default, DEFAULTED


def read_material_map(path: Path | str) -> MaterialMap:
    """Raises UsageError for a file that is absent or no such map, naming the entry and what is wrong with it."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"no material map {path}: SoundSpaces' is data/mp3d_material_config.json")
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it has more than 4 MB")
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no material map ({error}): expected the JSON of RLR-Audio-Propagation") from None
    entries = document.get("materials") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= _MOST:
        raise UsageError(f"{path} is no material map: expected an object with a list called 'materials'")
    by_label: dict[str, Material] = {}
    for number, entry in enumerate(entries):
        try:
            made, labels = _material(entry, path.name)
        except ValueError as error:
            name = entry.get("name", number) if isinstance(entry, dict) else number
            raise UsageError(f"{path}: material {str(name)[:80]!r}: {error}") from None
        for label in labels:
            by_label.setdefault(_words(label), made)  # the first that claims a label has it
    if DEFAULT_LABEL not in by_label:
        raise UsageError(f"{path} has no material labelled 'default', for what no label names: add one")
    return MaterialMap(name=path.name, default=by_label[DEFAULT_LABEL], by_label=by_label)


def open_material_map(path: str | None) -> MaterialMap | None:
    """The map, read once and again when its file changes; None without one."""
    if path is None:
        return None
    return _known(path, Path(path).stat().st_mtime_ns if Path(path).is_file() else 0)


def apply_material_map(scene: Scene, materials: MaterialMap) -> tuple[Scene, tuple[str, ...]]:
    """(the scene made of the map's materials, of each surface the label that decided or `DEFAULTED`).

    A surface goes by what it belongs to (`Surface.category`), else by its name.
    """
    surfaces: list[Surface] = []
    evidence: list[str] = []
    for surface in scene.surfaces:
        labels = [label for label in (surface.category, surface.name) if label]
        found, why = materials.find(labels)
        surfaces.append(replace(surface, material=found))
        evidence.append(why)
    return replace(scene, surfaces=tuple(surfaces)), tuple(evidence)


def share_named(scene: Scene, materials: MaterialMap) -> float:
    """Share of the scene's area, in [0, 1], that the map has a label for; the rest is its default material."""
    _, evidence = apply_material_map(scene, materials)
    area_F = face_areas(scene.triangles_F33)
    named_S = np.array([why != DEFAULTED for why in evidence])
    return float(area_F[named_S[scene.surface_F]].sum() / max(float(area_F.sum()), 1e-12))


@lru_cache(maxsize=4)
def _known(path: str, modified: int) -> MaterialMap:
    return read_material_map(path)


def _material(entry: Any, file: str) -> tuple[Material, list[str]]:
    if not isinstance(entry, dict):
        raise ValueError("it is no object")
    missing = [key for key in KEYS if key not in entry]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}: RLR ends the process at such an entry, add what is missing")
    labels = entry["labels"]
    if not isinstance(entry["name"], str) or not isinstance(labels, list) or not all(type(x) is str for x in labels):
        raise ValueError("its name must be text, and its labels a list of texts")
    absorption_6, scattering_6, transmission_6 = (_bands(entry[name], name) for name in CURVES)
    return Material(
        name=entry["name"],
        absorption_6=absorption_6,
        scattering_6=scattering_6,
        transmission_6=transmission_6,
        source=f"{file}: {entry['name']}",
    ), labels


def _bands(curve: Any, name: str) -> tuple[float, ...]:
    good = isinstance(curve, list) and len(curve) >= 2 and len(curve) % 2 == 0
    if not good or not all(type(x) in (int, float) and math.isfinite(x) for x in curve):
        raise ValueError(f"its {name} is no list of frequency, value, frequency, value, ...")
    hertz, values = np.array(curve[::2], dtype=np.float64), np.array(curve[1::2], dtype=np.float64)
    if hertz[0] <= 0 or (np.diff(hertz) <= 0).any():
        raise ValueError(f"its {name} has frequencies that do not rise from above 0 Hz")
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"its {name} has values outside 0 ... 1")
    # The published file has float32 values with all their digits: 0.699999988079071.
    return tuple(round(float(v), 6) for v in np.interp(np.log(OCTAVE_BANDS), np.log(hertz), values))


def _words(label: str) -> str:
    """ "shower-stall", "chest_of_drawers" and "TV monitor" as words: RLR's labels are Matterport3D's categories."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return " ".join(re.findall(r"[a-z]+", parted.lower()))
