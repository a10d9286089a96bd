"""The command group: lazy imports, exit codes, and error messages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from avw.cli.main import COMMANDS, SECTIONS, avw
from avw.sim_bridge.errors import DatasetError
from tests import ROOT

INSTALL_MODEL = "Install it with: pip install 'avw[model]'"
HEAVY = ("numpy", "numba", "scipy", "h5py", "torch", "pyarrow", "gymnasium", "trimesh")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(COMMANDS, "fail", ("tests.cli.failing:fail", "Fail."))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(avw, list(arguments))

    return invoke


def test_a_successful_command_exits_0(run) -> None:
    result = run("fail", "not")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "fine\n", "")


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("usage", 2, "avw: the folder holds another spec; type: avw info data/avw\n"),
        ("dataset", 1, "avw: train-00000.h5 is truncated; type: avw verify --repair\n"),
        ("interrupt", 130, "avw: interrupted. Run the same command again; the work saved so far is kept.\n"),
        ("torch", 1, f"avw: this command needs torch, which is not installed. {INSTALL_MODEL}\n"),
    ],
)
def test_an_error_gives_one_message_on_stderr_and_an_exit_code(run, how: str, code: int, message: str) -> None:
    result = run("fail", how)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", message)


def test_an_unexpected_error_keeps_its_traceback(run) -> None:
    assert isinstance(run("fail", "bug").exception, ZeroDivisionError)


def test_debug_raises_the_original_error(run) -> None:
    assert isinstance(run("--debug", "fail", "dataset").exception, DatasetError)


@pytest.mark.parametrize("arguments", [("nonsense",), ("--nonsense",), ("generate", "--nonsense"), ("info",)])
def test_a_usage_error_exits_2(run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_similar_command_is_proposed(run) -> None:
    result = run("genrate")
    assert result.exit_code == 2
    assert "Did you mean 'generate'?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("train", "--learning-rate", "-1"), "-1.0 is not in the range"),
        (("navigate", "--policy", "orcale"), "Did you mean 'oracle'?"),
        (("navigate", "--policy", "random", "--denoising-steps", "2"), "applies to policies that imagine only"),
        (("generate", "--ray-address", "x"), "applies to --executor ray only"),
    ],
)
def test_values_and_options_that_do_not_apply_exit_2(run, arguments: tuple[str, ...], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_an_error_of_the_file_system_is_a_sentence(run) -> None:
    result = run("fail", "disk")
    assert result.exit_code == 1
    assert result.stderr.startswith("avw: /somewhere/x: No space left on device. Free some space")


def test_version(run) -> None:
    assert run("--version").stdout.startswith("avw ")


def test_help_lists_every_command(run) -> None:
    text = run("--help").stdout
    assert all(name in text and summary in text for name, (_, summary) in COMMANDS.items())


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_texts(name: str) -> None:
    command = avw.get_command(click.Context(avw), name)
    assert command is not None
    assert command.name == name
    assert command.help
    bare = [o.opts for o in command.params if isinstance(o, click.Option) and not (o.help or o.hidden)]
    assert not bare, f"options of avw {name} without help: {bare}"


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_pages_fit_into_80_columns(name: str) -> None:
    group = click.Context(avw, info_name="avw", terminal_width=80)
    command = avw.get_command(group, name) if name else avw
    assert command is not None
    text = command.get_help(click.Context(command, info_name=name, parent=group, terminal_width=80))
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_the_reference_page_is_up_to_date() -> None:
    # In a separate process, because click caches the --help option of a command with the settings of the first caller.
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "avw.cli.reference"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert page == done.stdout, "type: python -m avw.cli.reference > docs/cli.md"


def imported(*arguments: str) -> set[str]:
    """The heavy modules that `avw ARGUMENTS` imports in a new interpreter."""
    code = (
        "import sys\nfrom avw.cli.main import avw\n"
        f"try:\n    avw({list(arguments)!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_the_group_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) == set()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_help_of_a_command_imports_nothing_heavy(name: str) -> None:
    assert imported(name, "--help") <= {"numpy"}


def test_every_command_is_in_one_section_of_the_help_page() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("no_color", ["", "1"])
def test_no_color_switches_colours_off(run, monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    text = CliRunner().invoke(avw, ["fail", "colour"], color=True).stdout
    assert ("\x1b[" in text) == (not no_color)


MISSING = {  # what the user typed does not exist
    "generate": ("OUT", "--scenes", "NOWHERE/a.glb"), "train": ("NOWHERE",), "evaluate": ("NOWHERE",),
    "imagine": ("NOWHERE",), "navigate": ("--policy", "NOWHERE/policy.py:Mine"), "report": ("NOWHERE",),
    "info": ("NOWHERE",), "view": ("NOWHERE",), "verify": ("NOWHERE",), "merge": ("OUT", "NOWHERE"),
    "export": ("NOWHERE", "--to", "mp4"), "push": ("NOWHERE", "me/data"), "pull": (), "scenes": ("NOWHERE/a.glb",),
    "doctor": ("--acoustics", "NOWHERE"), "play": ("NOWHERE",),
}  # fmt: skip


@pytest.mark.parametrize("name", list(COMMANDS))
def test_what_the_user_typed_wrongly_exits_2(run, tmp_path: Path, name: str) -> None:
    if name == "fail":
        pytest.skip("of the tests")
    words = MISSING[name]
    for short, path in (("NOWHERE", tmp_path / "no"), ("OUT", tmp_path / "out")):
        words = tuple(word.replace(short, str(path)) for word in words)
    result = run(name, *words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert not list(tmp_path.iterdir()), "nothing is left behind"
