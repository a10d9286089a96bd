"""The error of importing AVW's habitat-lab package where habitat-lab is not installed."""

from __future__ import annotations

import importlib
import importlib.util

import pytest

from avw.sim_bridge.errors import BackendError


@pytest.mark.skipif(importlib.util.find_spec("habitat") is not None, reason="habitat-lab is installed here")
def test_without_habitat_lab_the_error_says_what_to_install() -> None:
    with pytest.raises(BackendError, match=r"habitat-lab is not installed in .*: pip install 'avw\[habitat\]' && pip"):
        importlib.import_module("avw.sim_bridge.task.habitat_lab")
