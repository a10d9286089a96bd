"""The card of an exported model: what it was trained on, how, under which terms, and what was measured.

It is stored in the note of the checkpoint, so that one file says everything. Where the dataset is missing, it takes its
place: the spec names the test scenes, the simulator and the sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avw.avw4k.plan.spec import SPLITS, DatasetSpec, split_scenes
from avw.model.checkpoint_header import read_header
from avw.model.run_folder import model_file
from avw.sim_bridge.errors import CheckpointError, DatasetError, UsageError
from avw.sim_bridge.storage.small_files import as_object

CARD = "card"  # its name in the note of a checkpoint
METHODS = ("model", "reprojection", "persistence", "oracle_tokenizer")
METRICS = {
    "psnr": "PSNR, dB ↑",
    "psnr_unseen": "PSNR of unseen pixels, dB ↑",
    "ssim": "SSIM ↑",
    "lsd": "log-spectral distance, dB ↓",
    "ild_error": "ILD error, dB ↓",
    "reward_error": "reward error, m ↓",
}
POLICY_METRICS = {"sr": "success rate ↑", "spl": "SPL ↑", "softspl": "SoftSPL ↑"}


@dataclass(frozen=True, slots=True)
class Origin:
    """The dataset of an exported model, as its card describes it. spec: of the dataset · card: the whole card"""

    spec: DatasetSpec
    card: dict[str, Any]

    def scenes(self, split: str) -> list[str]:
        """The scenes of a split, sorted."""
        return sorted(scene for scene, part in split_scenes(self.spec).items() if part == split)


def read_origin(run: Path) -> Origin | None:
    """Where the model of a run comes from; None for a model without a card, and for a run without a model.

    Reads the header of the checkpoint only. Raises CheckpointError for a damaged checkpoint or card.
    """
    path = model_file(run)
    if not path.is_file():
        return None
    note = read_header(path).note
    if CARD not in note:
        return None
    try:
        card = as_object(note[CARD])
        spec = DatasetSpec.from_json(card["spec"])
        if spec.sha256 != card["spec_sha256"]:
            raise ValueError("its dataset spec is not the one of its hash")
        return Origin(spec, card)
    except (KeyError, TypeError, ValueError, UsageError, DatasetError) as error:
        raise CheckpointError(f"{path}: its card cannot be read ({error}); export the model again") from error


def card_text(card: Mapping[str, Any], *, name: str, facts: Sequence[str]) -> str:
    """The card as Markdown. name: of the file · facts: about the network, one line each"""
    spec = card["spec"]
    splits = split_scenes(DatasetSpec.from_json(spec))
    counts = ", ".join(f"{list(splits.values()).count(split)} {split}" for split in SPLITS)
    source = f"preset `{card['preset']}`" if card["preset"] else "no preset"
    lines = [
        f"# Model card of {name}",
        "",
        "AV-CDiT of AVW, an independent implementation of arXiv 2512.00883: it predicts images, depth, binaural sound "
        "and reward after actions. Weights are the moving average of training, in 16-bit floating point; they are "
        "widened to 32 bits when they are loaded.",
        "",
        *(f"* {fact}" for fact in facts),
        "",
        "## Data",
        "",
        f"* {source}: {card['episodes']} episodes of {spec['steps']} steps in {len(splits)} scenes ({counts}); only "
        "the training scenes were trained on",
        f"* sound of the sources: {', '.join(spec['sounds'])}; distances are not reliable for others",
        f"* SHA-256 of the dataset's spec: `{card['spec_sha256']}`",
        *(f"* {line}" for line in terms(card)),
        "",
        "## Made by",
        "",
        "```text",
        *([card["generate"]] if card["generate"] else []),
        *card["made"].split("; "),
        "```",
        "",
        f"with AVW {card['avw']}. The configuration of the training is in the note of the file.",
        "",
    ]
    return "\n".join([*lines, *_evaluation_lines(card["evaluation"]), *_navigation_lines(card["navigation"])])


def terms(card: Mapping[str, Any]) -> list[str]:
    """The licences of the data, one line each."""
    licences = dict(card.get("licences") or {})
    restricted = licences.pop("restricted", False)
    lines = [f"licence of the {name}: {text}" for name, text in licences.items()]
    return [*lines, *(["publishing needs the permission of the owners of the data"] if restricted else [])]


def _evaluation_lines(evaluation: Mapping[str, Any] | None) -> list[str]:
    if evaluation is None:
        return ["## Evaluation", "", "Not evaluated.", ""]
    title = f"On {evaluation['scenes']} {evaluation['split']} scenes, before rounding to 16 bits (`avw evaluate`):"
    lines = ["## Evaluation", "", title, "", "| metric | steps ahead | " + " | ".join(METHODS) + " |"]
    lines.append("| --- | ---: |" + " ---: |" * len(METHODS))
    for metric, label in METRICS.items():
        for horizon, rows in evaluation["horizons"].items():
            if metric in rows:
                cells = " | ".join(_number(rows[metric].get(method)) for method in METHODS)
                lines.append(f"| {label} | {horizon} | {cells} |")
    return [*lines, ""]


def _navigation_lines(navigation: Mapping[str, Any] | None) -> list[str]:
    if navigation is None:
        return []
    lines = ["## Navigation", "", "Mean and 95 % interval (`avw navigate`):", ""]
    lines += ["| policy | " + " | ".join(POLICY_METRICS.values()) + " |", "| --- |" + " ---: |" * len(POLICY_METRICS)]
    for policy, row in navigation.items():
        cells = (row.get(metric) or [None] * 3 for metric in POLICY_METRICS)
        lines.append(f"| {policy} | " + " | ".join("{} [{}, {}]".format(*map(_number, cell)) for cell in cells) + " |")
    return [*lines, ""]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
