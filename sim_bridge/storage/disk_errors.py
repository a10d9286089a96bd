"""One sentence for a full disk, a missing permission and other errors of the file system."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avw.sim_bridge.errors import DatasetError, NoDatasetError


@contextmanager
def readable_errors(failure: str, folder: Path) -> Iterator[None]:
    """Raises DatasetError for an OSError. failure: what failed, e.g. "cannot write train-00000.h5"."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise NoDatasetError(f"{failure} in {folder}: it is, or is in, a file. Name another folder") from error
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "correct that"
        raise DatasetError(
            f"{failure} in {folder}: {reason}. Everything that was committed before is safe; {remedy} and type the "
            "same command again."
        ) from error
