"""Surfaces of the parts of a mesh file: from textures, base colours, or colours of vertices or faces."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from avw.sim_bridge.scenes.materials.labels import Labelled, label_material
from avw.sim_bridge.scenes.scene import Surface

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimesh import Trimesh

MAX_TEXTURE = 1024  # side in pixels; enough for the image sizes that world models are trained on
MAX_PIXELS = 16_384**2  # of an image in a file; Pillow refuses images twice as large
UNTEXTURED = 190  # grey value of parts without any colour
_LEVELS = 40  # levels per colour channel in the atlas of coloured meshes: 40**3 texels fit into 256 x 256
_ATLAS = 256  # side in pixels


class SurfaceReader:
    """Makes the surfaces of the geometries in a file, one per material.

    given: label -> name of an acoustic material, from a sidecar file
    surfaces: the surfaces so far · evidence: the reason for the acoustic material of each (as in `labels.Labelled`)
    degenerate_uv: number of faces without usable texture coordinates · warnings: sentences about what is missing
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self._made: dict[tuple[int, str, str], Surface] = {}
        self._textures: dict[int, tuple[np.ndarray, float]] = {}
        self._kept: list[Any] = []  # materials are identified by id(), so none of them may be freed
        self.evidence: list[str] = []
        self.surfaces: list[Surface] = []
        self.degenerate_uv = 0
        self.warnings: list[str] = []

    def read(self, mesh: Trimesh, labels: Sequence[str]) -> tuple[np.ndarray, int]:
        """Texture coordinates, float32 (F, 3, 2), and surface index of a geometry. labels: of its node and mesh"""
        visual: Any = mesh.visual  # one class for colours and one for textures; `kind` tells which
        uv_V2 = getattr(visual, "uv", None)
        if visual.kind == "texture" or uv_V2 is not None:
            given = visual.material
            texture_HWC, emission = self._texture_of(given)
            colours = getattr(visual, "vertex_attributes", {}).get("color")
            painted = colours is not None and texture_HWC.shape[:2] == (1, 1)
            name = str(getattr(given, "name", None) or labels[0])
            if painted:
                uv_F32 = _atlas_uv(_of_faces(_bytes(colours), mesh.faces))
                return uv_F32, self._surface(given, [name, *labels], colour_atlas(), emission)
            return self._image_uv(uv_V2, mesh), self._surface(given, [name, *labels], texture_HWC, emission)
        if visual.kind is None:
            grey_HWC = np.full((1, 1, 3), UNTEXTURED, dtype=np.uint8)
            return np.zeros((len(mesh.faces), 3, 2), dtype=np.float32), self._surface(None, labels, grey_HWC, 0.0)
        return _atlas_uv(_face_colours(visual, mesh)), self._surface(None, labels, colour_atlas(), 0.0)

    def _surface(self, given: Any, labels: Sequence[str], texture_HWC: np.ndarray, emission: float) -> int:
        found: Labelled = label_material(labels, self._given)
        # Remove the material that `export_glb` adds to the name.
        name = labels[0].removesuffix(f"|{found.material.name}")
        key = (id(given), name, found.material.name)
        if key not in self._made:
            self._kept.append(given)
            self._made[key] = Surface(name=name, texture_HWC=texture_HWC, material=found.material, emission=emission)
            self.surfaces.append(self._made[key])
            self.evidence.append(found.evidence)
        return list(self._made).index(key)

    def _image_uv(self, uv_V2: np.ndarray | None, mesh: Trimesh) -> np.ndarray:
        if uv_V2 is None or np.ndim(uv_V2) != 2 or np.shape(uv_V2)[0] != len(mesh.vertices) or np.shape(uv_V2)[1] < 2:
            uv_V2 = np.zeros((len(mesh.vertices), 2))
        uv_V2 = np.asarray(uv_V2, dtype=np.float64)
        # Large coordinates lose their fraction in float32; NaN and inf have none.
        bad_V = ~(np.abs(uv_V2) < 1e4).all(axis=1)
        if bad_V.any():
            uv_V2 = np.where(bad_V[:, None], 0.0, uv_V2)
            self.degenerate_uv += int(bad_V[mesh.faces].any(axis=1).sum())
        # v points up in trimesh, but down in images and glTF.
        uv_V2 = np.stack([uv_V2[:, 0], 1.0 - uv_V2[:, 1]], axis=1).astype(np.float32)
        uv_F32: np.ndarray = uv_V2[mesh.faces]
        return uv_F32

    def _texture_of(self, given: Any) -> tuple[np.ndarray, float]:
        if id(given) not in self._textures:
            self._kept.append(given)
            try:
                self._textures[id(given)] = _texture(given, _image_of(given))
            except (OSError, SyntaxError, ValueError) as error:  # decoders raise all of these for damaged images
                name = getattr(given, "name", None) or "a material"
                self.warnings.append(
                    f"the image of {name} cannot be decoded ({error}): its faces show their base colour"
                )
                self._textures[id(given)] = _texture(given, None)
        return self._textures[id(given)]


