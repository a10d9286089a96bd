"""What a navigation run would do, and how much of it is done: `avw navigate --dry-run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from avw.model.navigation.episode_run import EpisodeRecord
from avw.model.navigation.episode_store import EpisodeStore
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.policies.policy_file import policy_label


def remaining(config: NavigateConfig, folder: Path | None, *, resume: bool = True) -> dict[str, Any]:
    """Plain JSON: the choices that `config` has made, and for each policy its episodes, how many of them the folder
    holds, and the mean seconds of decisions per episode of those (None: none has ended).

    Writes nothing. Raises UsageError for a folder with episodes of another configuration, as the run would.
    """
    store = EpisodeStore(folder, config, resume=resume)
    store.look()
    policies = {}
    for policy in config.policies:
        ended = [
            outcome
            for (name, episode), outcome in store.outcomes.items()
            if name == policy and episode < config.episodes
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
        "backend": config.simulator.backend,
        "model": config.model_dir,
        "folder": None if folder is None else str(folder),
    }


def remaining_text(left: dict[str, Any]) -> str:
    """For people."""
    scenes, source = left["scenes"], left["episode_file"] or f"{left['sound']} in {len(left['scenes'])} scenes"
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
