"""`avw generate`: simulate trajectories and write them to a dataset."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avw.avw4k.plan.presets import DEFAULT, PRESETS
from avw.cli import options as shared
from avw.cli.execution import chosen_executor, progress_bar, terminated_like_interrupted
from avw.cli.help_page import command, option
from avw.cli.options import with_options
from avw.cli.paths import UserPath
from avw.sim_bridge.wording import plural

if TYPE_CHECKING:
    from avw.avw4k.plan.spec import DatasetSpec
    from avw.avw4k.writing.forecast import Forecast
    from avw.avw4k.writing.generate import GenerateReport


DATASET = "Dataset"


class Part(click.ParamType):
    """ "3/8" as (3, 8)."""

    name = "I/N"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        number, _, count = value.partition("/")
        if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
            self.fail(f"{value!r}: expected I/N with I from 0 to N - 1, e.g. --shard 0/8", parameter, context)
        return int(number), int(count)


@command(
    epilog="You can stop the command at any time (Ctrl-C, kill, power cut). Run it again to continue from the shards "
    "written so far. The data depend on the options only: any number of workers gives the same bytes."
)
@click.argument("out", type=UserPath(), default=Path("data/avw"))
@option("--preset", type=click.Choice(tuple(PRESETS)), section=DATASET,
        help="Set of defaults: demo (small), avw-4k (the paper's dataset), or rooms-v1 (the benchmark).")  # fmt: skip
@option("--trajectories", type=int, metavar="N", section=DATASET, default_text=str(DEFAULT.trajectories),
        help="Number of trajectories in total, spread evenly over the scenes.")  # fmt: skip
@option("--steps", type=int, metavar="N", section=DATASET, default_text=str(DEFAULT.steps),
        help="Number of steps per trajectory; one step is 0.15 s.")  # fmt: skip
@shared.seed("the whole dataset", DATASET)
@option("--episodes-per-shard", type=int, metavar="N", default=8, show_default=True, section=DATASET,
        help="Number of trajectories per file.")  # fmt: skip
@option("--compression", type=click.Choice(("blosc2", "gzip", "none")), default="blosc2", show_default=True,
        section=DATASET, help="Compression of the HDF5 files; gzip works without the Blosc2 plugin.")  # fmt: skip
@shared.scenes(DEFAULT.scenes)
@shared.scene_root
@option("--strict", is_flag=True, section=shared.SCENES,
        help="Stop if a scene has warnings (see avw info SCENE).")  # fmt: skip
@shared.sound("ring", "ring")
@shared.sound_root
@option("--sources-per-scene", type=int, metavar="N", section=shared.SOUND,
        default_text=f"{DEFAULT.sources_per_scene}; 1 with --preset avw-4k",
        help="Number of source positions per scene.")  # fmt: skip
@shared.backend("auto")
@shared.habitat_python
@shared.acoustics("emitters")
@option("--emitters", type=click.IntRange(min=100), metavar="N", section=shared.SIMULATOR, default_text="10000",
        help="Virtual emitters per source; more is less noisy but slower.")  # fmt: skip
@option("--hrtf", type=UserPath(dir_okay=False, exists=True), section=shared.SIMULATOR,
        default_text="MIT KEMAR", help="SOFA file with head-related transfer functions.")  # fmt: skip
@shared.materials("the built-in table")
@shared.stream("glide")
@option("--size", type=click.IntRange(16, 1024), metavar="PIXELS", default=128, show_default=True,
        section=shared.SIMULATOR, help="Width and height of the images.")  # fmt: skip
@shared.workers("one per CPU core, or per core of the Ray cluster")
@shared.executor
@option("--shard", "part", type=Part(), section=shared.EXECUTION,
        help="Write only part I of N (I starts at 0), for array jobs.")  # fmt: skip
@shared.resume("Continue the dataset in OUT, or stop if OUT already holds one.")
@option("--dry-run", is_flag=True, section=shared.EXECUTION,
        help="Simulate a few episodes and print the expected time, disk space and memory; write nothing.")  # fmt: skip
@shared.json_output
def generate(
    out: Path, scenes: tuple[str, ...], trajectories: int | None, steps: int | None, seed: int,
    workers: int | None, sources_per_scene: int | None, sound: str, sound_root: Path | None, backend: str | None,
    acoustics: str | None, emitters: int | None, hrtf: Path | None, materials: Path | None, stream: str | None,
    size: int, preset: str | None, episodes_per_shard: int, compression: str, executor: str, ray_address: str,
    part: tuple[int, int] | None, resume: bool, strict: bool, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Simulate trajectories with RGB-D images and binaural sound, and write them to the dataset folder OUT.

    OUT is data/avw by default. The defaults below are those without --preset.

    \b
    Examples:
      avw generate                                12 houses in data/avw
      avw generate data/big --scenes procedural:60 --trajectories 600 --workers 8
      avw generate data/mine --scenes flat.glb --trajectories 20 --dry-run
      avw generate data/avw-4k --preset avw-4k --shard $SLURM_ARRAY_TASK_ID/64
      avw generate data/mp3d --preset avw-4k --scenes mp3d --dry-run
      avw generate data/mp3d --scenes mp3d:val --backend habitat
    """
    from avw.avw4k.writing.forecast import forecast
    from avw.avw4k.writing.generate import generate as run
    from avw.avw4k.writing.generate_dataset import check_inputs, plan_dataset
    from avw.cli.progress import phase
    from avw.sim_bridge.simulators.protocol import SimulatorConfig

    simulator = with_options(
        SimulatorConfig(size=size), backend=backend, acoustics=acoustics, stream=stream, emitters=emitters,
        hrtf=hrtf, materials=materials,
    )  # fmt: skip
    with phase("reading the scenes and the sounds"):
        spec, found = plan_dataset(
            preset=preset, scenes=scenes, trajectories=trajectories, steps=steps, sources_per_scene=sources_per_scene,
            seed=seed, sound=sound, sound_root=sound_root, episodes_per_shard=episodes_per_shard,
            compression=compression, simulator=simulator,
        )  # fmt: skip
    execute, workers = chosen_executor(executor, ray_address, workers)
    with phase("simulating a few episodes to measure the time" if dry_run else "measuring the scenes"):
        ahead = forecast(out, spec, workers, pilot=dry_run, scenes=found)
    if dry_run:
        document = {"out": str(out), "spec": spec.to_json(), **dataclasses.asdict(ahead)}
        click.echo(json.dumps(document, indent=1) if as_json else forecast_text(out, spec, ahead, workers))
        return
    with phase("checking the scenes"):
        check_inputs(out, spec, found, part=part, strict=strict)
    if ahead.bytes > ahead.free_bytes:
        click.echo(
            f"avw: warning: the dataset needs about {ahead.bytes / 1e9:.1f} GB, and {ahead.free_bytes / 1e9:.1f} GB "
            f"are free on the disk of {out}",
            err=True,
        )
    started = time.monotonic()
    with progress_bar("generate", "step") as bar, terminated_like_interrupted():
        report = run(
            out, spec, workers=workers, resume=resume, part=part, scenes=found,
            execute=execute, on_start=bar.begin, on_steps=bar.add, log=bar.log,
        )  # fmt: skip
    seconds = time.monotonic() - started
    if as_json:
        click.echo(
            json.dumps(dataclasses.asdict(report) | {"seconds": round(seconds, 3), "workers": workers}, indent=1)
        )
    else:
        click.echo(report_text(report, bar.done, seconds))


