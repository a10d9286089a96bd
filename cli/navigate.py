"""`avw navigate`: run policies in closed loop, in scenes that the model was not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avw.cli import options as shared
from avw.cli.execution import ProgressBar, chosen_executor, progress_bar, terminated_like_interrupted
from avw.cli.help_page import command, option
from avw.cli.options import with_options
from avw.cli.paths import UserPath

if TYPE_CHECKING:
    from avw.model.planning.episode_store import Outcome
    from avw.sim_bridge.simulators.protocol import SimulatorConfig

POLICIES = ("random", "forward", "greedy-audio", "mapping-audio", "reward-only", "mpc", "oracle")
FROM_DATASET = "as in the dataset of the run"


class PolicyName(click.ParamType):
    """The name of a policy, or FILE.py:CLASS."""

    name = "POLICY"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> str:
        if value not in POLICIES and ".py:" not in value:
            self.fail(f"{value!r} is not one of {', '.join(POLICIES)}, and not FILE.py:CLASS.", parameter, context)
        return value


@command(
    epilog="All policies run on the same episodes for the same scenes, seed and number of episodes. Every episode "
    "starts at least 3 m of walking distance from the source. Only the oracle knows the position of the source."
)
@option("--policy", "policies", type=PolicyName(), multiple=True, default=("mpc",), default_text="mpc",
        help="Policy to run: one of those above, or FILE.py:CLASS for your own. Repeat the option to compare policies "
        "on the same episodes.")  # fmt: skip
@option("--model", type=UserPath(), metavar="RUN", default=Path("runs/latest"), show_default=True,
        help="Folder of the trained run that mpc and reward-only plan with.")  # fmt: skip
@option("--episodes", type=click.IntRange(min=1), metavar="N", default_text="20, or all of --episode-file",
        help="Number of episodes per policy; with --episode-file, the first N.")  # fmt: skip
@option("--episode-file", type=UserPath(), metavar="FILE",
        help="Run the episodes of this file instead: a .json.gz file in the format of SoundSpaces AudioNav, next to "
        "its content folder.")  # fmt: skip
@shared.seed("the episodes")
@shared.scenes("the test scenes of the run's dataset")
@shared.scene_root
@shared.sound(None, FROM_DATASET)
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
@option("--out", type=UserPath(), metavar="DIR", default_text="the folder of --model",
        help="Folder for the results.")  # fmt: skip
@option("--video", type=UserPath(), metavar="DIR",
        help="Record a video of every episode in this folder.")  # fmt: skip
@shared.json_output
def navigate(
    policies: tuple[str, ...], model: Path, scenes: tuple[str, ...], backend: str | None,
    acoustics: str | None, materials: Path | None, stream: str | None, sound: str | None, sound_root: Path | None,
    episode_file: Path | None, episodes: int | None, seed: int, workers: int | None, device: str, video: Path | None,
    out: Path | None, executor: str, ray_address: str, resume: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run navigation policies that search for the sounding source, and print their success rates and path lengths.

    \b
    Policies:
      mpc            plans with the images and sounds that the model predicts
      reward-only    the same planner without predicted images and sounds
      greedy-audio   turns to the louder ear and walks
      mapping-audio  builds a map from depth and localises the source from the sound, without learning
      random         random actions
      forward        walks straight ahead and turns at obstacles
      oracle         follows the shortest path to the source (upper bound)

    \b
    Examples:
      avw navigate --policy mpc                                   the test houses of runs/latest
      avw navigate --policy mpc --policy greedy-audio --episodes 100
      avw navigate --policy oracle --scenes procedural:40-43 --video videos
      avw navigate --policy oracle --episode-file data/datasets/audionav/mp3d/v1/test_telephone/test_telephone.json.gz
    """
    from avw.model.planning.navigate import run_policies
    from avw.model.planning.navigate_config import NavigateConfig
    from avw.model.planning.outcomes import comparison, table, write_outcome
    from avw.model.planning.policy_file import full_policy_name
    from avw.sim_bridge.errors import CheckpointError, UsageError
    from avw.sim_bridge.scenes.catalogue import resolve_scenes
    from avw.sim_bridge.task.episode_file import read_episodes
    from avw.sim_bridge.task.sound_sets import expand_sounds

    chosen = tuple(dict.fromkeys(full_policy_name(policy) for policy in policies))
    trained = (model / "model.safetensors").exists()
    planners = sorted({"mpc", "reward-only"} & set(chosen))
    if planners and not trained:
        raise CheckpointError(
            f"{model} contains no trained model, which --policy {planners[0]} needs. Train one with: avw train DATA "
            f"--out {model}"
        )
    if episode_file and scenes:
        raise UsageError("--scenes cannot be used with --episode-file, because the file names its scenes")
    names, simulator, own_sound = surroundings(model, needed=not (scenes or episode_file))
    simulator = with_options(simulator, backend=backend, acoustics=acoustics, materials=materials, stream=stream)
    if scenes:
        names = [scene.scene_id for scene in resolve_scenes(scenes)]
    if episode_file is not None:
        filed = read_episodes(episode_file, episodes)
        names, episodes = list(dict.fromkeys(episode.scene for episode in filed)), len(filed)
    played = None if episode_file else own_sound
    if sound is not None:
        played = expand_sounds(sound, sound_root)[0]
    execute, workers = chosen_executor(executor, ray_address, workers)
    config = NavigateConfig(
        policies=chosen,
        scenes=tuple(names),
        episodes=20 if episodes is None else episodes,
        seed=seed,
        workers=workers,
        sound=played,
        simulator=simulator,
        model_dir=str(model) if trained else None,
        device=device,
        video_dir=str(video) if video else None,
        episode_file=str(episode_file) if episode_file else None,
        sound_root=str(sound_root) if sound_root else None,
    )
    folder = out or (model if model.is_dir() else None)
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
        click.echo(f"Results of every episode: {folder}/navigation-POLICY.json\nNext: avw report {folder}")
    if video:
        click.echo(f"Videos: {video}")


