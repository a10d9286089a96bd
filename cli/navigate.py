"""`avw navigate`: run policies in closed loop, in scenes that the model was not trained on."""

from __future__ import annotations

import dataclasses
import json
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avw.cli import options as shared
from avw.cli.execution import ProgressBar, chosen_executor, progress_bar, terminated_like_interrupted
from avw.cli.help_page import command, option
from avw.cli.options import with_options
from avw.cli.paths import UserPath
from avw.model.navigation.denoising_steps import IMAGINING
from avw.model.policies.registry import POLICIES
from avw.sim_bridge.suggestions import did_you_mean
from avw.sim_bridge.task.variants import VARIANTS

if TYPE_CHECKING:
    from avw.model.navigation.episode_store import Outcome

FROM_DATASET = "as in the dataset of the run"


class PolicyName(click.ParamType):
    """The name of a policy, or FILE.py:CLASS."""

    name = "POLICY"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> str:
        if value not in POLICIES and ".py:" not in value:
            meant = did_you_mean(value, POLICIES)
            self.fail(
                f"{value!r} is not one of {', '.join(POLICIES)}, and not FILE.py:CLASS.{meant}", parameter, context
            )
        return value


@command(
    epilog="All policies run on the same episodes for the same scenes, seed and number of episodes. Every episode that "
    "is drawn starts at least 3 m of walking distance from the source; those of --episode-file start as it says. Only "
    "the oracles know the position of the source."
)
@option("--policy", "--planner", "policies", type=PolicyName(), multiple=True, default=("mpc",), default_text="mpc",
        help="Policy to run: one of those above, or FILE.py:CLASS for your own. Repeat the option to compare policies "
        "on the same episodes.")  # fmt: skip
@option("--model", type=UserPath(), metavar="RUN", default_text="runs/latest, or else pretrained",
        help="Folder of the trained run that the policies plan with; pretrained: the model that "
        "ships with AVW.")  # fmt: skip
@option("--gate", is_flag=True, help="Short for --policy gated in place of mpc: imagine only in uncertain decisions.")
@shared.denoising_steps
@option("--episodes", type=click.IntRange(min=1), metavar="N", default_text="20, or all of --episode-file",
        help="Number of episodes per policy; with --episode-file, the first N.")  # fmt: skip
@option("--task", type=click.Choice(tuple(VARIANTS)), default="standard", show_default=True, metavar="TASK",
        help="Variant of the task: one of those above.")  # fmt: skip
@option("--episode-file", type=UserPath(), metavar="FILE",
        help="Run the episodes of this file instead: an episode set of AVW (a file, or the name of a shipped set such "
        "as rooms-v1-test), or a .json.gz file in the format of SoundSpaces AudioNav, next to its content "
        "folder.")  # fmt: skip
@option("--write-episodes", type=UserPath(), metavar="FILE",
        help="Write the episodes to this file (.json.gz), print its SHA-256, and run nothing.")  # fmt: skip
@shared.seed("the episodes")
@shared.scenes("the test scenes of the run's dataset")
@shared.scene_root
@shared.sound(None, "the first sound of the run's dataset")
@shared.sound_root
@shared.backend(FROM_DATASET)
@shared.habitat_python
@shared.acoustics(FROM_DATASET)
@shared.materials(FROM_DATASET)
@shared.stream(FROM_DATASET)
@shared.workers("one per CPU core")
@shared.executor
@shared.resume("Keep the episodes that the results folder contains, and run the others only.")
@shared.device("cpu", shared.EXECUTION)
@option("--out", type=UserPath(), metavar="DIR",
        default_text="the folder of --model; of other tasks than standard, tasks/TASK in it",
        help="Folder for the results.")  # fmt: skip
@option("--video", type=UserPath(), metavar="DIR",
        help="Record a video of every episode in this folder.")  # fmt: skip
@option("--record", type=click.IntRange(min=0), metavar="N", default=0, show_default=True,
        help="Record the first N episodes of each policy for avw view and avw report: camera, what was imagined, map, "
        "field and sound.")  # fmt: skip
