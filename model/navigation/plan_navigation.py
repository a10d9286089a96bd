"""From a trained run and a few choices to the configuration of a navigation run: what `avw navigate` starts with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from avw.avw4k.reading.dataset import open_dataset
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.policies.policy_file import full_policy_name
from avw.model.policies.registry import CLONED, LEARNED
from avw.model.pretrained.card import read_origin
from avw.model.run_folder import POLICY, has_model, nothing_there, run_data, trainable
from avw.sim_bridge.errors import AvwError, NoRunError, UsageError
from avw.sim_bridge.scenes.catalogue import resolve_scenes
from avw.sim_bridge.simulators.protocol import SimulatorConfig, require_interpreter
from avw.sim_bridge.task.episode_file import read_episodes
from avw.sim_bridge.task.shipped_sets import episode_set
from avw.sim_bridge.task.sound_sets import one_sound
from avw.sim_bridge.task.variants import VARIANTS

EPISODES = 20  # per policy, where neither the user nor an episode file gives a number


def plan_navigation(
    policies: Sequence[str],
    *,
    model: Path,
    denoising_steps: int | None = None,
    scenes: Sequence[str] = (),
    episode_file: Path | None = None,
    episodes: int | None = None,
    task: str = "standard",
    seed: int = 0,
    sound: str | None = None,
    sound_root: Path | None = None,
    workers: int = 1,
    device: str = "cpu",
    video: Path | None = None,
    adapt: Callable[[SimulatorConfig], SimulatorConfig] = lambda config: config,
) -> NavigateConfig:
    """The configuration of a navigation run. Scenes, simulator and sound default to those of the run's dataset.

    policies: names, or FILE.py:CLASS · model: folder of the trained run; it may be missing if no policy needs it
    denoising_steps: of mpc; None: as many as the model was trained for
    scenes: as for `--scenes`; () means the test scenes of the dataset · episode_file: episodes to run instead
    task: a variant of `sim_bridge.task.variants`; one with houses of its own replaces the test scenes
    adapt: changes the simulator configuration of the dataset

    Raises NoRunError if a policy needs a model and there is none, UsageError for choices that are not valid or
    do not fit together, and SceneError or SoundError for scenes and sounds that are missing.
    """
    names = tuple(dict.fromkeys(full_policy_name(policy) for policy in policies))
    trained = has_model(model)
    planners = sorted(set(LEARNED) & set(names))
    if planners and not trained:
        raise NoRunError(
            f"{nothing_there(model)}, and --policy {planners[0]} needs a trained model. Train one with: avw train DATA "
            f"--out {trainable(model)}"
        )
    cloning = sorted(set(CLONED) & set(names))
    if cloning and not (model / POLICY).is_file():
        raise NoRunError(
            f"{model} contains no cloned policy, which --policy {cloning[0]} needs. Train one with: avw train DATA "
            f"--policy --out {trainable(model)}"
        )
    own = own_scenes(task, scenes=bool(scenes), sound=sound is not None)
    if device != "cpu" and (planners or cloning):
        from avw.model.device import pick_device

        device = pick_device(device)
    if episode_file and scenes:
        raise UsageError("--scenes cannot be used with --episode-file, because the file names its scenes")
    if own and not episode_file:
        scenes = (own,)
    chosen, simulator, own_sound = dataset_defaults(model, needed=not (scenes or episode_file))
    if scenes:
        chosen = [scene.scene_id for scene in resolve_scenes(scenes)]
    if episode_file is not None:
        filed = filed_episodes(episode_file, task, episodes)
        episode_file, task = Path(filed["episode_file"]), filed["variant"]
        chosen, episodes = list(filed["scenes"]), filed["episodes"]
    played = None if episode_file else own_sound
    if sound is not None:
        played = one_sound(sound, sound_root)
    settings = adapt(simulator)
    if adapt(SimulatorConfig()).backend != settings.backend:  # the user names none: the dataset does
        require_interpreter(settings, f"the dataset of the run {model}")
    return NavigateConfig(
        policies=names,
        scenes=tuple(chosen),
        episodes=EPISODES if episodes is None else episodes,
        seed=seed,
        workers=workers,
        sound=played,
        simulator=settings,
        model_dir=str(model) if trained or cloning else None,
        denoising_steps=denoising_steps,
        device=device,
        video_dir=str(video) if video else None,
        episode_file=str(episode_file) if episode_file else None,
        sound_root=str(sound_root) if sound_root else None,
        variant=task,
    )


def own_scenes(task: str, *, scenes: bool, sound: bool) -> str:
    """The scenes of a variant of the task; "" for one that takes place anywhere.

    scenes, sound: whether the user names any. Raises UsageError if the variant has its own.
    """
    own = VARIANTS[task].scenes if task in VARIANTS else ""
    if own and scenes:
        raise UsageError(f"the task {task} has houses of its own ({own}); leave out --scenes")
    if sound and task == "unheard":
        raise UsageError("the task unheard chooses the sounds of its episodes; leave out --sound")
    return own


def filed_episodes(text: str | Path, task: str = "standard", limit: int | None = None) -> dict[str, Any]:
    """The fields of a configuration that an episode file decides. text: the file, or the name of a shipped set

    Raises UsageError for a set of another task, DatasetError for a file that is missing, damaged or empty.
    """
    path = episode_set(text)
    filed = read_episodes(path, limit)
    if filed[0].task and task not in ("standard", filed[0].task):
        raise UsageError(f"{path} holds episodes of the task {filed[0].task}; leave out --task {task}")
    return {
        "episode_file": str(path),
        "episodes": len(filed),
        "scenes": tuple(dict.fromkeys(episode.scene for episode in filed)),
        "sound": None,
        "variant": filed[0].task or task,
    }


def _other_scenes(seen: Sequence[str]) -> str:
    """What to type for a model that has seen these scenes. Generated houses are proposed only if it has seen some."""
    if all(name.startswith("procedural-") for name in seen):
        return "Name scenes, e.g. --scenes procedural:40-43"
    return (
        f"Name scenes like those that the model was trained on ({', '.join(seen[:2])}), but not those: --scenes FILE, "
        "or a split of a collection, e.g. --scenes mp3d:test"
    )


def dataset_defaults(run: Path, *, needed: bool) -> tuple[list[str], SimulatorConfig, str]:
    """(test scenes, simulator configuration, sound) of the dataset that `run` was trained on; of an exported model, as
    its card describes them.

    needed: raise UsageError if there is no dataset or it has no test scenes. Otherwise the result for a run without
    a dataset is no scenes, the default configuration and the ring.
    """
    if (origin := read_origin(run)) is not None:
        return origin.scenes("test"), origin.spec.simulator, origin.spec.sounds[0]
    try:
        dataset = open_dataset(run_data(run))
    except AvwError as error:
        if not needed:
            return [], SimulatorConfig(), "ring"
        raise UsageError(
            f"the dataset of the run {run} cannot be opened, so its test scenes are not known ({error}). Name scenes, "
            "e.g. --scenes procedural:40-43"
        ) from error
    names = sorted({ref.scene for ref in dataset.episodes("test")})
    if not names and needed:
        raise UsageError(f"the dataset of {run} has no test scenes. {_other_scenes(dataset.spec.scenes)}")
    return names, dataset.spec.simulator, dataset.spec.sounds[0]
