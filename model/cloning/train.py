"""Training of the cloned policy: rounds of demonstrations and of supervised learning on all demonstrations so far.

RUN/policy.safetensors is the result, and RUN/inverse.safetensors the inverse dynamics of the same demonstrations.
RUN/policy/ has the demonstrations, a checkpoint per round and the state of the round that is under way; the same call
continues from there, with the same result as without an interruption. The state is saved every `SAVED` steps.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avw.avw4k.execution.local_processes import run_in_processes
from avw.avw4k.execution.protocol import Execute
from avw.avw4k.reading.dataset import Dataset
from avw.model import checkpoint
from avw.model.cloning.demonstrations import (
    Demonstration,
    DemonstrationTask,
    DemonstrationWork,
    load_net,
    read_demonstration,
)
from avw.model.cloning.inverse import save_inverse, train_inverse
from avw.model.cloning.network import START, ClonedNet, ClonedNetConfig, cloning_loss
from avw.model.device import pick_device
from avw.model.run_folder import INVERSE, POLICY
from avw.model.training.configuration.run_config import fingerprint
from avw.sim_bridge.config_differences import config_differences
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng, keyed_seed
from avw.sim_bridge.scenes.catalogue import scene_refs
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.small_files import read_object

FOLDER = "policy"
SAVED = 100  # steps between two saved states

Report = Callable[[str, int, int, dict[str, float]], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class CloningConfig:
    """rounds: the first with the oracle, the others with DAgger · episodes, steps: of a round
    batch: episodes per step · length: steps of an episode that a batch has at most
    """

    seed: int = 0
    rounds: int = 3
    episodes: int = 212
    steps: int = 600
    batch: int = 16
    length: int = 96
    learning_rate: float = 1e-3
    net: ClonedNetConfig = field(default_factory=ClonedNetConfig)


def train_policy(
    dataset: Dataset,
    out: Path,
    config: CloningConfig | None = None,
    *,
    workers: int = 1,
    device: str = "cpu",
    execute: Execute = run_in_processes,
    report: Report = lambda stage, step, steps, losses: None,
) -> ClonedNet:
    """Train a policy in the training houses of a dataset, or continue the training in `out`.

    report: called with (stage, step, steps, losses), also for each demonstration
    Raises UsageError if `out` holds a training with another configuration.
    """
    config = config or CloningConfig()
    _same_config(out / FOLDER / "config.json", config, dataset)
    scenes = sorted({ref.scene for ref in dataset.episodes("train")})
    if not scenes:
        raise UsageError("the dataset has no training episodes yet, so there are no houses to demonstrate in")
    chosen = torch.device(pick_device(device))
    shown: list[Demonstration] = []
    for number in range(config.rounds):
        tasks = _tasks(out, scenes, config, number)
        _demonstrate(dataset, tasks, config, number, workers, execute, report)
        shown += [read_demonstration(task.path) for task in tasks]
        path = round_file(out, number)
        if path.exists():
            continue
        before = None if number == 0 else round_file(out, number - 1)
        net = _train_round(shown, before, out, config, number, chosen, report)
        checkpoint.save(path, *_content(net, config))
        _state_file(out).unlink(missing_ok=True)  # not before: a kill in between would repeat the round
    if not (out / INVERSE).exists():
        inverse, right = train_inverse(shown, config.net, seed=config.seed, steps=config.steps, device=chosen)
        save_inverse(out / INVERSE, inverse)
        report("inverse dynamics", config.steps, config.steps, {} if math.isnan(right) else {"inverse_right": right})
    net = load_net(round_file(out, config.rounds - 1))
    checkpoint.save(out / POLICY, *_content(net, config))
    return net


def round_file(out: Path, number: int) -> Path:
    """The checkpoint at the end of a round."""
    return out / FOLDER / f"round-{number}.safetensors"


def _state_file(out: Path) -> Path:
    """The saved state within a round."""
    return out / FOLDER / "training.safetensors"


def _content(net: ClonedNet, config: CloningConfig) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    note = {"policy": checkpoint.as_json(net.config), "training": checkpoint.as_json(config)}
    return checkpoint.prefixed("net", net.state_dict()), note


def _same_config(path: Path, config: CloningConfig, dataset: Dataset) -> None:
    wanted = checkpoint.as_json(config) | {"dataset": fingerprint(dataset)}
    if path.exists():
        differing = config_differences(read_object(path), wanted)
        if differing:
            fields = "; ".join(f"{name}: {old} there, {new} requested" for name, old, new in differing[:4])
            raise UsageError(
                f"{path.parent} holds the training of another policy ({fields}); repeat its command, or name another "
                "folder with --out"
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(wanted, indent=1))


def _tasks(out: Path, scenes: Sequence[str], config: CloningConfig, number: int) -> list[DemonstrationTask]:
    folder = out / FOLDER / "demonstrations" / f"round-{number}"
    policy = None if number == 0 else round_file(out, number - 1)
    return [
        DemonstrationTask(
            scene=scenes[episode % len(scenes)], episode=episode, round=number,
            path=folder / f"episode-{episode:05d}.npz", policy=policy,
        )
        for episode in range(config.episodes)
    ]  # fmt: skip


def _demonstrate(
    dataset: Dataset, tasks: list[DemonstrationTask], config: CloningConfig, number: int, workers: int,
    execute: Execute, report: Report,
) -> None:  # fmt: skip
    missing = [task for task in tasks if not task.path.exists()]
    refs = scene_refs({task.scene for task in missing})
    work = DemonstrationWork(config.seed, dataset.spec.simulator, dataset.spec.sounds, refs)
    done, stage = len(tasks) - len(missing), f"demonstrations {number}"
    for _ in execute(work, missing, workers, scene_of=lambda task: task.scene, on_steps=lambda steps: None):
        done += 1
        report(stage, done, len(tasks), {})


def _train_round(
    shown: list[Demonstration], before: Path | None, out: Path, config: CloningConfig, number: int,
    device: torch.device, report: Report,
) -> ClonedNet:  # fmt: skip
    """One round of training, from the network of the round before, or from its saved state."""
    torch.manual_seed(keyed_seed(config.seed, "cloning"))
    net = ClonedNet(config.net) if before is None else load_net(before).requires_grad_(True)
    net.to(device).train()
    names = [name for name, _ in net.named_parameters()]
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    state, first = _state_file(out), 0
    if state.exists():
        tensors, note = checkpoint.load(state)
        if note.get("round") == number:
            checkpoint.restore(net, tensors, "net", state)
            checkpoint.restore_optimizer(optimizer, names, tensors)
            first = int(note["step"])
    inflection = _inflection(shown)
    for step in range(first, config.steps):
        rate = config.learning_rate * min(1.0, (step + 1) / 50) * (1.0 - 0.9 * step / config.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = _batch(shown, config, keyed_rng(config.seed, "cloning batch", number, step), device)
        sight, sound, last, expert, value, known = batch
        loss, parts = cloning_loss(net(sight, sound, last), expert, value, known, inflection)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        done = step + 1
        losses = {name: float(value) for name, value in parts.items()} if done % 10 == 0 else {}
        report(f"policy round {number}", done, config.steps, losses)
        if done % SAVED == 0 and done < config.steps:
            tensors = checkpoint.prefixed("net", net.state_dict()) | checkpoint.optimizer_tensors(optimizer, names)
            checkpoint.save(state, tensors, {"round": number, "step": done})
    return net.cpu().eval().requires_grad_(False)


def _inflection(shown: Sequence[Demonstration]) -> float:
    """Steps per change of the expert's action."""
    steps = sum(len(one.expert_T) for one in shown)
    changes = sum(1 + int((np.diff(one.expert_T.astype(int)) != 0).sum()) for one in shown)
    return steps / max(1, changes)


