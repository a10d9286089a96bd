"""Every option and argument that is a path takes `~`, however the shell left it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from avw.cli.main import avw
from avw.cli.paths import UserPath


def commands() -> list[click.Command]:
    assert isinstance(avw, click.Group)
    context = click.Context(avw)
    found = [avw.get_command(context, name) for name in avw.list_commands(context)]
    return [command for command in found if command is not None]


def test_every_path_of_every_command_is_of_one_type() -> None:
    paths = [parameter for command in commands() for parameter in command.params
             if isinstance(parameter.type, click.Path)]  # fmt: skip
    assert len(paths) > 20
    assert [parameter.name for parameter in paths if not isinstance(parameter.type, UserPath)] == []


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.wav").touch()

    @click.command()
    @click.argument("out", type=UserPath())
    @click.option("--sound", type=UserPath(exists=True, dir_okay=False))
    def program(out: Path, sound: Path) -> None:
        click.echo(f"{out!r} {sound!r}")

    done = CliRunner().invoke(program, ["~/d83", "--sound=~/x.wav"])
    assert done.output == f"{tmp_path / 'd83'!r} {tmp_path / 'x.wav'!r}\n"
    assert CliRunner().invoke(program, ["plain", "--sound=~/y.wav"]).exit_code == 2


def test_a_sound_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from avw.sim_bridge.task.sound_sets import expand_sounds

    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("x.wav", "._x.wav"):
        (tmp_path / name).touch()
    assert expand_sounds("~/x.wav") == expand_sounds("~") == (str(tmp_path / "x.wav"),)