@contextmanager
def allow_large_images() -> Iterator[None]:
    """Allow images of up to 2 * MAX_PIXELS inside the block. Pillow would refuse the texture atlases of scans."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _image_of(given: Any) -> Any:
    image = getattr(given, "baseColorTexture", None)
    return image if image is not None else getattr(given, "image", None)


def _texture(given: Any, image: Any) -> tuple[np.ndarray, float]:
    """Texture (uint8 (H, W, 3)) and emission (0 to 1) of a material."""
    factor = getattr(given, "baseColorFactor", None)
    factor = factor if factor is not None else getattr(given, "diffuse", None)
    rgb_3 = np.full(3, 255.0) if factor is None else np.asarray(factor, dtype=np.float64).ravel()[:3]
    if factor is not None and np.asarray(factor).dtype.kind == "f" and rgb_3.max() <= 1.0:
        rgb_3 = rgb_3 * 255.0
    if image is None:
        texture_HWC = np.broadcast_to(rgb_3, (1, 1, 3))
    else:
        # Scans have atlases of 16k pixels; `draft` decodes large JPEGs at a fraction of their size.
        image.draft("RGB", (MAX_TEXTURE, MAX_TEXTURE))
        image.thumbnail((MAX_TEXTURE, MAX_TEXTURE))
        tint_3 = rgb_3 / 255.0 if hasattr(given, "baseColorTexture") else np.ones(3)
        texture_HWC = np.asarray(image.convert("RGB"), dtype=np.float64) * tint_3
    glow = getattr(given, "emissiveFactor", None)
    emission = 0.0 if glow is None else float(np.clip(np.max(glow), 0.0, 1.0))
    return np.ascontiguousarray(np.clip(np.round(texture_HWC), 0, 255).astype(np.uint8)), emission


def _face_colours(visual: Any, mesh: Trimesh) -> np.ndarray:
    if visual.kind == "vertex":
        return _of_faces(np.asarray(visual.vertex_colors), mesh.faces)
    return np.asarray(visual.face_colors)[:, :3]


def _of_faces(colours_V: np.ndarray, faces_F3: np.ndarray) -> np.ndarray:
    """Mean colour of the corners of each face, int (F, 3). Triangles of scans are smaller than rendered pixels."""
    colours_V3 = colours_V[:, :3].astype(np.uint16)
    mean_F3 = colours_V3[faces_F3[:, 0]]
    for corner in (1, 2):
        mean_F3 = mean_F3 + colours_V3[faces_F3[:, corner]]
    return (mean_F3 + 1) // 3


def _bytes(colours: Any) -> np.ndarray:
    """Convert colours stored as floats, 16-bit integers or bytes to 0..255."""
    values = np.asarray(colours)
    if values.dtype.kind == "f":
        values = np.nan_to_num(values) * 255.0
    elif values.dtype.itemsize == 2:
        values = values / 257.0
    return np.clip(np.round(values), 0, 255)


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
