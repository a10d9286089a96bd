"""`avw info`: describe a dataset, a run, a scene, or a file of one of them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.file_info import described_file
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath
from avw.model.run_folder import PRETRAINED, is_run, model_file
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.paths import local_path
from avw.sim_bridge.suggestions import similar_path
from avw.sim_bridge.task.shipped_sets import episode_set, shipped_sets


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
    """Describe WHAT: a dataset or one of its shards, a run or a checkpoint, an episode file, or a scene.

    A scene is also checked for problems: units, up axis, holes, floors, disconnected areas, materials, and coincident
    surfaces that flicker. The exit code is 1 if there are errors.

    \b
    Examples:
      avw info data/avw --plots plots
      avw info runs/latest
      avw info pretrained                             the model that ships
      avw info data/avw/train-00000.h5
      avw info rooms-v1-test                          an episode set
      avw info procedural-0007
      avw info scan.glb --strict --picture scan.png
    """
    folder = model_file(what) if what == PRETRAINED else local_path(what)
    if what in shipped_sets():
        folder = episode_set(what)
    is_data = (folder / "info.json").is_file()
    if plots is not None and not is_data:
        raise UsageError(f"--plots draws the statistics of a dataset, and {what} is none; leave it out")
    if picture is not None and (is_data or is_run(folder)):
        raise UsageError(f"--picture draws the floor plan of a scene, and {what} is none; leave it out")
    if is_data:
        from avw.avw4k.reading.dataset import open_dataset
        from avw.avw4k.reading.summary import dataset_summary, summary_text
        from avw.cli.progress import phase

        with phase("reading the dataset"):
            values = dataset_summary(open_dataset(folder))
        text = summary_text(values)
        if plots is not None:
            from avw.avw4k.viewing.plots import write_plots

            values["plots"] = [str(path) for path in write_plots(plots, values["statistics"], values["measured"])]
            text += "".join(f"\n  wrote {path}" for path in values["plots"])
    elif is_run(folder):
        from avw.model.report.overview import overview_text, run_overview

        values = run_overview(folder)
        text = overview_text(values)
    elif folder.is_file() and (described := described_file(folder)) is not None:
        values, text = described
    elif folder.is_dir() or what.startswith(("data/", "runs/")) or _is_missing_path(what):
        meant = similar_path(folder)
        raise UsageError(
            f"{what} contains neither a dataset nor a run.{meant or f' To make a dataset, type: avw generate {what}'}"
        )
    else:
        _scene_info(what, materials, strict, picture, as_json)
        return
    click.echo(json.dumps(values, indent=1) if as_json else text)


def _is_missing_path(what: str) -> bool:
    """Whether it names a file or folder that does not exist in a folder that does, and no scene."""
    path = local_path(what)
    return path.is_absolute() and not path.exists() and not path.suffix and path.parent.is_dir()


def _scene_info(scene_id: str, materials: Path | None, strict: bool, picture: Path | None, as_json: bool) -> None:
    from avw.cli.progress import phase
    from avw.cli.scene_report import scene_text
    from avw.sim_bridge.inspection.describe import inspect_scene

    with phase("reading and measuring the scene"):
        found = inspect_scene(scene_id, materials)
    values = dict(found.values)
    if picture is not None:
        from PIL import Image

        from avw.sim_bridge.rendering.top_down import floor_plan_image

        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(floor_plan_image(found.scene)[0]).save(picture)
        values["picture"] = str(picture)
    click.echo(json.dumps(values, indent=1) if as_json else scene_text(values))
    if found.report.failures(strict=strict):
        raise click.exceptions.Exit(1)
