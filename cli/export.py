"""`avw export`: write a dataset in another format, or the model of a run as one file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath
from avw.model.run_folder import LATEST, results_folder

CHECKPOINT = "checkpoint"


@command()
@click.argument("what", type=UserPath(), required=False, metavar="[DATA|RUN]")
@option("--to", required=True, type=click.Choice(["lerobot", "webdataset", "mp4", CHECKPOINT]), help="Format to write.")
@option("--out", type=UserPath(), metavar="PATH", default_text="DATA-FORMAT, or RUN/exported.safetensors",
        help="New folder for the result; of checkpoint, the file.")  # fmt: skip
@option("--split", "splits", type=click.Choice(shared.SPLITS), multiple=True, default_text="all",
        help="Split to export; can be repeated.")  # fmt: skip
@shared.json_output
def export(what: Path | None, to: str, out: Path | None, splits: tuple[str, ...], as_json: bool) -> None:
    """Export the dataset DATA to a format that other libraries read, or the model of RUN as one file.

    DATA is data/avw by default, and RUN is runs/latest. What is exported is not changed.

    \b
    Formats:
      lerobot     LeRobot 3.0: Parquet files with lossless images; sound as arrays
      webdataset  one tar file per shard, one sample per episode; lossless
      mp4         one video with sound per episode; lossy; ffmpeg or avw[video]
      checkpoint  the model of a run in 16 bits, and its card beside it as text

    \b
    Examples:
      avw export data/avw --to webdataset
      avw export data/avw --to lerobot --out data/avw-lerobot --split train
      avw export runs/latest --to checkpoint --out nano.safetensors
    """
    if to == CHECKPOINT:
        if splits:
            raise click.UsageError("--split chooses episodes of a dataset; it does not apply to --to checkpoint")
        _export_model(what or LATEST, out, as_json)
    else:
        _export_dataset(what or Path("data/avw"), to, out, splits or shared.SPLITS, as_json)


def _export_dataset(data: Path, to: str, out: Path | None, splits: tuple[str, ...], as_json: bool) -> None:
    from avw.avw4k.exports.export import export as write
    from avw.avw4k.reading.dataset import open_dataset
    from avw.cli.progress import Bar

    dataset = open_dataset(data)
    folder = out or data.with_name(f"{data.name}-{to}")
    total = sum(ref.split in splits for ref in dataset.episodes())
    with Bar(total=total, unit="episode", desc=to, waiting="reading the first episode") as bar:
        report = write(dataset, folder, to, splits=splits, progress=bar.update)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    click.echo(
        f"{report.path}: {report.episodes} episodes, {report.steps} steps, {report.files} files, "
        f"{report.bytes / 1e9:.2f} GB"
    )


def _export_model(run: Path, out: Path | None, as_json: bool) -> None:
    from avw.model.pretrained.export import export_checkpoint

    made = export_checkpoint(run, out or results_folder(run) / "exported.safetensors")
    for name in made.missing:
        click.echo(f"{run} has no {name}, so the card has no figures of it.", err=True)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(made)))
        return
    kept = f"; in 32 bits: {', '.join(made.kept)}" if made.kept else ""
    click.echo(f"{made.file}: {made.bytes / 1e6:.1f} MB{kept}\n{made.card}: its card\nNext: avw play {made.file}")
