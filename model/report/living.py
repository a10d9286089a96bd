"""A page of one or more trainings while they go on: `avw view RUN …`. It reads log.jsonl again every few seconds.

Each run has a colour. Solid lines are means over the training steps since the point before; dashed lines are losses on
the validation split.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any

from avw.avw4k.viewing.charts import Line, legend, line_chart
from avw.avw4k.viewing.embedded import SERVED_POLICY, filled, resource
from avw.avw4k.viewing.local_server import Answer, LocalServer, html, sentence
from avw.model.av_cdit import AvCditConfig
from avw.model.report.learning import COLOURS, STAGES, VALIDATION, VALIDATION_DASH
from avw.model.run_folder import CONFIG, NOT_LOSSES, read_log, read_result_object
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.config_file import from_file
from avw.model.training.stage_state import schedule
from avw.sim_bridge.config_differences import config_differences
from avw.sim_bridge.errors import AvwError, UsageError

LOG = "log.jsonl"
GRADIENT, RATE, SPEED = "norm of the gradient", "learning rate", "targets per second"


class Run:
    """What a training has written so far."""

    def __init__(self, folder: Path, colour: str) -> None:
        """Raises an AvwError for a folder without a training."""
        self.name, self.colour = str(folder), colour
        self.config = read_result_object(folder / CONFIG)
        self.train = from_file(TrainConfig(net=AvCditConfig()), folder / CONFIG)
        self.stages: dict[str, list[dict[str, Any]]] = {}
        for row in read_log(folder / LOG):
            self.stages.setdefault(row["stage"], []).append(row)

    def steps_of(self, stage: str) -> int | None:
        """How many steps a stage has; None for one that is not a stage of the network."""
        return dict(self.train.steps).get(stage)

    def line(self, stage: str, name: str, *, dash: str = "") -> Line:
        """A value of the log against the step."""
        rows = [row for row in self.stages.get(stage, []) if isinstance(row.get(name), int | float)]
        steps, values = [float(row["step"]) for row in rows], [float(row[name]) for row in rows]
        return self._line(name, steps, values, dash)

    def losses(self, stage: str, term: str) -> list[Line]:
        """A term of the loss on the training and on the validation split."""
        return [self.line(stage, term), self.line(stage, VALIDATION + term, dash=VALIDATION_DASH)]

    def rate(self, stage: str) -> Line:
        """The learning rate at the steps of the log, from the configuration."""
        steps = [float(row["step"]) for row in self.stages.get(stage, [])]
        total = self.steps_of(stage)
        values = [self.train.learning_rate * schedule(int(step), total, self.train) for step in steps if total]
        return self._line(RATE, steps if values else [], values, "")

    def _line(self, name: str, steps: list[float], values: list[float], dash: str) -> Line:
        shown = f"{self.name} {name.replace('_', ' ')}"
        return Line(name=shown, series=self.name, x=steps, y=values, colour=self.colour, dash=dash)


class LivingServer(LocalServer):
    """Serves the trainings: GET /TOKEN/ is the page, GET /TOKEN/curves its changing part. Anything else is refused."""

    def __init__(self, folders: Sequence[Path], port: int = 0) -> None:
        """Raises an AvwError for a folder without a training."""
        self.folders = list(folders)
        if len(self.folders) > len(COLOURS):
            raise UsageError(f"{len(self.folders)} runs: at most {len(COLOURS)} can be told apart on one page")
        curves(self.folders)
        super().__init__(port, command="avw view")

    def get(self, path: str) -> Answer:
        try:
            if path == "":
                return html(page(self.folders))
            if path == "curves":
                return html(curves(self.folders))
        except AvwError as error:
            return sentence(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        return sentence(HTTPStatus.NOT_FOUND, "there is no such page")


def page(folders: Sequence[Path]) -> str:
    """The whole page."""
    values = {
        "policy": SERVED_POLICY,
        "title": escape(", ".join(map(str, folders))),
        "style": resource("style.css", __package__) + resource("hover.css"),
        "script": resource("hover.js") + resource("charts.js"),
        "body": curves(folders),
    }
    return filled(resource("living.html", __package__), values)


def curves(folders: Sequence[Path]) -> str:
    """Progress, curves by stage, and the differences between the configurations, as HTML."""
    runs = [Run(folder, colour) for folder, colour in zip(folders, COLOURS, strict=False)]
    stages = [name for name in STAGES if any(name in run.stages for run in runs)]
    stages += sorted({name for run in runs for name in run.stages} - set(stages))
    sections = [_progress(runs), _differences(runs), *(_stage(runs, stage) for stage in reversed(stages))]
    return "".join(sections)


def _progress(runs: Sequence[Run]) -> str:
    rows = []
    for run in runs:
        cells = []
        for stage, lines in run.stages.items():
            total = run.steps_of(stage)
            cells.append(f"{STAGES.get(stage, stage)}: step {lines[-1]['step']}{f' of {total}' if total else ''}")
        rows.append(f"<tr><td>{escape(run.name)}</td><td>{escape('; '.join(cells) or 'no step yet')}</td></tr>")
    key = legend([(run.name, run.colour) for run in runs], everywhere=True)
    return f'<section><h2>Progress</h2><div class="card scroll">{key}<table>{"".join(rows)}</table></div></section>'


def _differences(runs: Sequence[Run]) -> str:
    """Fields of the configurations in which a run differs from the first."""
    if len(runs) < 2:
        return ""
    found: dict[str, dict[str, str]] = {}
    first = {}
    for run in runs[1:]:
        for name, mine, theirs in config_differences(_compared(runs[0]), _compared(run)):
            first[name] = mine
            found.setdefault(name, {})[run.name] = theirs
    head = "".join(f"<th>{escape(run.name)}</th>" for run in runs)
    rows = [
        f"<tr><td>{escape(name)}</td><td>{escape(first[name])}</td>"
        + "".join(f"<td>{escape(found[name].get(run.name, first[name]))}</td>" for run in runs[1:])
        + "</tr>"
        for name in sorted(found)
    ]
    body = "".join(rows) or "<tr><td>none</td></tr>"
    table = f"<table><tr><th>field</th>{head}</tr>{body}</table>"
    return f'<section><h2>Configurations that differ</h2><div class="card scroll">{table}</div></section>'


def _compared(run: Run) -> dict[str, Any]:
    return {"train": run.config.get("train"), "dataset": run.config.get("dataset")}


def _stage(runs: Sequence[Run], stage: str) -> str:
    names = {name for run in runs for row in run.stages.get(stage, []) for name in row if name not in NOT_LOSSES}
    terms = sorted({name.removeprefix(VALIDATION) for name in names}) or ["loss"]
    charts = [
        _chart(
            f"loss: {term.replace('_', ' ')}",
            [line for run in runs for line in run.losses(stage, term)],
        )
        for term in terms
    ]
    charts.append(_chart(RATE, [run.rate(stage) for run in runs]))
    charts.append(_chart(GRADIENT, [run.line(stage, "gradient") for run in runs], log_y=True))
    charts.append(_chart(SPEED, [run.line(stage, "targets_per_second") for run in runs]))
    title = escape(STAGES.get(stage, stage))
    return f'<section><h2>{title}</h2><div class="card"><div class="charts">{"".join(charts)}</div></div></section>'


def _chart(title: str, lines: Sequence[Line], *, log_y: bool = False) -> str:
    """ "" for values that no run has."""
    if not any(len(line.x) for line in lines):
        return ""
    return f"<div>{line_chart(lines, title=title, x_label='step', log_y=log_y)}</div>"
