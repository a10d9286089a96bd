"""Evaluate the model of a run: `avw.evaluate` and `avw evaluate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.device import pick_device
from avw.model.evaluation.config import EvaluationConfig
from avw.model.evaluation.counterfactuals import measure_counterfactuals
from avw.model.evaluation.futures import Future, Recorded
from avw.model.evaluation.model_source import ModelSource, round_trip
from avw.model.evaluation.parts import PARTS, OnPart, Progress, measure_source, with_parts
from avw.model.evaluation.rollouts import measure_rollouts
from avw.model.evaluation.samples import write_samples
from avw.model.evaluation.sequences import longest_episode, sound_of
from avw.model.run_folder import results_folder, run_data, run_path
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.file_lock import claimed


def evaluate(
    run: str | Path = "runs/latest",
    data: str | Path | Dataset | None = None,
    *,
    split: str = "test",
    horizons: Sequence[int] = (1, 4, 16),
    count: int = 1000,
    denoising_steps: int | None = None,
    against: Sequence[str | Path] = (),
    parts: Sequence[str] = PARTS,
    device: str = "auto",
    progress: Progress = lambda windows: None,
    on_part: OnPart = lambda name: None,
) -> dict[str, Any]:
    """Measure the predictions of a trained model and of its baselines, and write RUN/evaluation.json.

    run: its folder, or "pretrained", the model that ships with AVW, whose results are written to runs/pretrained
    data: a dataset or its folder; None: the dataset that the run was trained on · horizons: steps ahead
    count: windows per horizon · denoising_steps: None: as many as the model was trained for
    against: one or two other runs, stitched into one method: the images of the first, the sound and reward of the last
    parts: what is measured; "horizons" always is · progress: called with the number of windows that were just done
    on_part: called with the name of a part before it is measured, and before that with "encoding the frames"

    Returns the content of evaluation.json: `result["horizons"]["4"]["psnr"]["model"]`, and so on.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise UsageError(f"unknown part {unknown[0]!r} of an evaluation: expected some of {', '.join(PARTS)}")
    if len(against) > 2:
        raise UsageError(f"{len(against)} runs to compare with: expected one, or one for images and one for sound")
    chosen_device = pick_device(device)
    run, folder = run_path(run), results_folder(run)
    target = folder / "evaluation.json"
    model = WorldModel.load(run, chosen_device)
    others = [WorldModel.load(other, chosen_device) for other in against]
    if data is None:
        data = run_data(run, model.note)
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    config = EvaluationConfig(split=split, horizons=tuple(horizons), count=count, denoising_steps=denoising_steps)
    busy = f"{target} is being written by another `avw evaluate`; wait for it"
    folder.mkdir(parents=True, exist_ok=True)
    with claimed(target, busy):
        result = evaluate_model(
            model, dataset, config, others=others, parts=parts, samples=folder / "samples", progress=progress,
            on_part=on_part,
        )  # fmt: skip
        result["against"] = [run_path(other).name for other in against]
        atomic_write(target, json.dumps(result, indent=2, allow_nan=False))
    return result


def evaluate_model(
    model: WorldModel,
    dataset: Dataset,
    config: EvaluationConfig,
    *,
    others: Sequence[WorldModel] = (),
    parts: Sequence[str] = PARTS,
    samples: Path | None = None,
    progress: Progress = lambda windows: None,
    on_part: OnPart = lambda name: None,
) -> dict[str, Any]:
    """The content of evaluation.json. samples: folder for film strips and sounds.

    Horizons that are longer than every episode of the split, or than the model was trained for, are skipped and listed
    under "skipped_horizons", with the reason. Raises UsageError if no horizon is left.
    """
    windows = Windows(dataset, config.split, WindowConfig(ages=model.ages))
    horizons, skipped = possible_horizons(windows, config.horizons, model.max_offset)
    steps = model.denoising_steps if config.denoising_steps is None else config.denoising_steps
    longest = max([*horizons, config.length])
    on_part("encoding the frames")
    with ExitStack() as stack:
        source = stack.enter_context(ModelSource(model, windows, longest=longest, denoising_steps=steps))
        stitched = [
            stack.enter_context(ModelSource(other, windows, longest=longest, denoising_steps=config.denoising_steps))
            for other in others
        ]
        result: dict[str, Any] = {
            "split": config.split,
            "scenes": sorted({ref.scene for ref in windows.episodes}),
            "denoising_steps": steps,
            **measure_source(
                source, config, horizons, parts=parts, stitched=stitched, progress=progress, on_part=on_part
            ),
            "skipped_horizons": skipped,
        }
        if samples is not None:
            on_part("samples")
            recorded = Recorded(source.windows)
            write_samples(
                source, recorded, samples, count=config.shown, length=config.length, candidates=config.candidates
            )
    measured: dict[str, dict[str, Any] | str] = {}
    if "counterfactuals" in parts:
        on_part("counterfactuals")
        measured["counterfactuals"] = measure_counterfactuals(
            model,
            windows,
            count=config.counterfactuals,
            turn=config.turn,
            denoising_steps=config.denoising_steps,
            round_trip=lambda audio_NES: sound_of(round_trip(model, Future(audio_NES=audio_NES))),
        )
    if "rollouts" in parts:
        on_part("rollouts")
        measured["rollouts"] = measure_rollouts(
            model,
            windows,
            count=config.rollouts,
            length=config.rollout_length,
            denoising_steps=config.denoising_steps,
        )
    return with_parts(result, measured)


def possible_horizons(windows: Windows, horizons: Sequence[int], max_offset: int) -> tuple[list[int], dict[str, str]]:
    """(the horizons that have a window and that the model was trained for, {skipped horizon: reason})."""
    longest = longest_episode(windows)
    skipped = {}
    for horizon in horizons:
        if horizon > longest:
            skipped[str(horizon)] = f"the longest episode of the {windows.split} split has {longest} steps"
        elif horizon > max_offset:
            skipped[str(horizon)] = f"the model was trained to look at most {max_offset} steps ahead"
    possible = [horizon for horizon in horizons if str(horizon) not in skipped]
    if not possible:
        most = min(longest, max_offset)
        suggestion = ",".join(str(horizon) for horizon in sorted({1, max(1, most // 2), max(1, most)}))
        raise UsageError(
            f"{windows.dataset.path}: {skipped[str(min(horizons))]}, so no window of {min(horizons)} steps can be "
            f"evaluated. Choose shorter horizons, e.g. --horizons {suggestion}, or generate longer episodes: "
            "avw generate --steps N"
        )
    return possible, skipped
