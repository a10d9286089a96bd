"""The page: the contents of a run and of its dataset, in one HTML file that needs no other file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avw.model.report.documents import altered, read_evaluation, read_navigation
from avw.model.report.lead import lead
from avw.model.run_folder import nothing_there, read_log, read_result_object, run_data, trainable
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors
from avw.sim_bridge.storage.file_lock import claimed

if TYPE_CHECKING:
    from avw.avw4k.reading.dataset import Dataset


def write_report(run_dir: Path, data_dir: Path | None = None, out_html: Path | None = None) -> Path:
    """Write a report of a run as one HTML file (default: RUN/report.html); returns its path.

    data_dir: the dataset (default: the one that the run was trained on, if it still exists)

    The page lists the parts that the run does not have yet, with the commands that create them. Raises UsageError if
    the run does not exist.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir() or (run_dir / "info.json").is_file():
        raise UsageError(f"{nothing_there(run_dir)}. Create a run: avw train DATA --out {trainable(run_dir)}")
    out_html = Path(out_html) if out_html else run_dir / "report.html"
    with readable_errors(f"cannot write {out_html.name}", out_html.parent):
        out_html.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(out_html.parent, os.W_OK):  # before the work, which takes long
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with claimed(out_html, f"another command is writing {out_html}; wait until it has ended"):
            html = render(run_dir, data_dir)
            atomic_write(out_html, html)
    return out_html


def render(run_dir: Path, data_dir: Path | None = None) -> str:
    """The page as text."""
    from avw.avw4k.viewing.embedded import POLICY, filled, player_script, resource
    from avw.model.navigation.outcomes import read_records
    from avw.model.report.closed_loop import navigation_section
    from avw.model.report.episodes import data_section
    from avw.model.report.learning import imagination_section, training_section

    dataset = _dataset(data_dir, run_dir)
    evaluation = read_evaluation(run_dir / "evaluation.json")
    navigation = read_navigation(run_dir / "navigation.json")
    log = read_log(run_dir / "log.jsonl")
    sections, missing = [], []
    if dataset and dataset.episodes():
        sections.append(("data", "Data", data_section(dataset)))
    else:
        missing.append("the dataset (give its folder: <code>avw report RUN DATA</code>)")
    if log:
        sections.append(("training", "Training", _made(run_dir / "log.jsonl", lambda: training_section(log))))
    else:
        missing.append("training curves (<code>avw train</code>)")
    if evaluation:
        html = _made(run_dir / "evaluation.json", lambda: imagination_section(evaluation, run_dir / "samples"))
        sections.append(("imagination", "Predictions", html))
    else:
        missing.append("an evaluation (<code>avw evaluate</code>)")
    if navigation:
        paths = {name: run_dir / f"navigation-{name}.json" for name in navigation["policies"]}
        records = {name: read_records(path) for name, path in paths.items() if path.exists()}
        html = _made(run_dir / "navigation.json", lambda: navigation_section(navigation, records, run_dir))
        sections.append(("navigation", "Navigation", html))
    else:
        missing.append("navigation (<code>avw navigate</code>)")
    body = "".join(html for _, _, html in sections)
    if missing:
        body += f'<section><p class="note">Not part of this run yet: {"; ".join(missing)}.</p></section>'
    values = {
        "policy": POLICY,
        "title": escape(run_dir.resolve().name),
        "tiles": _made(run_dir, lambda: _tiles(dataset, evaluation, navigation)),
        "lead": _made(run_dir, lambda: lead(evaluation, navigation)),
        "links": "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name, _ in sections),
        "body": body,
        "style": resource("style.css", __package__) + resource("hover.css"),
        "script": player_script() + resource("charts.js"),
        "terms": _terms(dataset) if dataset else "",
    }
    return filled(resource("page.html", __package__), values)


def _made(path: Path, make: Callable[[], str]) -> str:
    """What `make` returns. Raises CheckpointError if the file of its values is not as AVW writes it."""
    try:
        return make()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise altered(path, error) from error


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
            tiles.append((f"{navigation['policies']['greedy-audio']['sr'][0]:.0%}", "solved by greedy audio"))
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


def _dataset(data_dir: Path | None, run_dir: Path) -> Dataset | None:
    """The given dataset, which must exist; otherwise the dataset of the run, or None if it does not exist."""
    from avw.avw4k.reading.dataset import open_dataset

    if data_dir is not None:
        return open_dataset(Path(data_dir))
    if not (run_dir / "config.json").exists():
        return None
    read_result_object(run_dir / "config.json")  # a damaged file is an error; a dataset that was moved is not
    try:
        return open_dataset(run_data(run_dir))
    except DatasetError:
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
