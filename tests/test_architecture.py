"""The layout: imports run one way, no file is in a circle, and no module is imported by another name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

PACKAGES = ("sim_bridge", "avw4k", "model", "cli")  # each may import those before it
LAYERS = {  # inside a package: a folder may import those on the lines before it
    "sim_bridge": (
        (
            "types",
            "errors",
            "paths",
            "randomness",
            "suggestions",
            "wording",
            "config_differences",
            "process",
            "storage",
        ),
        ("scenes",),
        ("rendering", "navigation"),
        ("acoustics", "inspection"),
        ("simulators",),
        ("task", "selftest"),
    ),
    "avw4k": (("plan", "execution"), ("shards",), ("reading",), ("writing",), ("exports", "viewing")),
    "model": (
        (
            "checkpoint",
            "checkpoint_header",
            "device",
            "diffusion",
            "imagination",
            "memory",
            "metrics",
            "pictures",
            "pretrained",
            "run_folder",
        ),
        (
            "layers",
            "cdit",
            "interaural_delay",
            "reward",
            "sound_memory",
            "sound_recall",
            "source_belief",
            "av_cdit",
            "compositor",
        ),
        ("tokenizers",),
        ("context", "frames", "pixels", "prediction", "priors", "rollout", "rotation", "world_model"),
        ("training", "cloning"),
        ("train", "planning", "hub"),
        ("policies",),
        ("navigation",),
        ("evaluation", "imagine", "play"),
        ("report",),
    ),
}


def modules() -> dict[str, Path]:
    """Every module of the four packages by its import name."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = ("avw", *path.relative_to(ROOT).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(path: Path) -> Iterator[str]:
    """The modules of AVW that a file imports anywhere in it, type checking and function bodies included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in submodules]
        yield from (name for name in names if name in MODULES)


def imports() -> dict[str, set[str]]:
    return {name: set(imported(path)) - {name} for name, path in MODULES.items()}


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of names that reach one another (Tarjan's strongly connected components of two or more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(arrows[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(arrows):
        if name not in index:
            visit(name)
    return found


def upward(arrows: dict[str, set[str]]) -> list[str]:
    """Imports of a package by one that stands before it in PACKAGES."""
    rank = {package: number for number, package in enumerate(PACKAGES)}
    return sorted(
        f"{name} -> {other}"
        for name, others in arrows.items()
        for other in others
        if rank[other.split(".")[1]] > rank[name.split(".")[1]]
    )


def test_no_import_circle_among_files() -> None:
    assert circles(imports()) == []


def test_packages_import_one_way() -> None:
    assert upward(imports()) == []


@pytest.mark.parametrize("package", LAYERS)
def test_folders_import_one_way(package: str) -> None:
    rank = {folder: number for number, layer in enumerate(LAYERS[package]) for folder in layer}
    wrong = []
    for name, others in imports().items():
        parts = name.split(".")
        if parts[1] != package or len(parts) < 3:
            continue
        for other in others:
            target = other.split(".")
            if target[1] == package and len(target) > 2 and rank[target[2]] > rank[parts[2]]:
                wrong.append(f"{name} -> {other}")
    assert sorted(wrong) == []


def test_the_check_itself_notices_circles_and_upward_arrows() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert upward({"avw.avw4k.x": {"avw.cli.y"}, "avw.cli.y": {"avw.avw4k.x"}}) == ["avw.avw4k.x -> avw.cli.y"]


@pytest.mark.parametrize("folder", [*PACKAGES, "benchmarks", "validation", "tests", "avw"])
def test_nothing_imports_a_package_by_its_folder_name(folder: str) -> None:
    """`import model` from the checkout would load a second copy of every module."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            wrong = [name for name in names if name.split(".")[0] in PACKAGES]
            assert not wrong, f"{path.relative_to(ROOT)}:{node.lineno} imports {wrong[0]}: write avw.{wrong[0]}"


def test_no_file_is_longer_than_500_lines() -> None:
    long = [name for name, path in MODULES.items() if len(path.read_text(encoding="utf-8").splitlines()) > 500]
    assert not long
