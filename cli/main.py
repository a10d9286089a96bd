"""The `avw` command: one lazily loaded click command a file, one way of reporting errors.

Exit codes: 0 done · 1 failed or corrupt · 2 usage · 130 interrupted (and resumable).
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NoReturn

import click

from avw.sim_bridge.errors import AvwError

COMMANDS = {
    "generate": ("avw.cli.generate:generate", "Simulate trajectories and write them as a dataset."),
    "merge": ("avw.cli.merge:merge", "Gather the parts of an array job into one dataset."),
    "verify": ("avw.cli.verify:verify", "Read a whole dataset again and check every promise it makes."),
    "info": ("avw.cli.info:info", "Describe a dataset, a run or a scene."),
    "view": ("avw.cli.view:view", "See and hear a dataset or a run, in a browser or as one file."),
    "export": ("avw.cli.export:export", "Write a dataset as LeRobot, WebDataset or mp4."),
    "push": ("avw.cli.push:push", "Upload a dataset to the Hugging Face Hub."),
    "pull": ("avw.cli.pull:pull", "Download a dataset from the Hugging Face Hub."),
    "scenes": ("avw.cli.scenes:scenes", "List the scenes that a --scenes expression stands for."),
    "train": ("avw.cli.train:train", "Train the world model on a dataset, in three stages."),
    "evaluate": ("avw.cli.evaluate:evaluate", "Measure a trained model on scenes that it has never seen."),
    "navigate": ("avw.cli.navigate:navigate", "Let a policy search for the sound, closed loop."),
    "report": ("avw.cli.report:report", "Write a run as one self-contained HTML page."),
    "doctor": ("avw.cli.doctor:doctor", "Test the physics and the installation of this machine."),
}
MODEL_MODULES = ("torch", "safetensors", "einops")


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs, so that `--help` stays quick."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module_name, attribute = COMMANDS[name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module_name), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, context: click.Context) -> Any:
        with reported_errors(context):
            return super().invoke(context)


class reported_errors:  # noqa: N801 - reads as the context manager that it is
    """Turns what may go wrong into one sentence and an exit code; with `--debug` the traceback comes through."""

    def __init__(self, context: click.Context) -> None:
        self.debug = bool(context.params.get("debug"))

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or self.debug:
            return
        if isinstance(error, AvwError):
            fail(str(error), error.exit_code, error)
        if isinstance(error, KeyboardInterrupt):
            fail("interrupted; the same command goes on from what is committed.", 130, error)
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in MODEL_MODULES:
            fail(
                f"this command needs {error.name}, which is not installed here; type: pip install 'avw[model]'",
                1,
                error,
            )


def fail(sentence: str, exit_code: int, cause: BaseException) -> NoReturn:
    """Say on stderr what went wrong, and leave with the exit code of its kind."""
    click.echo(f"avw: {sentence}", err=True)
    raise click.exceptions.Exit(exit_code) from cause


def print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the installed version and leave."""
    if not value or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"avw {version('avw')}")
    except PackageNotFoundError:  # run from a checkout that was never installed
        click.echo("avw (not installed; type: make install)")
    context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="Version.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error instead of one sentence.")
def avw(debug: bool) -> None:
    """Audio-visual world models: simulate, generate, learn, navigate.

    \b
    The whole path, each step with its defaults:
      avw generate                  data/avw     houses, trajectories, RGB-D and binaural sound
      avw train                     runs/latest  tokenizers and the diffusion world model
      avw navigate --policy mpc     planning in imagined futures

    A bare `avw COMMAND --help` explains each. Logs and progress go to stderr; --json prints one document to stdout.
    """


def main() -> None:
    """Entry point of the console script and of `python -m avw.cli`."""
    try:
        avw(prog_name="avw")
    except KeyboardInterrupt:  # while a module was still being imported
        click.echo("avw: interrupted.", file=sys.stderr)
        sys.exit(130)
