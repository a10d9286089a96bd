"""`avw generate`: simulate trajectories and write them as a dataset."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avw.avw4k.plan.presets import DEFAULT, PRESETS, preset_scenes
from avw.cli.habitat_option import habitat_python
from avw.sim_bridge.simulators.protocol import ACOUSTICS, BACKENDS, STREAMS

if TYPE_CHECKING:
    from avw.avw4k.plan.spec import DatasetSpec
    from avw.avw4k.writing.forecast import Forecast
    from avw.avw4k.writing.generate import GenerateReport
    from avw.sim_bridge.simulators.protocol import SimulatorConfig


@click.command(
    epilog="Stop it whenever you like (Ctrl-C, a kill, a power cut): the same command goes on from what is committed. "
    "Every byte follows from the options: shards are equal for any --workers."
)
@click.argument("out", type=click.Path(path_type=Path), default=Path("data/avw"))
@click.option(
    "--scenes",
    help="procedural:12, procedural:40-59, mp3d, mp3d:val, mp3d:ID,ID (also hm3d, replica, gibson), a Habitat "
    "dataset's configuration, a mesh file, or a folder of them. [default: procedural:12]",
)
@click.option(
    "--scene-root", type=click.Path(path_type=Path), envvar="AVW_SCENES", help="Folder of scanned collections."
)
@click.option("--trajectories", type=int, help="How many in all, spread evenly over the scenes. [default: 72]")
@click.option("--steps", type=int, help="Exact length of each; a step is 0.15 s. [default: 160]")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws everything that is drawn.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes. [default: one a core, or all of the cluster's]")
@click.option("--sources-per-scene", type=int, help="Places the sound may come from. [default: 6; 1 with avw-4k]")
@click.option(
    "--sound", default="ring", show_default=True,
    help="ring, a sound file, a folder, or of SoundSpaces: 1s_all, semantic_splits:train, heard, unheard:val.",
)  # fmt: skip
@click.option(
    "--sound-root", type=click.Path(path_type=Path), envvar="AVW_SOUNDS",
    help="Folder of SoundSpaces' sounds. [default: data/sounds]",
)  # fmt: skip
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", show_default=True, help="Who simulates.")
@habitat_python
@click.option(
    "--acoustics", type=click.Choice(ACOUSTICS), default="emitters", show_default=True, help="Who renders sound."
)
@click.option(
    "--emitters", type=click.IntRange(min=100), default=None, help="Virtual emitters a source: quality for time."
)
@click.option(
    "--hrtf", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A SOFA file: whose head to hear with. [default: MIT KEMAR]",
)  # fmt: skip
@click.option(
    "--materials", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A material map as SoundSpaces has it (mp3d_material_config.json). [default: AVW's own table]",
)  # fmt: skip
@click.option(
    "--stream", type=click.Choice(STREAMS), default="glide", show_default=True,
    help="How the sound goes on from step to step: ours, or as SoundSpaces 2.0 does it.",
)  # fmt: skip
@click.option(
    "--size", type=click.IntRange(16, 1024), default=128, show_default=True, help="Pixels of the square image."
)
@click.option("--preset", type=click.Choice(tuple(PRESETS)), help="A set of defaults: demo, or the paper's AVW-4k.")
@click.option("--episodes-per-shard", type=int, default=8, show_default=True, help="Trajectories a file.")
@click.option(
    "--compression", type=click.Choice(("blosc2", "gzip", "none")), default="blosc2", show_default=True,
    help="gzip: for readers without the Blosc2 plugin.",
)  # fmt: skip
@click.option("--executor", type=click.Choice(("local", "ray")), default="local", show_default=True,
              help="Processes of this machine, or of a Ray cluster that shares OUT's file system.")  # fmt: skip
@click.option("--ray-address", default="auto", show_default=True, help="The cluster; auto: the one of this machine.")
@click.option("--shard", "part", metavar="I/N", help="Only part I of N (from 0), for array jobs on a shared folder.")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Go on from what OUT holds, or refuse to.")
@click.option("--strict", is_flag=True, help="Refuse scenes for which `avw info` has warnings.")
@click.option(
    "--dry-run", is_flag=True, help="Measure a few episodes, and say how much time, disk and memory it would take."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def generate(
    out: Path, scenes: str | None, scene_root: Path | None, trajectories: int | None, steps: int | None, seed: int,
    workers: int | None, sources_per_scene: int | None, sound: str, sound_root: Path | None, backend: str,
    acoustics: str, emitters: int | None, hrtf: Path | None, materials: Path | None, stream: str, size: int,
    preset: str | None, episodes_per_shard: int, compression: str, executor: str, ray_address: str, part: str | None,
    resume: bool, strict: bool, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Simulate trajectories with sight and binaural sound, and write them as a dataset into OUT (data/avw).

    \b
    avw generate                                             12 houses, 72 trajectories
    avw generate data/big --scenes procedural:60 --trajectories 600 --workers 8
    avw generate data/mine --scenes flat.glb --trajectories 20 --dry-run
    avw generate data/avw-4k --preset avw-4k --shard $SLURM_ARRAY_TASK_ID/64
    avw generate data/mp3d --preset avw-4k --scenes mp3d --dry-run
    avw generate data/mp3d --scenes mp3d:val --backend habitat --habitat-python ~/miniconda3/envs/habitat/bin/python
    """
    from avw.avw4k.execution.executors import run_in_processes
    from avw.avw4k.execution.ray_executor import RayExecutor, cluster_cpus, connect
    from avw.avw4k.plan.spec import DatasetSpec
    from avw.avw4k.writing.forecast import forecast
    from avw.avw4k.writing.generate import generate as run
    from avw.sim_bridge.scenes.materials.material_map import open_material_map
    from avw.sim_bridge.simulators.open_simulator import backend_versions
    from avw.sim_bridge.simulators.protocol import SimulatorConfig, resolved
    from avw.sim_bridge.task.sound_sets import expand_sounds

    chosen = PRESETS[preset] if preset else DEFAULT
    root = str(scene_root) if scene_root else None
    names, splits = preset_scenes(preset, scenes, root)
    sounds = expand_sounds(sound, sound_root)
    # Said in full here: a dataset says who made it, not who might have.
    simulator = resolved(SimulatorConfig(backend=backend, acoustics=acoustics, stream=stream, size=size))
    if emitters is not None:
        simulator = dataclasses.replace(simulator, emitters=emitters)
    if hrtf is not None:
        simulator = dataclasses.replace(simulator, hrtf=str(hrtf))
    if materials is not None:
        simulator = dataclasses.replace(simulator, materials=str(materials))
    spec = DatasetSpec(
        scenes=names,
        scene_splits=splits,
        trajectories=chosen.trajectories if trajectories is None else trajectories,
        steps=chosen.steps if steps is None else steps,
        sources_per_scene=chosen.sources_per_scene if sources_per_scene is None else sources_per_scene,
        seed=seed,
        sounds=sounds,
        episodes_per_shard=episodes_per_shard,
        compression=compression,
        simulator=simulator,
        assets=file_digests((*names, *sounds, *(str(file) for file in (hrtf, materials) if file)), root),
    )
    backend_versions(simulator)  # a backend that is not here is found before anything is claimed for it
    on_ray = executor == "ray"
    if workers is None:
        workers = cluster_cpus(connect(ray_address)) if on_ray else len(os.sched_getaffinity(0))
    ahead = forecast(out, spec, workers, pilot=dry_run, scene_root=root)
    if dry_run:
        document = {"out": str(out), "spec": spec.to_json(), **dataclasses.asdict(ahead)}
        click.echo(json.dumps(document, indent=1) if as_json else forecast_text(out, spec, ahead, workers))
        return
    check_scenes(names, root, strict=strict)
    check_head(simulator)
    open_material_map(simulator.materials)
    check_sounds(sounds)
    if ahead.bytes > ahead.free_bytes:
        click.echo(f"avw: about {ahead.bytes / 1e9:.1f} GB to write, {ahead.free_bytes / 1e9:.1f} GB free", err=True)
    started = time.monotonic()
    with progress_bar() as bar, terminated_like_interrupted():
        report = run(
            out, spec, workers=workers, resume=resume, part=parse_part(part), scene_root=root,
            execute=RayExecutor(address=ray_address) if on_ray else run_in_processes,
            on_start=bar.begin, on_steps=bar.add, log=bar.log,
        )  # fmt: skip
    seconds = time.monotonic() - started
    if as_json:
        click.echo(
            json.dumps(dataclasses.asdict(report) | {"seconds": round(seconds, 3), "workers": workers}, indent=1)
        )
    else:
        click.echo(report_text(report, bar.done, seconds))


