"""`avw.run_navigation`: policies on the same episodes, with the defaults of `avw navigate`."""

from __future__ import annotations

import functools
import hashlib
import inspect
import pickle
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avw.avw4k.execution.local_processes import refuse_in_starting_worker, run_in_processes
from avw.avw4k.execution.protocol import Execute
from avw.avw4k.execution.this_process import run_in_this_process
from avw.model.metrics.bootstrap import Interval
from avw.model.navigation.episode_run import EpisodeRecord, SkippedEpisode
from avw.model.navigation.navigate import run_policies
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.navigation.outcomes import comparison, paired_gain, summary, table, write_outcome
from avw.model.navigation.plan_navigation import dataset_defaults, filed_episodes, own_scenes
from avw.model.policies.policy_file import UserPolicy, check_policy, full_policy_name, is_policy_file, user_code
from avw.model.policies.registry import POLICIES, Policy
from avw.model.run_folder import run_path
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.catalogue import resolve_scenes
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.sound_sets import one_sound
from avw.sim_bridge.task.task import TaskConfig


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Navigation:
    """The episodes that policies have run.

    records: by policy, in the order of the episodes; a policy of "my.py:Mine" is called "Mine"
    skipped: episodes of an episode file that cannot take place in this simulator
    """

    config: NavigateConfig
    records: dict[str, list[EpisodeRecord]]
    skipped: tuple[SkippedEpisode, ...] = ()

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}: {len(found)} episodes" for name, found in self.records.items())
        return f"<Navigation: {counts}; .report() for a table>"

    def summary(self, policy: str) -> dict[str, Interval]:
        """Mean and 95 % bootstrap interval of sr, spl, softspl, sna, dtg (metres) and na of a policy."""
        return summary(self.records[policy])

    def gain(self, policy: str, other: str) -> dict[str, Interval]:
        """Mean difference between two policies over the same episodes, with its 95 % interval."""
        return paired_gain(self.records[policy], self.records[other])

    def report(self) -> str:
        """All policies as a table, and the paired differences."""
        return table(comparison(self.config, self.records, self.skipped))


