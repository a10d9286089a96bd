"""A user's map from labels to acoustic materials, in the JSON format of RLR-Audio-Propagation (used by SoundSpaces).

Format: github.com/facebookresearch/rlr-audio-propagation, RLRAudioPropagationPkg/data/mp3d_material_config.json: a list
`materials` of entries with eight keys. Curves are flat lists (frequency, value, frequency, value, ...). They are
sampled at our octave bands: linear in the logarithm of frequency between the points, constant outside. Surfaces without
a matching label get the entry labelled "default". `damping`, `density` and `speed` describe the inside of a wall and
are not used.

The values are not changed. If a surface transmits more than it absorbs (foliage: 0.9 against 0.03), `emitters` limits
the transmission to the absorption, because absorption is all energy that is not reflected. RLR gets both as given.
"""

from __future__ import annotations

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
from avw.sim_bridge.storage.small_files import read_json

KEYS = ("name", "labels", "absorption", "scattering", "transmission", "damping", "density", "speed")
CURVES = ("absorption", "scattering", "transmission")
DEFAULT_LABEL = "default"
_MAX_BYTES = 4 * 2**20
_MAX_MATERIALS = 1_000


@dataclass(frozen=True, kw_only=True, eq=False)
class MaterialMap:
    """A map from labels to materials.

    name: name of its file · default: the material of surfaces without a matching label
    by_label: words of a label, in lower case with single spaces -> material
    """

    name: str
    default: Material
    by_label: dict[str, Material]

    def find(self, labels: Sequence[str]) -> tuple[Material, str]:
        """Find the material for labels, and the label of the map that matched (`DEFAULTED` if none did).

        A label that matches as a whole comes first, then the longest label of the map inside one of `labels`.
        """
        texts = [_words(label) for label in labels]
        for text in texts:
            if text in self.by_label:
                return self.by_label[text], text
        for text in texts:
            inside = [key for key in self.by_label if f" {key} " in f" {text} "]
            if inside:
                key = max(inside, key=lambda k: (k.count(" "), len(k)))
                return self.by_label[key], key
        return self.default, DEFAULTED


def read_material_map(path: Path | str) -> MaterialMap:
    """Read a material map. Raises UsageError for a missing or invalid file, with the entry and the problem."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"no material map {path}: that of SoundSpaces is data/mp3d_material_config.json")
    try:
        document = read_json(path, _MAX_BYTES, links=True)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} is not a material map ({error}): expected the JSON format of RLR-Audio-Propagation"
        ) from None
    entries = document.get("materials") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= _MAX_MATERIALS:
        raise UsageError(f"{path} is not a material map: expected an object with a list called 'materials'")
    by_label: dict[str, Material] = {}
    for number, entry in enumerate(entries):
        try:
            made, labels = _material(entry, path.name)
        except ValueError as error:
            name = entry.get("name", number) if isinstance(entry, dict) else number
            raise UsageError(f"{path}: material {str(name)[:80]!r}: {error}") from None
        for label in labels:
            by_label.setdefault(_words(label), made)  # the first entry with a label wins
    if DEFAULT_LABEL not in by_label:
        raise UsageError(f"{path} has no material labelled 'default' for surfaces without a matching label: add one")
    return MaterialMap(name=path.name, default=by_label[DEFAULT_LABEL], by_label=by_label)


def open_material_map(path: str | None) -> MaterialMap | None:
    """Read a map, or take it from a cache if its file has not changed. None if `path` is None."""
    if path is None:
        return None
    return _known(path, Path(path).stat().st_mtime_ns if Path(path).is_file() else 0)


def apply_material_map(scene: Scene, materials: MaterialMap) -> tuple[Scene, tuple[str, ...]]:
    """Replace the materials of `scene`. Returns the scene, and per surface the label that matched or `DEFAULTED`.

    The category of a surface is matched first, then its name.
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
    """Share of the area of `scene`, in [0, 1], with a label in the map. The rest has the default material."""
    _, evidence = apply_material_map(scene, materials)
    area_F = face_areas(scene.triangles_F33)
    named_S = np.array([why != DEFAULTED for why in evidence])
    return float(area_F[named_S[scene.surface_F]].sum() / max(float(area_F.sum()), 1e-12))


@lru_cache(maxsize=4)
def _known(path: str, modified: int) -> MaterialMap:
    return read_material_map(path)


def _material(entry: Any, file: str) -> tuple[Material, list[str]]:
    if not isinstance(entry, dict):
        raise ValueError("it is not an object")
    missing = [key for key in KEYS if key not in entry]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}: RLR ends the process at such an entry; add the missing keys")
    labels = entry["labels"]
    if not isinstance(entry["name"], str) or not isinstance(labels, list) or not all(type(x) is str for x in labels):
        raise ValueError("its name must be a string, and its labels a list of strings")
    absorption_6, scattering_6, transmission_6 = (_bands(entry[name], name) for name in CURVES)
    return Material(
        name=entry["name"],
        absorption_6=absorption_6,
        scattering_6=scattering_6,
        transmission_6=transmission_6,
        source=f"{file}: {entry['name']}",
    ), labels


def _bands(curve: Any, name: str) -> tuple[float, ...]:
    valid = isinstance(curve, list) and len(curve) >= 2 and len(curve) % 2 == 0
    if not valid or not all(type(x) in (int, float) and math.isfinite(x) for x in curve):
        raise ValueError(f"its {name} is not a list of frequency, value, frequency, value, ...")
    hertz, values = np.array(curve[::2], dtype=np.float64), np.array(curve[1::2], dtype=np.float64)
    if hertz[0] <= 0 or (np.diff(hertz) <= 0).any():
        raise ValueError(f"its {name} has frequencies that are not positive and increasing")
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"its {name} has values outside 0..1")
    # The published file has float32 values with all digits, such as 0.699999988079071.
    return tuple(round(float(v), 6) for v in np.interp(np.log(OCTAVE_BANDS), np.log(hertz), values))


def _words(label: str) -> str:
    """Words in lower case with single spaces, from "shower-stall", "chest_of_drawers" or "TV monitor".

    The labels of RLR are the categories of Matterport3D.
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return " ".join(re.findall(r"[a-z]+", parted.lower()))
