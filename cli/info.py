"""`avw info`: describe a dataset, a run or a scene."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath

if TYPE_CHECKING:
    from avw.avw4k.reading.dataset import Dataset


@command()
@click.argument("what")
@option("--plots", type=UserPath(file_okay=False), metavar="DIR", section="Datasets",
        help="Also write the statistics as SVG plots to this folder.")  # fmt: skip
@shared.scene_root
@shared.materials("the built-in table", shared.SCENES)
@option("--strict", is_flag=True, section=shared.SCENES, help="Exit with code 1 on warnings too, not only on errors.")
@option("--picture", type=UserPath(), metavar="FILE", section=shared.SCENES,
        help="Write the floor plan as a PNG image.")  # fmt: skip
@shared.json_output
def info(
    what: str, materials: Path | None, strict: bool, picture: Path | None, plots: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Describe WHAT: the folder of a dataset, the folder of a run, or a scene.

    A scene is also checked for problems: units, up axis, holes, floors, disconnected areas, materials, and coincident
    surfaces that flicker. The exit code is 1 if there are errors.

    \b
    Examples:
      avw info data/avw --plots plots
      avw info runs/latest
      avw info procedural-0007
      avw info scan.glb --strict --picture scan.png
    """
    folder = Path(what)
    if (folder / "info.json").is_file():
        from avw.avw4k.reading.dataset import open_dataset

        values = dataset_values(open_dataset(folder))
        text = dataset_text(values)
        if plots is not None:
            from avw.avw4k.viewing.plots import write_plots

            values["plots"] = [str(path) for path in write_plots(plots, values["statistics"], values["measured"])]
            text += "".join(f"\n  wrote {path}" for path in values["plots"])
    elif folder.is_dir() and any(folder.glob("*.json")):
        values = run_values(folder)
        text = "\n".join(
            [f"run {folder}", *(f"  {name:<28} {size:>12,} bytes" for name, size in values["files"].items())]
        )
    elif folder.is_dir() or what.startswith(("data/", "runs/")):
        from avw.sim_bridge.errors import UsageError

        raise UsageError(f"{what} contains neither a dataset nor a run. To make a dataset, type: avw generate {what}")
    else:
        _scene_info(what, materials, strict, picture, as_json)
        return
    click.echo(json.dumps(values, indent=1) if as_json else text)


def _scene_info(scene_id: str, materials: Path | None, strict: bool, picture: Path | None, as_json: bool) -> None:
    from avw.cli.scene_report import scene_text, scene_values
    from avw.sim_bridge.inspection.lint import lint
    from avw.sim_bridge.scenes.catalogue import read_scene, scene_sha256
    from avw.sim_bridge.scenes.materials.material_map import apply_material_map, open_material_map, share_named

    scene, reading = read_scene(scene_id)
    table = open_material_map(str(materials)) if materials else None
    if table is not None:
        scene, evidence = apply_material_map(scene, table)
        reading = None if reading is None else dataclasses.replace(reading, evidence=evidence)
    report = lint(scene, reading)
    if table is not None:  # the lint judges materials by the built-in table
        report = dataclasses.replace(report, findings=tuple(f for f in report.findings if f.name != "materials"))
    values = scene_values(report, scene_sha256(scene))
    if table is not None:
        values |= {"material_map": table.name, "material_coverage": round(share_named(scene, table), 4)}
    if picture is not None:
        from PIL import Image

        from avw.sim_bridge.rendering.top_down import floor_plan_image

        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(floor_plan_image(scene)[0]).save(picture)
        values["picture"] = str(picture)
    click.echo(json.dumps(values, indent=1) if as_json else scene_text(values))
    if report.failures(strict=strict):
        raise click.exceptions.Exit(1)