def run_navigation(
    policies: str | Policy | type[Policy] | Sequence[str | Policy | type[Policy]],
    episodes: int | str | Path = 20,
    *,
    scenes: str | Path | Sequence[str | Path] | None = None,
    seed: int = 0,
    workers: int = 1,
    min_distance: float = 3.0,
    sound: str | None = None,
    sound_root: str | Path | None = None,
    variant: str = "standard",
    simulator: SimulatorConfig | None = None,
    task: TaskConfig | None = None,
    model: str | Path | None = None,
    denoising_steps: int | None = None,
    device: str = "cpu",
    out: str | Path | None = None,
    resume: bool = True,
    progress: Callable[[EpisodeRecord | SkippedEpisode], None] = lambda record: None,
) -> Navigation:
    """Let policies search for the source in the same episodes.

    policies: names as for `avw navigate --policy` ("greedy-audio", "mpc", "my.py:Mine", …), classes that are made
        without arguments, or objects with `reset` and `act`
    episodes: how many per policy; episode i is in scenes[i mod n]. Or an episode file, or the name of a shipped set
        such as "rooms-v1-test", which names its scenes and sounds
    scenes: as for `avw generate --scenes`; None: those of the variant or of the episode file, or the test scenes of the
        dataset of `model`, or procedural:40-43
    variant: of the task, as for `avw navigate --task`
    sound, sound_root: as for `avw navigate --sound`; None: those of the episode file, or of the dataset of `model`, or
        the ring · simulator: None: that of the dataset of `model`, or the default
    workers: processes. A policy class that is defined in a script needs `if __name__ == "__main__":` there to run in
        more than 1; a class in a file of its own does not
    min_distance: metres of walking between start and source, at least · model: the run that `mpc` plans with
    denoising_steps: of `mpc`; None: as many as the model was trained for
    out: keep each episode there as it ends, and continue from there; None: nowhere. Episodes of a class with other
        source code, or of an object in another state, are refused · progress: called as each ends

    Raises UsageError for a policy or scene that cannot be used, PolicyError if the code of a policy fails.
    """
    refuse_in_starting_worker("avw.run_navigation")
    given = [policies] if isinstance(policies, str) or not isinstance(policies, Sequence) else list(policies)
    factories: dict[str, Callable[[], Policy]] = {}
    identities: dict[str, dict[str, str]] = {}
    names = []
    for policy in given:
        if isinstance(policy, str):
            if policy not in POLICIES and not is_policy_file(policy):
                known = ", ".join(POLICIES)
                raise UsageError(f"unknown policy {policy!r}: expected one of {known}, or FILE.py:CLASS")
            names.append(full_policy_name(policy))
            continue
        name = policy.__name__ if inspect.isclass(policy) else type(policy).__name__
        if name in POLICIES:
            raise UsageError(f"{name} is the name of a built-in policy; give your class another name")
        names.append(name)
        factories[name] = functools.partial(_made, name, policy)
        identities[name] = _identity(policy)
    test_scenes: list[str] = []
    own_simulator, own_sound = SimulatorConfig(), "ring"
    if model is not None:
        from avw.model.device import pick_device  # with PyTorch, which other policies do not need

        model, device = run_path(model), pick_device(device)
        test_scenes, own_simulator, own_sound = dataset_defaults(model, needed=False)
    where: dict[str, Any]
    if isinstance(episodes, int):
        own = own_scenes(variant, scenes=bool(scenes), sound=sound is not None)
        found = resolve_scenes(scenes or own or test_scenes or "procedural:40-43")
        where = {"scenes": tuple(scene.scene_id for scene in found), "episodes": episodes, "variant": variant}
        where["sound"] = own_sound
    elif scenes:
        raise UsageError("scenes cannot be used with an episode file, because the file names its scenes")
    else:
        where = filed_episodes(episodes, variant)
        where["sound_root"] = None if sound_root is None else str(sound_root)
    if sound is not None:
        where["sound"] = one_sound(sound, sound_root)
    config = NavigateConfig(
        policies=tuple(names),
        **where,
        seed=seed,
        workers=workers,
        min_distance=min_distance,
        simulator=simulator or own_simulator,
        task=task or TaskConfig(),
        model_dir=None if model is None else str(model),
        denoising_steps=denoising_steps,
        device=device,
    )
    execute: Execute = run_in_this_process
    if workers > 1:
        execute = run_in_processes
        _check_pickles(factories)
    folder = None if out is None else Path(out)
    ran = run_policies(
        config, folder=folder, resume=resume, execute=execute, factories=factories, identities=identities,
        on_episode=progress,
    )  # fmt: skip
    if folder is not None:
        write_outcome(folder, config, ran.records, ran.skipped)
    return Navigation(config=config, records=ran.records, skipped=ran.skipped)


def _made(name: str, policy: Any) -> Policy:
    with user_code(name, f"{name}()"):
        made = policy() if inspect.isclass(policy) else policy
    return UserPolicy(name, check_policy(name, made))


def _identity(policy: Any) -> dict[str, str]:
    """What tells a caller's policy from another of the same name, so that kept episodes are not taken for its own."""
    kind = policy if inspect.isclass(policy) else type(policy)
    try:
        code = inspect.getsource(kind)
    except (OSError, TypeError):  # typed into an interpreter: never known to be the same as another
        code = secrets.token_hex(32)
    identity = {"policy_code": hashlib.sha256(code.encode()).hexdigest()}
    if policy is not kind:
        try:
            state = pickle.dumps(policy.__getstate__(), protocol=5)
        except Exception:  # pickle raises whatever the object raises; such a state is never the same as another
            state = secrets.token_bytes(32)
        identity["policy_state"] = hashlib.sha256(state).hexdigest()
    return identity


def _check_pickles(factories: dict[str, Callable[[], Policy]]) -> None:
    for name, factory in factories.items():
        try:
            pickle.dumps(factory)
        except Exception as error:  # pickle raises whatever the object raises
            raise UsageError(
                f"the policy {name} cannot be sent to worker processes ({error}): pass workers=1, or write the class "
                f'to a file and pass "my.py:{name}"'
            ) from error
