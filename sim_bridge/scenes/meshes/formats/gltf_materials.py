"""The looks of the materials of a glTF file: base colour, its picture, and light that is emitted.

Factors are linear and multiply the picture, which is sRGB. A picture may use any set of texture coordinates, moved by
KHR_texture_transform, and may repeat, be clamped or be mirrored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from avw.sim_bridge.scenes.meshes.formats.colour_space import linear_bytes, srgb_bytes
from avw.sim_bridge.scenes.meshes.formats.contents import DamagedError, Look
from avw.sim_bridge.scenes.meshes.formats.gltf_file import GltfFile, checked_object, numbers
from avw.sim_bridge.scenes.meshes.formats.gltf_primitives import Primitive
from avw.sim_bridge.scenes.meshes.formats.pictures import Pictures
from avw.sim_bridge.scenes.meshes.formats.wrapping import CLAMP, MIRROR, REPEAT, wrapped

TRANSFORM = "KHR_texture_transform"
# Extensions of a texture that name another image: for these formats, and whether AVW tries to decode it.
_SOURCES = {"EXT_texture_webp": True, "EXT_texture_avif": True, "MSFT_texture_dds": True, "KHR_texture_basisu": False}
_WHITE = np.full((1, 1, 3), 255, dtype=np.uint8)
_LUMINANCE_3 = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Picture:
    """A picture of a material. image: its index · coordinates: the set of texture coordinates

    transform_23: matrix of KHR_texture_transform, None for none · modes: wrap modes of u and v
    """

    image: int
    coordinates: int
    transform_23: tuple[tuple[float, ...], ...] | None
    modes: tuple[int, int]


class Materials:
    """Makes the looks of the primitives of one file. warnings, notes: as in `MeshContents`"""

    def __init__(self, gltf: GltfFile, warnings: list[str], notes: list[str]) -> None:
        self._gltf, self._warnings, self._notes = gltf, warnings, notes
        self._pictures = Pictures(str(gltf.path), self._warn)
        self._textures: dict[Any, tuple[np.ndarray, float]] = {}
        self._looks: dict[Any, Look] = {}

    def look(self, one: Primitive) -> tuple[Look | None, np.ndarray | None]:
        """The look of a primitive, and its texture coordinates (F, 3, 2) or None. No material: (None, None)."""
        if one.material is None:
            return None, None
        material = self._gltf.item("materials", one.material)
        name = str(material.get("name") or "")[:200]
        base, factor_3 = self._base(material, name)
        emitted, glow_3 = self._emitted(material, name)
        self._note_what_is_simplified(material, name)
        shown = base if base is not None else emitted
        uv_F32 = None if shown is None else self._coordinates(shown, one, name)
        if shown is not None and uv_F32 is None:
            self._warn(f"a mesh with {name or 'a material'} has no texture coordinates: it shows a single texel")
        same_place = emitted is not None and shown is not None and _place(emitted) == _place(shown)
        texture_HWC, emission = self._texture(one.material, name, base, factor_3, emitted, glow_3, same_place)
        key: tuple[Any, ...] = (one.material,)
        if shown is not None and uv_F32 is not None and shown.modes != (REPEAT, REPEAT):
            texture_HWC, uv_F32 = wrapped(texture_HWC, uv_F32, shown.modes)
            key = (one.material, texture_HWC.shape, int(texture_HWC[::7, ::7].sum()))
        if key not in self._looks:
            self._looks[key] = Look(key=key, name=name, texture_HWC=texture_HWC, emission=emission)
        return self._looks[key], uv_F32

    def whole_picture(self, one: Primitive) -> tuple[np.ndarray, np.ndarray] | None:
        """The picture of the base colour in full size, and its coordinates (F, 3, 2); None without picture."""
        if one.material is None:
            return None
        base, _ = self._base(self._gltf.item("materials", one.material), "")
        uv_F32 = None if base is None else self._coordinates(base, one, "")
        if base is None or uv_F32 is None:
            return None
        data, name = self._gltf.picture(base.image)
        picture_HWC = None if data is None else self._pictures.decode(data, name, whole=True)
        return None if picture_HWC is None else (picture_HWC, uv_F32)

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.append(sentence)

    def _note_what_is_simplified(self, material: dict[str, Any], name: str) -> None:
        if material.get("alphaMode") in ("MASK", "BLEND"):
            sentence = f"{name or 'a material'} is see-through in the file (alphaMode) and is shown opaque"
            if sentence not in self._notes:
                self._notes.append(sentence)

    def _base(self, material: dict[str, Any], name: str) -> tuple[_Picture | None, np.ndarray]:
        """The picture of the base colour, and its linear factor."""
        gloss = _extension(material, "KHR_materials_pbrSpecularGlossiness")
        if gloss:
            picture, factor = gloss.get("diffuseTexture"), gloss.get("diffuseFactor", [1.0] * 4)
        else:
            rough = checked_object(material.get("pbrMetallicRoughness", {}), "a material")
            picture, factor = rough.get("baseColorTexture"), rough.get("baseColorFactor", [1.0] * 4)
        factor_3 = numbers(factor, 4, "a base colour")[:3]
        if factor_3.min() < 0.0 or factor_3.max() > 1.0:
            self._warn(f"the base colour of {name or 'a material'} is outside 0 to 1: limited to it")
        return self._picture(picture, name), factor_3

    def _emitted(self, material: dict[str, Any], name: str) -> tuple[_Picture | None, np.ndarray]:
        """The picture of the emitted light, and its linear factor (0: no light, or a picture that cannot be read)."""
        glow_3 = numbers(material.get("emissiveFactor", [0.0] * 3), 3, "an emissive factor")
        strength = _extension(material, "KHR_materials_emissive_strength").get("emissiveStrength", 1.0)
        if type(strength) not in (int, float) or not 0 <= strength < math.inf:
            raise DamagedError("the strength of a light is not a number")
        glow_3 = glow_3 * float(strength)
        info = material.get("emissiveTexture") if glow_3.max() > 0 else None
        picture = self._picture(info, name)
        return picture, glow_3 * (info is None or picture is not None)

    def _picture(self, info: Any, name: str) -> _Picture | None:
        if info is None:
            return None
        info = checked_object(info, "a texture")
        texture = self._gltf.item("textures", info.get("index"))
        image = self._source(texture, name)
        if image is None:
            return None
        transform = _extension(info, TRANSFORM)
        coordinates = transform.get("texCoord", info.get("texCoord", 0))
        if type(coordinates) is not int:
            raise DamagedError("the number of a set of texture coordinates is not a whole number")
        modes = (REPEAT, REPEAT)
        if "sampler" in texture:
            sampler = self._gltf.item("samplers", texture["sampler"])
            modes = (sampler.get("wrapS", REPEAT), sampler.get("wrapT", REPEAT))
            if not set(modes) <= {REPEAT, CLAMP, MIRROR}:
                raise DamagedError(f"a sampler has unknown wrap modes {modes}")
        return _Picture(image=image, coordinates=coordinates, transform_23=_transform(transform), modes=modes)

    def _source(self, texture: dict[str, Any], name: str) -> int | None:
        """The image of a texture, preferring one that can be decoded."""
        images = [_extension(texture, key).get("source") for key, tried in _SOURCES.items() if tried]
        images = [int(index) for index in (*images, texture.get("source")) if type(index) is int]
        for index in images:
            data, _ = self._gltf.picture(index)
            if data is not None and not _is_basis(self._gltf.item("images", index), data):
                return index
        of = name or "a material"
        if not images and not _extension(texture, "KHR_texture_basisu"):
            self._warn(f"the texture of {of} names no picture (it has no source): its faces show their base colour")
        elif images and all(self._gltf.picture(index)[0] is None for index in images):
            missing = str(self._gltf.item("images", images[-1]).get("uri"))[:80]
            self._warn(f"the texture {missing!r} is not beside the file: its faces show their base colour")
        else:
            self._warn(
                f"the texture of {of} is KTX2/Basis, which AVW cannot decode: its faces show vertex colours or the "
                "base colour. Convert the textures to JPEG or PNG once with a glTF tool, or use the variant of the "
                "scene without .basis in its name"
            )
        return None

    def _coordinates(self, picture: _Picture, one: Primitive, name: str) -> np.ndarray | None:
        """The texture coordinates of a primitive for a picture, float32 (F, 3, 2), v pointing down."""
        attribute = f"TEXCOORD_{picture.coordinates}"
        if attribute not in one.attributes:
            return None
        uv_V2 = self._gltf.accessor(one.attributes[attribute])
        if uv_V2.shape != (len(one.vertices_V3), 2):
            raise DamagedError("the texture coordinates of a mesh do not match its vertices")
        if picture.transform_23 is not None:
            matrix_23 = np.array(picture.transform_23)
            uv_V2 = uv_V2.astype(np.float64) @ matrix_23[:, :2].T + matrix_23[:, 2]
        uv_V2 = uv_V2.astype(np.float32)
        # Rounded as in earlier versions, which turned v upwards and back, so that scenes keep their bytes.
        uv_V2 = np.stack([uv_V2[:, 0], 1.0 - (np.float32(1.0) - uv_V2[:, 1]).astype(np.float64)], axis=1)
        uv_F32: np.ndarray = uv_V2.astype(np.float32)[one.faces_F3]
        return uv_F32

    def _texture(
        self, material: int, name: str, base: _Picture | None, factor_3: np.ndarray, emitted: _Picture | None,
        glow_3: np.ndarray, same_place: bool,
    ) -> tuple[np.ndarray, float]:  # fmt: skip
        """Texture (uint8 sRGB) and emission of a material.

        A surface shows its texture T in the light of the scene by 1 - e and as a light by e. From reflected light B and
        emitted light E follow T = max(B, E) per texel, and e as the share that makes the emitted power right.
        """
        key = (material, same_place)
        if key in self._textures:
            return self._textures[key]
        base_HWC = self._decoded(base, name)
        texture_HWC = _scaled(base_HWC, factor_3)
        emission = 0.0
        if glow_3.max() > 0:
            light_HWC = self._decoded(emitted, name) if emitted is not None else _WHITE
            alike = light_HWC is base_HWC and same_place and (factor_3 == 1.0).all() and np.ptp(glow_3) == 0
            if alike and light_HWC is not None:
                emission = float(np.clip(glow_3[0], 0.0, 1.0))  # exactly, as `export_glb` wrote it
            elif light_HWC is not None:
                texture_HWC, emission = self._with_light(texture_HWC, light_HWC, glow_3, same_place, name)
        self._textures[key] = texture_HWC, emission
        return self._textures[key]

    def _with_light(
        self, base_HWC: np.ndarray, light_HWC: np.ndarray, glow_3: np.ndarray, same_place: bool, name: str
    ) -> tuple[np.ndarray, float]:
        if not same_place and light_HWC.shape[:2] != (1, 1):
            mean_3 = _mean_light(light_HWC)
            light_HWC = srgb_bytes(mean_3).reshape(1, 1, 3)
        if light_HWC.shape[:2] != (1, 1):
            sentence = (
                f"the light of {name or 'a material'} is in a picture; its faces glow evenly, with the same power"
            )
            if np.ptp(light_HWC.reshape(-1, 3), axis=0).max() > 0 and sentence not in self._notes:
                self._notes.append(sentence)
        height = max(base_HWC.shape[0], light_HWC.shape[0])
        width = max(base_HWC.shape[1], light_HWC.shape[1])
        base, light = (linear_bytes(_resized(picture, height, width)) for picture in (base_HWC, light_HWC))
        light = np.minimum(light * glow_3, 1.0)
        both = np.maximum(base, light)
        power = float((both @ _LUMINANCE_3).sum())
        emission = float((light @ _LUMINANCE_3).sum()) / power if power > 0 else 0.0
        return srgb_bytes(both), min(emission, 1.0)

    def _decoded(self, picture: _Picture | None, name: str) -> np.ndarray | None:
        if picture is None:
            return None
        data, _ = self._gltf.picture(picture.image)
        return None if data is None else self._pictures.decode(data, name or "a material")


def _extension(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """The extension `name` of an entry; {} if it has none."""
    return checked_object(checked_object(entry.get("extensions", {}), "extensions").get(name, {}), name)


def _place(picture: _Picture) -> tuple[Any, ...]:
    return picture.coordinates, picture.transform_23, picture.modes


def _transform(values: dict[str, Any]) -> tuple[tuple[float, ...], ...] | None:
    """The matrix of KHR_texture_transform: translation times rotation times scale, v pointing down."""
    if not values:
        return None
    move_2 = numbers(values.get("offset", [0.0, 0.0]), 2, "an offset")
    scale_2 = numbers(values.get("scale", [1.0, 1.0]), 2, "a scale")
    angle = float(numbers([values.get("rotation", 0.0)], 1, "a rotation")[0])
    c, s = math.cos(angle), math.sin(angle)
    rows = ((c * scale_2[0], s * scale_2[1], move_2[0]), (-s * scale_2[0], c * scale_2[1], move_2[1]))
    return tuple(tuple(float(value) for value in row) for row in rows)


def _is_basis(image: dict[str, Any], data: bytes | memoryview) -> bool:
    if image.get("mimeType") in ("image/ktx2", "image/x-basis"):
        return True
    return bytes(data[:12]) in (b"\xabKTX 20\xbb\r\n\x1a\n", b"\xabKTX 11\xbb\r\n\x1a\n") or bytes(data[:2]) == b"sB"


def _scaled(picture_HWC: np.ndarray | None, factor_3: np.ndarray) -> np.ndarray:
    if picture_HWC is None:
        return srgb_bytes(factor_3).reshape(1, 1, 3)
    return picture_HWC if (factor_3 == 1.0).all() else srgb_bytes(linear_bytes(picture_HWC) * factor_3)


def _mean_light(picture_HWC: np.ndarray) -> np.ndarray:
    mean_3: np.ndarray = linear_bytes(picture_HWC).reshape(-1, 3).mean(axis=0)
    return mean_3


def _resized(picture_HWC: np.ndarray, height: int, width: int) -> np.ndarray:
    if picture_HWC.shape[:2] == (height, width):
        return picture_HWC
    rows = (np.arange(height) * picture_HWC.shape[0]) // height
    columns = (np.arange(width) * picture_HWC.shape[1]) // width
    return picture_HWC[rows][:, columns]