def check_scenes(names: tuple[str, ...], scene_root: str | None, *, strict: bool = False) -> None:
    """Read each mesh file once and look for its floor, so that a bad one is found before OUT is claimed for it.

    Of scans only the beginnings of the files are read: a collection would take an hour. Raises SceneError or UsageError
    for a scene that cannot be had; with `strict` also for one that the lint has warnings for.
    """
    from avw.sim_bridge.inspection.lint import lint_scene
    from avw.sim_bridge.navigation.navgrid import NavGrid
    from avw.sim_bridge.scenes.catalogue import expand_scenes, load_scene
    from avw.sim_bridge.scenes.collections.inventory import check_files

    for name in names:
        expand_scenes(name, scene_root)
        check_files(name, scene_root)
        if strict:
            lint_scene(name, scene_root, strict=True)
        elif Path(name).is_file():
            NavGrid.from_scene(load_scene(name, scene_root))


def check_head(simulator: SimulatorConfig) -> None:
    """Read the user's head once. Raises UsageError for one that is no SOFA file."""
    if simulator.hrtf is None:
        return
    from avw.sim_bridge.acoustics.hrtf import load_hrtf
    from avw.sim_bridge.types import SAMPLE_RATE

    load_hrtf(SAMPLE_RATE, simulator.hrtf)


