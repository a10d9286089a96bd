"""Settings of the whole test suite: deterministic property tests without deadlines, and skips for missing software.

Tests marked `habitat` need habitat-sim, and are skipped with a reason where it is missing.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The examples depend on the source of the test only, so a result is repeatable. Deadlines would fail on a busy machine.
# `pytest --hypothesis-profile=search` draws new examples each time.
settings.register_profile("avw", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None)
settings.load_profile("avw")

NO_HABITAT = (
    "AVW_HABITAT_PYTHON is not set, so the tests with habitat-sim are skipped. Set it to a Python that has habitat-sim "
    "(docs/habitat.md)"
)
NO_LAB = (
    "AVW_HABITAT_LAB_PYTHON is not set, so the tests with habitat-lab are skipped. Set it to Pythons (separated by "
    "colons) that have habitat-lab, habitat-sim and the dependencies of AVW (docs/habitat.md)"
)
NO_SOUNDSPACES = (
    "AVW_SOUNDSPACES_PYTHON is not set, so the tests with SoundSpaces are skipped. Set it to a Python that has "
    "SoundSpaces (docs/soundspaces.md)"
)
NO_HABITAT_HERE = "habitat_sim is not installed in this Python, so the tests with Habitat in this process are skipped"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests keep digests of their own, not those of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests whose software is missing: `habitat` (in a child process), `habitat("in-process")` (in this process),
    `habitat("lab")` (with habitat-lab) and `habitat("soundspaces")` (with SoundSpaces).

    The skip is raised here and not by a mark, so that the summary has one line per reason.
    """
    for mark in item.iter_markers("habitat"):
        if "in-process" in mark.args:
            if importlib.util.find_spec("habitat_sim") is None:
                pytest.skip(NO_HABITAT_HERE)
        elif "lab" in mark.args:
            if not os.environ.get("AVW_HABITAT_LAB_PYTHON"):
                pytest.skip(NO_LAB)
        elif "soundspaces" in mark.args:
            if not os.environ.get("AVW_SOUNDSPACES_PYTHON"):
                pytest.skip(NO_SOUNDSPACES)
        elif not os.environ.get("AVW_HABITAT_PYTHON"):
            pytest.skip(NO_HABITAT)
