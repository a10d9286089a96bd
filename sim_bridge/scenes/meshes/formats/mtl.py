"""Read the material libraries of OBJ files (.mtl): names, diffuse colours, and pictures with their options."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from avw.sim_bridge.scenes.meshes.formats.wrapping import CLAMP, REPEAT

_OPTIONS = {
    "-blendu": 1, "-blendv": 1, "-boost": 1, "-cc": 1, "-clamp": 1, "-imfchan": 1, "-mm": 2, "-bm": 1, "-texres": 1,
    "-type": 1, "-colorspace": 1,
}  # fmt: skip
_VECTORS = ("-o", "-s", "-t")  # options with one to three numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class MapOptions:
    """Options of a picture. scale_2, move_2: of its coordinates · modes: of wrapping, as in glTF"""

    scale_2: tuple[float, float] = (1.0, 1.0)
    move_2: tuple[float, float] = (0.0, 0.0)
    modes: tuple[int, int] = (REPEAT, REPEAT)


@dataclass(kw_only=True, slots=True)
class ObjMaterial:
    """A material. colour_3: Kd, sRGB 0..1, None if not given · picture: the names that map_Kd may mean, best first

    folder: of its library
    """

    name: str
    folder: Path
    colour_3: tuple[float, float, float] | None = None
    picture: tuple[str, ...] = ()
    options: MapOptions = field(default_factory=MapOptions)


def decoded(data: bytes) -> str:
    """Text in UTF-8, with or without a byte order mark, in UTF-16, or else in Latin-1."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if data[:1] == b"\0" and data[1:2] != b"\0":
        return data.decode("utf-16-be", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_mtl(path: Path) -> dict[str, ObjMaterial]:
    """name -> material. Lines that are not understood are skipped."""
    materials: dict[str, ObjMaterial] = {}
    current: ObjMaterial | None = None
    for line in decoded(path.read_bytes()).splitlines():
        words = line.split()
        key = words[0].lower() if words else ""
        if key == "newmtl":
            name = " ".join(words[1:])
            current = materials.setdefault(name, ObjMaterial(name=name, folder=path.parent))
        elif current is not None and key == "kd":
            current.colour_3 = _colour(words[1:])
        elif current is not None and key == "map_kd":
            current.picture, current.options = map_line(line)
    return materials


def picture_names(path: Path) -> list[tuple[str, ...]]:
    """The names of all pictures that a library refers to, for every line the names that it may mean."""
    lines = [line for line in decoded(path.read_bytes()).splitlines() if line.split()]
    kinds = ("map_", "bump", "disp", "refl", "decal", "norm")
    found = [map_line(line)[0] for line in lines if line.split()[0].lower().startswith(kinds)]
    return [names for names in found if names]


def map_line(line: str) -> tuple[tuple[str, ...], MapOptions]:
    """The names that a line such as `map_Kd -s 2 2 1 oak floor.png` may mean, and its options."""
    rest = line.strip().partition(" ")[2].strip() if " " in line.strip() else line.strip().partition("\t")[2].strip()
    whole, options = rest, MapOptions()
    while rest.startswith("-"):
        word, *others = rest.split()
        if word.lower() in _VECTORS:
            count = 0
            while count < 3 and count < len(others) and _number(others[count]) is not None:
                count += 1
            values = [float(value) for value in others[:count]]
            options = _with_vector(options, word.lower(), values)
        elif word.lower() in _OPTIONS:
            count = _OPTIONS[word.lower()]
            if word.lower() == "-clamp" and others[:1] == ["on"]:
                options = replace(options, modes=(CLAMP, CLAMP))
        else:
            break
        if len(others) <= count:
            return (), options
        rest = rest.split(None, count + 1)[count + 1].strip()
    names = (rest, whole, rest.split()[-1]) if rest else ()
    return tuple(dict.fromkeys(name.strip('"') for name in names)), options


def _with_vector(options: MapOptions, word: str, values: list[float]) -> MapOptions:
    if word == "-s":
        u, v = ([*values, 1.0, 1.0])[:2]
        return replace(options, scale_2=(u, v))
    if word == "-o":
        u, v = ([*values, 0.0, 0.0])[:2]
        return replace(options, move_2=(u, v))
    return options


def _colour(words: list[str]) -> tuple[float, float, float] | None:
    values = [_number(word) for word in words[:3]]
    if not values or values[0] is None:
        return None
    if len(values) < 3:  # the standard: one value stands for all
        values = [values[0]] * 3
    if any(value is None for value in values):
        return None
    r, g, b = (float(np.clip(value, 0.0, 255.0)) for value in values if value is not None)
    return r, g, b


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
