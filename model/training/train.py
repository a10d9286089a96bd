"""Training of AV-CDiT: first the tokenizers, then three stages (AV-CDiT, arXiv 2512.00883).

    tokenizers  image and audio tokenizer, fitted on the training split
    1           vision: attention, conditions, and the adapter, experts and head of vision
    2           sound: the adapter, experts and head of audio; all weights of stage 1 (its EMA) are frozen
    3           everything jointly, with the reward output

Each stage has its own checkpoint, which is written every `save_every` steps and at the end. Batches are pure functions
of (seed, stage, step), so a resumed run gives the same result as an uninterrupted one. Started by torchrun, several
processes share each batch; the first of them makes tokenizers and latents, and writes the files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import torch

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import Windows
from avw.model import checkpoint
from avw.model.av_cdit import AvCdit
from avw.model.frames import EncodedFrames
from avw.model.run_folder import MODEL
from avw.model.tokenizers.fit import fit_tokenizers
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.batches import Part
from avw.model.training.calibrate import calibrate
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.run_config import claim, fingerprint
from avw.model.training.nwm_import import import_nwm, init_path
from avw.model.training.pixels import fit_compositor
from avw.model.training.ranks import Ranks, joined, launched, lost_ranks, own_device
from avw.model.training.stage import Report, run_stage
from avw.model.training.stage_state import file_of
from avw.model.training.train_log import Board, boards
from avw.model.training.weights import init_weights, prepare
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors
from avw.sim_bridge.storage.file_lock import claimed

STAGES = ("tokenizers", "1", "2", "3")


def train(
    dataset: Dataset, out: Path, config: TrainConfig, *, stages: tuple[str, ...] = STAGES, device: str = "cpu",
    report: Report = lambda stage, step, steps, losses: None,
) -> WorldModel:  # fmt: skip
    """Train into the folder `out`. Resumes a run with the same configuration that is there. Returns the model.

    Raises UsageError for a folder that another command is training in, or that holds another run, and TrainingError for
    a training that cannot go on.
    """
    busy = f"{out} is being written by another `avw train`; wait for it, or name another folder with --out"
    device = own_device(device)
    with ExitStack() as stack:
        if launched()[0] == 0:
            stack.enter_context(claimed(out, busy))
            with readable_errors("cannot write the run", out):
                out.mkdir(parents=True, exist_ok=True)
            claim(out, config, dataset)
        ranks = stack.enter_context(joined(device, config.rank_timeout))
        listeners = boards(config, out) if ranks.first else []
        for board in listeners:
            stack.callback(board.close)
        heard = report if ranks.first else _silent
        return _train(dataset, out, config, stages, device, heard, ranks, listeners)


def _train(
    dataset: Dataset, out: Path, config: TrainConfig, stages: tuple[str, ...], device: str, report: Report,
    ranks: Ranks, listeners: Sequence[Board],
) -> WorldModel:  # fmt: skip
    for contexts in (config.contexts, config.sound_contexts, config.reward_contexts):
        Part(0, ranks.count * config.accumulate).of(contexts)  # before the hours of the first stages
    place = torch.device(device)
    path = out / "tokenizers.safetensors"
    with ranks.in_turn():
        if not ranks.first and not path.exists():
            raise UsageError(
                f"process {ranks.rank} does not find {path}, which the first process has written: --out must be in a "
                "folder that all machines share"
            )
        tokenizers = fit_tokenizers(dataset, path, config.tokenizers, config.seed, report, place)
    net = AvCdit(config.net).to(place)
    init_weights(net, config.seed)
    if config.init and not file_of(out, "1").exists():
        imported = import_nwm(net, init_path(config.init))
        if ranks.first:
            atomic_write(out / "init.json", json.dumps(asdict(imported), indent=1))
    if stages == ("tokenizers",):
        return _world_model(net, tokenizers, config, dataset, device)
    prepare(net, config)

    with ranks.in_turn():
        frames = _encoded(dataset, "train", tokenizers, config, out / "latents", report)
    validation = None
    if (config.validate_every or config.sample_every) and dataset.episodes("val") and ranks.first:
        validation = _encoded(dataset, "val", tokenizers, config, out / "latents-val", _silent)
    for stage in [s for s in ("1", "2", "3") if s in stages]:
        with lost_ranks(f"in stage {stage}"):  # also where a stage begins and ends
            run_stage(
                net, stage, frames, tokenizers, config, out, place, report, validation=validation, boards=listeners,
                ranks=ranks,
            )  # fmt: skip
    with ranks.in_turn():
        if not ranks.first and "3" in stages:
            return WorldModel.load(out, device=device)
        model = _world_model(net, tokenizers, config, dataset, device)
        if "3" in stages:
            if config.net.prior == "memory" and config.compositor_steps:
                model.compositor = fit_compositor(model, frames, config, out / "compositor.safetensors", report)
            if dataset.episodes("val"):
                model.calibration = calibrate(model, dataset, validation)
            model.save(out / MODEL)
    return model


def _encoded(
    dataset: Dataset, split: str, tokenizers: Tokenizers, config: TrainConfig, folder: Path, report: Report
) -> EncodedFrames:
    """The frames of a split as latents, which are computed once and kept in `folder`."""
    windows = Windows(dataset, split, replace(config.windows, ages=config.net.ages))
    key = f"{fingerprint(dataset)}/{checkpoint.fingerprint(folder.parent / 'tokenizers.safetensors')}"
    return EncodedFrames(windows, tokenizers, config.net, folder, key=key, progress=_count(report, windows.frames))


def _silent(stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
    """Report nothing: one process reports for all."""


def _world_model(net: AvCdit, tokenizers: Tokenizers, config: TrainConfig, dataset: Dataset, device: str) -> WorldModel:
    note = {
        "data": str(dataset.path),
        "dataset": fingerprint(dataset),
        "licences": dataset.info.get("licences", []),
        "max_offset": config.windows.max_offset,
    }
    hfov = dataset.spec.simulator.hfov
    return WorldModel(net, tokenizers, config.diffusion, hfov=hfov, note=note, device=device)


def _count(report: Report, total: int) -> Callable[[int], None]:
    done = 0

    def add(frames: int) -> None:
        nonlocal done
        done += frames
        report("latents", done, total, {})

    return add
