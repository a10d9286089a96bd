"""Read scenes from mesh files (.glb, .gltf, .obj, .ply) of any origin, and report how each was interpreted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.collections.collections import Z_UP
from avw.sim_bridge.scenes.collections.scene_files import SceneFiles, decodable
from avw.sim_bridge.scenes.collections.scene_folder import mesh_file
from avw.sim_bridge.scenes.materials.labels import coverage
from avw.sim_bridge.scenes.meshes.formats.contents import MeshContents, Part
from avw.sim_bridge.scenes.meshes.formats.gltf import read_gltf
from avw.sim_bridge.scenes.meshes.formats.obj import read_obj
from avw.sim_bridge.scenes.meshes.formats.ply import read_ply
from avw.sim_bridge.scenes.meshes.mesh_guard import MAX_TRIANGLES, guard
from avw.sim_bridge.scenes.meshes.mesh_options import UNITS, UPS, MeshOptions, mesh_options, rotation_to_y_up
from avw.sim_bridge.scenes.meshes.mesh_surfaces import SurfaceReader
from avw.sim_bridge.scenes.meshes.scan_labels import read_labels
from avw.sim_bridge.scenes.meshes.semantic_meshes import nearest_objects, read_semantic_mesh
from avw.sim_bridge.scenes.meshes.semantics import with_semantics
from avw.sim_bridge.scenes.meshes.units import unit_by_size
from avw.sim_bridge.scenes.meshes.up_axis import DECISIVE, ROOM, measure_patches
from avw.sim_bridge.scenes.scene import Light, Room, Scene

SUFFIXES = (".glb", ".gltf", ".obj", ".ply")
SLIVER = 1e-9  # m²; smaller faces count as having no area
MAX_COORDINATE = 1e9  # largest coordinate of a vertex, in units of the file
_SCANS = (
    "mp3d",
    "matterport",
    "hm3d",
    "gibson",
    "scannet",
)  # names of folders that belong to collections with Z-up meshes


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshReport:
    """How a file was interpreted.

    up_3, front_3: unit vectors in the frame of the file that became +Y and -Z
    up: "y", "z", "x" or "given" · unit: metres per unit of the file · up_evidence, unit_evidence: the reasons
    against_standard: whether the geometry overruled the up axis that the standard of the format prescribes
    evidence: the reason for the material of each surface (as in `labels.Labelled`)
    warnings, notes: sentences about what is missing, and about what is shown more simply than in the file
    semantics: path of the file with the object categories, "" if none
    by_semantics, by_name, by_default: shares of the area (0 to 1) whose material comes from object categories, from
        names in the mesh, or is the default
    geometries, mirrored: number of placed meshes, and how many of them have a mirroring transform
    zero_area_faces, unused_vertices: numbers of faces and vertices removed
    degenerate_uv: number of faces without usable texture coordinates
    """

    path: str
    bytes: int
    up_3: tuple[float, float, float]
    front_3: tuple[float, float, float]
    up: str
    up_evidence: str
    against_standard: bool
    unit: float
    unit_evidence: str
    evidence: tuple[str, ...]
    semantics: str
    by_semantics: float
    by_name: float
    by_default: float
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    geometries: int
    mirrored: int
    zero_area_faces: int
    unused_vertices: int
    degenerate_uv: int


@dataclass(frozen=True, slots=True)
class _Placed:
    """A geometry placed in the scene: vertices_V3 float64, faces_F3 int64, uv_F32 float32, surface_F int32.

    object_F: int32 object of each face, None if unknown
    """

    vertices_V3: np.ndarray
    faces_F3: np.ndarray
    uv_F32: np.ndarray
    surface_F: np.ndarray
    mirrored: bool
    object_F: np.ndarray | None


def load_mesh(path: str | Path) -> Scene:
    """Read a mesh file. The scene id is the path as given, with its options (`scan.glb?up=z&units=cm`).

    Acoustic materials come from the semantics beside a scan if there are any, otherwise from the names in the file
    (see `labels`). The default is a hard surface.
    Raises SceneError for a file that is missing, empty, damaged or not a mesh, and UsageError for invalid options.
    """
    return read_mesh(path)[0]


def read_mesh(path: str | Path) -> tuple[Scene, MeshReport]:
    """Read a mesh file, rotated to Y-up and scaled to metres, with a report. Raises the same errors as `load_mesh`."""
    return read_files(mesh_file(path))


def read_files(files: SceneFiles) -> tuple[Scene, MeshReport]:
    """As `read_mesh`, for a scene whose files are known already."""
    file = decodable(files.mesh)
    if file.is_dir() or file.suffix.lower() not in SUFFIXES:
        raise SceneError(f"{file} is not a mesh file: expected a name that ends in {', '.join(SUFFIXES)}")
    options = mesh_options(file, files.options, files.stage, files.stage_source)
    guarded = guard(file)
    reader = SurfaceReader(options.materials, file.name)
    with np.errstate(all="ignore"):  # damaged files hold numbers of any size; the results are checked
        contents = _READERS[file.suffix.lower()](file)
        parts = _placed(file, contents, reader)
    extras = contents.extras
    if not parts:
        raise SceneError(f"{file} has no triangles: point clouds and lines are not a scene; export it as a mesh")
    starts = np.cumsum([0, *(len(part.vertices_V3) for part in parts)])
    vertices_V3 = np.concatenate([part.vertices_V3 for part in parts])
    faces_F3 = np.concatenate([part.faces_F3 + starts[k] for k, part in enumerate(parts)])
    uv_F32 = np.concatenate([part.uv_F32 for part in parts])
    surface_F = np.concatenate([part.surface_F for part in parts])
    objects = [part.object_F for part in parts]
    object_F = None if any(o is None for o in objects) else np.concatenate([o for o in objects if o is not None])
    unit = options.unit or 1.0
    vertices_V3 *= unit

    double_area_F = np.linalg.norm(_normals(vertices_V3, faces_F3), axis=1)
    kept_F = double_area_F > 2 * SLIVER
    if not kept_F.any():
        raise SceneError(f"{file} has only faces without area: it is damaged, or its unit is wrong (set ?units=)")
    slivers = int(len(kept_F) - kept_F.sum())
    if slivers:
        faces_F3, uv_F32, surface_F = faces_F3[kept_F], uv_F32[kept_F], surface_F[kept_F]
        object_F = None if object_F is None else object_F[kept_F]
    used_V = np.zeros(len(vertices_V3), dtype=bool)
    used_V[faces_F3.ravel()] = True
    unused = int(len(used_V) - used_V.sum())
    if unused:
        faces_F3 = (np.cumsum(used_V) - 1)[faces_F3]
        vertices_V3 = vertices_V3[used_V]

    up, up_evidence, rotation_33 = _upright(file, options, guarded.up_is_given, vertices_V3, faces_F3)
    if rotation_33 is not None:
        vertices_V3 = vertices_V3 @ rotation_33.T
    categories = extras.get("categories")
    categories = categories if isinstance(categories, dict) else {}
    scene = Scene(
        scene_id=files.scene_id,
        vertices_V3=vertices_V3.astype(np.float32),
        faces_F3=faces_F3.astype(np.int32),
        uv_F32=uv_F32.astype(np.float32, copy=False),
        surface_F=surface_F,
        surfaces=tuple(replace(s, category=str(categories.get(s.name, ""))) for s in reader.surfaces),
        lights=_lights(extras, file),
        rooms=_rooms(extras, file),
    )
    scene, evidence, semantics, missing = _labelled(
        files, scene, tuple(reader.evidence), object_F, options, rotation_33
    )
    covered = coverage(scene, evidence)
    is_gltf = file.suffix.lower() in (".glb", ".gltf")
    format_says = "glTF is in metres" if is_gltf else "no unit given"
    right_33 = np.eye(3) if rotation_33 is None else rotation_33
    report = MeshReport(
        path=str(file),
        bytes=file.stat().st_size,
        up_3=_axis(right_33[1]),
        front_3=_axis(-right_33[2]),
        up=up,
        up_evidence=up_evidence,
        against_standard=is_gltf and up != "y" and up_evidence.startswith("geometry"),
        unit=unit,
        unit_evidence=options.unit_source or format_says,
        evidence=evidence,
        semantics=semantics,
        by_semantics=covered.semantic,
        by_name=max(covered.named - covered.semantic, 0.0),
        by_default=1.0 - covered.named,
        warnings=(*contents.warnings, *missing),
        notes=tuple(contents.notes),
        geometries=len(parts),
        mirrored=sum(part.mirrored for part in parts),
        zero_area_faces=slivers,
        unused_vertices=unused,
        degenerate_uv=reader.degenerate_uv,
    )
    return scene, report


def _labelled(
    files: SceneFiles,
    scene: Scene,
    evidence: tuple[str, ...],
    object_F: np.ndarray | None,
    options: MeshOptions,
    rotation_33: np.ndarray | None,
) -> tuple[Scene, tuple[str, ...], str, list[str]]:
    """Apply the semantics of a scan.

    Returns the scene, the evidence of each surface, the path of the semantics ("" if none), and warnings.
    """
    missing = []
    if files.objects:
        missing.append(
            f"{files.objects} objects that the dataset places in this scene are not shown: the embedded backend reads "
            "only the stage; to include them, type --backend habitat"
        )
    text, mesh = files.semantic_text, files.semantic_mesh
    if text is None or (mesh is None and object_F is None):
        if text is not None:
            missing.append(
                f"{text.name} lists the objects, but the semantic mesh with their places is missing: download it too"
            )
        elif mesh is not None:
            missing.append(
                f"{mesh.name} has the places of objects, but the file with their categories is missing: download it too"
            )
        elif files.collection:
            missing.append(
                "no semantics found beside the mesh: acoustic materials come from the names in it, if it has any"
            )
        return scene, evidence, "", missing
    labels = read_labels(text)
    if labels.skipped:
        missing.append(
            f"{text.name}: {len(labels.skipped)} of its entries cannot be read and are skipped, the first is "
            f"{labels.skipped[0]}"
        )
    if object_F is None and mesh is not None:
        semantic_G33, object_G = read_semantic_mesh(mesh, labels)
        if mesh.suffix.lower() == ".ply":
            rotation_33 = rotation_to_y_up(Z_UP["up"], Z_UP["front"])
        semantic_G33 = semantic_G33 * (options.unit or 1.0)
        if rotation_33 is not None:
            semantic_G33 = semantic_G33 @ rotation_33.T
        object_F = nearest_objects(scene.triangles_F33, semantic_G33, object_G)
    assert object_F is not None
    scene, evidence = with_semantics(scene, evidence, object_F, labels, options.materials)
    return scene, evidence, str(text), missing


_READERS = {".glb": read_gltf, ".gltf": read_gltf, ".obj": read_obj, ".ply": read_ply}


def _placed(file: Path, contents: MeshContents, reader: SurfaceReader) -> list[_Placed]:
    """The parts of a file in its frame."""
    triangles = sum(len(part.faces_F3) for part in contents.parts)
    if triangles > MAX_TRIANGLES:
        raise SceneError(f"{file} places more than {MAX_TRIANGLES:,} triangles: simplify it first")
    return [_place(file, part, reader) for part in contents.parts]


def _place(file: Path, part: Part, reader: SurfaceReader) -> _Placed:
    faces_F3, own_V3, matrix_44, name = part.faces_F3, part.vertices_V3, part.matrix_44, part.labels[-1]
    vertices_V3 = own_V3 if np.array_equal(matrix_44, np.eye(4)) else own_V3 @ matrix_44[:3, :3].T + matrix_44[:3, 3]
    bad_V = np.asarray(~np.isfinite(vertices_V3).all(axis=1))
    if bad_V.any():
        worst = int(np.flatnonzero(bad_V)[0])
        faces = int(bad_V[faces_F3].any(axis=1).sum())
        if faces:
            raise SceneError(
                f"{file}, part {name!r}: {int(bad_V.sum()):,} vertices are not finite (NaN or infinite), the first is "
                f"vertex {worst}, and {faces:,} faces use them: the file is damaged; export it again, or delete those "
                "vertices"
            )
        vertices_V3 = np.where(bad_V[:, None], 0.0, vertices_V3)  # no face uses them
    if np.abs(vertices_V3).max() > MAX_COORDINATE:
        raise SceneError(
            f"{file}, part {name!r}: a vertex is more than {MAX_COORDINATE:.0e} units away: the file is damaged"
        )
    mirrored = bool(np.linalg.det(matrix_44[:3, :3]) < 0)
    uv_F32, surface_F = reader.read(part)
    if mirrored:  # a mirroring transform turns faces inside out
        faces_F3, uv_F32 = faces_F3[:, ::-1], uv_F32[:, ::-1]
    return _Placed(vertices_V3, faces_F3, uv_F32, surface_F, mirrored, part.object_F)


def _upright(
    file: Path, options: MeshOptions, up_is_given: bool, vertices_V3: np.ndarray, faces_F3: np.ndarray
) -> tuple[str, str, np.ndarray | None]:
    """Find the up axis. Returns its name, the reason, and the rotation to Y-up (None if it is the identity)."""
    if options.up_3 is not None:
        named = next((name for name, vector in UPS.items() if np.allclose(vector, options.up_3)), "given")
        rotation_33 = rotation_to_y_up(options.up_3, options.front_3)
        identity = np.allclose(rotation_33, np.eye(3))
        return named, f"given by {options.up_source}", None if identity else rotation_33
    if up_is_given:
        return "y", "written by AVW", None
    scale = UNITS[unit_by_size(np.ptp(vertices_V3, axis=0))]
    patches_32 = measure_patches(vertices_V3[faces_F3] * scale)
    patch_x, patch_y, patch_z = patches_32[:, 0]
    measured = f"{patch_z:.0f} m² to walk on with Z up, {patch_y:.0f} m² with Y up"
    # No convention has X up, so it needs stronger evidence.
    other = "x" if patch_x > 2 * DECISIVE * max(patch_y, patch_z, 0.5) else "z"
    scanned = file.with_suffix(".house").exists() or bool({p.lower() for p in file.resolve().parts} & set(_SCANS))
    standard = file.suffix.lower() in (".glb", ".gltf") and not scanned
    if other == "x" or patch_z > DECISIVE * max(patch_y, 0.5):
        if standard and patches_32[1, 1] > ROOM:
            return "y", f"glTF is Y-up by definition, and it has rooms with Y up ({measured})", None
        size = f"{patch_x:.0f} m² to walk on with X up; " if other == "x" else ""
        return other, f"geometry: {size}{measured}", rotation_to_y_up(UPS[other])
    if patch_y > DECISIVE * max(patch_z, 0.5):
        return "y", f"geometry: {measured}", None
    if scanned:
        return "z", f"its collection is Z-up (geometry is not decisive: {measured})", rotation_to_y_up(UPS["z"])
    reason = "glTF is Y-up by definition" if standard else f"usual for {file.suffix.lower()}"
    return "y", f"{reason} (geometry is not decisive: {measured})", None


def _axis(vector_3: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) + 0.0 for value in vector_3)  # no -0.0
    return x, y, z


def _normals(vertices_V3: np.ndarray, faces_F3: np.ndarray) -> np.ndarray:
    corner_F3 = vertices_V3[faces_F3[:, 0]]
    return np.cross(vertices_V3[faces_F3[:, 1]] - corner_F3, vertices_V3[faces_F3[:, 2]] - corner_F3)


def _lights(extras: dict[str, Any], file: Path) -> tuple[Light, ...]:
    try:
        lights = np.asarray(extras.get("lights", []), dtype=np.float64).reshape(-1, 6)
        if not np.isfinite(lights).all():
            raise ValueError("not finite")
    except (TypeError, ValueError) as error:
        raise SceneError(f"{file}: the list of lights is damaged ({error}); export the scene again") from None
    return tuple(
        Light(position_3=(row[0], row[1], row[2]), power_3=(row[3], row[4], row[5])) for row in lights.tolist()
    )


def _rooms(extras: dict[str, Any], file: Path) -> tuple[Room, ...]:
    try:
        return tuple(
            Room(kind=str(kind), min_x=float(x0), min_z=float(z0), max_x=float(x1), max_z=float(z1))
            for kind, x0, z0, x1, z1 in extras.get("rooms", [])
        )
    except (TypeError, ValueError) as error:
        raise SceneError(f"{file}: the list of rooms is damaged ({error}); export the scene again") from None