def _batch(
    shown: Sequence[Demonstration], config: CloningConfig, rng: np.random.Generator, device: torch.device
) -> tuple[torch.Tensor, ...]:
    """(sight, sound, last action, expert's action, value, known), each (B, T, …). Half of the parts begin at the start
    of their episode."""
    parts = []
    for index in rng.integers(len(shown), size=config.batch):
        one = shown[int(index)]
        most = max(1, len(one.taken_T) - config.length + 1)
        first = int(rng.integers(most)) if rng.random() < 0.5 else 0
        parts.append((one, slice(first, first + config.length)))
    T = max(len(one.taken_T[part]) for one, part in parts)

    def stacked(rows: list[np.ndarray], empty: int = 0) -> torch.Tensor:
        padded = [np.pad(r, [(0, T - len(r)), *[(0, 0)] * (r.ndim - 1)], constant_values=empty) for r in rows]
        return torch.from_numpy(np.stack(padded)).to(device)

    return (
        stacked([one.sight_T[part] for one, part in parts]),
        stacked([one.sound_TF[part] for one, part in parts]),
        stacked([one.last_T[part] for one, part in parts], START),
        stacked([one.expert_T[part].astype(np.int64) for one, part in parts]),
        stacked([one.value_T[part] for one, part in parts]),
        stacked([np.ones(len(one.taken_T[part]), bool) for one, part in parts]),
    )


def scaled(config: CloningConfig, scale: float) -> CloningConfig:
    """The configuration with other numbers of episodes and steps."""
    return dataclasses.replace(
        config, episodes=max(1, round(config.episodes * scale)), steps=max(1, round(config.steps * scale))
    )
