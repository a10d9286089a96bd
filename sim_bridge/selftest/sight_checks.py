"""Checks of rendering: depth against closed forms, and images that are lit and reproducible.

Used by `avw.sim_bridge.selftest.run_checks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.check import Check

_SIZE = (6.0, 3.0, 5.0)  # metres
_CAMERA = (0.7, 1.25, -0.4)
_PIXELS, _HFOV = 96, 90.0
_YAWS = (0.0, 0.6, 2.5, -1.9)
FIX_SIGHT = "the images are wrong on this machine: reinstall avw (embreex and numba in particular), and report it"


class Sees(Protocol):
    def render(self, camera_3: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]: ...


RendererMaker = Callable[[Scene, int, float], Sees]


def depth_matches_a_box(make: RendererMaker) -> Check:
    """Planar depth to 1 mm at every pixel of four views of an empty room; two of them would reveal a mirrored image."""
    renderer = make(shoebox(_SIZE), _PIXELS, _HFOV)
    worst = 0.0
    for yaw in _YAWS:
        _, depth_HW = renderer.render(np.array(_CAMERA), yaw)
        worst = max(worst, float(np.abs(depth_HW - _box_depth(yaw)).max()))
    return Check(
        name="depth of an empty room",
        expected="every pixel within 1 mm",
        measured=f"{1e3 * worst:.2f} mm",
        ok=worst <= 1e-3,
        fix=FIX_SIGHT,
    )


def depth_is_zero_where_nothing_is(make: RendererMaker) -> Check:
    """Outside, facing away from the room, the depth is 0 everywhere."""
    _, depth_HW = make(shoebox(_SIZE), _PIXELS, _HFOV).render(np.array([0.0, 1.0, -20.0]), 0.0)
    seen = int(np.count_nonzero(depth_HW))
    return Check(
        name="depth where there is nothing",
        expected="0 everywhere",
        measured="0 everywhere" if seen == 0 else f"{seen} pixels see something",
        ok=seen == 0,
        fix=FIX_SIGHT,
    )


def images_are_lit_and_reproducible(make: RendererMaker) -> Check:
    """A lamp lights the room, and a second renderer gives the same view with the same bytes."""
    first, second = (make(shoebox(_SIZE), _PIXELS, _HFOV).render(np.array(_CAMERA), 0.6)[0] for _ in range(2))
    mean, equal = float(first.mean()), first.tobytes() == second.tobytes()
    return Check(
        name="lit room, equal bytes from two renderers",
        expected="mean of 20 to 235 of 255, equal bytes",
        measured=f"{mean:.0f}, {'equal' if equal else 'different'} bytes",
        ok=20.0 <= mean <= 235.0 and equal,
        fix=FIX_SIGHT,
    )


def _box_depth(yaw: float) -> np.ndarray:
    """Planar depth (H, W) of the room, from the point where the ray of each pixel leaves the box."""
    half = math.tan(math.radians(_HFOV) / 2)
    at = ((np.arange(_PIXELS) + 0.5) / _PIXELS * 2.0 - 1.0) * half
    across_HW, down_HW = np.meshgrid(at, at)
    forward_3, right_3 = np.array([-math.sin(yaw), 0.0, -math.cos(yaw)]), np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    ray_HW3 = forward_3 + across_HW[..., None] * right_3 - down_HW[..., None] * np.array([0.0, 1.0, 0.0])
    low_3 = np.array([-_SIZE[0] / 2, 0.0, -_SIZE[2] / 2]) - _CAMERA
    high_3 = low_3 + np.array(_SIZE)
    with np.errstate(divide="ignore"):
        # One unit of the ray is one metre of planar depth, because its forward part is a unit vector.
        return (np.where(ray_HW3 > 0.0, high_3, low_3) / ray_HW3).min(axis=-1)


DEPTH = (depth_matches_a_box, depth_is_zero_where_nothing_is)
SIGHT = (*DEPTH, images_are_lit_and_reproducible)
