"""The type of every option and argument that is a path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from avw.sim_bridge.paths import local_path


class UserPath(click.Path):
    """A path as a `pathlib.Path`, with `~` expanded. Shells do not expand it in `--out=~/x` or between quotes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        return super().convert(local_path(os.fspath(value)), param, ctx)
