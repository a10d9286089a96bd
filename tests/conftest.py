"""How the whole suite runs: property tests are judged by what they find, not by how busy the machine is.

Tests that are marked `habitat` need a real habitat-sim, and say so where there is none.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Examples follow from the test's own source, so that a gate that passed once passes again; a deadline in milliseconds
# would fail on a loaded machine. `pytest --hypothesis-profile=search` draws new examples each time.
settings.register_profile("avw", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None)
settings.load_profile("avw")

NO_HABITAT = (
    "AVW_HABITAT_PYTHON is not set: nothing was tested against a real habitat-sim. Set it to the Python that has one "
    "(docs/habitat.md)"
)
NO_LAB = (
    "AVW_HABITAT_LAB_PYTHON is not set: nothing was tested against a real habitat-lab. Set it to Pythons (separated by "
    "colons) that have habitat-lab, habitat-sim and AVW's dependencies (docs/habitat.md)"
)
NO_SOUNDSPACES = (
    "AVW_SOUNDSPACES_PYTHON is not set: nothing was tested against a real SoundSpaces. Set it to the Python that has "
    "one (docs/soundspaces.md)"
)
NOT_HERE = "habitat_sim is not installed in this interpreter: nothing was tested with Habitat in this very process"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests keep digests of their own, not those of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs Habitat where there is none: `habitat` in a child, `habitat("in-process")` in here.

    `habitat("lab")` needs habitat-lab too, `habitat("soundspaces")` SoundSpaces. From here and not by a mark, so that
    the summary has one line for each reason.
    """
    for mark in item.iter_markers("habitat"):
        if "in-process" in mark.args:
            if importlib.util.find_spec("habitat_sim") is None:
                pytest.skip(NOT_HERE)
        elif "lab" in mark.args:
            if not os.environ.get("AVW_HABITAT_LAB_PYTHON"):
                pytest.skip(NO_LAB)
        elif "soundspaces" in mark.args:
            if not os.environ.get("AVW_SOUNDSPACES_PYTHON"):
                pytest.skip(NO_SOUNDSPACES)
        elif not os.environ.get("AVW_HABITAT_PYTHON"):
            pytest.skip(NO_HABITAT)
