"""The film strip and the animation of imagined futures.

Shapes: N steps · H W image · C channels · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avw.model.imagination import Imagination
from avw.model.imagine.action_list import described
from avw.model.imagine.subject import Subject
from avw.model.imagine.truth import Future
from avw.model.pictures.film_strip import (
    StripRow,
    depth_picture,
    enlarged,
    film_strip,
    guessed_picture,
    shown_steps,
    strip_width,
)
from avw.model.pictures.floor_plan import FloorPlan
from avw.model.pictures.ink import GUESSED, IMAGINED, INK, OTHER, SOURCE, TRUTH, Colour
from avw.model.pictures.sound_panel import SoundTrack, sound_panel
from avw.sim_bridge.errors import AvwError
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.types import STEP_SAMPLES, Action, Pose

if TYPE_CHECKING:
    from PIL.Image import Image

PAST = 8  # steps before now that the sound panel and the animation show
PLAN = 480  # pixels per side
SIDE = 384  # pixels of a picture of the animation
_DOTS = 0.1  # metres between the obstacles that are drawn
_TRUE_WAY: Colour = (148, 163, 184)
_MEMORY: Colour = (37, 99, 235)
_OTHER_SOUND: Colour = (190, 24, 93)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One imagined future with its truth, and how it is labelled.

    name: of its files · label: of its row · what: what differs from the first future, if not the actions
    truth: None where it is not known · why: the reason for that · heard_ES: the sound that it continues
    """

    name: str
    label: str
    actions: tuple[Action, ...]
    imagined: Imagination
    truth: Future | None
    heard_ES: np.ndarray
    what: str = ""
    why: str = ""

    @property
    def colour(self) -> Colour:
        return {"imagined": IMAGINED, "other-actions": OTHER}.get(self.name, _OTHER_SOUND)


def strip_picture(
    subject: Subject, t: int, futures: Sequence[Shown], *, title: str, way: str, obstacles_N2: np.ndarray | None = None
) -> Image:
    """The film strip: frames, depth and what was guessed of every future, with a plan and the sound below.

    way: how the futures were predicted, e.g. "step by step" · obstacles_N2: x and z of what the memory takes for walls
    """
    steps = shown_steps(len(futures[0].actions))
    now, now_depth = subject.rgb[t], subject.depth[t]
    farthest = _farthest([now_depth, *(f.truth.depth_NHW for f in futures if f.truth is not None)])
    rows: list[StripRow] = []
    first = futures[0]
    for future in futures:
        label = "" if future is first else future.label
        if future.truth is not None:
            kind = label or ("recorded" if future.truth.recorded else "simulated")
            pictures = [now if future is first else None, *_at(future.truth.rgb_NHWC, steps)]
            rows.append(StripRow(label="truth", note=kind, pictures=pictures, colour=TRUTH))
        alone = future.truth is None and future is first
        pictures = [now if alone else None, *_at(future.imagined.rgb, steps)]
        rows.append(StripRow(label="imagined", note=label or way, pictures=pictures, colour=future.colour))
        coverage = future.imagined.coverage
        if coverage is not None and future is first:
            tinted = [
                guessed_picture(a, c)
                for a, c in zip(_at(future.imagined.rgb, steps), _at(coverage, steps), strict=True)
            ]
            rows.append(StripRow(label="guessed", note="never seen before", pictures=[None, *tinted], colour=GUESSED))
    if first.imagined.depth is not None:
        if first.truth is not None:
            pictures = [depth_picture(d, farthest) for d in (now_depth, *_at(first.truth.depth_NHW, steps))]
            rows.append(StripRow(label="depth", note="truth", pictures=pictures, colour=TRUTH))
        pictures = [None, *(depth_picture(depth, farthest) for depth in _at(first.imagined.depth, steps))]
        rows.append(StripRow(label="depth", note="imagined", pictures=pictures, colour=IMAGINED))
    columns = ["now", *(f"+{step}" for step in steps)]
    plan = plan_picture(subject, t, futures, obstacles_N2)
    room = strip_width(len(columns)) - PLAN - 32
    sound = sound_panel(heard(subject.audio, t), sound_tracks(futures), steps, room, PLAN)
    lines = [described(f.actions) if f is first else f"{f.label}: {f.what or described(f.actions)}" for f in futures]
    return film_strip(rows, columns, title=title, subtitles=lines, below=[plan.image, sound])


def sound_tracks(futures: Sequence[Shown]) -> list[SoundTrack]:
    """The true sound of the first future as an area, and all imagined sounds as lines."""
    first = futures[0]
    tracks = []
    if first.truth is not None:
        tracks.append(SoundTrack(label="truth", audio_ES=joined(first.truth.audio_NES), colour=TRUTH, filled=True))
    for future in futures:
        label = "imagined" if future is first else f"imagined, {future.label}"
        before_ES = None if future.heard_ES is first.heard_ES else future.heard_ES
        sound_ES = joined(future.imagined.audio)
        tracks.append(SoundTrack(label=label, audio_ES=sound_ES, colour=future.colour, before_ES=before_ES))
    return tracks


