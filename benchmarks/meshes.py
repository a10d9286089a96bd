"""Cost of opening a user's mesh: `python -m benchmarks.meshes [--scene procedural-0003] [--json]`.

A generated house is divided into smaller and smaller triangles, given vertex colours, turned Z-up and written as GLB,
like a scan. The limit for reading is the parser alone (trimesh), without our work on axes, areas and colours. `label`
assigns objects to the faces from an equally fine semantic mesh a few millimetres off. One core.
"""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import click
import numpy as np

from avw.sim_bridge.inspection.lint import lint
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.scenes.meshes.mesh_files import read_mesh
from avw.sim_bridge.scenes.meshes.semantic_meshes import nearest_objects
from avw.sim_bridge.scenes.scene import Scene
from benchmarks.rows import Row, alternate, present

EDGES = (10.0, 0.2, 0.1, 0.05)  # metres, the longest side of a triangle; 10 leaves the house unchanged


@click.command()
@click.option("--scene", default="procedural-0003", show_default=True, help="Generated house, or any other scene.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def meshes(scene: str, as_json: bool) -> None:
    """Time and memory of reading, linting and navigation for meshes with increasing numbers of triangles."""
    house = load_scene(scene)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for edge in EDGES:
            path = Path(folder) / f"scan-{edge:g}.glb"
            _write_scan(house, edge, path)
            rows += _measure(path)
    present("meshes", rows, as_json=as_json)


def _measure(path: Path) -> list[Row]:
    import trimesh

    loaded, report = read_mesh(path)
    navgrid = free_space_of(loaded)
    goal_3 = navgrid.sample(keyed_rng("benchmark", "meshes"))
    triangles_F33 = loaded.triangles_F33.astype(np.float64)
    semantic_F33 = triangles_F33 + keyed_rng("benchmark", "semantics").normal(scale=0.002, size=triangles_F33.shape)
    object_F = (np.arange(len(triangles_F33)) // 1000).astype(np.int32)
    seconds = alternate(
        {
            "read": lambda: read_mesh(path),
            "parse": lambda: trimesh.load_scene(str(path), process=False),
            "label": lambda: nearest_objects(triangles_F33, semantic_F33, object_F),
            "lint": lambda: lint(loaded, report),
            "navgrid": lambda: free_space_of(loaded),
            "geodesic field": lambda: navgrid.build_geodesic(goal_3),
        },
        rounds=1,
    )
    tracemalloc.start()
    read_mesh(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = sum(a.nbytes for a in (loaded.vertices_V3, loaded.faces_F3, loaded.uv_F32, loaded.surface_F))
    size = path.stat().st_size / 1e6
    conditions = f"{len(loaded.faces_F3):,} triangles, {size:.1f} MB GLB, up axis {report.up}"

    def row(name: str, ours: float, unit: str, peer: float | None = None, peer_name: str = "") -> Row:
        return Row(name=name, ours=ours, unit=unit, peer=peer, peer_name=peer_name, conditions=conditions)

    return [
        row("read", seconds["read"], "s of CPU", seconds["parse"], "trimesh alone"),
        row("memory while reading", peak / 1e6, "MB", held / 1e6, "the scene's arrays"),
        *(row(name, seconds[name], "s of CPU") for name in ("label", "lint", "navgrid", "geodesic field")),
    ]


def _write_scan(house: Scene, edge: float, path: Path) -> None:
    import trimesh

    vertices_V3, faces_F3 = trimesh.remesh.subdivide_to_size(
        house.vertices_V3.astype(np.float64), house.faces_F3, max_edge=edge, max_iter=20
    )
    colours_V4 = np.full((len(vertices_V3), 4), 255, dtype=np.uint8)
    colours_V4[:, :3] = keyed_rng("benchmark", "paint").integers(255, size=(len(vertices_V3), 3))
    z_up_V3 = np.stack([vertices_V3[:, 0], -vertices_V3[:, 2], vertices_V3[:, 1]], axis=1)
    scan = trimesh.Trimesh(z_up_V3, faces_F3, vertex_colors=colours_V4, process=False)
    path.write_bytes(trimesh.Scene(scan).export(file_type="glb"))


if __name__ == "__main__":
    meshes()
