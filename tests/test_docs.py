"""The documentation: quoted commands parse, linked files and named targets exist, and Python blocks run."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from avw.cli.main import COMMANDS, avw
from tests import ROOT
from tests.test_architecture import LAYERS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKED = [*PAGES, ROOT / "CHANGELOG.md"]  # the changelog quotes commands and files of older versions
LAUNCHERS = ("srun ",)
RECIPES = sorted((ROOT / "benchmarks" / "recipes").glob("*.sh"))
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:avw|make|python -m) [^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)|<img[^>]* src=\"([^\"]+)\"")


@dataclass(frozen=True)
class Quoted:
    """A command line quoted in a page."""

    page: Path
    line: str

    def __str__(self) -> str:
        return f"{self.page.name}: {self.line}"


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def quoted() -> list[Quoted]:
    """All command lines in the shell blocks and inline code of the pages, and in the recipes."""
    lines = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for language, block in FENCE.findall(text):
            if language in ("bash", "sh", "console"):
                lines += [Quoted(page, line) for line in joined(block)]
        lines += [Quoted(page, line) for line in INLINE.findall(FENCE.sub("", text))]
    for recipe in RECIPES:
        lines += [Quoted(recipe, line) for line in joined(recipe.read_text(encoding="utf-8"))]
    return lines


def joined(block: str) -> list[str]:
    """The command lines of a block, with continuation lines joined, and without prompts and comments."""
    lines = [line.strip().removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines() if line.strip()]
    for launcher in LAUNCHERS:
        lines = [line.removeprefix(launcher) for line in lines]
    return [re.sub(r"\s+#.*$", "", line) for line in lines]


def commands(program: str) -> list[Quoted]:
    """Quoted lines that run `program`, without those that contain placeholders instead of arguments."""
    return [
        q
        for q in quoted()
        if q.line.startswith(f"{program} ") and not re.search(r"[…]|\.\.\.|\b[A-Z]{2,}\b|\bN\b", q.line)
    ]


def words_of(line: str) -> list[str]:
    """The words of the first command of a line, up to a pipe, redirection or list. Variables become a plain word."""
    line = re.split(r"\s(?:\||>|2>|&&|;)", line)[0]
    line = re.sub(r"\$\{?\w+(?::-[^}]*)?\}?", "1", line)
    return shlex.split(line)


def check_against(command: click.Command, arguments: list[str], where: str) -> None:
    """Parse and convert the arguments as the command would, without checking that files exist."""
    context = click.Context(command, info_name=command.name)
    try:
        values, _, order = command.make_parser(context).parse_args(list(arguments))
        for parameter in order:
            value = values.get(parameter.name)
            if value is not None and not isinstance(parameter.type, click.Path) and not isinstance(value, list | tuple):
                parameter.type.convert(value, parameter, context)
    except click.UsageError as error:
        pytest.fail(f"{where}: {error.format_message()}")


@pytest.mark.parametrize("quotation", commands("avw"), ids=str)
def test_every_quoted_avw_command_parses(quotation: Quoted) -> None:
    words = words_of(quotation.line)[1:]
    while words and words[0].startswith("-"):
        words = words[1:]
    if not words:
        return
    assert words[0] in COMMANDS, f"{quotation}: unknown command"
    command = avw.get_command(click.Context(avw), words[0])
    assert command is not None
    if not {"--help", "-h"} & set(words):
        check_against(command, words[1:], str(quotation))


@pytest.mark.parametrize("quotation", commands("make"), ids=str)
def test_every_quoted_make_target_exists(quotation: Quoted) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE))
    for word in words_of(quotation.line)[1:]:
        name, equals, _ = word.partition("=")
        assert name in (variables if equals else targets), f"{quotation}: unknown target or variable {word}"


@pytest.mark.parametrize("quotation", commands("python"), ids=str)
def test_every_quoted_module_exists(quotation: Quoted) -> None:
    words = words_of(quotation.line)
    if words[1].endswith(".py") and words[1].startswith("examples/"):
        assert (ROOT / words[1]).is_file(), f"{quotation}: no such file"
    if words[1:2] == ["-m"] and words[2].split(".")[0] in ("avw", "benchmarks", "validation"):
        assert importlib.util.find_spec(words[2]), f"{quotation}: no module {words[2]}"


def test_quoted_configurations_are_valid(tmp_path: Path) -> None:
    from avw.model.av_cdit import AvCditConfig
    from avw.model.training.configuration.config import TrainConfig
    from avw.model.training.configuration.config_file import from_file

    blocks = [block for page in PAGES for language, block in FENCE.findall(page.read_text()) if language == "toml"]
    assert blocks
    for block in blocks:
        (tmp_path / "config.toml").write_text(block)
        assert from_file(TrainConfig(net=AvCditConfig()), tmp_path / "config.toml")


def test_the_table_of_running_fields_is_complete() -> None:
    from avw.model.training.configuration.config import RUNNING

    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == RUNNING


@pytest.mark.parametrize("quotation", commands("torchrun"), ids=str)
def test_every_quoted_torchrun_command_parses(quotation: Quoted) -> None:
    from torch.distributed.run import get_args_parser

    found = get_args_parser().parse_args(words_of(quotation.line)[1:])
    assert (found.module, found.training_script) == (True, "avw.cli"), str(quotation)
    command = avw.get_command(click.Context(avw), found.training_script_args[0])
    assert command is not None
    check_against(command, found.training_script_args[1:], str(quotation))


@pytest.mark.parametrize("page", LINKED, ids=relative)
def test_links_exist(page: Path) -> None:
    targets = [a or b for a, b in LINK.findall(page.read_text(encoding="utf-8"))]
    missing = [t for t in targets if "://" not in t and not t.startswith("mailto:") and not (page.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("page", LINKED, ids=relative)
def test_linked_sections_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    local = [(page.parent / target if target else page, anchor) for target, anchor in links if "://" not in target]
    missing = [f"{target.name}#{anchor}" for target, anchor in local if anchor not in anchors(target)]
    assert not missing


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_files_named_in_inline_code_exist(page: Path) -> None:
    names = re.findall(
        r"`((?:sim_bridge|avw4k|model|cli|benchmarks|validation|tests|docs)/[\w/.-]+)`", page.read_text()
    )
    missing = [name for name in names if not (ROOT / name).exists()]
    assert not missing


def strings_of_the_code() -> str:
    """All strings of the packages; the fields of f-strings are tabs."""
    texts = []
    for package in ("sim_bridge", "avw4k", "cli"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "\t" for part in node.values)
                    texts.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return "\n".join(texts)


def test_messages_quoted_in_the_habitat_page_exist_in_the_code() -> None:
    rows = re.search(r"^\| message .*?\n\n", (ROOT / "docs" / "habitat.md").read_text(), re.MULTILINE | re.DOTALL)
    assert rows
    quoted = [text for row in rows[0].strip().splitlines()[2:] for text in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(quoted) > 10
    strings = strings_of_the_code()
    pieces = [piece for text in quoted for piece in re.split(r"'PATH'|\bmp3d\b|\bPYTHON\b|\.\.\.|\b\d[\d.]*\b", text)]
    missing = [piece for piece in pieces if len(piece.strip()) > 3 and piece.strip() not in strings]
    assert not missing


def python_blocks(page: Path) -> list[str]:
    return [block for language, block in FENCE.findall(page.read_text(encoding="utf-8")) if language == "python"]


PROGRAMS = [page for page in PAGES if python_blocks(page)]


@pytest.mark.parametrize("page", PROGRAMS, ids=relative)
def test_the_python_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one namespace and one empty folder: later blocks may use what earlier ones made."""
    from avw.model.tokenizers.budget import TokenizerBudget

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    # The full budget of the tokenizers takes most of a minute and shows nothing more.
    small = functools.partial(TokenizerBudget, frames=40, steps=2)
    monkeypatch.setattr("avw.model.training.configuration.presets.TokenizerBudget", small)
    namespace: dict[str, Any] = {"__name__": "documentation"}
    for number, block in enumerate(python_blocks(page)):
        exec(compile(block, f"{page.name}, block {number}", "exec"), namespace)


@pytest.mark.parametrize("page", PROGRAMS, ids=relative)
def test_python_blocks_import_only_the_public_interface(page: Path) -> None:
    for block in python_blocks(page):
        for node in ast.walk(ast.parse(block)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith("avw.")], f"{page.name}: {names}"


def test_the_design_page_shows_the_layers_that_are_enforced() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    for package, layers in LAYERS.items():
        folders = [[name for name in layer if (ROOT / package / name).is_dir()] for layer in layers]
        row = " · ".join(" ".join(f"`{name}`" for name in layer) for layer in folders if layer)
        assert f"| `{package}` | {row} |" in page


def test_the_readme_stays_short() -> None:
    words = FENCE.sub("", (ROOT / "README.md").read_text(encoding="utf-8")).split()
    assert len(words) < 1200, "README.md should take two minutes to read"


def test_the_version_is_the_same_everywhere() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert f"## [{version[1]}]" in (ROOT / "CHANGELOG.md").read_text()
    assert f"version: {version[1]}" in (ROOT / "CITATION.cff").read_text()
