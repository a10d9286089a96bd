"""A recording of a walk: simulator, imagination and map side by side, with the sound that was heard."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avw.model.pictures.animation import WALK_GAIN, write_animation
from avw.model.pictures.film_strip import enlarged
from avw.model.pictures.floor_plan import FloorPlan
from avw.model.pictures.ink import IMAGINED, INK, OTHER, PAPER, SOFT, write
from avw.model.play.session import Moment
from avw.sim_bridge.errors import AvwError
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.types import SAMPLE_RATE, Source

SIDE = 320  # pixels of a picture
MARGIN, CAPTION = 12, 30
LONGEST = 800  # steps: two minutes
FADE = SAMPLE_RATE // 100  # samples in which the sound changes from one to the other
HEARD = ("simulator", "imagination", "both")


@dataclass(frozen=True, slots=True)
class _Kept:
    moment: Moment
    heard: str


class Recorder:
    """Collects the moments of a walk. Only `add` is called while the walk goes on; `write` takes its time later."""

    def __init__(self, scene: SceneRef, source: Source, dreams: bool) -> None:
        self.scene, self.source, self.dreams = scene, source, dreams
        self._kept: list[_Kept] = []

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def full(self) -> bool:
        return len(self._kept) >= LONGEST

    def add(self, moment: Moment, heard: str) -> None:
        """heard: one of HEARD."""
        if not self.full:
            self._kept.append(_Kept(moment, heard))

    def write(self, folder: Path) -> list[Path]:
        """Write SCENE-NN.mp4, or .gif and .wav without ffmpeg, with the first free number. Returns the paths."""
        with _one_writer:
            return write_animation(_free_stem(folder, self.scene.scene_id), self._pictures(), self._sound() * WALK_GAIN)

    def _pictures(self) -> list[np.ndarray]:
        poses = [kept.moment.pose for kept in self._kept]
        try:
            plan = FloorPlan.of_scene(self.scene, SIDE)
        except AvwError:  # a scene that cannot be drawn from above
            plan = FloorPlan.blank(np.array([(pose.x, pose.z) for pose in poses]), SIDE)
        plan.source(self.source.position_3[0], self.source.position_3[2])
        path: list[tuple[float, float]] = []
        return [self._picture(kept.moment, plan, path) for kept in self._kept]

    def _picture(self, moment: Moment, plan: FloorPlan, path: list[tuple[float, float]]) -> np.ndarray:
        from PIL import Image, ImageDraw

        path.append((moment.pose.x, moment.pose.z))
        here = plan.copy()
        here.path(path, IMAGINED)
        here.agent(moment.pose, IMAGINED)
        if moment.dream_pose is not None:
            here.agent(moment.dream_pose, OTHER)
        panels = [(enlarged(moment.observation.rgb_HWC, SIDE), "Simulator", f"{moment.distance:.1f} m to the source")]
        if self.dreams:
            panels.append(self._dream_panel(moment))
        panels.append((here.image, "Map", ""))
        width = MARGIN + len(panels) * (SIDE + MARGIN)
        sheet = Image.new("RGB", (width, MARGIN + SIDE + CAPTION), PAPER)
        pen = ImageDraw.Draw(sheet)
        for number, (picture, name, note) in enumerate(panels):
            left = MARGIN + number * (SIDE + MARGIN)
            sheet.paste(picture, (left, MARGIN))
            write(pen, (left, MARGIN + SIDE + CAPTION / 2), name, 16, INK, "lm")
            write(pen, (left + SIDE, MARGIN + SIDE + CAPTION / 2), note, 14, SOFT, "rm")
        return np.asarray(sheet)

    def _dream_panel(self, moment: Moment) -> tuple:
        dreamed = moment.dreamed
        if dreamed is None:  # before the first step
            return enlarged(moment.observation.rgb_HWC, SIDE), "Imagination", ""
        note = f"{dreamed.distance:.1f} m, step {dreamed.steps}"
        return enlarged(dreamed.rgb_HWC, SIDE), "Imagination", note

    def _sound(self) -> np.ndarray:
        """float32 (2, S): what was heard, without clicks where the choice changed."""
        parts, before = [], None
        ramp_S = np.linspace(0.0, 1.0, FADE, dtype=np.float32)
        for kept in self._kept:
            now = _mixed(kept.moment, kept.heard)
            if before not in (None, kept.heard):
                last = _mixed(kept.moment, str(before))
                now[:, :FADE] = (1 - ramp_S) * last[:, :FADE] + ramp_S * now[:, :FADE]
            before = kept.heard
            parts.append(now)
        return np.concatenate(parts, axis=1)


def _mixed(moment: Moment, heard: str) -> np.ndarray:
    real_ES = moment.observation.audio_ES
    if moment.dreamed is None or heard == "simulator":
        return real_ES.copy()
    imagined_ES = moment.dreamed.audio_ES
    return imagined_ES.copy() if heard == "imagination" else (real_ES + imagined_ES) / 2


def _free_stem(folder: Path, scene_id: str) -> Path:
    name = re.sub(r"[^\w-]+", "-", Path(scene_id).stem).strip("-") or "walk"
    number = 1
    while any(folder.glob(f"{name}-{number:02d}.*")):
        number += 1
    return folder / f"{name}-{number:02d}"


_one_writer = threading.Lock()
