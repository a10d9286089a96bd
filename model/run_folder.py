"""The folder of a run: what `avw train`, `avw evaluate` and `avw navigate` have written into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import NoRunError, RunError
from avw.sim_bridge.storage.json_lines import complete_lines
from avw.sim_bridge.storage.small_files import as_object, parse_lines, read_json
from avw.sim_bridge.storage.typed_json import typed

CONFIG = "config.json"  # of a run, written first
MODEL = "model.safetensors"  # of a run, written last
RESULTS = (CONFIG, MODEL, "evaluation.json", "navigation.json", "log.jsonl")
"""Files of a run that no other folder of AVW has."""
POLICY = "policy.safetensors"  # of a run: the cloned policy
INVERSE = "inverse.safetensors"  # of a run: its inverse dynamics
NOT_LOSSES = ("stage", "step", "seconds", "loss", "gradient", "targets_per_second", "mfu")
"""Names in a line of log.jsonl that are not loss terms."""
LARGEST = 2**29  # bytes; navigation records hold a path per episode
LATEST = Path("runs/latest")  # where `avw train` writes if no folder is named
PRETRAINED = "pretrained"  # in place of a run: the model that ships with AVW
SHIPPED = Path(__file__).parent / PRETRAINED  # its folder


def run_path(run: str | Path) -> Path:
    """The folder or the checkpoint that a user's name of a run stands for.

    Raises NoRunError for `pretrained` in a copy of AVW that contains no trained model.
    """
    if str(run) != PRETRAINED:
        return Path(run)
    if not (SHIPPED / MODEL).is_file():
        raise NoRunError(f"this copy of AVW contains no trained model. {missing_model_remedy()}")
    return SHIPPED


def model_file(run: str | Path) -> Path:
    """The checkpoint of a run; `run` may be the checkpoint itself."""
    path = run_path(run)
    return path if path.suffix == ".safetensors" else path / MODEL


def has_model(run: Path) -> bool:
    """Whether a run is trained."""
    return model_file(run).is_file()


def chosen_run(named: str | Path | None, report: Callable[[str], object] = lambda line: None) -> Path:
    """The named run; if none is named, runs/latest, or else the model that ships with AVW.

    report: called with one line that says which of the two is used. Raises NoRunError if there is neither.
    """
    if named is not None:
        return run_path(named)
    if has_model(LATEST):
        report(f"Using the model of {LATEST}.")
        return LATEST
    if not has_model(SHIPPED):
        raise NoRunError(
            f"no run is named, {LATEST} contains no trained model, and this copy of AVW contains none either. "
            f"{missing_model_remedy()}"
        )
    report(f"No run is named: using the model that ships with AVW (avw info {PRETRAINED}).")
    return SHIPPED


def missing_model_remedy() -> str:
    """What to type where no trained model is available."""
    return (
        f"Train one: avw train DATA. To make it the model that ships with this copy: avw export RUN --to checkpoint "
        f"--out {SHIPPED / MODEL}"
    )


def results_folder(run: str | Path) -> Path:
    """Where results of a run are written: its folder; for the model that ships with AVW, runs/pretrained."""
    path = run_path(run)
    folder = path if path.suffix != ".safetensors" else path.parent
    return LATEST.with_name(PRETRAINED) if folder.resolve() == SHIPPED.resolve() else folder


def is_run(folder: Path) -> bool:
    """Whether a folder contains files of a run (and is not a dataset)."""
    if not folder.is_dir() or (folder / "info.json").is_file():
        return False
    return any((folder / name).is_file() for name in RESULTS) or any(folder.glob("navigation-*.json*"))


def trainable(run: Path) -> str:
    """The folder to name in advice on how to train what `run` lacks: not a dataset, not a file, not inside AVW."""
    usable = not run.is_file() and not (run / "info.json").is_file() and run.resolve() != SHIPPED.resolve()
    return str(run) if usable and run.suffix != ".safetensors" else "runs/mine"


def nothing_there(run: Path) -> str:
    """What is wrong with a path that should be a run: it is missing, a file, a dataset, or has no model."""
    if not run.exists():
        return f"{run} does not exist"
    if run.is_file():
        return f"{run} is a file, not the folder of a run"
    if (run / "info.json").is_file():
        return f"{run} is a dataset, not a run"
    return f"{run} contains no trained model"


def read_result(path: Path) -> Any:
    """The JSON value in a file of a run. Measurements in it may be NaN. Raises RunError with the reason."""
    try:
        return read_json(path, LARGEST, finite=False)
    except FileNotFoundError:
        if path.name == CONFIG or not path.parent.is_dir():
            raise NoRunError(
                f"{path.parent} is not a run: it has no {path.name}. Create one: avw train DATA --out "
                f"{trainable(path.parent)}"
            ) from None
        raise RunError(f"{path} does not exist; run the command that writes it") from None
    except ValueError as error:
        raise RunError(
            f"{path} cannot be read ({error}). It was changed, or the disk was full when it was written; run the "
            "command that writes it again"
        ) from error


def read_result_object(path: Path) -> dict[str, Any]:
    """The same for a JSON object."""
    try:
        return as_object(read_result(path))
    except ValueError as error:
        raise RunError(f"{path} cannot be read ({error}); run the command that writes it again") from error


def run_data(run: Path, note: Mapping[str, Any] | None = None) -> Path:
    """The dataset that a run was trained on, as config.json names it: by its place relative to the run, which is still
    right when both were moved together, or else by the path that `avw train` was given.

    run: its folder, or its model.safetensors · note: that of the model, for a checkpoint without its config.json
    Raises RunError if the dataset is not there.
    """
    run = run.parent if run.suffix == ".safetensors" else run
    path = run / CONFIG
    try:
        config = read_result_object(path) if note is None or path.exists() else note
        named = typed(str, config.get("data"), "data")
        beside = typed(str | None, config.get("data_from_run"), "data_from_run")
    except ValueError as error:
        raise RunError(f"{path} does not name the dataset of the run ({error})") from error
    places = [Path(named)] if beside is None else [run / beside, Path(named)]
    for place in places:
        if (place / "info.json").exists():
            same = place.resolve() == Path(named).resolve()
            return Path(named) if same else Path(os.path.normpath(place))
    card = config.get("card")
    if isinstance(card, dict) and isinstance(card.get("generate"), str):
        raise RunError(f"the dataset of this model is not in {named}. Make it: {card['generate']}; or name another one")
    raise RunError(
        f"the run {run} was trained on {named}, which is not there: the run or its data were moved, or the command was "
        f"typed in another folder. Name the dataset, e.g. avw evaluate {run} DATA"
    )


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of log.jsonl. A line that is not complete or not valid, e.g. after a crash, is skipped."""
    try:
        lines = complete_lines(path)
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise RunError(f"{path} cannot be read ({error}); remove it") from error
    rows = [row for _, row in parse_lines(lines, finite=False)]
    return [row for row in rows if isinstance(row.get("stage"), str) and isinstance(row.get("step"), int)]


def run_summary(folder: Path) -> dict[str, Any]:
    """The configuration and the evaluation of a run, and its files with their sizes. JSON values.

    Raises RunError for a file that is not valid JSON.
    """
    values: dict[str, Any] = {"path": str(folder)}
    for name in ("config.json", "evaluation.json"):
        path = folder / name
        if path.exists():
            values[path.stem] = read_result_object(path)
    values["files"] = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    return values
