"""What a mesh file contains, in one form for all formats."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.errors import SceneError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Look:
    """How faces look.

    key: equal for the looks of one material · name: of the material, "" if it has none
    texture_HWC: uint8 sRGB · emission: as in `scene.Surface`
    """

    key: Hashable
    name: str
    texture_HWC: np.ndarray
    emission: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """A geometry, placed in the scene.

    labels: names of its node and mesh, the most specific first · matrix_44: from its own frame to that of the file
    vertices_V3: float64 · faces_F3: int64 · look: None for a part without material
    uv_F32: float32 (F, 3, 2) with v pointing down, None without texture coordinates
    colour_F3: int, sRGB 0..255; the colour of each face, in place of that of the look
    tint_F3: float, linear; multiplies the colour of the look
    object_F: int32, the object of each face, None if the file names no objects
    """

    labels: tuple[str, ...]
    vertices_V3: np.ndarray
    faces_F3: np.ndarray
    matrix_44: np.ndarray = field(default_factory=lambda: np.eye(4))
    look: Look | None = None
    uv_F32: np.ndarray | None = None
    colour_F3: np.ndarray | None = None
    tint_F3: np.ndarray | None = None
    object_F: np.ndarray | None = None


@dataclass(kw_only=True, slots=True)
class MeshContents:
    """The parts of a file.

    warnings: sentences about what the file has and is not shown · notes: sentences about what is shown more simply
    extras: what `export_glb` stores beside the geometry
    """

    parts: list[Part] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    extras: dict[str, Any] = field(default_factory=dict)


class DamagedError(ValueError):
    """The content of a file contradicts its format. The message completes the sentence "the file is damaged: ..."."""


# What reading a file that contradicts its format raises, where no check of ours names the contradiction first.
_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError)


@contextmanager
def damage_named(file: Path) -> Iterator[None]:
    """While `file` is read: raises SceneError in place of whatever its damage causes."""
    try:
        yield
    except _MALFORMED as error:
        reason = str(error) if isinstance(error, DamagedError) else f"{type(error).__name__}: {error}"
        raise SceneError(f"{file} cannot be read: {reason.splitlines()[0]:.300}; export it again") from None


def face_means(values_VC: np.ndarray, faces_F3: np.ndarray) -> np.ndarray:
    """Mean over the corners of each face, (F, C). Triangles of scans are smaller than rendered pixels."""
    return (values_VC[faces_F3[:, 0]] + values_VC[faces_F3[:, 1]] + values_VC[faces_F3[:, 2]]) / 3.0


def face_mean_bytes(colours_V3: np.ndarray, faces_F3: np.ndarray) -> np.ndarray:
    """As `face_means`, for colours in 0..255: rounded integers."""
    sum_F3 = colours_V3[faces_F3].astype(np.int64).sum(axis=1)
    return (sum_F3 + 1) // 3
