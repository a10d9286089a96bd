"""Errors of the file system in one sentence that names the remedy."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.storage.disk_errors import readable_errors


def test_a_quota_is_one_sentence(tmp_path: Path) -> None:
    expected = pytest.raises(DatasetError, match=r"cannot write x in .*quota exceeded.*free some space")
    with expected, readable_errors("cannot write x", tmp_path):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT).lower())


def test_a_full_device_is_one_sentence(tmp_path: Path) -> None:
    def fill() -> None:
        handle = os.open("/dev/full", os.O_WRONLY)
        try:
            with readable_errors("cannot write x", tmp_path):
                os.write(handle, b"x")
        finally:
            os.close(handle)

    with pytest.raises(DatasetError, match=r"cannot write x in .*: No space left on device.* free some space"):
        fill()
