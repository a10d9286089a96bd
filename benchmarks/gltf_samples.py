"""Compares how AVW reads glTF files with an independent reading: triangles, area, bounds, mean colour by material.

    python -m benchmarks.gltf_samples FOLDER [FOLDER ...]

Meant for the sample assets of Khronos, which are fetched and not part of AVW. Every file must be equal, be refused with
a reason, or be read with a finding that names the difference; the exit code is 1 if one is not. The second reader in
this file shares no code with AVW's and is as short as possible: slow, and without any protection against bad files.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import struct
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.meshes.mesh_files import MeshReport, read_mesh
from avw.sim_bridge.scenes.scene import Scene

COLOUR = 0.04  # largest difference of a mean colour (linear, 0..1): AVW reduces large pictures
_POINTS = ((1 / 3, 1 / 3), (0.2, 0.6), (0.6, 0.2), (0.2, 0.2))  # barycentric points at which colours are compared
_DTYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass
class Measured:
    """triangles, area (m²), low_3 and high_3: of all · colours: material -> area-weighted sum of linear colours

    areas: material -> area
    """

    triangles: int = 0
    area: float = 0.0
    low_3: np.ndarray = field(default_factory=lambda: np.full(3, np.inf))
    high_3: np.ndarray = field(default_factory=lambda: np.full(3, -np.inf))
    colours: dict[str, np.ndarray] = field(default_factory=lambda: defaultdict(lambda: np.zeros(3)))
    areas: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, corners_F33: np.ndarray, material: str, colour_F3: np.ndarray | None) -> None:
        cross_F3 = np.cross(corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0])
        area_F = np.linalg.norm(cross_F3, axis=1) / 2
        self.triangles += len(corners_F33)
        self.area += float(area_F.sum())
        kept = corners_F33[area_F > 1e-9]  # AVW drops faces without area
        if len(kept):
            self.low_3 = np.minimum(self.low_3, kept.min(axis=(0, 1)))
            self.high_3 = np.maximum(self.high_3, kept.max(axis=(0, 1)))
        if colour_F3 is not None:
            self.colours[material] = self.colours[material] + (colour_F3 * area_F[:, None]).sum(axis=0)
            self.areas[material] += float(area_F.sum())


class Reading:
    """A second reader of glTF."""

    def __init__(self, path: Path) -> None:
        self.path = path
        data = path.read_bytes()
        self.binary = b""
        if path.suffix == ".glb":
            length = struct.unpack("<I", data[12:16])[0]
            self.tree = json.loads(data[20 : 20 + length])
            self.binary = data[28 + length :]
        else:
            self.tree = json.loads(data)
        self.measured = Measured()
        self.world: dict[int, np.ndarray] = {}
        scene = self.tree["scenes"][self.tree.get("scene", 0)]
        for root in scene["nodes"]:
            self._place(root, np.eye(4))
        for index in self.world:
            self._add_node(index)

    def _place(self, index: int, above: np.ndarray) -> None:
        node = self.tree["nodes"][index]
        own = np.eye(4)
        if "matrix" in node:
            own = np.array(node["matrix"], dtype=float).reshape(4, 4).T
        else:
            own[:3, :3] = _turn(node.get("rotation", [0, 0, 0, 1])) * np.array(node.get("scale", [1, 1, 1]))
            own[:3, 3] = node.get("translation", [0, 0, 0])
        self.world[index] = above @ own
        for child in node.get("children", []):
            self._place(child, self.world[index])

    def _add_node(self, index: int) -> None:
        node = self.tree["nodes"][index]
        if "mesh" not in node:
            return
        matrices = [self.world[index]]
        instancing = node.get("extensions", {}).get("EXT_mesh_gpu_instancing")
        if instancing:
            parts = {key: self._values(k) for key, k in instancing["attributes"].items()}
            matrices = []
            for k in range(len(next(iter(parts.values())))):
                own = np.eye(4)
                own[:3, :3] = _turn(parts["ROTATION"][k] if "ROTATION" in parts else [0, 0, 0, 1])
                own[:3, :3] = own[:3, :3] * (parts["SCALE"][k] if "SCALE" in parts else 1.0)
                own[:3, 3] = parts["TRANSLATION"][k] if "TRANSLATION" in parts else 0.0
                matrices.append(self.world[index] @ own)
        mesh = self.tree["meshes"][node["mesh"]]
        for primitive in mesh["primitives"]:
            if primitive.get("mode", 4) < 4:
                continue
            points = self._values(primitive["attributes"]["POSITION"]).astype(float)
            weights = node.get("weights", mesh.get("weights", []))
            for weight, target in zip(weights, primitive.get("targets", []), strict=False):
                if "POSITION" in target:
                    points = points + weight * self._values(target["POSITION"])
            if "skin" in node and "JOINTS_0" in primitive["attributes"]:
                points, matrices = self._skinned(node["skin"], primitive["attributes"], points), [np.eye(4)]
            faces = self._faces(primitive, len(points))
            colours = self._colours(primitive, faces)
            material = primitive.get("material")
            name = (
                "" if material is None else str(self.tree["materials"][material].get("name") or f"material {material}")
            )
            for matrix in matrices:
                placed = points @ matrix[:3, :3].T + matrix[:3, 3]
                self.measured.add(placed[faces], name, colours)

    def _skinned(self, index: int, attributes: dict[str, int], points: np.ndarray) -> np.ndarray:
        skin = self.tree["skins"][index]
        inverse = [np.eye(4)] * len(skin["joints"])
        if "inverseBindMatrices" in skin:
            inverse = [m.reshape(4, 4).T for m in self._values(skin["inverseBindMatrices"])]
        matrices = np.array([self.world[j] @ i for j, i in zip(skin["joints"], inverse, strict=False)])
        joints, weights = self._values(attributes["JOINTS_0"]).astype(int), self._values(attributes["WEIGHTS_0"])
        blended = (matrices[joints] * weights[:, :, None, None]).sum(axis=1) / weights.sum(axis=1)[:, None, None]
        moved: np.ndarray = np.einsum("vij,vj->vi", blended, np.c_[points, np.ones(len(points))])[:, :3]
        return moved

    def _faces(self, primitive: dict[str, Any], count: int) -> np.ndarray:
        indices = self._values(primitive["indices"])[:, 0] if "indices" in primitive else np.arange(count)
        indices = indices.astype(int)
        if primitive.get("mode", 4) == 4:
            return indices.reshape(-1, 3)
        if primitive["mode"] == 6:
            return np.array([[indices[0], indices[k], indices[k + 1]] for k in range(1, len(indices) - 1)])
        return np.array(
            [indices[[k, k + 1, k + 2] if k % 2 == 0 else [k + 1, k, k + 2]] for k in range(len(indices) - 2)]
        )

    def _colours(self, primitive: dict[str, Any], faces: np.ndarray) -> np.ndarray | None:
        """Linear colours of the faces; None where they cannot be compared (emitted light, no material)."""
        if primitive.get("material") is None:
            return None
        material = self.tree["materials"][primitive["material"]]
        if max(material.get("emissiveFactor", [0.0])) > 0:
            return None
        rough = material.get("pbrMetallicRoughness", {})
        factor, info = rough.get("baseColorFactor", [1, 1, 1, 1]), rough.get("baseColorTexture")
        gloss = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
        if gloss:
            factor, info = gloss.get("diffuseFactor", [1, 1, 1, 1]), gloss.get("diffuseTexture")
        colours = np.tile(np.array(factor[:3], dtype=float), (len(faces), 1))
        if "COLOR_0" in primitive["attributes"]:
            shades = self._values(primitive["attributes"]["COLOR_0"])[:, :3]
            colours *= np.clip(shades[faces].mean(axis=1), 0.0, 1.0)
        if info is not None:
            sampled = self._sampled(info, primitive, faces)
            if sampled is None:
                return None
            colours *= sampled
        return colours

    def _sampled(self, info: dict[str, Any], primitive: dict[str, Any], faces: np.ndarray) -> np.ndarray | None:
        move = info.get("extensions", {}).get("KHR_texture_transform", {})
        attribute = f"TEXCOORD_{move.get('texCoord', info.get('texCoord', 0))}"
        texture = self.tree["textures"][info["index"]]
        if attribute not in primitive["attributes"] or "source" not in texture:
            return None
        uv = self._values(primitive["attributes"][attribute]).astype(float) * np.array(move.get("scale", [1, 1]))
        c, s = np.cos(move.get("rotation", 0.0)), np.sin(move.get("rotation", 0.0))
        uv = np.c_[c * uv[:, 0] + s * uv[:, 1], -s * uv[:, 0] + c * uv[:, 1]] + np.array(move.get("offset", [0, 0]))
        pixels = self._picture(texture["source"])
        sampler = self.tree["samplers"][texture["sampler"]] if "sampler" in texture else {}
        total = np.zeros((len(faces), 3))
        for a, b in _POINTS:
            at = uv[faces[:, 0]] * a + uv[faces[:, 1]] * b + uv[faces[:, 2]] * (1 - a - b)
            place = []
            for axis, key, size in ((0, "wrapS", pixels.shape[1]), (1, "wrapT", pixels.shape[0])):
                mode, t = sampler.get(key, 10497), at[:, axis]
                t = np.clip(t, 0, 1) if mode == 33071 else 1 - np.abs(t % 2 - 1) if mode == 33648 else t % 1.0
                place.append(np.minimum((t * size).astype(int), size - 1))
            total += pixels[place[1], place[0]]
        return total / len(_POINTS)

    def _picture(self, index: int) -> np.ndarray:
        image = self.tree["images"][index]
        data = self._view(image["bufferView"])[0] if "bufferView" in image else self._uri(image["uri"])
        return _light(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) / 255.0)

    def _values(self, index: int) -> np.ndarray:
        entry = self.tree["accessors"][index]
        dtype, width, count = np.dtype(_DTYPES[entry["componentType"]]), _WIDTHS[entry["type"]], entry["count"]
        out = np.zeros((count, width), dtype=dtype)
        if "bufferView" in entry:
            data, stride = self._view(entry["bufferView"])
            size = width * dtype.itemsize
            for row in range(count):
                start = entry.get("byteOffset", 0) + row * (stride or size)
                out[row] = np.frombuffer(data[start : start + size], dtype)
        if "sparse" in entry:
            sparse = entry["sparse"]
            kind = np.dtype(_DTYPES[sparse["indices"]["componentType"]])
            where = np.frombuffer(
                self._view(sparse["indices"]["bufferView"])[0],
                kind,
                sparse["count"],
                sparse["indices"].get("byteOffset", 0),
            )
            values = self._view(sparse["values"]["bufferView"])[0]
            given = np.frombuffer(values, dtype, sparse["count"] * width, sparse["values"].get("byteOffset", 0))
            out[where] = given.reshape(-1, width)
        if entry.get("normalized"):
            return np.maximum(out / float(np.iinfo(dtype).max), -1.0)
        return out

    def _view(self, index: int) -> tuple[bytes, int]:
        view = self.tree["bufferViews"][index]
        buffer = self.tree["buffers"][view["buffer"]]
        data = self._uri(buffer["uri"]) if "uri" in buffer else self.binary
        start = view.get("byteOffset", 0)
        return data[start : start + view["byteLength"]], view.get("byteStride", 0)

    def _uri(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        return (self.path.parent / unquote(uri)).read_bytes()


def loaded(scene: Scene, report: MeshReport) -> Measured:
    """What AVW has read, measured."""
    measured = Measured()
    for index, surface in enumerate(scene.surfaces):
        chosen = scene.surface_F == index
        light = _light(surface.texture_HWC / 255.0)
        height, width = light.shape[:2]
        total = np.zeros((int(chosen.sum()), 3))
        for a, b in _POINTS:
            uv = scene.uv_F32[chosen].astype(float)
            at = (uv[:, 0] * a + uv[:, 1] * b + uv[:, 2] * (1 - a - b)) % 1.0
            rows = np.minimum((at[:, 1] * height).astype(int), height - 1)
            columns = np.minimum((at[:, 0] * width).astype(int), width - 1)
            total += light[rows, columns]
        measured.add(scene.triangles_F33[chosen].astype(float), surface.name, total / len(_POINTS))
    measured.triangles += report.zero_area_faces
    return measured


def differences(ours: Measured, theirs: Measured) -> list[str]:
    """Sentences about what is not equal."""
    found = []
    if ours.triangles != theirs.triangles:
        found.append(f"{ours.triangles} triangles, not {theirs.triangles}")
    if not np.isclose(ours.area, theirs.area, rtol=1e-3):
        found.append(f"area {ours.area:.5g}, not {theirs.area:.5g}")
    size = max(float(np.max(theirs.high_3 - theirs.low_3)), 1e-9)
    for name, a, b in (("low", ours.low_3, theirs.low_3), ("high", ours.high_3, theirs.high_3)):
        if np.abs(a - b).max() > 1e-3 * size:
            found.append(f"{name} corner {a.round(4)}, not {b.round(4)}")
    for name, area in theirs.areas.items():
        if area > 0 and ours.areas.get(name, 0.0) > 0:
            mine, other = ours.colours[name] / ours.areas[name], theirs.colours[name] / area
            if np.abs(mine - other).max() > COLOUR:
                found.append(f"{name or 'no material'} is {mine.round(3)}, not {other.round(3)}")
    return found


def _turn(quaternion: Any) -> np.ndarray:
    x, y, z, w = np.array(quaternion, dtype=float) / max(float(np.linalg.norm(quaternion)), 1e-12)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def _light(value: np.ndarray) -> np.ndarray:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def verdict(path: Path) -> tuple[str, str]:
    """("equal", "named", "refused" or "WRONG", the reason)."""
    try:
        scene, report = read_mesh(f"{path}?up=y")
    except SceneError as error:
        return "refused", str(error).replace(str(path), path.name)
    try:
        theirs = Reading(path).measured
    except Exception as error:  # this reader has no protection against bad files
        return ("named" if report.warnings else "WRONG"), f"the other reader fails ({error!r}); {report.warnings}"
    ours = loaded(scene, report)
    wrong = differences(ours, theirs)
    named = list(report.warnings)
    if report.zero_area_faces > 0.01 * ours.triangles:  # `avw info` has a finding for them
        named.append(f"{report.zero_area_faces:,} faces without area are skipped (is the unit wrong?)")
    findings = [*named, *report.notes]
    if not wrong:
        return "equal", "; ".join(findings)
    return ("named" if named else "WRONG"), f"{'; '.join(wrong)} | {'; '.join(findings)}"


def main() -> int:
    """Compare all files; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    arguments = parser.parse_args()
    counts: dict[str, int] = defaultdict(int)
    for folder in arguments.folders:
        for path in sorted([*folder.rglob("*.gltf"), *folder.rglob("*.glb")]):
            result, reason = verdict(path)
            counts[result] += 1
            print(f"{result:8s} {path.relative_to(folder)}  {reason[:200]}", flush=True)
    print(", ".join(f"{number} {result}" for result, number in sorted(counts.items())))
    return 1 if counts["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main())
