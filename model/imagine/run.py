"""`avw imagine` without its options: open the run and the episode, imagine, and write the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avw.avw4k.reading.episodes import EpisodeDataset, open_dataset
from avw.model.device import pick_device
from avw.model.imagine.action_list import described
from avw.model.imagine.futures import imagine_futures, remembered_obstacles
from avw.model.imagine.numbers import names
from avw.model.imagine.request import DEFAULT_HORIZON, ImagineConfig, Request, resolve
from avw.model.imagine.results import write
from avw.model.imagine.subject import Subject, chosen_episode, walk
from avw.model.navigation.plan_navigation import dataset_defaults
from avw.model.pretrained.card import read_origin
from avw.model.run_folder import results_folder, run_data, run_path
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import RunError, UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the context comes from: an episode of a dataset, or a walk through a scene.

    data: None is the dataset that the run was trained on · episode: None is the first of the test split
    scene: None for a dataset · walk: steps of the walk before now · seed: of the walk
    swap_sound: episode of the dataset whose sound replaces that of the context in one more future; None for none
    """

    data: Path | None = None
    episode: int | None = None
    scene: str | None = None
    walk: int = 24
    seed: int = 0
    swap_sound: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The subject, and how it is named in titles and in folders. full_scale: of its sound."""

    subject: Subject
    title: str
    stem: str
    note: dict[str, Any]
    full_scale: float
    dataset: EpisodeDataset | None = None


def imagine_run(
    run: Path,
    place: Place,
    config: ImagineConfig,
    *,
    out: Path | None = None,
    device: str = "cpu",
    dry_run: bool = False,
    report: Callable[[str], object] = lambda line: None,
) -> dict[str, Any]:
    """Imagine and write everything. Returns the content of imagination.json, and "folder".

    out: folder of the results; None is RUN/imagination/… · dry_run: check everything, but do not imagine or write
    report: called with notes for the user
    Raises UsageError, CheckpointError, DatasetError or SceneError.
    """
    run = run_path(run)
    model = WorldModel.load(run, pick_device(device))
    place = _placed(run, model, place, config, report)
    opened = _open_walk(model, run, place, config) if place.scene is not None else _open_episode(model, run, place)
    if place.scene is not None:
        config = replace(config, step=place.walk)
    request = resolve(model, opened.subject, config)
    sound = None
    if place.swap_sound is not None:
        if opened.dataset is None:
            raise UsageError("--swap-sound takes the sound of an episode, so it needs a dataset and not --scene")
        sound = chosen_episode(opened.dataset, place.swap_sound).audio
    folder = out or results_folder(run) / "imagination" / f"{opened.stem}-step-{request.step}"
    title = f"{opened.title}, after step {request.step}"
    note = {**_note(run, model, request, config), **opened.note, "title": title}
    if dry_run:
        return {**note, "folder": str(folder), "dry_run": True}
    futures = imagine_futures(
        model,
        opened.subject,
        request,
        config,
        other_sound=sound,
        sound_of=f"that of episode {place.swap_sound}",
        report=report,
    )
    obstacles_N2 = remembered_obstacles(model, opened.subject, request.step)
    result = write(
        folder, opened.subject, request.step, futures, note, full_scale=opened.full_scale, obstacles_N2=obstacles_N2
    )
    return {**result, "folder": str(folder)}


def _placed(
    run: Path, model: WorldModel, place: Place, config: ImagineConfig, report: Callable[[str], object]
) -> Place:
    """The place that was asked for. If it is an episode of a dataset that an exported model no longer has beside it, a
    walk through the first of its test scenes instead, unless the episode or the step was named."""
    origin = read_origin(run)
    named = (place.data, place.episode, place.scene, place.swap_sound, config.step)
    if origin is None or any(value is not None for value in named):
        return place
    try:
        run_data(run, model.note)
    except RunError:
        scene = origin.scenes("test")[0]
        report(f"The dataset of this model is not here: walking through the test scene {scene} instead.")
        return replace(place, scene=scene)
    return place


def _note(run: Path, model: WorldModel, request: Request, config: ImagineConfig) -> dict[str, Any]:
    return {
        "run": str(run),
        "step": request.step,
        "actions": names(request.actions),
        "actions_in_words": described(request.actions),
        "other_actions": names(request.others),
        "autoregressive": config.autoregressive,
        "denoising_steps": config.denoising_steps,
        "seed": config.seed,
        "max_offset": model.max_offset,
        "predicts_depth": model.predicts_depth,
        "prior": model.prior,
    }


def _open_episode(model: WorldModel, run: Path, place: Place) -> Opened:
    dataset = open_dataset(run_data(run, model.note) if place.data is None else place.data)
    episode = chosen_episode(dataset, place.episode)
    hfov = dataset.spec.simulator.hfov
    if hfov != model.hfov:
        raise UsageError(
            f"{dataset.path} has a field of view of {hfov:g}°, and the model was trained with {model.hfov:g}°: use a "
            f"dataset of the same field of view (in Python, SimulatorConfig(hfov={model.hfov:g}))"
        )
    note = {"data": str(dataset.path), "scene": episode.scene, "split": episode.split, "episode": episode.index}
    title = f"{episode.scene}, episode {episode.index} ({episode.split})"
    scale = dataset.spec.audio_full_scale
    return Opened(episode, title, f"episode-{episode.index:06d}", note, scale, dataset)


def _open_walk(model: WorldModel, run: Path, place: Place, config: ImagineConfig) -> Opened:
    if place.data is not None or place.episode is not None or config.step is not None:
        raise UsageError("--scene walks through a scene; it cannot be combined with a dataset, --episode or --step")
    assert place.scene is not None
    _, simulator, sound = dataset_defaults(run, needed=False)
    simulator = replace(simulator, size=model.image.config.size, hfov=model.hfov)
    ahead = config.horizon or (len(config.actions) if config.actions else DEFAULT_HORIZON)
    subject = walk(place.scene, simulator, seed=place.seed, steps=place.walk + ahead, sound=sound)
    note = {"data": None, "scene": subject.scene, "walk": place.walk, "walk_seed": place.seed}
    title = f"{subject.scene}, walk {place.seed}"
    stem = f"{Path(subject.scene).stem}-seed-{place.seed}"
    return Opened(subject, title, stem, note, model.audio.config.full_scale)
