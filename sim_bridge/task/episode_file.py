"""Reads episode files: the `.json.gz` files of SoundSpaces' AudioNav and of Habitat's tasks, and AVW's episode sets.

A file is `{split}/{split}.json.gz`. It holds the episodes itself, or they are in `{split}/content/*.json.gz`, one file
per scene. Each episode gives the start of the agent, the position and the name of the sound, and the distance between
them in the simulator that wrote the file. SoundSpaces 2's continuous task uses the grid episodes of SoundSpaces 1, so
both run here. Positions are metres in our frame (Habitat's), rotations quaternions (x, y, z, w). Habitat's floor is up
to 0.2 m off the mesh: starts and goals are moved to the floor of the simulator that runs them.

An episode set of AVW has the same form, and in each episode an object `avw` with what others do not store: the seed,
the phase of the sound, and what happens to the sound (`episode_set.py` writes it).

The files are untrusted: every value is checked before it is used.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.paths import own_files
from avw.sim_bridge.scenes.collections.collections import COLLECTIONS
from avw.sim_bridge.simulators.rotation import yaw_of
from avw.sim_bridge.simulators.sound_events import SoundEvents
from avw.sim_bridge.storage.small_files import parse_json, read_bytes
from avw.sim_bridge.storage.typed_json import from_json
from avw.sim_bridge.task.variants import VARIANTS
from avw.sim_bridge.types import SOURCE_HEIGHT, Pose, Source

MAX_FILE_BYTES = 128 * 2**20  # bytes of one file when unpacked; more than twice SoundSpaces' largest
MAX_FILES = 20_000  # of one split
MAX_ROUTE = 10_000  # points
NEAR = 0.5  # metres that a start or a goal may be away from the free floor


@dataclass(frozen=True, kw_only=True, slots=True)
class FiledEpisode:
    """An episode of a file, in the terms of AVW.

    scene: AVW's scene id · start: on the file's floor · goal_3: metres, the floor point under the sound
    sound: its name in SoundSpaces' sounds folder; "" if the episode does not name one
    geodesic: metres from start to goal · actions: number of actions of the shortest path in the *file's* action space
    (moves of 0.5 or 1 m, turns of 90 degrees); None if missing. Our metrics use neither.
    object_category, offset, duration: of semantic episodes; seconds. The sound is still played without end, as in the
    AudioNav task.
    task: the variant of the task, "" in a file of others · seed, phase: of AVW's sets; None: drawn from the run's seed
    events: what happens to the sound; None if the file does not say
    """

    episode_id: str
    scene: str
    start: Pose
    goal_3: tuple[float, float, float]
    sound: str = ""
    geodesic: float | None = None
    actions: int | None = None
    object_category: str = ""
    offset: float | None = None
    duration: float | None = None
    task: str = ""
    seed: int | None = None
    phase: int | None = None
    events: SoundEvents | None = None


def read_episodes(path: Path | str, limit: int | None = None) -> list[FiledEpisode]:
    """The first `limit` episodes (None: all) of a file and of the `content` folder beside it, in Habitat's order.

    Raises DatasetError for a file that is missing, damaged, or not an episode file.
    """
    found = list(islice(iterate_episodes(path), limit))
    if not found:
        raise DatasetError(
            f"{path} and the content folder beside it have no episodes: unpack the whole split, "
            "e.g. test_telephone/test_telephone.json.gz with test_telephone/content/"
        )
    return found


def iterate_episodes(path: Path | str) -> Iterator[FiledEpisode]:
    """The same episodes one by one; each file is opened only when it is reached."""
    path = Path(path)
    yield from _of_file(path)
    content = path.parent / "content"
    # A file inside a content folder is read alone.
    if path.parent.name != "content" and content.is_dir():
        names = [file for file in own_files(content.iterdir()) if file.name.endswith((".json.gz", ".json"))]
        if len(names) > MAX_FILES:
            raise DatasetError(f"{content} has {len(names)} files, and at most {MAX_FILES} are read: remove the others")
        for file in names:
            yield from _of_file(file)


def place_episode(navgrid: FreeSpace, episode: FiledEpisode, sound: str, phase: int = 0) -> tuple[Pose, Source]:
    """(start, source) on the floor of `navgrid`. Raises UsageError if there is no free floor within 0.5 m."""
    start_3 = _on_floor(navgrid, episode.start.position_3, "start", episode)
    x, y, z = _on_floor(navgrid, np.array(episode.goal_3), "goal", episode)
    source = Source(position_3=(x, y + SOURCE_HEIGHT, z), floor_3=(x, y, z), sound=sound, phase=phase)
    return Pose(*start_3, episode.start.yaw), source


def scene_of(scene_id: str) -> str:
    """AVW's id of the scene that a file calls, for instance, `data/scene_datasets/mp3d/17DRP5sb8fy/17DRP5sb8fy.glb`.

    The first folders may be missing, as in SoundSpaces. Any other name is returned unchanged: a mesh file or a
    generated house. Raises UsageError for a path that leads out of the folder of scenes.
    """
    parts = list(PurePosixPath(scene_id).parts)
    if not parts or parts[0] == "/" or ".." in parts:
        raise UsageError(f"{scene_id!r} leads out of the folder of scenes")
    kept = [part for part in parts if part not in ("data", "scene_datasets", "scene_dataset")]
    kept = kept or parts
    collection, inside = kept[0], kept[1:]
    if inside and (collection in COLLECTIONS or collection.startswith("hm3d")):
        if collection == "gibson":
            return f"gibson/{_stem(inside[-1])}"
        if collection.startswith("hm3d"):
            return f"hm3d/{inside[-2] if len(inside) > 1 else _stem(inside[-1])}"
        return f"{collection}/{_stem(inside[0])}"
    if len(kept) == 2 and _stem(kept[1]) == kept[0]:
        return f"mp3d/{kept[0]}"
    if len(kept) == 3 and kept[1] == "habitat":
        return f"replica/{kept[0]}"
    return scene_id


def _stem(name: str) -> str:
    return name.split(".")[0]


def _of_file(path: Path) -> Iterator[FiledEpisode]:
    document = _document(path)
    if not isinstance(document, dict) or not isinstance(document.get("episodes"), list):
        raise DatasetError(f"{path} is not an episode file: expected a JSON object with a list called 'episodes'")
    task = document.get("avw_task", "")
    if not isinstance(task, str) or (task and task not in VARIANTS):
        raise DatasetError(
            f"{path} has episodes of an unknown task {str(task)[:80]!r}: it is of another version of AVW"
        )
    for number, row in enumerate(document["episodes"]):
        try:
            yield _episode(row, task)
        except UsageError as error:
            raise DatasetError(
                f"{path}: episode {number}: {error}; the file was modified, or belongs to another task"
            ) from None


def _document(path: Path) -> Any:
    if not path.is_file():
        raise DatasetError(
            f"there is no episode file {path}: give its path, e.g. "
            "data/datasets/audionav/mp3d/v1/test_telephone/test_telephone.json.gz"
        )
    try:
        content = read_bytes(path, MAX_FILE_BYTES, links=True)
        if content[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(content)) as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DatasetError(
            f"{path} cannot be unpacked ({error}): it is damaged or incomplete; download it again"
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise DatasetError(f"{path} unpacks to more than {MAX_FILE_BYTES // 2**20} MB: it is not an episode file")
    try:
        return parse_json(content, finite=False)
    except ValueError as error:
        reason = str(error).removeprefix("not valid JSON: ")
        raise DatasetError(
            f"{path} is not valid JSON ({reason}): it is damaged, or not an episode file; download it again"
        ) from None


def _episode(row: Any, task: str) -> FiledEpisode:
    if not isinstance(row, dict):
        raise UsageError("it is not a JSON object")
    info = row.get("info") or {}
    goals = row.get("goals")
    if not isinstance(info, dict):
        raise UsageError("its info is not a JSON object")
    if not isinstance(goals, list) or not goals or not isinstance(goals[0], dict):
        raise UsageError("it has no goals, which give the position of the sound")
    x, y, z = _numbers(row.get("start_position"), 3, "start_position")
    rotation_4 = _numbers(row.get("start_rotation"), 4, "start_rotation")
    goal = _numbers(goals[0].get("position"), 3, "goals[0].position")
    actions = _optional(info.get("num_action"), "info.num_action")
    name = row.get("episode_id")
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise UsageError(f"its episode_id is {name!r}, not a text or a whole number")
    own = _own(row.get("avw"), task)
    return FiledEpisode(
        episode_id=str(name),
        scene=scene_of(_text(row.get("scene_id"), "scene_id")),
        start=Pose(x, y, z, own.pop("yaw", yaw_of(rotation_4))),
        goal_3=(goal[0], goal[1], goal[2]),
        sound=_text(row.get("sound_id") or info.get("sound") or "", "sound", empty=True),
        geodesic=_optional(info.get("geodesic_distance"), "info.geodesic_distance"),
        actions=None if actions is None else round(actions),
        object_category=_text(row.get("object_category") or "", "object_category", empty=True),
        offset=_optional(row.get("offset"), "offset"),
        duration=_optional(row.get("duration"), "duration"),
        **own,
    )


def _own(row: Any, task: str) -> dict[str, Any]:
    """The fields of the object `avw` of an episode."""
    if row is None:
        return {"task": task}
    if not isinstance(row, dict):
        raise UsageError("its avw is not a JSON object")
    try:
        events = from_json(SoundEvents, row.get("events") or {}, "events")
    except ValueError as error:
        raise UsageError(f"what happens to its sound is not valid ({error})") from None
    for point_3 in events.route:
        _numbers(list(point_3), 3, "avw.events.route")
    if len(events.route) > MAX_ROUTE:
        raise UsageError(f"its route has {len(events.route)} points, and at most {MAX_ROUTE} are read")
    return {
        "task": task,
        "yaw": _number(row.get("yaw"), "avw.yaw"),
        "seed": _whole(row.get("seed"), "avw.seed"),
        "phase": _whole(row.get("phase"), "avw.phase"),
        "events": events,
    }


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise UsageError(f"its {name} is {str(value)[:80]!r} instead of a whole number")
    return value


def _text(value: Any, name: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty) or len(value) > 1_000:
        raise UsageError(f"its {name} is not a name: {str(value)[:80]!r}")
    return value


def _numbers(value: Any, count: int, name: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise UsageError(f"its {name} is not {count} numbers: {str(value)[:80]}")
    return tuple(_number(item, name) for item in value)


def _optional(value: Any, name: str) -> float | None:
    """Semantic episodes have some numbers as text, and any number in `info` may be missing.

    habitat-sim writes the distance between two places without a path as infinite, which says as little as none.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return _number(value, name)


def _number(value: Any, name: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) < 1e6:
        raise UsageError(f"its {name} has {str(value)[:80]!r} instead of a number")
    return number


def _on_floor(navgrid: FreeSpace, point_3: np.ndarray, what: str, episode: FiledEpisode) -> tuple[float, float, float]:
    """The point at the height of the floor if it is free there, else the nearest free point."""
    around_N3 = navgrid.near(point_3 + np.array([0.0, 0.1, 0.0]), NEAR)
    around_N3 = around_N3[np.abs(around_N3[:, 1] - point_3[1]) <= NEAR]
    if not len(around_N3):
        raise UsageError(
            f"episode {episode.episode_id} of {episode.scene}: its {what} ({point_3[0]:.2f}, {point_3[1]:.2f}, "
            f"{point_3[2]:.2f}) is more than {NEAR} m off the floor that can be walked on: the file is for another "
            "version of the scene, or the point is in a part that cannot be reached"
        )
    nearest_3 = around_N3[np.argmin(((around_N3 - point_3) ** 2).sum(axis=1))]
    exact_3 = np.array([point_3[0], nearest_3[1], point_3[2]])
    x, y, z = (float(value) for value in (exact_3 if navgrid.is_free(exact_3) else nearest_3))
    return x, y, z
