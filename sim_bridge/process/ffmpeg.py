"""Where ffmpeg is: on the path, or in the package imageio-ffmpeg (the extra `video`)."""

from __future__ import annotations

import shutil

INSTALL = "install it (Debian: apt-get install ffmpeg; with pip: pip install 'avw[video]')"


def find_ffmpeg() -> str | None:
    """The path of ffmpeg, or None. That of the system comes first."""
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # RuntimeError: the package has no program for this platform
        return None
