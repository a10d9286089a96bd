"""`--habitat-python`, the same for every command that may simulate with Habitat-Sim."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

VARIABLE = "AVW_HABITAT_PYTHON"


def _export(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Into the environment: every process that works for this command finds it there."""
    if value:
        os.environ[VARIABLE] = value


def habitat_python(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the option; the command itself need not know of it."""
    return click.option(
        "--habitat-python", metavar="PYTHON", envvar=VARIABLE, expose_value=False, callback=_export,
        help="For --backend habitat: the Python that has habitat-sim, perhaps of another environment; in-process: this "
        "very process. [default: this Python, in a supervised process]",
    )(command)  # fmt: skip
