"""`avw.generate`: from scenes and a few numbers to a dataset, with the defaults of `avw generate`.

The command uses `plan_dataset` and `check_inputs` too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from avw.avw4k.plan.assets import known_assets
from avw.avw4k.plan.presets import DEFAULT, PRESETS, preset_scenes
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.episodes import EpisodeDataset, open_dataset
from avw.avw4k.writing.generate import generate as generate_spec
from avw.avw4k.writing.generate import remaining_scenes
from avw.sim_bridge.acoustics.hrtf import load_hrtf
from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.inspection.usable import check_scenes
from avw.sim_bridge.scenes.materials.material_map import open_material_map
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import backend_versions
from avw.sim_bridge.simulators.protocol import SimulatorConfig, resolved
from avw.sim_bridge.task.sound_sets import expand_sounds
from avw.sim_bridge.types import SAMPLE_RATE


def plan_dataset(
    *,
    preset: str | None = None,
    scenes: Sequence[str] = (),
    trajectories: int | None = None,
    steps: int | None = None,
    sources_per_scene: int | None = None,
    seed: int = 0,
    sound: str = "ring",
    sound_root: str | Path | None = None,
    episodes_per_shard: int = 8,
    compression: str = "blosc2",
    simulator: SimulatorConfig | None = None,
) -> tuple[DatasetSpec, tuple[SceneRef, ...]]:
    """The spec of a dataset, and its scenes. None means the value of the preset.

    Raises UsageError or SceneError for a wrong value or a scene that does not exist, BackendError for a simulator that
    is not installed.
    """
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}: expected one of {', '.join(PRESETS)}")
    chosen = PRESETS[preset] if preset else DEFAULT
    found, splits = preset_scenes(preset, scenes)
    sounds = expand_sounds(sound, sound_root)
    simulator = resolved(simulator or SimulatorConfig())  # the spec names the backend that makes the data, not `auto`
    spec = DatasetSpec(
        scenes=tuple(scene.scene_id for scene in found),
        scene_splits=splits,
        trajectories=chosen.trajectories if trajectories is None else trajectories,
        steps=chosen.steps if steps is None else steps,
        sources_per_scene=chosen.sources_per_scene if sources_per_scene is None else sources_per_scene,
        seed=seed,
        sounds=sounds,
        episodes_per_shard=episodes_per_shard,
        compression=compression,
        simulator=simulator,
        assets=known_assets(found, (*sounds, *(file for file in (simulator.hrtf, simulator.materials) if file))),
    )
    backend_versions(simulator)
    return spec, found


def check_inputs(
    out: Path,
    spec: DatasetSpec,
    scenes: Sequence[SceneRef],
    *,
    part: tuple[int, int] | None = None,
    strict: bool = False,
) -> None:
    """Read the scenes, sounds, head and material map that are still needed once, so that a bad one is found now.

    Raises SceneError, SoundError or UsageError; with `strict` also for scenes with lint warnings.
    """
    remaining = remaining_scenes(out, spec, part)
    check_scenes([scene for scene in scenes if scene.scene_id in remaining], strict=strict)
    if spec.simulator.hrtf is not None:
        load_hrtf(SAMPLE_RATE, spec.simulator.hrtf)
    open_material_map(spec.simulator.materials)
    for sound in spec.sounds:
        load_sound(sound)


def generate(
    out: str | Path = "data/avw",
    *,
    scenes: str | Path | Sequence[str | Path] = (),
    trajectories: int | None = None,
    steps: int | None = None,
    sources_per_scene: int | None = None,
    seed: int = 0,
    sound: str = "ring",
    simulator: SimulatorConfig | None = None,
    preset: str | None = None,
    episodes_per_shard: int = 8,
    compression: str = "blosc2",
    workers: int = 1,
    resume: bool = True,
    progress: Callable[[int], None] = lambda steps: None,
) -> EpisodeDataset:
    """Simulate trajectories and write them to the dataset folder `out`, or continue the dataset that is there.

    scenes: as for `avw generate --scenes`, e.g. "procedural:12" or ["flat.glb", "house.glb"]
    trajectories, steps: how many in all, and steps of each; None: 72 and 160, or those of the preset
    sound: "ring", a sound file, a folder of them, or a set of SoundSpaces · simulator: image size, acoustics, backend
    preset: "demo", "rooms-v1" or "avw-4k" · workers: number of processes
    progress: called with the number of steps that were just simulated

    The bytes depend on the arguments only, not on the number of workers or on interruptions.
    Raises UsageError, SceneError or SoundError for inputs that cannot be used, DatasetError for a full disk.
    """
    asked = [str(one) for one in ((scenes,) if isinstance(scenes, str | Path) else scenes)]
    spec, found = plan_dataset(
        preset=preset, scenes=asked, trajectories=trajectories, steps=steps, sources_per_scene=sources_per_scene,
        seed=seed, sound=sound, episodes_per_shard=episodes_per_shard, compression=compression, simulator=simulator,
    )  # fmt: skip
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder for the dataset")
    check_inputs(folder, spec, found)
    generate_spec(folder, spec, workers=workers, resume=resume, scenes=found, on_steps=progress)
    return open_dataset(folder)
