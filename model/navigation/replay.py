"""Writes recordings of navigation that the viewer and the report play: see `avw.avw4k.viewing.played`.

For each decision of a planner, a recording has what the model imagines at the place that was chosen and at the second
best one, and a map of the memory with the field of expected distances. Imagining pictures for the recording changes
neither the actions nor the random numbers of the policy.

Shapes: K candidates · H W image.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np

from avw.avw4k.viewing.played import Played, PlayedNote, write_played
from avw.model.memory.free_space import FreeSpace
from avw.model.planning.decision import Decision
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.types import Action, Observation

FREE, OBSTACLE, UNKNOWN = (238, 241, 241), (58, 66, 78), (196, 203, 211)
NEAR, FAR = np.array([12.0, 92.0, 86.0]), np.array([245.0, 222.0, 170.0])  # colours of 0 m and of FARTHEST
CHOSEN, SECOND = (15, 118, 110), (217, 119, 6)
FARTHEST = 10.0  # metres
RADIUS = 6.0  # metres from the agent to the edge of the map


class Replay:
    """Collects an episode; `write` at its end."""

    def __init__(self, path: Path, simulator: Simulator, policy: Any) -> None:
        self.path, self.simulator = path, simulator
        self.policy = getattr(policy, "policy", policy)  # a user's policy is wrapped
        self._steps: list[tuple[Observation, Action, tuple[float, ...], float]] = []
        self._decisions: list[tuple[int, dict[str, np.ndarray]]] = []
        self._collided: list[bool] = []
        self._last: Decision | None = None

    def decided(self, observation: Observation, action: Action) -> None:
        """Add an observation and the action that the policy has chosen for it, before the action is taken."""
        decision = getattr(self.policy, "decision", None)
        if isinstance(decision, Decision) and decision is not self._last:
            size = len(observation.rgb_HWC)
            views = _imagined(self.policy, decision, size) | {"map": draw_map(decision, size)}
            self._decisions.append((len(self._steps), views))
            self._last = decision
        pose = self.simulator.pose
        here = (pose.x, pose.y, pose.z, pose.yaw)
        self._steps.append((observation, action, here, self.simulator.distance_to_source()))

    def moved(self, collided: bool) -> None:
        self._collided.append(collided)

    def write(self, note: PlayedNote) -> None:
        """Write the recording, which is complete or absent."""
        names = self._decisions[0][1] if self._decisions else {}
        played = Played(
            note,
            np.stack([observation.rgb_HWC for observation, *_ in self._steps]),
            np.stack([observation.audio_ES for observation, *_ in self._steps]).astype(np.float32),
            np.array([int(action) for _, action, *_ in self._steps], np.uint8),
            np.array([here for _, _, here, _ in self._steps]),
            np.array([metres for *_, metres in self._steps]),
            np.array(self._collided, bool),
            np.array([step for step, _ in self._decisions], np.int64),
            {name: np.stack([views[name] for _, views in self._decisions]) for name in names},
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self.path, lambda tmp: write_played(tmp, played))


def _imagined(policy: Any, decision: Decision, size: int) -> dict[str, np.ndarray]:
    """{"chosen", "second": uint8 (H, W, 3)} of a policy that imagines; {} for one that does not."""
    config, model = getattr(policy, "config", None), cast("Any", getattr(policy, "model", None))
    steps = getattr(config, "denoising_steps", None)
    if steps == 0 or not hasattr(model, "decode"):
        return {}
    import torch

    best = decision.ranked[:2]
    poses = decision.poses
    motion, offset = torch.from_numpy(poses.motion_K3[best])[None], torch.from_numpy(poses.steps_K[best])[None]
    history = model.encode([policy.observer.context()])
    rgb_PHWC = model.decode(model.predict(history, motion, offset, steps=steps, seed=0)).rgb_PHWC.cpu().numpy()
    pictures = [rgb_PHWC[min(rank, len(best) - 1)] for rank in (0, 1)]
    return dict(zip(("chosen", "second"), pictures, strict=True))


def draw_map(decision: Decision, size: int) -> np.ndarray:
    """uint8 (size, size, 3): the map around the agent, which faces up, with the candidates and the two best paths.

    The colour of a candidate is its expected distance to the source: dark is near.
    """
    from PIL import Image, ImageDraw

    scale = 4  # drawn larger, for smooth lines
    image = Image.fromarray(_ground(decision.space, scale * size))
    pen = ImageDraw.Draw(image)

    def pixels(place_N2: np.ndarray) -> list[tuple[float, float]]:
        body_N2 = _in_body(place_N2, decision.space.pose_4)
        at_N2 = scale * size * (0.5 - 0.5 * body_N2 / RADIUS)
        return [(float(left), float(forward)) for forward, left in at_N2]

    for rank, colour in ((1, SECOND), (0, CHOSEN)):
        if len(decision.ranked) > rank:
            pen.line(pixels(decision.poses.paths[decision.ranked[rank]]), fill=colour, width=2 * scale, joint="curve")
    share_K1 = np.clip(np.nan_to_num(decision.distance_K, nan=FARTHEST) / FARTHEST, 0.0, 1.0)[:, None]
    colour_K3 = np.round(NEAR + share_K1 * (FAR - NEAR)).astype(int)
    dot = 1.6 * scale * size / 128
    for k, (u, v) in enumerate(pixels(decision.place_K2)):
        pen.ellipse((u - dot, v - dot, u + dot, v + dot), fill=tuple(colour_K3[k].tolist()), outline=(70, 78, 88))
    middle, arm = scale * size / 2, 3.0 * scale * size / 128
    arrow = [(middle, middle - 2 * arm), (middle + arm, middle + arm), (middle - arm, middle + arm)]
    pen.polygon(arrow, fill=CHOSEN, outline=(255, 255, 255))
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


def _ground(space: FreeSpace, size: int) -> np.ndarray:
    """The cells of the map as seen from the agent, which faces up."""
    along = RADIUS * (1.0 - 2.0 * (np.arange(size) + 0.5) / size)
    forward_HW, left_HW = np.meshgrid(along, along, indexing="ij")
    x, y, _, heading = space.pose_4
    c, s = math.cos(heading), math.sin(heading)
    row_HW, column_HW = space.nodes(x + c * forward_HW - s * left_HW, y + s * forward_HW + c * left_HW)
    height, width = space.free_HW.shape
    inside_HW = (row_HW >= 0) & (column_HW >= 0) & (row_HW < height) & (column_HW < width)
    row_HW, column_HW = row_HW.clip(0, height - 1), column_HW.clip(0, width - 1)
    ground_HW3 = np.full((size, size, 3), UNKNOWN, np.uint8)
    ground_HW3[inside_HW & space.free_HW[row_HW, column_HW]] = FREE
    ground_HW3[inside_HW & space.obstacle_HW[row_HW, column_HW]] = OBSTACLE
    return ground_HW3


def _in_body(place_N2: np.ndarray, pose_4: np.ndarray) -> np.ndarray:
    """(forward, left) metres from the agent."""
    c, s = math.cos(pose_4[3]), math.sin(pose_4[3])
    dx_N, dy_N = (np.asarray(place_N2) - pose_4[:2]).T
    return np.stack([c * dx_N + s * dy_N, c * dy_N - s * dx_N], axis=-1)