@option("--dry-run", is_flag=True, help="Check the arguments and print which episodes would be run; write nothing.")
@shared.json_output
def navigate(
    policies: tuple[str, ...], model: Path | None, gate: bool, denoising_steps: int | None, scenes: tuple[str, ...],
    backend: str | None, acoustics: str | None, materials: Path | None, stream: str | None, sound: str | None,
    sound_root: Path | None, task: str, episode_file: Path | None, write_episodes: Path | None, episodes: int | None,
    seed: int, workers: int | None, device: str, video: Path | None, out: Path | None, record: int, executor: str,
    ray_address: str, resume: bool, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run navigation policies that search for the sounding source, and print their success rates and path lengths.

    \b
    Policies:
      mpc            plans with the images and sounds that the model predicts
      reward-only    the same planner without predicted images and sounds
      gated          reward-only, and mpc in decisions that are uncertain
      beam           beam search over actions of the cloned policy (the paper)
      cem            the cross-entropy method over motions, with the same model
      cloned         a recurrent policy that imitates the oracle (train --policy)
      acoustic-field the same planner, towards the loudest predicted sound
      inverse-dynamics  mpc that walks by inverse dynamics, without a map
      greedy-audio   turns to the louder ear and walks
      mapping-audio  maps depth and localises the source, without learning
      random         random actions
      forward        walks straight ahead and turns at obstacles
      oracle-stop    mpc that stops as soon as it is near enough (bound)
      oracle-observation  mpc with true images and sounds (bound)
      oracle-reward  mpc with true distances and a true STOP (bound)
      oracle         follows the shortest path to the source (upper bound)

    \b
    Tasks:
      standard       one source that never stops, with the sound of the training
      unheard        another sound than in training
      silent         the sound ends after 1.5 to 6 s
      distractor     a second source with another sound, which is not the goal
      moving         the source moves at 0.3 m/s
      small-houses   the standard task in houses of 3 or 4 rooms
      large-houses   the standard task in houses of 12 rooms

    \b
    Examples:
      avw navigate --policy mpc                      the test houses of the run
      avw navigate --model pretrained --scenes procedural:40-43
      avw navigate --policy mpc --policy greedy-audio --episodes 100
      avw navigate --policy mpc --episodes 100 --dry-run
      avw navigate --policy oracle --scenes procedural:40-43 --video videos
      avw navigate --policy mpc --record 4           then: avw view runs/latest
      avw navigate --policy mpc --task silent --episode-file rooms-v1-test-silent
      avw navigate --policy oracle --episode-file test_telephone.json.gz
    """
    if dry_run and write_episodes:
        raise click.UsageError("--dry-run writes nothing, so it cannot be used with --write-episodes; leave one out")
    if gate and "mpc" not in policies:
        raise click.UsageError("--gate imagines less in --policy mpc, and does nothing for others; leave it out")
    if gate:
        policies = tuple(dict.fromkeys("gated" if policy == "mpc" else policy for policy in policies))
    if denoising_steps is not None and not set(IMAGINING) & set(policies):
        raise click.UsageError("--denoising-steps applies to policies that imagine only, e.g. mpc; leave it out")
    from avw.cli.progress import phase
    from avw.model.navigation.navigate import run_policies
    from avw.model.navigation.outcomes import comparison, table, write_outcome
    from avw.model.navigation.plan_navigation import plan_navigation
    from avw.model.navigation.remaining import remaining, remaining_text
    from avw.model.run_folder import results_folder

    run = _run(policies, model, houses=bool(scenes or episode_file or VARIANTS[task].scenes))
    with phase("reading the run and the scenes"):
        config = plan_navigation(
            policies, model=run, denoising_steps=denoising_steps, scenes=scenes, episode_file=episode_file,
            episodes=episodes, task=task, seed=seed, sound=sound, sound_root=sound_root, device=device, video=video,
            adapt=lambda simulator: with_options(
                simulator, backend=backend, acoustics=acoustics, materials=materials, stream=stream
            ),
        )  # fmt: skip
    if write_episodes is not None:
        from avw.model.navigation.episode_set import write_episode_set

        with progress_bar("episodes", "episode") as bar:
            bar.begin(0, config.episodes)
            digest = write_episode_set(write_episodes, config, bar.add)
        facts = {"path": str(write_episodes), "episodes": config.episodes, "task": task, "sha256": digest}
        click.echo(json.dumps(facts) if as_json else f"{write_episodes}: {config.episodes} episodes, SHA-256 {digest}")
        return
    execute, workers = chosen_executor(executor, ray_address, workers)
    config = dataclasses.replace(config, workers=workers)
    results = results_folder(run)
    if config.variant != "standard":
        results = results / "tasks" / config.variant
    folder = out or (results if run.exists() else None)
    if record:
        if folder is None:
            raise click.UsageError("--record writes into the folder of the results; name one with --out")
        config = dataclasses.replace(config, record=record, record_dir=str(folder / "episodes"))
    if dry_run:
        left = remaining(config, folder, resume=resume)
        click.echo(json.dumps(left) if as_json else remaining_text(left))
        return
    with progress_bar("navigate", "episode") as bar, terminated_like_interrupted():
        ran = run_policies(
            config, folder=folder, resume=resume, execute=execute, on_start=bar.begin,
            on_episode=SuccessRates(bar), log=bar.log,
        )  # fmt: skip
    if folder:
        result = write_outcome(folder, config, ran.records, ran.skipped)
    else:
        result = comparison(config, ran.records, ran.skipped)
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo(table(result))
    if folder:
        shown = shlex.quote(str(folder))
        click.echo(f"Results of every episode: {folder}/navigation-POLICY.json\nNext: avw report {shown}")
    if video:
        click.echo(f"Videos: {video}")
    if record:
        click.echo(f"Recordings: avw view {shlex.quote(str(folder))}")


def _run(policies: tuple[str, ...], named: Path | None, *, houses: bool) -> Path:
    """The run to plan with, and whose test houses are used. Policies that need no model also run without any, if the
    user names the houses."""
    from avw.model.policies.registry import LEARNED
    from avw.model.run_folder import LATEST, chosen_run, has_model

    learned = set(LEARNED) & set(policies)
    if named is not None or learned or has_model(LATEST) or not (houses or LATEST.exists()):
        told = bool(learned) or not has_model(LATEST)
        return chosen_run(named, partial(click.echo, err=True) if told else lambda line: None)
    return LATEST


class SuccessRates:
    """Counts the episodes of this run on the progress bar, with the successes of each policy."""

    def __init__(self, bar: ProgressBar) -> None:
        self.bar = bar
        self.successes: dict[str, list[bool]] = {}

    def __call__(self, outcome: Outcome) -> None:
        from avw.model.navigation.episode_run import EpisodeRecord

        self.bar.add(1)
        if isinstance(outcome, EpisodeRecord):
            self.successes.setdefault(outcome.policy, []).append(outcome.success)
            self.bar.note(" ".join(f"{name} {sum(won)}/{len(won)}" for name, won in self.successes.items()))
