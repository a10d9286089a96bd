"""The workflows call targets of the Makefile that exist, and nothing else; the licences of dependencies are known."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from importlib.metadata import Distribution
from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks import licences
from tests import ROOT


def test_the_workflow_calls_targets_of_the_makefile_only() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = re.findall(r"^\s*- run: (.+)$", workflow, re.MULTILINE)
    assert len(commands) == workflow.count("run:") > 3
    for command in commands:
        program, *names = command.split()
        assert program == "make"
        assert set(names) <= targets, command
    assert {"lint", "types", "test"} <= {name for command in commands for name in command.split()}


def test_every_supported_python_is_tested() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = re.search(r'requires-python = ">=(3\.\d+)"', project)
    assert oldest
    assert f'["{oldest[1]}"' in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_the_release_calls_targets_of_the_makefile_and_makes_a_page() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = re.findall(r"^\s*- run: (.+)$", workflow, re.MULTILINE)
    called = [word for command in commands if command.startswith("make ") for word in command.split()[1:]]
    assert {name for name in called if "=" not in name} == {"lint", "types", "docs", "licences", "test", "wheel", "tag"}
    assert {name for name in called if "=" not in name} <= targets
    assert [command for command in commands if not command.startswith("make ")] == [
        'gh release create "$GITHUB_REF_NAME" dist/* --repo "$GITHUB_REPOSITORY" --verify-tag --generate-notes'
    ]


@pytest.mark.parametrize(("tag", "code"), [("v{}", 0), ("{}", 0), ("v9.9.9", 2), ("", 2)])
def test_a_release_has_the_version_of_the_project(tag: str, code: int) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    make = shutil.which("make")
    assert make
    done = subprocess.run([make, "tag", f"TAG={tag.format(version)}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code, done.stdout


def test_the_licences_of_the_dependencies_are_known_and_permissive() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *extras["model"], *extras["docs"], *extras["dev"]]
    found = {name: licences.licence_of(package) for name, package in licences.required(requirements).items()}
    assert {"numpy", "torch", "jinja2", "mkdocs"} <= set(found)  # jinja2: a dependency of a dependency
    assert {name: licence for name, licence in found.items() if licences.problem(licence)} == {}


def test_the_libraries_of_cuda_are_named_as_such() -> None:
    package = cast("Distribution", SimpleNamespace(metadata={"Name": "nvidia-cublas"}))
    assert licences.licence_of(package) == licences.OF_CUDA
    assert not licences.problem(licences.OF_CUDA)


@pytest.mark.parametrize(
    "licence",
    [
        "", "GPL-3.0-only", "GNU Affero General Public License v3", "GNU General Public License v3", "CC-BY-NC-4.0",
        "CC BY-NC 4.0", "CC-BY-SA-4.0", "Free for non-commercial use", "SSPL-1.0", "Proprietary",
    ],
)  # fmt: skip
def test_licences_that_are_refused(licence: str) -> None:
    assert licences.problem(licence)
    assert not licences.problem("LGPL-2.1-or-later")
    assert not licences.problem("GNU Lesser General Public License v3 (LGPLv3)")
    assert not licences.problem("MIT")
