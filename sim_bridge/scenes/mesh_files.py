"""Scenes from mesh files (.glb, .gltf, .obj, .ply; Y up, metres)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim_bridge.errors import SceneError
from sim_bridge.scenes.glb_export import EXTRAS
from sim_bridge.scenes.materials import DEFAULT_MATERIAL, Material, material, material_from_label
from sim_bridge.scenes.scene import Light, Room, Scene, Surface

if TYPE_CHECKING:
    from trimesh import Trimesh

SUFFIXES = (".glb", ".gltf", ".obj", ".ply")
LARGEST_TEXTURE = 1024  # pixels; no more is needed at the picture sizes that world models are trained on
_LEVELS = 40  # of each colour in the atlas of vertex-coloured meshes: 40**3 texels fit into 256 x 256
_ATLAS = 256


@dataclass(frozen=True, slots=True)
class _Part:
    """One geometry of a file, placed: vertices_V3 float64, faces_F3 int64, uv_F32 float32, one surface."""

    vertices_V3: np.ndarray
    faces_F3: np.ndarray
    uv_F32: np.ndarray
    surface: Surface


def load_mesh(path: str | Path) -> Scene:
    """Read a mesh file; its scene id is the path as given.

    Acoustic materials go by the names in the file (`material_from_label`), hard surface where a name says nothing.
    Raises SceneError for a file that is missing, no mesh, empty or broken.
    """
    file = Path(path).expanduser()
    if not file.exists():
        raise SceneError(f"scene file {file} does not exist: check the path, or use procedural:N for generated houses")
    if file.is_dir() or file.suffix.lower() not in SUFFIXES:
        raise SceneError(f"{file} is no mesh file: expected one that ends in {', '.join(SUFFIXES)}")
    parts, extras = _read(file)
    categories = extras.get("categories")
    categories = categories if isinstance(categories, dict) else {}
    if not parts:
        raise SceneError(f"{file} holds no triangles: point clouds and lines make no scene; export it as a mesh")
    for part in parts:
        if not np.isfinite(part.vertices_V3).all():
            raise SceneError(f"{file} holds vertices that are not finite numbers: it is damaged; export it again")
        if part.faces_F3.min() < 0 or part.faces_F3.max() >= len(part.vertices_V3):
            raise SceneError(f"{file} holds faces that name vertices which do not exist: it is damaged")
    starts = np.cumsum([0, *(len(part.vertices_V3) for part in parts)])
    index: dict[int, int] = {}
    surfaces: list[Surface] = []
    for part in parts:
        if id(part.surface) not in index:
            index[id(part.surface)] = len(surfaces)
            surfaces.append(part.surface)
    return Scene(
        scene_id=str(path),
        vertices_V3=np.concatenate([part.vertices_V3 for part in parts]).astype(np.float32),
        faces_F3=np.concatenate([part.faces_F3 + starts[k] for k, part in enumerate(parts)]).astype(np.int32),
        uv_F32=np.concatenate([part.uv_F32 for part in parts]).astype(np.float32),
        surface_F=np.concatenate(
            [np.full(len(part.faces_F3), index[id(part.surface)], dtype=np.int32) for part in parts]
        ),
        surfaces=tuple(replace(s, category=str(categories.get(s.name, ""))) for s in surfaces),
        lights=_lights(extras, file),
        rooms=_rooms(extras, file),
    )


def _read(file: Path) -> tuple[list[_Part], dict[str, Any]]:
    """The triangles of every node, in world coordinates, and what `export_glb` added."""
    import trimesh

    try:
        loaded = trimesh.load_scene(str(file), process=False)
    except Exception as error:  # the readers raise whatever a broken byte leads them to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SceneError(
            f"{file} cannot be read as a mesh ({reason}): it is damaged or of another format; export it again"
        ) from None
    parts = []
    surfaces: dict[int, Surface] = {}
    for node in loaded.graph.nodes_geometry:
        matrix_44, name = loaded.graph[node]
        mesh = loaded.geometry[name]
        if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
            continue
        vertices_V3 = np.asarray(mesh.vertices, dtype=np.float64) @ matrix_44[:3, :3].T + matrix_44[:3, 3]
        faces_F3 = np.asarray(mesh.faces, dtype=np.int64)
        if np.linalg.det(matrix_44[:3, :3]) < 0:
            faces_F3 = faces_F3[:, ::-1]  # a mirrored node turns its faces inside out
        parts.append(_Part(vertices_V3, faces_F3, *_look(mesh, str(name), surfaces)))
    extras = loaded.metadata.get(EXTRAS) if isinstance(loaded.metadata, dict) else None
    return parts, extras if isinstance(extras, dict) else {}


def _look(mesh: Trimesh, name: str, surfaces: dict[int, Surface]) -> tuple[np.ndarray, Surface]:
    """Texture coordinates per corner and the surface; geometries that share a material share the surface."""
    visual: Any = mesh.visual  # one class for colours and one for textures, told apart by `kind`
    uv_V2 = getattr(visual, "uv", None)
    if visual.kind == "texture" or uv_V2 is not None:
        given = visual.material
        if id(given) not in surfaces:
            surfaces[id(given)] = _surface_of(given, str(getattr(given, "name", None) or name))
        if uv_V2 is None or len(uv_V2) != len(mesh.vertices):
            uv_V2 = np.zeros((len(mesh.vertices), 2))
        uv_V2 = np.nan_to_num(np.asarray(uv_V2, dtype=np.float64))
        # trimesh counts v upwards, images and glTF downwards.
        return np.stack([uv_V2[:, 0], 1.0 - uv_V2[:, 1]], axis=1)[mesh.faces], surfaces[id(given)]
    colours_F3 = np.asarray(visual.face_colors, dtype=np.int64)[:, :3]
    level_F3 = (colours_F3 * (_LEVELS - 1) + 127) // 255
    texel_F = (level_F3[:, 0] * _LEVELS + level_F3[:, 1]) * _LEVELS + level_F3[:, 2]
    centre_F2 = np.stack([texel_F % _ATLAS, texel_F // _ATLAS], axis=1) + 0.5
    uv_F32 = np.repeat((centre_F2 / _ATLAS)[:, None, :], 3, axis=1)
    return uv_F32, Surface(name=name, texture_HWC=_colour_atlas(), material=_material(name))


def _surface_of(given: Any, name: str) -> Surface:
    image = getattr(given, "baseColorTexture", None)
    image = image if image is not None else getattr(given, "image", None)
    factor = getattr(given, "baseColorFactor", None)
    factor = factor if factor is not None else getattr(given, "diffuse", None)
    rgb_3 = np.full(3, 255.0) if factor is None else np.asarray(factor, dtype=np.float64).ravel()[:3]
    if factor is not None and np.asarray(factor).dtype.kind == "f" and rgb_3.max() <= 1.0:
        rgb_3 = rgb_3 * 255.0
    if image is None:
        texture_HWC = np.broadcast_to(rgb_3, (1, 1, 3))
    else:
        image = image.convert("RGB")
        image.thumbnail((LARGEST_TEXTURE, LARGEST_TEXTURE))
        tint_3 = rgb_3 / 255.0 if hasattr(given, "baseColorTexture") else np.ones(3)
        texture_HWC = np.asarray(image, dtype=np.float64) * tint_3
    glow = getattr(given, "emissiveFactor", None)
    emission = 0.0 if glow is None else float(np.clip(np.max(glow), 0.0, 1.0))
    texture = np.ascontiguousarray(np.clip(np.round(texture_HWC), 0, 255).astype(np.uint8))
    chosen = _material(name)
    # `export_glb` adds the material to the name; take it off again.
    return Surface(name=name.removesuffix(f"|{chosen.name}"), texture_HWC=texture, material=chosen, emission=emission)


def _material(label: str) -> Material:
    return material_from_label(label) or material(DEFAULT_MATERIAL)


def _colour_atlas() -> np.ndarray:
    """uint8 (256, 256, 3): every one of 40**3 colours, one texel each."""
    texel = np.minimum(np.arange(_ATLAS * _ATLAS), _LEVELS**3 - 1)
    levels = np.stack([texel // _LEVELS**2, texel // _LEVELS % _LEVELS, texel % _LEVELS], axis=1)
    return np.round(levels * (255.0 / (_LEVELS - 1))).astype(np.uint8).reshape(_ATLAS, _ATLAS, 3)


def _lights(extras: dict[str, Any], file: Path) -> tuple[Light, ...]:
    try:
        lights = np.asarray(extras.get("lights", []), dtype=np.float64).reshape(-1, 6)
        if not np.isfinite(lights).all():
            raise ValueError("not finite")
    except (TypeError, ValueError) as error:
        raise SceneError(f"{file}: its list of lights is damaged ({error}); export the scene again") from None
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
        raise SceneError(f"{file}: its list of rooms is damaged ({error}); export the scene again") from None
