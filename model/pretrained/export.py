"""Export the model of a run as one file: the weights in float16, the tokenizers, the calibration, and the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avw.avw4k.plan.presets import PRESETS
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.writing.generate_dataset import plan_dataset
from avw.model import checkpoint
from avw.model.pretrained.card import CARD, METHODS, METRICS, POLICY_METRICS, card_text
from avw.model.run_folder import CONFIG, model_file, read_result_object, run_data
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write

EVALUATION, NAVIGATION = "evaluation.json", "navigation.json"
OF_THIS_MACHINE = ("data_from_run",)  # fields of a note that name places


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedModel:
    """file, card: what was written · bytes: of `file` · kept: tensors that float16 does not cover, in float32
    missing: results of the run that are not there, so that the card has no figures of them"""

    file: str
    card: str
    bytes: int
    kept: tuple[str, ...]
    missing: tuple[str, ...]


def export_checkpoint(run: Path, out: Path) -> ExportedModel:
    """Write the model of a finished run to the file `out`, and its card as text beside it.

    The weights are those that the run predicts with: the moving average of training. The same run gives the same
    tensors and the same note. Raises UsageError for another name than *.safetensors, CheckpointError for a run without
    a trained model, and RunError if a file of it or its dataset is missing.
    """
    if out.suffix != ".safetensors":
        raise UsageError(f"--out {out}: the name of a checkpoint ends in .safetensors")
    source = model_file(run)
    tensors, note = checkpoint.load(source)
    config = read_result_object(source.parent / CONFIG)
    dataset = open_dataset(run_data(source, note))
    results = {name: source.parent / name for name in (EVALUATION, NAVIGATION)}
    found = {name: read_result_object(path) for name, path in results.items() if path.is_file()}
    card = made_card(dataset, config, found.get(EVALUATION), found.get(NAVIGATION))
    halves = checkpoint.halved(tensors)
    kept = tuple(
        sorted(name for name, half in halves.items() if half.dtype == tensors[name].dtype and half.is_floating_point())
    )
    place = {"data": f"data/{card['preset'] or dataset.path.name}"}  # relative: the path is that of this machine
    note = {name: value for name, value in note.items() if name not in OF_THIS_MACHINE}
    checkpoint.save(out, halves, {**note, **place, checkpoint.STORED: checkpoint.HALF, CARD: card})
    size = out.stat().st_size
    beside = out.with_suffix(".md")
    atomic_write(beside, card_text(card, name=out.name, facts=_facts(note, halves, size)), shared=True)
    return ExportedModel(
        file=str(out), card=str(beside), bytes=size, kept=kept, missing=tuple(sorted(set(results) - set(found)))
    )


def made_card(
    dataset: Dataset,
    config: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
    navigation: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The card as JSON values.

    dataset: that the run was trained on · config: config.json of the run · evaluation, navigation: its results, or None
    """
    from avw import __version__

    preset = preset_of(dataset.spec)
    name = "DATA" if preset is None else f"data/{preset}"
    train = _published(config.get("train") or {})
    return {
        "avw": __version__,
        "preset": preset,
        "generate": None if preset is None else f"avw generate {name} --preset {preset}",
        "made": f"avw train {name} --config CONFIG --out RUN; avw evaluate RUN; avw export RUN --to checkpoint",
        "spec_sha256": dataset.spec.sha256,
        "spec": dataset.info["spec"],
        "episodes": len(dataset.episodes()),
        "licences": {**dataset.info.get("licences", {}), **_terms_of_weights(train)},
        "train": train,
        "evaluation": None if evaluation is None else _evaluated(evaluation),
        "navigation": None if navigation is None else _navigated(navigation),
    }


def _published(train: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a training without paths of this machine."""
    found = dict(train)
    if found.get("init"):
        found["init"] = "nwm:" + Path(found["init"].removeprefix("nwm:")).name
    if found.get("tokenizers"):
        found["tokenizers"] = {**found["tokenizers"], **_taken(found["tokenizers"])}
    return found


def _taken(tokenizers: Mapping[str, Any]) -> dict[str, str]:
    """The tokenizers that are not trained with the model, "image" and "audio", as KIND:FILE without the folder."""
    chosen = {sense: str(tokenizers.get(sense, "")).partition(":") for sense in ("image", "audio")}
    return {
        sense: kind if kind == "sd-vae" else f"{kind}:{Path(place).name}"
        for sense, (kind, _, place) in chosen.items()
        if place or kind == "sd-vae"
    }


def _terms_of_weights(train: Mapping[str, Any]) -> dict[str, Any]:
    """The licences of the weights that a training began with, beside those of its data."""
    found: dict[str, Any] = {}
    if train.get("init"):
        found = {"initial weights": "Navigation World Models: CC-BY-NC, no commercial use", "restricted": True}
    for sense, name in _taken(train.get("tokenizers") or {}).items():
        found[f"{sense} tokenizer"] = f"{name}: that of these weights, and of the data that they were fitted to"
    return found


def preset_of(spec: DatasetSpec) -> str | None:
    """The preset of `avw generate` that gives this dataset; None for a dataset that was made with other options."""
    return next((name for name in PRESETS if plan_dataset(preset=name)[0].same_as(spec)), None)


def _evaluated(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The part of evaluation.json that a card shows."""
    horizons = {
        horizon: {
            metric: {name: rows[metric].get(name) for name in METHODS if name in rows[metric]}
            for metric in METRICS
            if metric in rows
        }
        for horizon, rows in evaluation["horizons"].items()
    }
    return {"split": evaluation["split"], "scenes": len(evaluation["scenes"]), "horizons": horizons}


def _navigated(navigation: Mapping[str, Any]) -> dict[str, Any]:
    """The part of navigation.json that a card shows: mean and interval of each metric of each policy."""
    policies = navigation["policies"]
    return {name: {metric: row[metric] for metric in POLICY_METRICS if metric in row} for name, row in policies.items()}


def _facts(note: dict[str, Any], tensors: dict[str, Any], size: int) -> list[str]:
    net = note["net"]
    count = sum(tensor.numel() for tensor in tensors.values())
    return [
        f"{count / 1e6:.2f} M numbers in {size / 1e6:.1f} MB: network, tokenizers and compositor",
        f"{net['depth']} blocks of width {net['width']}, {' and '.join(net['modalities'])}, prior {net['prior']}",
        f"images of {note['image']['size']} pixels, {note['hfov']:g}° wide; up to {note['max_offset']} steps ahead",
    ]
