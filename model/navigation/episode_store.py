"""Navigation records on disk while a run is under way: FOLDER/navigation-<policy>.jsonl.

The first line holds the configuration that decides the episodes; each further line is one that has ended, appended and
flushed to the disk at once. A run in the same folder continues from these lines. The number of episodes, of workers and
the recording of videos are not part of the configuration: a longer run continues a shorter one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from avw.model.navigation.denoising_steps import denoising_steps
from avw.model.navigation.episode_run import EpisodeRecord, SkippedEpisode, record_from_json
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.policies.policy_file import is_policy_file, policy_label, source_digest
from avw.model.policies.registry import CLONED, LEARNED
from avw.model.run_folder import INVERSE, POLICY, model_file
from avw.sim_bridge.config_differences import config_differences
from avw.sim_bridge.errors import CheckpointError, DatasetError, UsageError
from avw.sim_bridge.simulators.protocol import NEVER_STORED, resolved
from avw.sim_bridge.storage.disk_errors import readable_errors
from avw.sim_bridge.storage.file_lock import exclusive
from avw.sim_bridge.storage.json_lines import append_line, complete_lines
from avw.sim_bridge.storage.small_files import as_object, parse_json
from avw.sim_bridge.storage.typed_json import from_json

Outcome = EpisodeRecord | SkippedEpisode


class EpisodeStore:
    """The files of all policies of a run, locked while it is open (`with EpisodeStore(...) as store`).

    folder: None writes nothing · resume: whether to continue from records in the folder
    identities: values that tell the caller's own policies from others of the same name, by name
    outcomes: the episodes that have ended, by (policy as the configuration names it, number)
    """

    def __init__(
        self,
        folder: Path | None,
        config: NavigateConfig,
        *,
        resume: bool = True,
        identities: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.folder, self.config, self.resume = folder, config, resume
        self.identities = identities or {}
        self.outcomes: dict[tuple[str, int], Outcome] = {}
        self._locks = ExitStack()

    def __enter__(self) -> EpisodeStore:
        """Raises UsageError for records of another configuration, or that a running command is writing."""
        if self.folder is None:
            return self
        with self._locks, readable_errors("cannot keep the navigation records", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for policy in self.config.policies:
                path = self._path(policy)
                busy = f"{path} is being written by another `avw navigate`; wait for it, or name another folder"
                self._locks.enter_context(exclusive(path, busy))
                if not self._read(policy, path):
                    os.truncate(path, 0)  # of a command that ended before its first episode
                    append_line(path, {"config": self._wanted(policy)})
            self._locks = self._locks.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._locks.close()

    def look(self) -> None:
        """Read the episodes that have ended, and write and lock nothing. Raises as entering does."""
        if self.folder is not None and self.folder.exists():
            with readable_errors("cannot read the navigation records", self.folder):
                for policy in self.config.policies:
                    if (path := self._path(policy)).exists():
                        self._read(policy, path)

    def add(self, policy: str, outcome: Outcome) -> None:
        """Write an episode that has ended: when this returns, a kill or a power cut cannot lose it.

        An episode that was run again for its video keeps its first record. A skipped one is not written: the next
        command tries it again, and what was missing, such as a sound, may be there.
        """
        if (policy, outcome.episode) in self.outcomes:
            return
        if self.folder is not None and isinstance(outcome, EpisodeRecord):
            with readable_errors("cannot write the navigation records", self.folder):
                append_line(self._path(policy), {"record": dataclasses.asdict(outcome)})
        self.outcomes[policy, outcome.episode] = outcome

    def _path(self, policy: str) -> Path:
        assert self.folder is not None
        return self.folder / f"navigation-{policy_label(policy)}.jsonl"

    def _wanted(self, policy: str) -> dict[str, Any]:
        return {**stored_config(self.config, policy), **self.identities.get(policy, {})}

    def _read(self, policy: str, path: Path) -> bool:
        """Read the records of a policy. Returns whether the file has any."""
        wanted = self._wanted(policy)
        try:
            lines = complete_lines(path)
        except ValueError as error:
            raise DatasetError(f"{path} cannot be read ({error}); remove it, or name another folder") from error
        if len(lines) < 2:
            return False
        found = _parsed(path, 1, lines[0]).get("config")
        if not isinstance(found, dict):
            raise DatasetError(f"{path}, line 1: not a file of navigation records; remove it, or name another folder")
        differing = config_differences(found, wanted)
        if differing:
            fields = "; ".join(f"{name}: {old} stored, {new} requested" for name, old, new in differing[:4])
            raise UsageError(
                f"{path} holds episodes of another configuration ({fields}); name another folder with --out, repeat "
                "the command that began it, or remove that file to start again"
            )
        if len(lines) > 1 and not self.resume:
            raise UsageError(
                f"{path} already holds {len(lines) - 1} episodes, and --no-resume forbids continuing from them; name "
                "another folder with --out, or remove that file"
            )
        for number, line in enumerate(lines[1:], start=2):
            outcome = _outcome(path, number, line)
            if isinstance(outcome, EpisodeRecord):  # earlier versions also wrote skipped episodes
                self.outcomes.setdefault((policy, outcome.episode), outcome)
        return True


def episodes_config(config: NavigateConfig) -> dict[str, Any]:
    """What decides the episodes of any policy, as plain JSON.

    Where collections and interpreters are on this machine is not part of it.
    """
    simulator = dataclasses.asdict(resolved(config.simulator))
    for name in NEVER_STORED:
        simulator.pop(name, None)
    values: dict[str, Any] = {
        "seed": config.seed,
        "sound": config.sound,
        "simulator": simulator,
        "task": dataclasses.asdict(config.task),
    }
    if config.episode_file is None:
        values |= {"scenes": list(config.scenes), "min_distance": config.min_distance}
    else:
        values["episode_file"] = _sha256(Path(config.episode_file))
    if config.variant != "standard":  # which earlier versions did not store
        values["variant"] = config.variant
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain


def stored_config(config: NavigateConfig, policy: str) -> dict[str, Any]:
    """What decides the episodes of a policy and how it acts, as plain JSON."""
    values = {"policy": policy_label(policy), **episodes_config(config)}
    if policy in LEARNED and config.model_dir is not None:
        model = model_file(config.model_dir)
        if not model.is_file():
            raise CheckpointError(f"{model} is missing. Train a model: avw train DATA --out {config.model_dir}")
        from avw.model.policies.mpc import MpcConfig  # with PyTorch, which no other policy needs

        values |= {"model": _sha256(model), "device": config.device, "planner": dataclasses.asdict(MpcConfig())}
        values |= _own_settings(policy)
        # Earlier versions always planned in one step and did not store it.
        if (steps := denoising_steps(config, policy)) not in (None, 1):
            values["denoising_steps"] = steps
    if policy == "oracle-reward":  # the planner without a model
        from avw.model.policies.mpc import MpcConfig

        values["planner"] = dataclasses.asdict(MpcConfig())
    if policy in CLONED and config.model_dir is not None:
        name = INVERSE if policy == "inverse-dynamics" else POLICY
        values["cloned"] = _sha256(Path(config.model_dir) / name)
    if is_policy_file(policy):
        values["policy_file"] = source_digest(policy)
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain


def _own_settings(policy: str) -> dict[str, Any]:
    """What a planner has in addition to, or in place of, the settings of `mpc`."""
    if policy == "gated":
        from avw.model.policies.gated import GateConfig

        return {"gate": dataclasses.asdict(GateConfig())}
    if policy == "cem":
        from avw.model.policies.cem import CemConfig

        return {"search": dataclasses.asdict(CemConfig())}
    if policy == "beam":
        from avw.model.policies.beam import BeamConfig

        return {"planner": dataclasses.asdict(BeamConfig())}
    return {}


def _sha256(path: Path) -> str | None:
    """None for a missing file; the error is raised where it is read."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _outcome(path: Path, number: int, line: str) -> Outcome:
    values = _parsed(path, number, line)
    try:
        if "skipped" in values:
            return from_json(SkippedEpisode, values["skipped"])
        return record_from_json(values.get("record", {}))
    except ValueError as error:
        raise _damaged(path, number, error) from error


def _parsed(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        return as_object(parse_json(line))
    except ValueError as error:
        raise _damaged(path, number, error) from error


def _damaged(path: Path, number: int, error: Exception) -> DatasetError:
    remedy = "Remove the line to have that episode run again" if number > 1 else "Remove the file to start again"
    return DatasetError(
        f"{path}, line {number}: not a line of navigation records ({error}); it was altered, or the disk is failing. "
        f"{remedy}"
    )