def dataset_values(dataset: Dataset) -> dict[str, Any]:
    """Counts, statistics and licences of the shards written so far, and the full spec."""
    from avw.avw4k.plan.spec import MODES, SPLITS, split_scenes
    from avw.avw4k.reading.statistics import dataset_statistics
    from avw.sim_bridge.types import STEP_SECONDS

    refs = dataset.episodes()
    rows = {row["index"]: row for record in dataset.records.values() for row in record.episodes}
    approaches = [rows[ref.index]["success"] for ref in refs if ref.mode == "approach"]
    return {
        "path": str(dataset.path),
        "complete": dataset.complete,
        "trajectories": len(refs),
        "planned": dataset.spec.trajectories,
        "steps": sum(ref.steps for ref in refs),
        "hours": round(sum(ref.steps for ref in refs) * STEP_SECONDS / 3600, 3),
        "bytes": sum(record.bytes for record in dataset.records.values()),
        "shards": len(dataset.records),
        "clipped": sum(record.clipped for record in dataset.records.values()),
        "successful_approaches": [sum(approaches), len(approaches)],
        "splits": {
            split: {
                "scenes": list(split_scenes(dataset.spec).values()).count(split),
                "trajectories": sum(ref.split == split for ref in refs),
                **{mode: sum(ref.split == split and ref.mode == mode for ref in refs) for mode in MODES},
            }
            for split in SPLITS
        },
        "statistics": dataset_statistics(dataset),
        "measured": _measured(dataset),
        "spec_sha256": dataset.spec.sha256,
        "spec": dataset.spec.to_json(),
        "versions": dataset.info.get("versions", {}),
        "licences": dataset.info.get("licences", {}),
    }


def _measured(dataset: Dataset) -> dict[str, Any]:
    """Statistics of the recorded data; damage is reported as a problem instead of raising an error."""
    from avw.avw4k.reading.measured import measured_statistics
    from avw.sim_bridge.errors import DatasetError

    try:
        return measured_statistics(dataset)
    except DatasetError as error:
        return {"episodes": 0, "modes": {}, "problem": str(error)}


def dataset_text(values: dict[str, Any]) -> str:
    """The description of a dataset as text."""
    from avw.avw4k.reading.measured import measured_text
    from avw.avw4k.reading.statistics import statistics_text

    spec = values["spec"]
    state = "complete" if values["complete"] else f"incomplete: {values['trajectories']} of {values['planned']}"
    reached, approaches = values["successful_approaches"]
    lines = [
        f"dataset {values['path']}: {values['trajectories']} trajectories of {spec['steps']} steps ({state})",
        f"  {values['hours']} h, {values['bytes'] / 1e9:.3f} GB, {values['shards']} shards, "
        f"{values['clipped']} values clipped",
        f"  {reached} of {approaches} approaches end with a successful STOP",
        f"  backend {spec['simulator']['backend']}, acoustics {spec['simulator']['acoustics']}, "
        f"stream {spec['simulator'].get('stream', 'glide')}, {spec['simulator']['size']} pixels, "
        f"{spec['sources_per_scene']} sources per scene, seed {spec['seed']}",
        "",
        f"  {'split':<8}" + "".join(f"{name:>14}" for name in next(iter(values["splits"].values()))),
    ]
    for split, counts in values["splits"].items():
        lines.append(f"  {split:<8}" + "".join(f"{n:>14}" for n in counts.values()))
    lines += ["", statistics_text(values["statistics"]), "", measured_text(values["measured"])]
    lines += ["", f"  spec SHA-256 {values['spec_sha256']}"]
    lines += [f"  licence of {name}: {text}" for name, text in values["licences"].items()]
    return "\n".join(lines)


def run_values(folder: Path) -> dict[str, Any]:
    """The files of a run, and its configuration and evaluation."""
    from avw.sim_bridge.errors import CheckpointError

    values: dict[str, Any] = {"path": str(folder)}
    for name in ("config.json", "evaluation.json"):
        path = folder / name
        if path.is_file():
            try:
                values[path.stem] = json.loads(path.read_text())
            except ValueError as error:
                raise CheckpointError(
                    f"{path} is not valid JSON ({error}). It was changed, or the disk was full when it was written"
                ) from error
    values["files"] = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    return values
