"""The reference of every command as Markdown: `python -m avw.cli.reference > docs/cli.md`."""

from __future__ import annotations

import click

from avw.cli.main import COMMANDS, avw

HEADER = """# Command line

Written by `python -m avw.cli.reference > docs/cli.md`; a test compares the two, so this page cannot grow old.

Each command prints progress and logs to stderr. With `--json` it prints one JSON document to stdout and nothing else
there. Exit codes: 0 done · 1 failed or corrupt · 2 usage · 130 interrupted (the same command goes on from what is
committed). `avw --debug COMMAND …` shows the traceback of an error instead of one sentence.
"""


def reference() -> str:
    """The whole page."""
    group = click.Context(avw, info_name="avw", **avw.context_settings)
    return HEADER + "".join(section(name, group) for name in COMMANDS)


def section(name: str, group: click.Context) -> str:
    """One command: its usage line, what it does, its options."""
    command = avw.get_command(group, name)
    if command is None:
        raise click.UsageError(f"{name} is in the table of commands but cannot be loaded")
    context = click.Context(command, info_name=name, parent=group, max_content_width=110, terminal_width=110)
    return f"\n## `avw {name}`\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    print(reference(), end="")
