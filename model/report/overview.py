"""A run or a checkpoint in a few lines: `avw info RUN`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avw.model.checkpoint_header import STORED, read_header
from avw.model.pretrained.card import CARD, terms
from avw.model.report.learning import STAGES
from avw.model.run_folder import MODEL, PRETRAINED, SHIPPED, read_log, read_result_object, run_summary

HORIZON_METRICS = {"psnr": "PSNR, dB", "lsd": "log-spectral distance, dB", "ild_error": "ILD error, dB"}


def run_overview(folder: Path) -> dict[str, Any]:
    """Everything of `run_summary`, and: data, model, steps and losses per stage, success rates, and the next commands.

    Raises RunError or CheckpointError for a file that cannot be read.
    """
    values = run_summary(folder)
    config = values.get("config", {})
    rows = read_log(folder / "log.jsonl")
    wanted = _part(_part(config, "train"), "steps")
    last = {row["stage"]: row for row in rows}
    values["data"] = config.get("data")
    values["stages"] = {
        stage: {"step": row["step"], "of": wanted.get(stage), "loss": row.get("loss")} for stage, row in last.items()
    }
    values["model"] = checkpoint_overview(folder / MODEL) if (folder / MODEL).exists() else None
    values["navigation"] = {}
    if (folder / "navigation.json").exists():
        policies = _part(read_result_object(folder / "navigation.json"), "policies")
        values["navigation"] = {name: _part(policies, name).get("sr") for name in policies}
    values["next"] = _next(folder, values)
    return values


def overview_text(values: Mapping[str, Any]) -> str:
    """The same as text."""
    lines = [f"run {values['path']}, trained on {values['data'] or 'an unknown dataset'}"]
    lines += ["  " + line for line in _model_lines(values["model"])] if values["model"] else ["  no finished model yet"]
    order = list(STAGES)
    for stage in sorted(values["stages"], key=lambda name: order.index(name) if name in order else len(order)):
        row = values["stages"][stage]
        of = "" if row["of"] is None else f" of {row['of']}"
        loss = f", loss {row['loss']:.3f}" if _is_number(row["loss"]) else ""
        lines.append(f"  {'stage ' + stage if stage.isdigit() else stage}: step {row['step']}{of}{loss}")
    lines += _horizon_lines(_part(values, "evaluation"))
    lines += _success_lines({name: {"sr": interval} for name, interval in values["navigation"].items()})
    lines += [f"  {name:<28} {size:>12,} bytes" for name, size in values["files"].items() if name[0] != "."]
    lines += [f"{'Next:' if not number else '     '} {line}" for number, line in enumerate(values["next"])]
    return "\n".join(lines)


def checkpoint_overview(path: Path) -> dict[str, Any]:
    """Values of the header of a checkpoint. Raises CheckpointError."""
    header = read_header(path)
    note = header.note
    return {
        "path": str(path),
        "bytes": header.bytes,
        "parameters": header.parameters,
        "net": _part(note, "net"),
        "data": note.get("data"),
        "prediction": _part(note, "diffusion").get("prediction"),
        "max_offset": note.get("max_offset"),
        "hfov": note.get("hfov"),
        "size": _part(note, "image").get("size"),
        "stored": note.get(STORED, "float32"),
        "card": note.get(CARD),
    }


def checkpoint_text(values: Mapping[str, Any]) -> str:
    """The same as text."""
    path, card = Path(values["path"]), values["card"]
    whole = path.name == MODEL or card is not None
    kind = "a trained model" if whole else "a checkpoint of a training"
    lines = [f"{values['path']}: {kind} of AVW", *("  " + line for line in _model_lines(values))]
    if values["data"]:
        lines.append(f"  trained on {values['data']}")
    if isinstance(card, dict):
        lines.append(f"  weights in {values['stored']}; dataset spec {card.get('spec_sha256')}")
        lines += _horizon_lines(_part(card, "evaluation")) + _success_lines(_part(card, "navigation"))
        lines += [f"  {line}" for line in terms(card)]
    named = PRETRAINED if path == SHIPPED / MODEL else shlex.quote(str(path.parent if path.name == MODEL else path))
    return "\n".join([*lines, *([f"Next: avw play {named}"] if whole else [])])


def _horizon_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Metrics of the model, by horizon."""
    lines, horizons = [], _part(evaluation, "horizons")
    for metric, title in HORIZON_METRICS.items():
        cells = [
            f"{_part(_part(horizons, h), metric)['model']:.2f} at {h}"
            for h in sorted(filter(str.isdecimal, horizons), key=int)
            if _is_number(_part(_part(horizons, h), metric).get("model"))
        ]
        if cells:
            lines.append(f"  {title}: {', '.join(cells)} steps ahead")
    return lines


def _success_lines(policies: Mapping[str, Any]) -> list[str]:
    """Success rates of policies, with intervals."""
    rates = {policy: _part(policies, policy).get("sr") for policy in policies}
    return [
        "  success rate of {}: {:.2f} [{:.2f}, {:.2f}]".format(policy, *interval)
        for policy, interval in rates.items()
        if isinstance(interval, list) and len(interval) == 3 and all(map(_is_number, interval))
    ]


def _model_lines(values: Mapping[str, Any]) -> list[str]:
    millions = {name: count / 1e6 for name, count in values["parameters"].items()}
    parts = ", ".join(f"{name} {count:.2f}" for name, count in sorted(millions.items(), key=lambda item: -item[1]))
    lines = [f"{sum(millions.values()):.2f} M numbers ({parts}), {values['bytes'] / 1e6:.1f} MB"]
    net = values["net"]
    if {"depth", "width", "heads"} <= set(net):
        lines.append(
            f"AV-CDiT: {net['depth']} blocks of width {net['width']}, {net['heads']} heads, prior {net.get('prior')}, "
            f"{' and '.join(map(str, net.get('modalities') or ()))}"
        )
    shown = {"{} pixels": values["size"], "{:g}° wide": values["hfov"], "up to {} steps ahead": values["max_offset"]}
    facts = [text.format(value) for text, value in shown.items() if _is_number(value)]
    return [*lines, ", ".join(facts)] if facts else lines


def _next(folder: Path, values: Mapping[str, Any]) -> list[str]:
    """What to type next, most useful first."""
    run = shlex.quote(str(folder))
    if values["model"] is None:
        return [f"avw train {shlex.quote(str(values['data'] or 'DATA'))} --out {run}"]
    lines = []
    if "evaluation" not in values:
        lines.append(f"avw evaluate {run}")
    if not values["navigation"]:
        lines.append(f"avw navigate --policy mpc --model {run}")
    return [*lines, f"avw play {run}", f"avw report {run}"]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside another one; empty if it is missing or not an object."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}
