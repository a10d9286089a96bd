"""Options that several commands share. Each has the same name, type and text in every command."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from avw.cli.help_page import OTHER, option
from avw.cli.paths import UserPath
from avw.sim_bridge.simulators.protocol import ACOUSTICS, BACKENDS, HABITAT_PYTHON, STREAMS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

SCENES, SOUND, SIMULATOR, EXECUTION = "Scenes", "Sound", "Simulator", "Execution"
SCENE_ROOT = "AVW_SCENES"
SPLITS = ("train", "val", "test")


def with_options(config: Config, **values: Any) -> Config:
    """A configuration in which the options that the user gave (those that are not None) replace the fields."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    return dataclasses.replace(config, **{name: value for name, value in given.items() if value is not None})


class WholeNumbers(click.ParamType):
    """Whole numbers of at least `least`, separated by commas; a tuple of int."""

    name = "N,N,..."

    def __init__(self, example: str, count: int | None = None, least: int = 1) -> None:
        self.example, self.count, self.least = example, count, least

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in value.split(",")]
        valid = all(word.isdecimal() and int(word) >= self.least for word in words)
        if not valid or (self.count is not None and len(words) != self.count):
            count = "" if self.count is None else f"{self.count} "
            message = f"{value!r}: expected {count}whole numbers of at least {self.least}, e.g. {self.example}"
            self.fail(message, parameter, context)
        return tuple(int(word) for word in words)


json_output = option(
    "--json", "as_json", is_flag=True, section=OTHER, help="Print the result as one JSON document on stdout."
)


denoising_steps = option(
    "--denoising-steps", type=click.IntRange(min=1), metavar="N", default_text="as many as the model was trained for",
    help="Number of denoising steps. One step has the smallest error; more steps give sharper images.",
)  # fmt: skip


def _export_scene_root(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Set the environment variable while the command runs: this process and its workers find scenes there."""
    if value:
        before = os.environ.get(SCENE_ROOT)
        os.environ[SCENE_ROOT] = str(value)
        context.call_on_close(lambda: _restore(SCENE_ROOT, before))


def _restore(variable: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = value


scene_root = option(
    "--scene-root", type=UserPath(), metavar="DIR", envvar=SCENE_ROOT, show_envvar=True, expose_value=False,
    callback=_export_scene_root, section=SCENES, default_text="data/scene_datasets",
    help="Folder with the scanned scene collections (mp3d, hm3d, replica, gibson).",
)  # fmt: skip


def scenes(default_text: str) -> Decorator:
    """`--scenes`, with the default of the command; a tuple of texts, () where the user gives none."""
    return option(
        "--scenes", metavar="SCENES", multiple=True, section=SCENES, default_text=default_text,
        help="Scenes to use, separated by commas: procedural:12 (12 generated houses), procedural:40-59, a scanned "
        "collection (mp3d, hm3d, replica, gibson), a split of it (mp3d:val), some of its scenes (mp3d:ID,ID), a "
        "Habitat scene dataset configuration, a mesh file, or a folder of mesh files. "
        "The option may be repeated. In a name, write \\, for a comma.",
    )  # fmt: skip


def sound(default: str | None, default_text: str) -> Decorator:
    """`--sound`, with the default of the command."""
    return option(
        "--sound", metavar="SOUND", default=default, section=SOUND, default_text=default_text,
        help="Sound of the source: ring (a synthesised telephone), alarm, knock, melody, voice, a sound file, or one "
        "of SoundSpaces' sounds (telephone). avw generate also takes a folder of sound files, or a set "
        "(1s_all, semantic_splits:train, heard, unheard:val).",
    )  # fmt: skip


sound_root = option(
    "--sound-root", type=UserPath(), metavar="DIR", envvar="AVW_SOUNDS", show_envvar=True,
    section=SOUND, default_text="data/sounds", help="Folder with the sounds of SoundSpaces.",
)  # fmt: skip


def backend(default_text: str) -> Decorator:
    """`--backend`; None where the user names none."""
    return option(
        "--backend", type=click.Choice(BACKENDS), section=SIMULATOR, default_text=default_text,
        help="Simulator backend: embedded (built in), habitat (Habitat-Sim) or soundspaces (SoundSpaces 2.0). auto "
        "means embedded.",
    )  # fmt: skip


def acoustics(default_text: str) -> Decorator:
    """`--acoustics`; None where the user names none."""
    return option(
        "--acoustics", type=click.Choice(ACOUSTICS), section=SIMULATOR, default_text=default_text,
        help="Acoustic engine: emitters (built in), rlr (RLR-Audio-Propagation) or habitat (the audio sensor of "
        "Habitat-Sim).",
    )  # fmt: skip


def stream(default_text: str) -> Decorator:
    """`--stream`; None where the user names none."""
    return option(
        "--stream", type=click.Choice(STREAMS), section=SIMULATOR, default_text=default_text,
        help="How the sound continues from step to step: glide (impulse responses change continuously) or soundspaces "
        "(as in SoundSpaces 2.0).",
    )  # fmt: skip


def materials(default_text: str, section: str = SIMULATOR) -> Decorator:
    """`--materials`, a material map."""
    return option(
        "--materials", type=UserPath(dir_okay=False, exists=True), section=section,
        default_text=default_text,
        help="Material map in the format of SoundSpaces (mp3d_material_config.json).",
    )  # fmt: skip


def _export_habitat_python(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Set the environment variable, which every worker process inherits."""
    if value:
        os.environ[HABITAT_PYTHON] = value


habitat_python = option(
    "--habitat-python", metavar="PYTHON", envvar=HABITAT_PYTHON, show_envvar=True, expose_value=False,
    callback=_export_habitat_python, section=SIMULATOR, default_text="this Python, in a supervised process",
    help="Python interpreter that has habitat-sim, for --backend habitat and soundspaces. It may belong to another "
    "environment. in-process: run habitat-sim in the AVW process.",
)  # fmt: skip


def workers(default_text: str = "", default: int | None = None) -> Decorator:
    """`--workers`; None where the user names none and the command has no number of its own."""
    return option(
        "--workers", type=click.IntRange(min=1), metavar="N", default=default, section=EXECUTION,
        default_text=default_text or str(default), help="Number of worker processes.",
    )  # fmt: skip


def seed(what: str, section: str = "") -> Decorator:
    """`--seed`: "Random seed for WHAT."."""
    return option(
        "--seed", type=int, metavar="N", default=0, show_default=True, section=section, help=f"Random seed for {what}."
    )


def device(default: str, section: str = "") -> Decorator:
    """`--device`, for commands that run PyTorch."""
    return option(
        "--device", metavar="DEVICE", default=default, show_default=True, section=section,
        help="PyTorch device: cpu, cuda, cuda:1, ...; auto is the GPU if there is one.",
    )  # fmt: skip


_executor = option(
    "--executor", type=click.Choice(("local", "ray")), default="local", show_default=True, section=EXECUTION,
    help="local: worker processes on this machine. ray: workers on a Ray cluster that shares the output folder's file "
    "system.",
)  # fmt: skip
_ray_address = option(
    "--ray-address", metavar="ADDRESS", default="auto", show_default=True, section=EXECUTION,
    help="Address of the Ray cluster; auto: the cluster that this machine belongs to.",
)  # fmt: skip


def executor(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--executor` and `--ray-address`."""
    return _executor(_ray_address(command))


def resume(help_text: str) -> Decorator:
    """`--resume/--no-resume`."""
    return option("--resume/--no-resume", default=True, show_default=True, section=EXECUTION, help=help_text)
