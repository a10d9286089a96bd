"""What a navigation run would do, and how much of it is done: `avw navigate --dry-run`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from avw.model.checkpoint_header import read_header
from avw.model.navigation.episode_run import EpisodeRecord
from avw.model.navigation.episode_store import EpisodeStore
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.policies.policy_file import is_policy_file, load_policy, policy_label
from avw.model.policies.registry import LEARNED
from avw.model.run_folder import model_file
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.protocol import resolved
from avw.sim_bridge.wording import plural


def remaining(config: NavigateConfig, folder: Path | None, *, resume: bool = True) -> dict[str, Any]:
    """Plain JSON: the choices that `config` has made, and for each policy its episodes, how many of them the folder
    holds, and the mean seconds of decisions per episode of those (None: none has ended).

    Writes nothing. Raises what the run would: for a folder with episodes of another configuration, a policy of the
    user's that cannot be made, a sound or a model that cannot be read.
    """
    _check(config, folder)
    store = EpisodeStore(folder, config, resume=resume)
    store.look()
    policies = {}
    for policy in config.policies:
        ended = [
            outcome
            for (name, episode), outcome in store.outcomes.items()
            if name == policy and 0 <= episode < config.episodes
        ]
        records = [outcome for outcome in ended if isinstance(outcome, EpisodeRecord)]
        seconds = [1e-3 * record.decision_ms * record.actions for record in records]
        policies[policy_label(policy)] = {
            "episodes": config.episodes,
            "finished": len(ended),
            "decision_seconds": float(np.mean(seconds)) if seconds else None,
        }
    return {
        "policies": policies,
        "task": config.variant,
        "scenes": list(config.scenes),
        "episode_file": config.episode_file,
        "sound": config.sound,
        "backend": resolved(config.simulator).backend,
        "model": config.model_dir,
        "folder": None if folder is None else str(folder),
    }


def _check(config: NavigateConfig, folder: Path | None) -> None:
    from avw.sim_bridge.acoustics.sounds import load_sound

    if folder is not None and os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; name another one with --out")
    for policy in filter(is_policy_file, config.policies):
        load_policy(policy)
    if config.sound is not None:
        load_sound(config.sound)
    if config.model_dir is not None and set(config.policies) & set(LEARNED):
        read_header(model_file(config.model_dir))


def remaining_text(left: dict[str, Any]) -> str:
    """For people."""
    scenes = left["scenes"]
    source = left["episode_file"]
    if source is None:
        sound = "its sounds" if left["task"] == "unheard" else left["sound"]
        source = f"{sound} in {plural(len(scenes), 'scene')}"
    named = ", ".join(scenes[:3]) + (", …" if len(scenes) > 3 else "")
    lines = [
        f"task {left['task']}: {source} ({named}), backend {left['backend']}",
        f"model: {left['model'] or 'none'}",
    ]
    for policy, part in left["policies"].items():
        line = f"{policy:>18}: {part['episodes'] - part['finished']} of {part['episodes']} episodes left"
        if part["decision_seconds"] is not None:
            line += f", {part['decision_seconds']:.1f} s of decisions per episode so far"
        lines.append(line)
    where = "would not be written" if left["folder"] is None else f"would be written to {left['folder']}"
    return "\n".join([*lines, f"Nothing was run. Results {where}."])
