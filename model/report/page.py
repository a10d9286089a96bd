"""The page: the contents of a run and of its dataset, in one HTML file that needs no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write

if TYPE_CHECKING:
    from avw.avw4k.reading.dataset import Dataset


def write_report(run_dir: Path, data_dir: Path | None = None, out_html: Path | None = None) -> Path:
    """Write a report of a run as one HTML file (default: RUN/report.html); returns its path.

    data_dir: the dataset (default: the one that the run was trained on, if it still exists)

    The page lists the parts that the run does not have yet, with the commands that create them. Raises UsageError if
    the run does not exist.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir():
        raise UsageError(
            f"{run_dir} is not a run: the folder does not exist. Create it: avw train DATA --out {run_dir}"
        )
    out_html = Path(out_html) if out_html else run_dir / "report.html"
    html = render(run_dir, data_dir)
    out_html.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out_html, html)
    return out_html


def render(run_dir: Path, data_dir: Path | None = None) -> str:
    """The page as text."""
    from avw.avw4k.viewing.embedded import player_script
    from avw.model.planning.outcomes import read_records
    from avw.model.report.closed_loop import navigation_section
    from avw.model.report.episodes import data_section
    from avw.model.report.learning import imagination_section, training_section

    config = _read(run_dir / "config.json") or {}
    dataset = _dataset(data_dir, config)
    evaluation, navigation = _read(run_dir / "evaluation.json"), _read(run_dir / "navigation.json")
    log = _log(run_dir / "log.jsonl")
    sections, missing = [], []
    if dataset and dataset.episodes():
        sections.append(("data", "Data", data_section(dataset)))
    else:
        missing.append("the dataset (give its folder: <code>avw report RUN DATA</code>)")
    if log:
        sections.append(("training", "Training", training_section(log)))
    else:
        missing.append("training curves (<code>avw train</code>)")
    if evaluation:
        sections.append(("imagination", "Predictions", imagination_section(evaluation, run_dir / "samples")))
    else:
        missing.append("an evaluation (<code>avw evaluate</code>)")
    if navigation:
        paths = {name: run_dir / f"navigation-{name}.json" for name in navigation["policies"]}
        records = {name: read_records(path) for name, path in paths.items() if path.exists()}
        sections.append(("navigation", "Navigation", navigation_section(navigation, records)))
    else:
        missing.append("navigation (<code>avw navigate</code>)")
    body = "".join(html for _, _, html in sections)
    if missing:
        body += f'<section><p class="note">Not part of this run yet: {"; ".join(missing)}.</p></section>'
    template = _resource("page.html")
    values = {
        "title": escape(run_dir.resolve().name),
        "tiles": _tiles(dataset, evaluation, navigation),
        "links": "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name, _ in sections),
        "body": body,
        "style": _resource("style.css"),
        "script": player_script(),
        "terms": _terms(dataset) if dataset else "",
    }
    for name, value in values.items():
        template = template.replace(f"<!-- {name} -->", value)
    return template


def _tiles(dataset: Dataset | None, evaluation: Mapping[str, Any] | None, navigation: Mapping[str, Any] | None) -> str:
    """The most important figures, at the top of the page."""
    from avw.model.report.closed_loop import policy_name
    from avw.model.report.episodes import dataset_facts

    tiles: list[tuple[str, str]] = []
    if navigation:
        names = list(navigation["policies"])
        leader = "mpc" if "mpc" in names else names[0]
        mean, low, high = navigation["policies"][leader]["sr"]
        tiles.append((f"{mean:.0%}", f"of episodes solved by {policy_name(leader)} ({low:.0%} to {high:.0%})"))
        if leader != "greedy-audio" and "greedy-audio" in names:
            tiles.append(
                (f"{navigation['policies']['greedy-audio']['sr'][0]:.0%}", "solved by turning towards the louder ear")
            )
    if evaluation:
        longest = max(evaluation["horizons"], key=int)
        row = evaluation["horizons"][longest]["psnr"]
        name = "reprojection" if "reprojection" in row else "persistence"
        rival = row.get(name)
        if row.get("model") is not None and rival is not None:
            tiles.append((f"{row['model']:.1f} dB", f"PSNR {longest} steps ahead ({rival:.1f} dB for {name})"))
    if dataset:
        facts = dataset_facts(dataset)
        tiles.append(
            (f"{sum(facts['scenes'].values())}", f"scenes, {facts['scenes']['test']} of them only for testing")
        )
        tiles.append((f"{facts['steps']:,}", "steps of images and binaural sound"))
    return "".join(f'<div class="tile"><b>{value}</b><span>{escape(text)}</span></div>' for value, text in tiles)


def _dataset(data_dir: Path | None, config: Mapping[str, Any]) -> Dataset | None:
    """The given dataset, which must exist; otherwise the dataset of the run, or None if it does not exist."""
    from avw.avw4k.reading.dataset import open_dataset

    if data_dir is not None:
        return open_dataset(Path(data_dir))
    try:
        return open_dataset(Path(str(config["data"])))
    except (KeyError, DatasetError):
        return None


def _terms(dataset: Dataset) -> str:
    """The terms of use of the scenes, acoustics and sounds of the dataset, since the page contains images and sound."""
    from avw.avw4k.writing.card import licences

    # Datasets of early versions do not store their terms; the terms follow from the spec.
    terms = dataset.info.get("licences") or licences(dataset.spec)
    listed = "".join(
        f"<li>{escape(str(name))}: {escape(str(text))}</li>" for name, text in terms.items() if name != "restricted"
    )
    notice = (
        "<p><b>This page contains images and sound of a restricted dataset.</b> Publishing it may need the permission "
        "of the rights holders.</p>"
        if terms.get("restricted", True)
        else ""
    )
    return f'<p>Terms of the dataset:</p><ul class="terms">{listed}</ul>{notice}'


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None if the file does not exist."""
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{path} is not valid JSON ({error}); run the command that writes it again") from error
    if not isinstance(document, dict):
        raise DatasetError(f"{path} does not contain a JSON object; run the command that writes it again")
    return document


def _log(path: Path) -> list[dict[str, Any]]:
    """The lines of log.jsonl. A line that is not complete, e.g. after a crash, is skipped."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "stage" in row and "step" in row:
            rows.append(row)
    return rows


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
