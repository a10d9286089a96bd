"""What the parts of a mesh file look like and are made of: textures, base colours, colours of vertices or faces."""

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

LARGEST_TEXTURE = 1024  # pixels; no more is needed at the picture sizes that world models are trained on
MOST_PIXELS = 16_384**2  # of a picture in a file; Pillow refuses twice as many
UNTEXTURED = 190  # grey of what has no colour at all
_LEVELS = 40  # of each colour in the atlas of coloured meshes: 40**3 texels fit into 256 x 256
_ATLAS = 256


class SurfaceReader:
    """Turns the looks of a file's geometries into surfaces, one for each material, and remembers why.

    given: label -> acoustic material's name, from a sidecar
    evidence: of each surface's acoustic material, in the order in which they were made
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self._made: dict[tuple[int, str, str], Surface] = {}
        self._textures: dict[int, tuple[np.ndarray, float]] = {}
        self._kept: list[Any] = []  # materials are told apart by id, so none may be freed meanwhile
        self.evidence: list[str] = []
        self.surfaces: list[Surface] = []
        self.degenerate_uv = 0
        self.warnings: list[str] = []

    def read(self, mesh: Trimesh, labels: Sequence[str]) -> tuple[np.ndarray, int]:
        """uv_F32 float32 of a geometry, and the index of its surface. labels: of its node and its mesh."""
        visual: Any = mesh.visual  # one class for colours and one for textures, told apart by `kind`
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
        # `export_glb` adds the material to the name; take it off again.
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
        # Coordinates far from 0 lose their fraction in float32, and NaN or inf have none.
        bad_V = ~(np.abs(uv_V2) < 1e4).all(axis=1)
        if bad_V.any():
            uv_V2 = np.where(bad_V[:, None], 0.0, uv_V2)
            self.degenerate_uv += int(bad_V[mesh.faces].any(axis=1).sum())
        # trimesh counts v upwards, images and glTF downwards.
        uv_V2 = np.stack([uv_V2[:, 0], 1.0 - uv_V2[:, 1]], axis=1).astype(np.float32)
        uv_F32: np.ndarray = uv_V2[mesh.faces]
        return uv_F32

    def _texture_of(self, given: Any) -> tuple[np.ndarray, float]:
        if id(given) not in self._textures:
            self._kept.append(given)
            try:
                self._textures[id(given)] = _texture(given, _image_of(given))
            except (OSError, SyntaxError, ValueError) as error:  # whatever a broken picture leads its decoder to
                name = getattr(given, "name", None) or "a material"
                self.warnings.append(
                    f"the picture of {name} cannot be decoded ({error}): its faces show their base colour"
                )
                self._textures[id(given)] = _texture(given, None)
        return self._textures[id(given)]


@contextmanager
def large_pictures() -> Iterator[None]:
    """Inside, pictures may have as many pixels as the atlases of scans: Pillow takes those for an attack."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _image_of(given: Any) -> Any:
    image = getattr(given, "baseColorTexture", None)
    return image if image is not None else getattr(given, "image", None)


def _texture(given: Any, image: Any) -> tuple[np.ndarray, float]:
    """uint8 (H, W, 3) and how much light it gives off."""
    factor = getattr(given, "baseColorFactor", None)
    factor = factor if factor is not None else getattr(given, "diffuse", None)
    rgb_3 = np.full(3, 255.0) if factor is None else np.asarray(factor, dtype=np.float64).ravel()[:3]
    if factor is not None and np.asarray(factor).dtype.kind == "f" and rgb_3.max() <= 1.0:
        rgb_3 = rgb_3 * 255.0
    if image is None:
        texture_HWC = np.broadcast_to(rgb_3, (1, 1, 3))
    else:
        # JPEGs are decoded at a fraction of their size where that is enough: scans come with 16k atlases.
        image.draft("RGB", (LARGEST_TEXTURE, LARGEST_TEXTURE))
        image.thumbnail((LARGEST_TEXTURE, LARGEST_TEXTURE))
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
    """The mean colour of each face's corners: triangles of scans are smaller than the pixels that show them."""
    colours_V3 = colours_V[:, :3].astype(np.uint16)
    mean_F3 = colours_V3[faces_F3[:, 0]]
    for corner in (1, 2):
        mean_F3 = mean_F3 + colours_V3[faces_F3[:, corner]]
    return (mean_F3 + 1) // 3


def _bytes(colours: Any) -> np.ndarray:
    """Colours in 0 … 255, whatever glTF stored them as: floats, 16 bits or bytes."""
    values = np.asarray(colours)
    if values.dtype.kind == "f":
        values = np.nan_to_num(values) * 255.0
    elif values.dtype.itemsize == 2:
        values = values / 257.0
    return np.clip(np.round(values), 0, 255)


def _atlas_uv(colours_F3: np.ndarray) -> np.ndarray:
    level_F3 = (colours_F3.astype(np.int32) * (_LEVELS - 1) + 127) // 255
    texel_F = (level_F3[:, 0] * _LEVELS + level_F3[:, 1]) * _LEVELS + level_F3[:, 2]
    centre_F2 = np.stack([texel_F % _ATLAS, texel_F // _ATLAS], axis=1).astype(np.float32) + np.float32(0.5)
    return np.repeat((centre_F2 / np.float32(_ATLAS))[:, None, :], 3, axis=1)


@lru_cache(maxsize=1)
def colour_atlas() -> np.ndarray:
    """uint8 (256, 256, 3): every one of 40**3 colours, one texel each."""
    texel = np.minimum(np.arange(_ATLAS * _ATLAS), _LEVELS**3 - 1)
    levels = np.stack([texel // _LEVELS**2, texel // _LEVELS % _LEVELS, texel % _LEVELS], axis=1)
    return np.round(levels * (255.0 / (_LEVELS - 1))).astype(np.uint8).reshape(_ATLAS, _ATLAS, 3)
