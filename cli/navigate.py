"""`avw navigate`: policies search for the sound, closed loop, in scenes that were not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avw.cli.habitat_option import habitat_python

if TYPE_CHECKING:
    from avw.model.planning.episode_run import LeftOut
    from avw.sim_bridge.simulators.protocol import SimulatorConfig

POLICIES = ("random", "forward", "greedy-audio", "mapping-audio", "reward-only", "mpc", "oracle")


@click.command(
    epilog="Every policy meets the same episodes for the same scenes, seed and number; episodes begin at least 3 m "
    "of walking from the source. Only the oracle knows where the source is."
)
@click.option(
    "--policy",
    "policies",
    type=click.Choice(POLICIES),
    multiple=True,
    default=("mpc",),
    show_default=True,
    help="Who searches; repeat it to compare policies over the same episodes.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    default=Path("runs/latest"),
    show_default=True,
    help="The trained run that mpc plans with; results are written there.",
)
@click.option("--scenes", default=None, help="As for avw generate (default: the test scenes of the run's dataset).")
@click.option("--scene-root", type=click.Path(path_type=Path), default=None, help="Folder of scanned collections.")
@click.option("--backend", default=None, help="auto, embedded, habitat or soundspaces (default: the dataset's).")
@habitat_python
@click.option("--acoustics", default=None, help="emitters or rlr (default: the dataset's).")
@click.option(
    "--materials", type=click.Path(path_type=Path, dir_okay=False, exists=True), default=None,
    help="A material map as SoundSpaces has it (default: the dataset's).",
)  # fmt: skip
@click.option("--stream", default=None, help="glide or soundspaces (default: the dataset's).")
@click.option("--sound", default=None, help="What the source plays (default: the dataset's, else ring).")
@click.option(
    "--sound-root", type=click.Path(path_type=Path), envvar="AVW_SOUNDS",
    help="Folder of SoundSpaces' sounds. [default: data/sounds]",
)  # fmt: skip
@click.option(
    "--episode-file", type=click.Path(path_type=Path), default=None,
    help="Episodes to run as they are: a .json.gz of SoundSpaces' AudioNav, with its content folder.",
)  # fmt: skip
@click.option(
    "--episodes", type=click.IntRange(min=1), default=None,
    help="Episodes a policy; of a file, its first. [default: 20, or all of the file]",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the episodes.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes (default: one a core).")
@click.option("--device", default="cpu", show_default=True, help="Where mpc imagines: cpu, cuda …")
@click.option("--video", type=click.Path(path_type=Path), default=None, help="Record every episode into this folder.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder for the results (default: --model).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def navigate(
    policies: tuple[str, ...], model: Path, scenes: str | None, scene_root: Path | None, backend: str | None,
    acoustics: str | None, materials: Path | None, stream: str | None, sound: str | None, sound_root: Path | None,
    episode_file: Path | None, episodes: int | None, seed: int, workers: int | None, device: str, video: Path | None,
    out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Let a policy search for the sounding source, and say how well it did.

    \b
    avw navigate --policy mpc                                   the test houses of runs/latest
    avw navigate --policy mpc --policy greedy-audio --episodes 100
    avw navigate --policy oracle --scenes procedural:40-43 --video videos
    avw navigate --policy oracle --episode-file data/datasets/audionav/mp3d/v1/test_telephone/test_telephone.json.gz
    """
    import dataclasses

    from avw.model.planning.navigate import available_cores, run_policies
    from avw.model.planning.navigate_config import NavigateConfig
    from avw.model.planning.outcomes import comparison, table, write_outcome
    from avw.sim_bridge.errors import CheckpointError, UsageError
    from avw.sim_bridge.scenes.catalogue import expand_scenes
    from avw.sim_bridge.task.episode_file import read_episodes
    from avw.sim_bridge.task.sound_sets import expand_sounds

    chosen = tuple(dict.fromkeys(policies))
    trained = (model / "model.safetensors").exists()
    planners = sorted({"mpc", "reward-only"} & set(chosen))
    if planners and not trained:
        raise CheckpointError(
            f"{model}: no trained model there for {planners[0]} to plan with. Train one: avw train DATA --out {model}"
        )
    if episode_file and scenes:
        raise UsageError("--episode-file names its own scenes: leave out --scenes")
    names, simulator, own_sound = surroundings(model, str(episode_file) if episode_file else scenes)
    simulator = dataclasses.replace(
        simulator,
        backend=backend or simulator.backend,
        acoustics=acoustics or simulator.acoustics,
        materials=str(materials) if materials else simulator.materials,
        stream=stream or simulator.stream,
        scene_root=str(scene_root) if scene_root else simulator.scene_root,
    )
    if scenes is not None:
        names = expand_scenes(scenes, simulator.scene_root)
    if episode_file is not None:
        filed = read_episodes(episode_file, episodes)
        names, episodes = list(dict.fromkeys(episode.scene for episode in filed)), len(filed)
    played = None if episode_file else own_sound
    if sound is not None:
        played = expand_sounds(sound, sound_root)[0]
    config = NavigateConfig(
        policies=chosen,
        scenes=tuple(names),
        episodes=20 if episodes is None else episodes,
        seed=seed,
        workers=workers or available_cores(),
        sound=played,
        simulator=simulator,
        model_dir=str(model) if trained else None,
        device=device,
        video_dir=str(video) if video else None,
        episode_file=str(episode_file) if episode_file else None,
        sound_root=str(sound_root) if sound_root else None,
    )
    left_out: list[LeftOut] = []
    records = run_policies(config, left_out=left_out)
    folder = out or (model if model.is_dir() else None)
    result = write_outcome(folder, config, records, left_out) if folder else comparison(config, records, left_out)
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo(table(result))
    if folder:
        click.echo(f"Every episode: {folder}/navigation-<policy>.json   ·   Next: avw report {folder}")
    if video:
        click.echo(f"Recordings: {video}")


def surroundings(run: Path, scenes: str | None) -> tuple[list[str], SimulatorConfig, str]:
    """(test scenes, simulator configuration, sound) of the dataset that `run` was trained on.

    Without such a run or dataset, and with `scenes` given: no scenes, the defaults and the ring.
    Raises UsageError if neither says where to search.
    """
    from avw.avw4k.reading.dataset import open_dataset
    from avw.sim_bridge.errors import AvwError, UsageError
    from avw.sim_bridge.simulators.protocol import SimulatorConfig

    try:
        dataset = open_dataset(Path(json.loads((run / "config.json").read_text(encoding="utf-8"))["data"]))
    except (OSError, ValueError, KeyError, AvwError) as error:
        if scenes is not None:
            return [], SimulatorConfig(), "ring"
        raise UsageError(
            f"{run} does not lead to a dataset whose test scenes could be searched ({error}); name some instead, "
            "e.g. --scenes procedural:40-43"
        ) from error
    spec = dataset.spec
    names = sorted({ref.scene for ref in dataset.episodes("test")})
    if not names and scenes is None:
        raise UsageError(f"the dataset of {run} has no test scenes; name some, e.g. --scenes procedural:40-43")
    return names, spec.simulator, spec.sounds[0]
