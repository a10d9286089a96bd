"""Shared options read the same in every command, and help pages list options by section."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from avw.cli.help_page import OTHER, command, option
from avw.cli.main import COMMANDS, avw
from avw.cli.options import WholeNumbers, with_options
from avw.sim_bridge.simulators.protocol import SimulatorConfig

SHARED = (
    "as_json", "habitat_python", "materials", "scene_root", "scenes", "sound", "sound_root",
    "stream", "workers", "device", "ray_address", "executor",
)  # fmt: skip


def test_shared_options_have_the_same_text_in_every_command() -> None:
    texts = defaultdict(set)
    for name in COMMANDS:
        loaded = avw.get_command(click.Context(avw), name)
        assert loaded is not None
        for parameter in loaded.params:
            if isinstance(parameter, click.Option) and parameter.name in SHARED:
                texts[parameter.name].add((tuple(parameter.opts), parameter.help))
    assert "as_json" in texts
    assert {name: found for name, found in texts.items() if len(found) > 1} == {}


@pytest.fixture
def example() -> click.Command:
    @command()
    @option("--late", section="Second", is_flag=True, help="Late.")
    @option("--plain", is_flag=True, help="Plain.")
    @option("--size", section="First", default_text="the size of the image", help="Size.")
    @option("--last", section=OTHER, is_flag=True, help="Last.")
    @option("--counts", type=WholeNumbers("--counts 1,2", count=2), help="Counts.")
    def example(counts: tuple[int, ...] | None, **flags: bool) -> None:
        """Do something."""
        click.echo(counts)

    return example


def test_help_pages_list_options_by_section(example: click.Command) -> None:
    text = CliRunner().invoke(example, ["--help"]).stdout
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Options:", "Second:", "First:", f"{OTHER}:"]
    order = [text.index(word) for word in ("--plain", "--counts", "--late", "--size", "--last", "--help")]
    assert order == sorted(order)
    assert "[default: the size of the image]" in text


def test_a_command_without_sections_has_one_list_of_options() -> None:
    @command()
    @option("--out", help="Out.")
    @option("--json", section=OTHER, is_flag=True, help="JSON.")
    def plain(**values: str) -> None:
        """Do something."""

    text = CliRunner().invoke(plain, ["--help"]).stdout
    assert text.count("Options:") == 1
    assert OTHER not in text


def test_lists_of_whole_numbers(example: click.Command) -> None:
    assert CliRunner().invoke(example, ["--counts", "3, 40"]).stdout == "(3, 40)\n"
    for wrong in ("3", "3,0", "3,x", "3,4,5", ""):
        result = CliRunner().invoke(example, ["--counts", wrong])
        assert result.exit_code == 2
        assert "expected 2 whole numbers of at least 1, e.g. --counts 1,2" in result.stderr


def test_only_given_options_replace_fields() -> None:
    config = SimulatorConfig(size=64, stream="soundspaces")
    changed = with_options(config, backend=None, stream=None, materials=Path("map.json"), emitters=500)
    assert changed == SimulatorConfig(size=64, stream="soundspaces", materials="map.json", emitters=500)