class SuccessRates:
    """Counts the episodes of this run on the progress bar, with the successes of each policy."""

    def __init__(self, bar: ProgressBar) -> None:
        self.bar = bar
        self.successes: dict[str, list[bool]] = {}

    def __call__(self, outcome: Outcome) -> None:
        from avw.model.planning.episode_run import EpisodeRecord

        self.bar.add(1)
        if isinstance(outcome, EpisodeRecord):
            self.successes.setdefault(outcome.policy, []).append(outcome.success)
            self.bar.note(" ".join(f"{name} {sum(won)}/{len(won)}" for name, won in self.successes.items()))


def surroundings(run: Path, *, needed: bool) -> tuple[list[str], SimulatorConfig, str]:
    """(test scenes, simulator configuration, sound) of the dataset that `run` was trained on.

    needed: the user named no scenes, so those of the dataset are needed: UsageError if there are none. Otherwise the
    result for a run without a dataset is no scenes, the default configuration and the ring.
    """
    from avw.avw4k.reading.dataset import open_dataset
    from avw.sim_bridge.errors import AvwError, UsageError
    from avw.sim_bridge.simulators.protocol import SimulatorConfig

    try:
        dataset = open_dataset(Path(json.loads((run / "config.json").read_text(encoding="utf-8"))["data"]))
    except (OSError, ValueError, KeyError, AvwError) as error:
        if not needed:
            return [], SimulatorConfig(), "ring"
        raise UsageError(
            f"the dataset of the run {run} cannot be opened, so its test scenes are not known ({error}). Name scenes, "
            "e.g. --scenes procedural:40-43"
        ) from error
    spec = dataset.spec
    names = sorted({ref.scene for ref in dataset.episodes("test")})
    if not names and needed:
        raise UsageError(f"the dataset of {run} has no test scenes. Name scenes, e.g. --scenes procedural:40-43")
    return names, spec.simulator, spec.sounds[0]
