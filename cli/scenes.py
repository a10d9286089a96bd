"""`avw scenes`: which scenes an expression stands for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("expression", default="procedural:4")
@click.option("--scene-root", type=click.Path(path_type=Path), envvar="AVW_SCENES", help="Where scans are.")
@click.option("--names", is_flag=True, help="Only the names; opens no scene.")
@click.option("--export", "folder", type=click.Path(path_type=Path), help="Write each as GLB into this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def scenes(expression: str, scene_root: Path | None, names: bool, folder: Path | None, as_json: bool) -> None:
    """List the scenes that a --scenes EXPRESSION stands for, and what is in them.

    \b
    avw scenes procedural:12
    avw scenes procedural:40-43 --export houses    GLB files for any viewer
    avw scenes flat.glb --json
    """
    from tqdm import tqdm

    from sim_bridge.scenes.catalogue import expand_scenes

    root = str(scene_root) if scene_root else None
    found = expand_scenes(expression, root)
    if names:
        click.echo(json.dumps(found, indent=1) if as_json else "\n".join(found))
        return
    quiet = not sys.stderr.isatty() or len(found) == 1
    rows = [describe(name, root, folder) for name in tqdm(found, unit="scene", file=sys.stderr, disable=quiet)]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    click.echo(f"{'scene':<24} {'triangles':>9} {'surfaces':>8} {'rooms':>5} {'free floor':>10}  sha256")
    for row in rows:
        click.echo(
            f"{row['scene']:<24} {row['triangles']:>9} {row['surfaces']:>8} {row['rooms']:>5} "
            f"{row['free_floor_m2']:>7.1f} m²  {row['sha256'][:12]}"
        )


def describe(name: str, scene_root: str | None, export_folder: Path | None = None) -> dict[str, Any]:
    """What a person wants to know of a scene. Raises SceneError for one that is missing or unusable."""
    from sim_bridge.navigation.navgrid import NavGrid
    from sim_bridge.scenes.catalogue import load_scene, scene_sha256
    from sim_bridge.scenes.glb_export import export_glb

    scene = load_scene(name, scene_root)
    low_3, high_3 = scene.vertices_V3.min(axis=0), scene.vertices_V3.max(axis=0)
    row: dict[str, Any] = {
        "scene": name,
        "triangles": len(scene.faces_F3),
        "surfaces": len(scene.surfaces),
        "materials": sorted({surface.material.name for surface in scene.surfaces}),
        "lights": len(scene.lights),
        "rooms": len(scene.rooms),
        "size_m": [round(float(length), 2) for length in high_3 - low_3],
        "free_floor_m2": round(NavGrid.from_scene(scene).area, 2),
        "sha256": scene_sha256(scene),
    }
    if export_folder is not None:
        export_folder.mkdir(parents=True, exist_ok=True)
        path = export_folder / f"{Path(name).stem}.glb"
        export_glb(scene, path)
        row["file"] = str(path)
    return row
