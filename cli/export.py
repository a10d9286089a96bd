"""`avw export`: write a dataset in another format."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath


@command()
@click.argument("data", type=UserPath(), default=Path("data/avw"))
@option("--to", required=True, type=click.Choice(["lerobot", "webdataset", "mp4"]), help="Format to write.")
@option("--out", type=UserPath(), metavar="DIR", default_text="DATA-FORMAT",
        help="New folder for the result.")  # fmt: skip
@option("--split", "splits", type=click.Choice(shared.SPLITS), multiple=True, default_text="all",
        help="Split to export; can be repeated.")  # fmt: skip
@shared.json_output
def export(data: Path, to: str, out: Path | None, splits: tuple[str, ...], as_json: bool) -> None:
    """Export the dataset DATA to a format that other libraries read. DATA itself is not changed.

    DATA is data/avw by default.

    \b
    Formats:
      lerobot     LeRobot 3.0: Parquet files with lossless images; sound as arrays
      webdataset  one tar file per shard and one sample per episode, as .npy arrays; lossless
      mp4         one video with sound per episode; lossy, needs ffmpeg

    \b
    Examples:
      avw export data/avw --to webdataset
      avw export data/avw --to lerobot --out data/avw-lerobot --split train
    """
    from avw.avw4k.exports.export import export as write
    from avw.avw4k.reading.dataset import open_dataset
    from avw.cli.progress import Bar

    dataset = open_dataset(data)
    chosen = splits or shared.SPLITS
    folder = out or data.with_name(f"{data.name}-{to}")
    total = sum(ref.split in chosen for ref in dataset.episodes())
    with Bar(total=total, unit="episode", desc=to, waiting="reading the first episode") as bar:
        report = write(dataset, folder, to, splits=chosen, progress=bar.update)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    click.echo(
        f"{report.path}: {report.episodes} episodes, {report.steps} steps, {report.files} files, "
        f"{report.bytes / 1e9:.2f} GB"
    )
