"""Surfaces of the parts of a mesh file: from the looks of their materials, or from colours of faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from avw.sim_bridge.scenes.materials.labels import Labelled, label_material
from avw.sim_bridge.scenes.meshes.formats.colour_space import linear_bytes, srgb_bytes
from avw.sim_bridge.scenes.meshes.formats.contents import Look, Part
from avw.sim_bridge.scenes.scene import Surface

UNTEXTURED = 190  # grey value of parts without any colour
_LEVELS = 40  # levels per colour channel in the atlas of coloured meshes: 40**3 texels fit into 256 x 256
_ATLAS = 256  # side in pixels
_MOST_TINTS = 24  # copies of a picture whose faces have different vertex colours


class SurfaceReader:
    """Makes the surfaces of the parts of a file, one per material.

    given: label -> name of an acoustic material, from a sidecar file
    file: name of the file, which parts without a name have as their label; its words describe no surface
    surfaces: the surfaces so far · evidence: the reason for the acoustic material of each (as in `labels.Labelled`)
    degenerate_uv: number of faces without usable texture coordinates
    """

    def __init__(self, given: Mapping[str, str], file: str) -> None:
        self._given, self._file = given, file
        self._index: dict[tuple[Any, str, str], int] = {}
        self.evidence: list[str] = []
        self.surfaces: list[Surface] = []
        self.degenerate_uv = 0

    def read(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Texture coordinates, float32 (F, 3, 2), and the surface of each face, int32 (F,)."""
        look, count = part.look, len(part.faces_F3)
        if part.colour_F3 is not None:
            painted = Look(key=None, name="", texture_HWC=colour_atlas()) if look is None else _painted(look)
            return _atlas_uv(part.colour_F3), self._whole(painted, part)
        if look is None:
            grey = Look(key=None, name="", texture_HWC=np.full((1, 1, 3), UNTEXTURED, dtype=np.uint8))
            return np.zeros((count, 3, 2), dtype=np.float32), self._whole(grey, part)
        if part.tint_F3 is None:
            return self._image_uv(part), self._whole(look, part)
        if (part.tint_F3 == part.tint_F3[0]).all():
            return self._image_uv(part), self._tinted(look, part, part.tint_F3)
        if look.texture_HWC.shape[:2] == (1, 1):
            colour_F3 = srgb_bytes(linear_bytes(look.texture_HWC[0, 0]) * part.tint_F3).astype(np.int64)
            return _atlas_uv(colour_F3), self._whole(_painted(look), part)
        return self._image_uv(part), self._tinted(look, part, part.tint_F3)

    def _tinted(self, look: Look, part: Part, tint_F3: np.ndarray) -> np.ndarray:
        """A copy of the picture for every tint; with too many tints, similar ones are joined."""
        for levels in (1e6, 255, 63, 31, 15, 7, 3, 1):
            tints, tint_F = np.unique(np.round(tint_F3 * levels) / levels, axis=0, return_inverse=True)
            if len(tints) <= _MOST_TINTS:
                break
        light_HWC = linear_bytes(look.texture_HWC)
        surfaces = []
        for tint_3 in tints:
            shown = look.texture_HWC if (tint_3 == 1.0).all() else srgb_bytes(light_HWC * tint_3)
            key = (look.key, *tint_3.tolist())
            surfaces.append(self._surface(replace(look, key=key, texture_HWC=shown), part.labels))
        out_F: np.ndarray = np.array(surfaces, dtype=np.int32)[tint_F.ravel()]
        return out_F

    def _whole(self, look: Look, part: Part) -> np.ndarray:
        return np.full(len(part.faces_F3), self._surface(look, part.labels), dtype=np.int32)

    def _surface(self, look: Look, names: Sequence[str]) -> int:
        labels = [look.name or names[0], *names]
        in_sidecar = self._file.lower() in {key.lower() for key in self._given}
        found: Labelled = label_material([n for n in labels if n != self._file or in_sidecar], self._given)
        # Remove the material that `export_glb` adds to the name.
        name = labels[0].removesuffix(f"|{found.material.name}")
        key = (look.key, name, found.material.name)
        if key not in self._index:
            self._index[key] = len(self.surfaces)
            self.surfaces.append(
                Surface(name=name, texture_HWC=look.texture_HWC, material=found.material, emission=look.emission)
            )
            self.evidence.append(found.evidence)
        return self._index[key]

    def _image_uv(self, part: Part) -> np.ndarray:
        if part.uv_F32 is None:
            return np.tile(np.array([0.0, 1.0], dtype=np.float32), (len(part.faces_F3), 3, 1))
        # Large coordinates lose their fraction in float32; NaN and inf have none.
        bad_F3 = ~(np.abs(part.uv_F32) < 1e4).all(axis=2)
        if not bad_F3.any():
            return part.uv_F32
        self.degenerate_uv += int(bad_F3.any(axis=1).sum())
        return np.where(bad_F3[:, :, None], np.float32(0.0), part.uv_F32)


def _painted(look: Look) -> Look:
    return replace(look, key=(look.key, "painted"), texture_HWC=colour_atlas())


def _atlas_uv(colours_F3: np.ndarray) -> np.ndarray:
    """Texture coordinates (F, 3, 2) of the texels of `colour_atlas` nearest to the colours of the faces (0..255)."""
    level_F3 = (colours_F3.astype(np.int32) * (_LEVELS - 1) + 127) // 255
    texel_F = (level_F3[:, 0] * _LEVELS + level_F3[:, 1]) * _LEVELS + level_F3[:, 2]
    centre_F2 = np.stack([texel_F % _ATLAS, texel_F // _ATLAS], axis=1).astype(np.float32) + np.float32(0.5)
    return np.repeat((centre_F2 / np.float32(_ATLAS))[:, None, :], 3, axis=1)


@lru_cache(maxsize=1)
def colour_atlas() -> np.ndarray:
    """Texture of all 40**3 colours, one texel each: uint8 (256, 256, 3)."""
    texel = np.minimum(np.arange(_ATLAS * _ATLAS), _LEVELS**3 - 1)
    levels = np.stack([texel // _LEVELS**2, texel // _LEVELS % _LEVELS, texel % _LEVELS], axis=1)
    return np.round(levels * (255.0 / (_LEVELS - 1))).astype(np.uint8).reshape(_ATLAS, _ATLAS, 3)