def check_sounds(sounds: tuple[str, ...]) -> None:
    """Decode each once, so that an unreadable one is found before anything is simulated."""
    from avw.sim_bridge.acoustics.sounds import load_sound

    for sound in sounds:
        load_sound(sound)


def file_digests(names: tuple[str, ...], scene_root: str | None = None) -> tuple[tuple[str, str], ...]:
    """(name, SHA-256) of those that are files: another mesh under the same name is another dataset."""
    from avw.sim_bridge.errors import SceneError
    from avw.sim_bridge.scenes.collections.collections import files_sha256, scene_files

    digests = []
    for name in names:
        with suppress(SceneError):  # no file, or not on this machine
            digests.append((name, files_sha256(scene_files(name, scene_root))))
    return tuple(digests)


def parse_part(text: str | None) -> tuple[int, int] | None:
    """ "3/8" as (3, 8). Raises UsageError for anything that is no part."""
    from avw.sim_bridge.errors import UsageError

    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise UsageError(
            f"--shard {text!r} is no part of a whole: expected I/N with I from 0 to N - 1, e.g. --shard 0/8"
        )
    return int(number), int(count)


def forecast_text(out: Path, spec: DatasetSpec, ahead: Forecast, workers: int) -> str:
    """The dry run for a person."""
    from avw.avw4k.plan.spec import SPLITS, split_scenes

    splits = list(split_scenes(spec).values())
    scenes = ", ".join(f"{splits.count(name)} {name}" for name in SPLITS)
    basis = "measured on a few of its episodes" if ahead.measured else "by figures of another machine: no scene is here"
    return (
        f"{out}: {ahead.episodes} trajectories of {spec.steps} steps = {ahead.steps} steps "
        f"({ahead.hours_of_experience:.2f} h) in {len(spec.scenes)} scenes ({scenes})\n"
        f"{ahead.shards_left} of {ahead.shards} shards to make: about {ahead.bytes / 1e9:.2f} GB "
        f"({ahead.free_bytes / 1e9:.1f} GB free), {ahead.memory_bytes / 1e9:.1f} GB of memory and "
        f"{duration(ahead.seconds)} with {workers} workers, {basis}"
    )


def report_text(report: GenerateReport, steps: int, seconds: float) -> str:
    """What was done, for a person."""
    rate = f", {steps / seconds:.0f} steps/s" if steps else ""
    clipped = f"; {report.clipped} values clipped" if report.clipped else ""
    if not report.complete:
        return (
            f"{report.path}: {report.shards} shards committed, others are still to be made ({duration(seconds)}{rate})"
        )
    return (
        f"{report.path}: {report.episodes} trajectories, {report.steps} steps, {report.shards} shards, "
        f"{report.bytes / 1e9:.2f} GB ({duration(seconds)}{rate}){clipped}"
    )


def duration(seconds: float) -> str:
    """ "1 h 05 min", "3 min 20 s" or "12 s"."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


class ProgressBar:
    """One bar for all workers, on stderr."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.done = 0

    def begin(self, done: int, total: int) -> None:
        from tqdm import tqdm

        quiet = 0.1 if sys.stderr.isatty() else 10.0
        self.bar = tqdm(
            total=total,
            initial=done,
            unit="step",
            desc="generate",
            file=sys.stderr,
            mininterval=quiet,
            dynamic_ncols=True,
        )

    def add(self, steps: int) -> None:
        self.done += steps
        self.bar.update(steps)

    def log(self, text: str) -> None:
        click.echo(f"avw: {text}", err=True)


@contextmanager
def progress_bar() -> Iterator[ProgressBar]:
    """A bar that is closed however the work ends."""
    bar = ProgressBar()
    try:
        yield bar
    finally:
        if bar.bar is not None:
            bar.bar.close()


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """A SIGTERM (of a batch system) stops the run as tidily as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
