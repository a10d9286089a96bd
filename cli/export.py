"""`avw export`: a dataset in another format."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click


@click.command()
@click.argument("data", type=click.Path(path_type=Path), default=Path("data/avw"))
@click.option("--to", required=True, type=click.Choice(["lerobot", "webdataset", "mp4"]), help="The format.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="A new folder (default: DATA-FORMAT).")
@click.option(
    "--split",
    "splits",
    type=click.Choice(["train", "val", "test"]),
    multiple=True,
    help="Only this split; may be given again. Default: all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def export(data: Path, to: str, out: Path | None, splits: tuple[str, ...], as_json: bool) -> None:
    """Write DATA in the format of another library. DATA itself stays as it is.

    \b
    lerobot     LeRobot 3.0: Parquet with lossless pictures; sound as an array
    webdataset  one tar a shard, one sample an episode, .npy arrays: lossless
    mp4         a film of each episode with its sound: lossy, needs ffmpeg

    \b
    avw export data/avw --to webdataset
    avw export data/avw --to lerobot --out data/avw-lerobot --split train
    """
    from tqdm import tqdm

    from avw.avw4k.exports.export import export as write
    from avw.avw4k.reading.dataset import open_dataset

    dataset = open_dataset(data)
    chosen = splits or ("train", "val", "test")
    folder = out or data.with_name(f"{data.name}-{to}")
    total = sum(ref.split in chosen for ref in dataset.episodes())
    with tqdm(total=total, unit="episode", desc=to, file=sys.stderr, dynamic_ncols=True) as bar:
        report = write(dataset, folder, to, splits=chosen, progress=bar.update)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    click.echo(
        f"{report.path}: {report.episodes} episodes, {report.steps} steps, {report.files} files, "
        f"{report.bytes / 1e9:.2f} GB"
    )
