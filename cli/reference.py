"""The reference of every command as Markdown: `python -m avw.cli.reference > docs/cli.md`."""

from __future__ import annotations

import click

from avw.cli.help_page import MAX_WIDTH
from avw.cli.main import COMMANDS, avw

HEADER = """# Command line

This page is written by `python -m avw.cli.reference > docs/cli.md`. A test checks that it is up to date.

Every command prints progress and messages to stderr. With `--json` it prints one JSON document to stdout and nothing
else. `avw --debug COMMAND …` shows the full traceback of an error. `NO_COLOR=1` switches colours off.

| exit code | meaning |
| --- | --- |
| 0 | success; also a dataset that is unfinished but not damaged |
| 1 | what was typed is right, but it failed: damaged data, a full disk, a missing program, a failed check |
| 2 | what was typed is wrong: an option, a value, or a path that is not the scene, sound, dataset or run it should be |
| 130 | interrupted: run the same command again; the work saved so far is kept |
"""


def reference() -> str:
    """The Markdown page."""
    group = click.Context(avw, info_name="avw", terminal_width=MAX_WIDTH, **avw.context_settings)
    return f"{HEADER}\n```text\n{avw.get_help(group)}\n```\n" + "".join(section(name, group) for name in COMMANDS)


def section(name: str, group: click.Context) -> str:
    """The section of one command: its help page."""
    command = avw.get_command(group, name)
    if command is None:
        raise click.UsageError(f"the command {name} cannot be loaded")
    context = click.Context(command, info_name=name, parent=group, terminal_width=MAX_WIDTH)
    return f"\n## `avw {name}`\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    print(reference(), end="")