def forecast_text(out: Path, spec: DatasetSpec, ahead: Forecast, workers: int) -> str:
    """The result of a dry run as text."""
    from avw.avw4k.plan.spec import SPLITS, split_scenes

    splits = list(split_scenes(spec).values())
    scenes = ", ".join(f"{splits.count(name)} {name}" for name in SPLITS)
    trajectories = _trajectories(ahead.episodes)
    basis = "measured on a few episodes" if ahead.measured else "rough: the scenes are not on this machine"
    return (
        f"{out}: {trajectories} of {plural(spec.steps, 'step')} = {plural(ahead.steps, 'step')} "
        f"({ahead.hours_of_experience:.2f} h) in {plural(len(spec.scenes), 'scene')} ({scenes})\n"
        f"To write: {ahead.shards_left} of {plural(ahead.shards, 'shard')}, {ahead.bytes / 1e9:.2f} GB "
        f"({ahead.free_bytes / 1e9:.1f} GB free)\n"
        f"Estimate for {plural(workers, 'worker')}: {duration(ahead.seconds)}, "
        f"{ahead.memory_bytes / 1e9:.1f} GB of memory ({basis})"
    )


def report_text(report: GenerateReport, steps: int, seconds: float) -> str:
    """The result of a run as text."""
    rate = f", {steps / seconds:.0f} steps/s" if steps else ""
    clipped = f"; {report.clipped} values clipped" if report.clipped else ""
    if not report.complete:
        return f"{report.path}: {plural(report.shards, 'shard')} written, more to follow ({duration(seconds)}{rate})"
    return (
        f"{report.path}: {_trajectories(report.episodes)}, {plural(report.steps, 'step')}, "
        f"{plural(report.shards, 'shard')}, "
        f"{report.bytes / 1e9:.2f} GB ({duration(seconds)}{rate}){clipped}"
    )


def _trajectories(count: int) -> str:
    return f"{count:,} trajectory" if count == 1 else f"{count:,} trajectories"


def duration(seconds: float) -> str:
    """ "1 h 05 min", "3 min 20 s" or "12 s"."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
