"""The workflow of continuous integration calls targets of the Makefile that exist, and nothing else."""

from __future__ import annotations

import re

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
