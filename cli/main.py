"""The `avw` command: one lazily loaded click command per file, and one way to report errors.

Exit codes: 0 success · 1 what was typed is right, but failed · 2 what was typed is wrong · 130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from avw.cli.help_page import MAX_WIDTH
from avw.cli.interrupts import interrupts_survive_imports
from avw.sim_bridge.errors import AvwError
from avw.sim_bridge.suggestions import did_you_mean

COMMANDS = {
    "play": ("avw.cli.play:play", "Walk through a house in the browser, with sound."),
    "generate": ("avw.cli.generate:generate", "Simulate trajectories and write them to a dataset."),
    "train": ("avw.cli.train:train", "Train the world model on a dataset."),
    "evaluate": ("avw.cli.evaluate:evaluate", "Evaluate a trained model on scenes it has not seen."),
    "imagine": ("avw.cli.imagine:imagine", "Show what a model imagines for chosen actions."),
    "navigate": ("avw.cli.navigate:navigate", "Run navigation policies and measure their success."),
    "report": ("avw.cli.report:report", "Write an HTML report about a run."),
    "info": ("avw.cli.info:info", "Describe a dataset, a run, a scene or a file."),
    "view": ("avw.cli.view:view", "View a dataset or a run in the browser, with sound."),
    "verify": ("avw.cli.verify:verify", "Check a dataset for damage, and repair it."),
    "merge": ("avw.cli.merge:merge", "Merge the parts of an array job into one dataset."),
    "export": ("avw.cli.export:export", "Export a dataset, or a model as one file."),
    "push": ("avw.cli.push:push", "Upload a dataset or a model to the Hugging Face Hub."),
    "pull": ("avw.cli.pull:pull", "Download a dataset from the Hugging Face Hub."),
    "scenes": ("avw.cli.scenes:scenes", "List scenes, or export them as GLB files."),
    "doctor": ("avw.cli.doctor:doctor", "Check the installation and test the physics."),
}
SECTIONS = {
    "First look": ("play",),
    "Main commands, in order": ("generate", "train", "evaluate", "imagine", "navigate", "report"),
    "Datasets": ("info", "view", "verify", "merge", "export", "push", "pull"),
    "Scenes and installation": ("scenes", "doctor"),
}
MODEL_MODULES = ("torch", "safetensors", "einops")


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs, which keeps `avw --help` fast."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            context.fail(f"No such command {name!r}.{did_you_mean(name, COMMANDS)}")
        module_name, attribute = COMMANDS[name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module_name), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        listed = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in COMMANDS if name not in listed)
        width = max(len(name) for name in COMMANDS)
        for title, names in {**SECTIONS, "Other commands": others}.items():
            if names:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(width), COMMANDS[name][1]) for name in names])

    def invoke(self, context: click.Context) -> Any:
        with reported_errors(context):
            return super().invoke(context)


class reported_errors:  # noqa: N801 - a context manager
    """Turns expected errors into a one-line message and an exit code; with `--debug` the traceback is shown."""

    def __init__(self, context: click.Context) -> None:
        self.debug = bool(context.params.get("debug"))

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or self.debug:
            return
        if isinstance(error, AvwError):
            fail(str(error), error.exit_code, error)
        if isinstance(error, OSError) and error.errno is not None:
            fail(_disk_error(error), 1, error)
        if isinstance(error, KeyboardInterrupt):
            fail("interrupted. Run the same command again; the work saved so far is kept.", 130, error)
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in MODEL_MODULES:
            fail(
                f"this command needs {error.name}, which is not installed. Install it with: pip install 'avw[model]'",
                1,
                error,
            )


def _disk_error(error: OSError) -> str:
    """One sentence for an error of the file system that no part of the command expected."""
    where = f"{error.filename}: " if error.filename else ""
    remedies = {
        errno.ENOSPC: "Free some space and type the same command again.",
        errno.EDQUOT: "Free some space and type the same command again.",
        errno.EROFS: "Name a folder on a disk that can be written to.",
        errno.EACCES: "Name a folder that you may write to.",
    }
    remedy = remedies.get(error.errno or 0, "Check the path, and type the same command again.")
    return f"{where}{error.strerror or error}. {remedy} With avw --debug, the traceback is shown."


def fail(message: str, exit_code: int, cause: BaseException) -> NoReturn:
    """Print the message on stderr and exit with the given code."""
    click.echo(f"avw: {message}", err=True)
    raise click.exceptions.Exit(exit_code) from cause


def print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the installed version and exit."""
    if not value or context.resilient_parsing:
        return
    from avw import __version__

    click.echo(f"avw {__version__}")
    context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": MAX_WIDTH})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version,
    help="Show the version and exit.",
)  # fmt: skip
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
@click.pass_context
def avw(context: click.Context, debug: bool) -> None:
    """AVW: audio-visual world models for embodied navigation.

    Simulate houses with RGB-D images and binaural sound, train a diffusion world model on the recorded trajectories,
    and find a sounding object by planning with the model's predictions.

    \b
    Quick start (each command has defaults for everything):
      avw play                      Walk through a house and listen.
      avw generate                  Simulate a dataset of 12 houses in data/avw.
      avw train                     Train a world model on it in runs/latest.
      avw navigate                  Plan with the model in houses it has not seen.
      avw report                    Write runs/latest/report.html.

    Type 'avw COMMAND --help' for the options of a command. Progress and messages go to stderr. With --json, a command
    prints its result as one JSON document on stdout.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


def main() -> None:
    """Entry point of the `avw` script and of `python -m avw.cli`."""
    interrupts_survive_imports()
    try:
        avw(prog_name="avw")
    except KeyboardInterrupt:  # while a module was still being imported
        click.echo("avw: interrupted.", file=sys.stderr)
        sys.exit(130)
