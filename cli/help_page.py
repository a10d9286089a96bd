"""Help pages with options in sections: a click command and a click option that know which section an option is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

MAX_WIDTH = 110
LONGEST_NAME = 26  # characters; the text of a longer option starts on the next line
OTHER = "Other options"


class SectionedOption(click.Option):
    """An option with the title of its section, and with a default in words where the value alone says too little."""

    def __init__(self, *names: Any, section: str = "", default_text: str = "", **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.section, self.default_text = section, default_text

    def get_help_extra(self, context: click.Context) -> Any:
        extra = super().get_help_extra(context)
        if self.default_text:
            extra["default"] = self.default_text
        return extra


class SectionedCommand(click.Command):
    """A command whose help page lists its options by section: those without a section first, OTHER last."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"": [], OTHER: []}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
            if record is not None:
                section = OTHER if "--help" in parameter.opts else getattr(parameter, "section", "")
                sections.setdefault(section, []).append(record)
        main, others = sections.pop(""), sections.pop(OTHER)
        if not sections:
            main, others = main + others, []
        every = [*main, *others, *(record for records in sections.values() for record in records)]
        width = min(LONGEST_NAME, max(len(name) for name, _ in every))
        for title, records in {"Options": main, **sections, OTHER: others}.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(width), text) for name, text in records], col_max=LONGEST_NAME)


def command(**settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """`click.command` with option sections."""
    return click.command(cls=SectionedCommand, **settings)


def option(*names: str, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`click.option` with the extra arguments `section` and `default_text`."""
    return click.option(*names, cls=SectionedOption, **settings)
