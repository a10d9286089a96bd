"""Mesh files and heads (SOFA) for `benchmarks.fuzz`, and second readings of the meshes to compare with.

A mesh has no checksum: a changed digit is another mesh. So the scene that AVW reads from a mutated file is compared
with a second, short reading of the same file: triangles, area, bounds and, for glTF, colours. A difference must be
refused or named.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from avw.sim_bridge.acoustics.hrtf import load_hrtf
from avw.sim_bridge.inspection.lint import FAR
from avw.sim_bridge.scenes.meshes.mesh_files import read_mesh
from benchmarks.fuzz import Target, mutated_json
from benchmarks.gltf_samples import Measured, Reading, differences, loaded
from tests.sim_bridge.gltf_files import CORNER_UV, FLOOR, QUAD, Gltf, halves, room, walls
from tests.sim_bridge.sofa_files import point_head

_PLY_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4",
    "float64": "f8",
}  # fmt: skip


def mesh_targets(folder: Path) -> list[Target]:
    """glTF with most of what AVW reads (its JSON, and all bytes), an OBJ file, and PLY files as text and binary."""
    gltf = _rich()
    text = gltf.write(folder / "rich.gltf").read_bytes()
    obj, mtl = _obj()
    (folder / "room.mtl").write_bytes(mtl)
    return [
        Target("gltf", text, lambda c: _compared(folder / "scene.gltf", c), change=mutated_json),
        Target("glb", gltf.write(folder / "rich.glb").read_bytes(), lambda c: _compared(folder / "scene.glb", c)),
        Target("obj", obj, lambda c: _compared(folder / "room.obj", c)),
        Target("ply-text", _ply("ascii"), lambda c: _compared(folder / "text.ply", c)),
        Target("ply-binary", _ply("binary_little_endian"), lambda c: _compared(folder / "binary.ply", c)),
    ]


def head_target(folder: Path) -> Target:
    """A head of 24 directions. Its numbers have no checksum, so any valid head may be read."""
    turn, height = np.meshgrid(np.arange(0.0, 360.0, 45.0), [-40.0, 0.0, 40.0])
    source_MC = np.stack([turn.ravel(), height.ravel(), np.full(turn.size, 1.5)], axis=1)
    path = point_head(source_MC=source_MC).write(folder / "head.sofa")
    content = path.read_bytes()
    number = 0

    def read(changed: bytes) -> str:
        nonlocal number
        number += 1  # heads are cached by path, time and size
        path = folder / f"head-{number}.sofa"
        path.write_bytes(changed)
        try:
            head = load_hrtf(16_000, path)
        finally:
            path.unlink()
        finite = np.isfinite(head.gain_PAEB).all() and np.isfinite(head.delay_PAE).all()
        return "" if finite else "the head is not finite"

    return Target("sofa", content, read)


def _compared(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    scene, report = read_mesh(f"{path}?up=y")
    if not np.isfinite(scene.vertices_V3).all() or not np.isfinite(scene.uv_F32).all():
        return "the scene is not finite"
    far = np.abs(scene.vertices_V3).max() > FAR
    if report.warnings or report.degenerate_uv or far:  # `avw info` has a finding for each
        return ""
    try:
        with np.errstate(all="ignore"):
            if path.suffix in (".glb", ".gltf"):
                second = Reading(path).measured
            else:
                second = _second_obj(content) if path.suffix == ".obj" else _second_ply(content)
    except Exception as error:  # this reader has no protection against bad files
        return f"read without a finding, but the second reader says {error!r}"
    return "; ".join(differences(loaded(scene, report), second))


def _rich() -> Gltf:
    """A room with a picture, a transform of it, vertex colours, sparse values, instances, a skin, a morph target."""
    gltf = room(FLOOR, "curtain", "glass", "plaster wall")
    place = walls()
    texture = gltf.picture(halves())
    info = {"index": texture, "extensions": {"KHR_texture_transform": {"offset": [0.25, 0.0], "scale": [2.0, 1.0]}}}
    floor = gltf.material(FLOOR, pbr={"baseColorTexture": info})
    gltf.quad(place[FLOOR][0], floor, FLOOR, attributes={"TEXCOORD_0": gltf.accessor(CORNER_UV)})
    shades = gltf.accessor(np.full((4, 3), 40_000), "<u2", normalized=True)
    gltf.quad(place["curtain"][0], gltf.material("curtain", (200, 100, 50)), "curtain", attributes={"COLOR_0": shades})
    wall = gltf.quad(place["plaster wall"][0], gltf.material("plaster wall", (40, 160, 60)), "plaster wall")
    accessor = gltf.tree["accessors"][wall["attributes"]["POSITION"]]
    accessor["sparse"] = {
        "count": 2,
        "indices": {"bufferView": gltf.view(np.array([2, 3], "<u2").tobytes()), "componentType": 5123},
        "values": {"bufferView": gltf.view(np.array([[3, 2.5, -4], [3, 2.5, 4]], "<f4").tobytes())},
    }
    glass = gltf.quad(place["glass"][0], gltf.material("glass", (220, 210, 60)), "glass", weights=[0.5])
    glass["targets"] = [{"POSITION": gltf.accessor(np.tile([0.0, 0.0, 0.2], (4, 1)))}]
    top = np.array([(-0.5, 0.8, 0.5), (0.5, 0.8, 0.5), (0.5, 0.8, -0.5), (-0.5, 0.8, -0.5)], dtype=np.float32)
    steps = gltf.accessor(np.array([[-2, 0, -2], [0, 0, 0], [2, 0, 2]]))
    instances = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": steps}}}
    gltf.quad(top, gltf.material("table wood", (120, 80, 40)), "table", extensions=instances)
    joints = gltf.accessor(np.zeros((4, 4)), "u1")
    weights = gltf.accessor(np.tile([1.0, 0.0, 0.0, 0.0], (4, 1)))
    gltf.quad(
        top + np.array([0, 0.5, 0]), gltf.material("shelf", (90, 60, 30)), "shelf", skin=0,
        attributes={"JOINTS_0": joints, "WEIGHTS_0": weights},
    )  # fmt: skip
    joint = gltf.add("nodes", {"name": "joint", "translation": [0.0, 0.3, 0.0]})
    gltf.tree["scenes"][0]["nodes"].append(joint)
    gltf.add("skins", {"joints": [joint]})
    gltf.tree["extensionsUsed"] = ["KHR_texture_transform", "EXT_mesh_gpu_instancing"]
    return gltf


def _obj() -> tuple[bytes, bytes]:
    lines, mtl, count = ["mtllib room.mtl", "vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"], [], 0
    for name, (corners, rgb) in walls().items():
        label = name.replace(" ", "_")
        mtl += [f"newmtl {label}", "Kd " + " ".join(f"{value / 255:.4f}" for value in rgb)]
        lines += [f"o {label}", f"usemtl {label}", *(f"v {x:g} {y:g} {z:g}" for x, y, z in corners)]
        if count % 8:
            lines.append("f -4/1 -3/2 -2/3 -1/4")
        else:
            lines += [f"f {count + 1}/1 {count + 2}/2 {count + 3}/3", f"f {count + 1}/1 {count + 3}/3 {count + 4}/4"]
        count += 4
    return "\n".join(lines).encode() + b"\n", "\n".join(mtl).encode() + b"\n"


def _second_obj(content: bytes) -> Measured:
    measured = Measured()
    vertices, faces = [], []
    for line in content.decode("latin-1").replace("\\\n", " ").replace("\r", "\n").split("\n"):
        words = line.partition("#")[0].split()
        if words[:1] == ["v"]:
            vertices.append([float(word) for word in words[1:4]])
        elif words[:1] == ["f"]:
            numbers = [int(word.partition("/")[0]) for word in words[1:]]
            corners = [number - 1 if number > 0 else len(vertices) + number for number in numbers]
            faces += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
    index_F3 = np.array(faces)
    if index_F3.min() < 0:
        raise ValueError("index")
    measured.add(np.array(vertices)[index_F3], "", None)
    return measured


def _ply(form: str) -> bytes:
    """The room: one wall of triangles, the others quads, with the colour of each vertex."""
    vertices = [(*point, *rgb) for corners, rgb in walls().values() for point in corners.tolist()]
    faces: list[tuple[int, ...]] = [tuple(range(4 * wall, 4 * wall + 4)) for wall in range(1, 6)]
    faces += [QUAD[:3], QUAD[3:]]
    header = [
        "ply", f"format {form} 1.0", "comment a room", f"element vertex {len(vertices)}",
        *(f"property float {axis}" for axis in "xyz"), *(f"property uchar {name}" for name in ("red", "green", "blue")),
        f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header",
    ]  # fmt: skip
    head = "\n".join(header).encode() + b"\n"
    if form == "ascii":
        rows = [" ".join(f"{value:g}" for value in vertex) for vertex in vertices]
        rows += [" ".join(map(str, (len(face), *face))) for face in faces]
        return head + "\n".join(rows).encode() + b"\n"
    body = b"".join(struct.pack("<3f3B", *vertex) for vertex in vertices)
    return head + body + b"".join(struct.pack(f"<B{len(face)}i", len(face), *face) for face in faces)


def _second_ply(content: bytes) -> Measured:
    head, _, body = content.partition(b"end_header\n")
    form = ""
    elements: list[tuple[str, int, list[list[str]]]] = []
    for line in head.decode("latin-1").splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            form = words[1]
        elif words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            elements[-1][2].append(words[1:])
    texts, place = body.split(), 0

    def value(kind: str) -> float:
        nonlocal place
        if form == "ascii":
            place += 1
            return float(texts[place - 1])
        dtype = np.dtype((">" if "big" in form else "<") + _PLY_TYPES[kind])
        place += dtype.itemsize
        return float(np.frombuffer(body[place - dtype.itemsize : place], dtype)[0])

    vertices, faces = [], []
    for name, count, properties in elements:
        for _ in range(count):
            row: dict[str, float] = {}
            for entry in properties:
                if entry[0] == "list":
                    corners = [int(value(entry[2])) for _ in range(int(value(entry[1])))]
                    if name == "face" and entry[3] in ("vertex_indices", "vertex_index"):
                        faces += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
                else:
                    row[entry[1]] = value(entry[0])
            if name == "vertex":
                vertices.append([row[axis] for axis in "xyz"])
    index_F3 = np.array(faces)
    if index_F3.min() < 0:
        raise ValueError("index")
    measured = Measured()
    measured.add(np.array(vertices)[index_F3], "", None)
    return measured