def plan_picture(
    subject: Subject, t: int, futures: Sequence[Shown], obstacles_N2: np.ndarray | None = None
) -> FloorPlan:
    """The house from above, with the way walked, the true and the expected ways, and the source."""
    source_2 = np.array([subject.source.position_3[0], subject.source.position_3[2]])
    now = Pose(*(float(value) for value in subject.poses[t]))
    walked_T2 = subject.poses[: t + 1][:, [0, 2]]
    futures = [future for future in futures if not future.what]  # another sound leads to the same places
    expected = [_world(now, future.imagined.motion) for future in futures]
    true = [future.truth.poses_N4[:, [0, 2]] for future in futures if future.truth is not None]
    near_N2 = np.concatenate([walked_T2[-48:], source_2[None], *expected, *true])
    try:
        plan = FloorPlan.of_scene(scene_ref(subject.scene), PLAN, near_N2)
    except AvwError:  # a scan that is not on this machine
        plan = FloorPlan.blank(near_N2, PLAN)
    legend = [("walked", INK)]
    if obstacles_N2 is not None:
        # The memory has a point every 2 cm: all of them would hide the plan.
        plan.dots(np.unique(np.round(obstacles_N2 / _DOTS), axis=0) * _DOTS, _MEMORY, 1.2)
        legend.append(("obstacles in memory", _MEMORY))
    plan.source(float(source_2[0]), float(source_2[1]))
    here_2 = np.array([now.x, now.z])
    plan.path(walked_T2, INK, 3)
    for path_N2 in true:
        plan.path(np.vstack([here_2, path_N2]), _TRUE_WAY, 8)
    for future, path_N2 in zip(futures, expected, strict=True):
        plan.path(np.vstack([here_2, path_N2]), future.colour, 3)
        x, z = path_N2[-1]
        plan.agent(Pose(float(x), 0.0, float(z), now.yaw + float(future.imagined.motion[-1, 2])), future.colour)
        legend.append(("imagined" if future.name == "imagined" else future.label, future.colour))
    plan.agent(now, INK)
    if true:
        legend.insert(1, ("truth", _TRUE_WAY))
    plan.legend([*legend, ("source", SOURCE)])
    return plan


def animation(subject: Subject, t: int, shown: Shown) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames and sound: the last steps that were observed, then truth and imagination side by side, with the plan.

    The sound is what was heard until now, then what is imagined.
    """
    plan = plan_picture(subject, t, [shown])
    now = Pose(*(float(value) for value in subject.poses[t]))
    frames = []
    for step in range(max(0, t - PAST + 1), t + 1):
        pictures = [] if shown.truth is None else [subject.rgb[step]]
        frames.append(_frame([*pictures, subject.rgb[step]], plan, Pose(*map(float, subject.poses[step])), INK, "seen"))
    for number in range(len(shown.actions)):
        pictures = [] if shown.truth is None else [shown.truth.rgb_NHWC[number]]
        x, z = _world(now, shown.imagined.motion[number : number + 1])[0]
        pose = Pose(float(x), 0.0, float(z), now.yaw + float(shown.imagined.motion[number, 2]))
        caption = f"imagined, +{number + 1}"
        frames.append(_frame([*pictures, shown.imagined.rgb[number]], plan, pose, shown.colour, caption))
    return frames, np.concatenate([shown.heard_ES, joined(shown.imagined.audio)], axis=1)


def _frame(pictures: Sequence[np.ndarray], plan: FloorPlan, pose: Pose, colour: Colour, caption: str) -> np.ndarray:
    from PIL import Image, ImageDraw

    from avw.model.pictures.ink import PAPER, write

    head = 32
    frame = Image.new("RGB", (SIDE * (len(pictures) + 1), SIDE + head), PAPER)
    pen = ImageDraw.Draw(frame)
    captions = [caption] if len(pictures) == 1 else ["truth", caption]
    for number, (picture, text) in enumerate(zip(pictures, captions, strict=True)):
        frame.paste(enlarged(picture, SIDE), (number * SIDE, head))
        write(pen, (number * SIDE + SIDE / 2, head / 2), text, 20, TRUTH if text == "truth" else colour, "mm")
    moving = plan.copy()
    moving.agent(pose, colour)
    frame.paste(moving.image.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (len(pictures) * SIDE, head))
    return np.asarray(frame)


def heard(audio_TES: np.ndarray, t: int) -> np.ndarray:
    """The sound of the last `PAST` steps until t, as one waveform (E, S)."""
    return joined(audio_TES[max(0, t - PAST + 1) : t + 1])


def joined(audio_NES: np.ndarray) -> np.ndarray:
    """Steps of sound as one waveform (E, S)."""
    return np.ascontiguousarray(np.moveaxis(audio_NES, 0, 1)).reshape(2, len(audio_NES) * STEP_SAMPLES)


def _world(now: Pose, motion_N3: np.ndarray) -> np.ndarray:
    """float64 (N, 2): x and z of the places that motions from `now` lead to."""
    forward_N1, left_N1 = motion_N3[:, :1].astype(np.float64), motion_N3[:, 1:2].astype(np.float64)
    return np.array([now.x, now.z]) + forward_N1 * now.forward_3[[0, 2]] - left_N1 * now.right_3[[0, 2]]


def _at(array: np.ndarray, steps: Sequence[int]) -> list[np.ndarray]:
    return [array[step - 1] for step in steps]


def _farthest(depths: Sequence[np.ndarray]) -> float:
    """The depth that the darkest colour shows: what 98 % of the pixels are nearer than."""
    values = np.concatenate([depth.reshape(-1) for depth in depths])
    return max(2.0, float(np.quantile(values, 0.98)))
