"""`avw scenes`: list scanned collections, or the scenes that an expression stands for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath

if TYPE_CHECKING:
    from avw.sim_bridge.scenes.collections.scene_folder import SceneFolder


@command()
@click.argument("expression", metavar="[SCENES]", required=False)
@shared.scene_root
@option("--names", is_flag=True, help="Print the names only, without opening the scenes.")
@option("--export", "folder", type=UserPath(), metavar="DIR",
        help="Write every scene to this folder as a GLB file.")  # fmt: skip
@shared.json_output
def scenes(expression: str | None, names: bool, folder: Path | None, as_json: bool) -> None:
    """List the scenes that SCENES stands for (written as for --scenes), or the scanned collections on this machine.

    Without SCENES, or for a whole collection (mp3d, hm3d, replica, gibson), the list shows which scenes are present,
    complete and labelled, and how to obtain the others.

    \b
    Examples:
      avw scenes                                     all collections
      avw scenes mp3d
      avw scenes mp3d:val --names
      avw scenes mp3d/17DRP5sb8fy --json
      avw scenes procedural:12                       generated houses
      avw scenes procedural:40-43 --export houses    GLB files for any 3D viewer
      avw scenes flat.glb --json
    """
    from tqdm import tqdm

    from avw.sim_bridge.errors import SceneError
    from avw.sim_bridge.scenes.catalogue import resolve_scenes
    from avw.sim_bridge.scenes.collections.collections import COLLECTIONS
    from avw.sim_bridge.scenes.collections.scene_folder import SceneFolder

    here = SceneFolder()
    if (expression is None or expression in COLLECTIONS) and not names and folder is None:
        _list_collections(expression, here, as_json)
        return
    if expression is None:
        expression = ",".join(name for name in COLLECTIONS if here.meshes(name))
        if not expression:
            raise SceneError(f"no scanned scenes in {here.root}. To see how to obtain them, type: avw scenes")
    found = resolve_scenes(expression)
    if names:
        listed = [scene.scene_id for scene in found]
        click.echo(json.dumps(listed, indent=1) if as_json else "\n".join(listed))
        return
    from avw.sim_bridge.inspection.describe import scene_properties

    quiet = not sys.stderr.isatty() or len(found) == 1
    rows = [scene_properties(scene, folder) for scene in tqdm(found, unit="scene", file=sys.stderr, disable=quiet)]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    head = (
        f"{'scene':<24} {'triangles':>9} {'surfaces':>8} {'rooms':>5} {'free floor':>10}  {'materials from':<28} sha256"
    )
    click.echo(head)
    for row in rows:
        click.echo(
            f"{row['scene']:<24} {row['triangles']:>9} {row['surfaces']:>8} {row['rooms']:>5} "
            f"{row['free_floor_m2']:>7.1f} m²  {_materials_by(row):<28} {row['sha256'][:12]}"
        )


def _materials_by(row: dict[str, Any]) -> str:
    shares = [(name, row[f"by_{name}"]) for name in ("semantics", "name", "default") if row[f"by_{name}"] > 0]
    return ", ".join(f"{name} {share:.1%}" for name, share in shares)


def _list_collections(name: str | None, here: SceneFolder, as_json: bool) -> None:
    from avw.cli.inventory_report import collection_text, inventory_values, overview_text
    from avw.sim_bridge.scenes.collections.collections import COLLECTIONS
    from avw.sim_bridge.scenes.collections.inventory import collection_state

    states = [collection_state(collection, here) for collection in ([name] if name else COLLECTIONS)]
    where, others = here.root, here.other_datasets() if name is None else ()
    if as_json:
        click.echo(json.dumps(inventory_values(states, where, others), indent=1))
    else:
        click.echo(collection_text(states[0]) if name else overview_text(states, where, others))
