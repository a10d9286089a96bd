"""Recordings of navigation: RUN/episodes/NAME.npz, which `avw navigate --record` writes, as clips of the player.

Shapes: T steps · D decisions · H W image · E ears · S samples of a step.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.viewing.clip import Json, played_clip
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.paths import own_files, plain_name
from avw.sim_bridge.storage.small_files import DAMAGED_ARRAYS, as_object, parse_json, refuse_irregular
from avw.sim_bridge.storage.typed_json import from_json
from avw.sim_bridge.types import STEP_SAMPLES, Action

FOLDER = "episodes"
LARGEST = 2**30  # bytes of a recording when unpacked
VIEWS = ("chosen", "second", "map")  # pictures of a decision


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayedNote:
    """What is known about a recorded episode. source: (x, y, z), metres · hfov: degrees"""

    policy: str
    scene: str
    episode: int
    success: bool
    shortest: float
    dtg: float
    task: str
    hfov: float
    success_distance: float
    source: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Played:
    """rgb_THWC: uint8, before every action · audio_TES: float32 · action_T: uint8 · path_T4: (x, y, z, yaw)
    distance_T: geodesic metres to the source · collided_T: bool, of the action
    decision_D: int64, the step of each decision
    views: uint8 (D, H, W, 3) by a name of VIEWS; {} of a policy that plans nothing
    """

    note: PlayedNote
    rgb_THWC: np.ndarray
    audio_TES: np.ndarray
    action_T: np.ndarray
    path_T4: np.ndarray
    distance_T: np.ndarray
    collided_T: np.ndarray
    decision_D: np.ndarray
    views: dict[str, np.ndarray]


def recordings(run: Path) -> dict[str, Path]:
    """{name: file} of the recordings of a run."""
    folder = run / FOLDER
    found = own_files(folder.glob("*.npz")) if folder.is_dir() else []
    return {path.stem: path for path in found if _is_plain(path.stem)}


def _is_plain(name: str) -> bool:
    try:
        return plain_name(name) == name
    except ValueError:
        return False


def read_note(path: Path) -> PlayedNote:
    """The note of a recording alone. Raises DatasetError for a damaged file."""
    return read_played(path, pictures=False).note


def read_played(path: Path, *, pictures: bool = True) -> Played:
    """A recording. Raises DatasetError for a file that is damaged or not a recording. pictures: False reads none."""
    try:
        refuse_irregular(path)
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise ValueError(f"more than {LARGEST // 2**20} MB")
        with np.load(path, allow_pickle=False) as stored:
            note = from_json(PlayedNote, as_object(parse_json(bytes(stored["note"]))))
            if not pictures:
                empty = np.zeros(0)
                return Played(note, empty, empty, empty, empty, empty, empty, empty, {})
            views = {name: stored[name] for name in VIEWS if name in stored}
            played = Played(
                note, stored["rgb"], stored["audio"], stored["action"], stored["path"], stored["distance"],
                stored["collided"], stored["decision"], views,
            )  # fmt: skip
        _check(path, played)
    except DAMAGED_ARRAYS as error:
        raise DatasetError(
            f"{path} is not a readable recording ({error}); remove it and run avw navigate --record again"
        ) from error
    return played


def _check(path: Path, played: Played) -> None:
    T, D = len(played.action_T), len(played.decision_D)
    side = played.rgb_THWC.shape[1] if played.rgb_THWC.ndim == 4 else 0
    fits = (
        T > 0
        and played.rgb_THWC.shape == (T, side, side, 3)
        and played.audio_TES.shape == (T, 2, STEP_SAMPLES)
        and played.path_T4.shape == (T, 4)
        and played.distance_T.shape == played.collided_T.shape == (T,)
        and set(played.action_T.tolist()) <= set(Action)
        and all(view.shape == (D, side, side, 3) and view.dtype == np.uint8 for view in played.views.values())
        and played.rgb_THWC.dtype == np.uint8
        and played.decision_D.dtype == np.int64
        and played.audio_TES.dtype == np.float32
        and played.path_T4.dtype == played.distance_T.dtype == np.float64
        and played.collided_T.dtype == np.bool_
        and bool(np.isfinite(played.audio_TES).all() and np.isfinite(played.path_T4).all())
        and bool(np.isfinite(played.distance_T).all())
        and bool((played.decision_D >= 0).all() and (played.decision_D < T).all())
    )
    if not fits:
        raise DatasetError(
            f"{path} is not a recording: its arrays do not fit together; run avw navigate --record again"
        )


def write_played(path: Path, played: Played) -> None:
    """Write a recording to `path`, which has no other writer."""
    note = {name: getattr(played.note, name) for name in PlayedNote.__dataclass_fields__}
    content = np.frombuffer(json.dumps(note).encode(), np.uint8)
    arrays: dict[str, Any] = {
        "note": content, "rgb": played.rgb_THWC, "audio": played.audio_TES, "action": played.action_T,
        "path": played.path_T4, "distance": played.distance_T, "collided": played.collided_T,
        "decision": played.decision_D, **played.views,
    }  # fmt: skip
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def row(name: str, note: PlayedNote) -> Json:
    """The entry of a recording in the list of the viewer."""
    return {
        "id": name, "kind": "played", "policy": note.policy, "mode": "", "scene": note.scene,
        "split": f"navigation: {note.task}", "episode": note.episode, "success": note.success,
        "geodesic_start": note.shortest, "geodesic_end": note.dtg,
    }  # fmt: skip


def clip_of(played: Played, *, compact: bool = False) -> Json:
    """The clip of a recording, with all that the viewer shows, or for an embedded player."""
    shown = {
        "chosen": ("Imagined at the goal", "the place with the best score"),
        "second": ("Imagined at the second best", "which was not chosen"),
        "map": ("Memory and field", "dots: expected distance, dark is near"),
    }
    T = len(played.action_T)
    # Each step shows the last decision; before the first one there is none.
    last_T = np.searchsorted(played.decision_D, np.arange(T), side="right") - 1
    views: list[dict[str, Any]] = [{"caption": "Camera", "about": "", "frames": played.rgb_THWC}]
    for name, picture_DHWC in played.views.items():
        frames = picture_DHWC[np.maximum(last_T, 0)] if len(picture_DHWC) else np.zeros_like(played.rgb_THWC)
        frames[last_T < 0] = 224
        views.append({"caption": shown[name][0], "about": shown[name][1], "frames": frames})
    note = played.note
    clip = played_clip(
        views, np.moveaxis(played.audio_TES, 1, 0).reshape(2, -1), played.path_T4, note.scene, np.array(note.source),
        compact=compact,
    )  # fmt: skip
    return clip | {
        "hfov": note.hfov,
        "success_distance": note.success_distance,
        "actions": played.action_T.tolist(),
        "distance": [round(float(metres), 3) for metres in played.distance_T],
        "collided": np.flatnonzero(played.collided_T).tolist(),
        "decisions": played.decision_D.tolist(),
    }
