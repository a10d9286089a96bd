"""Checks of sight on the user's machine: depth against closed forms, and pictures that are lit and repeat.

Used by `avw.sim_bridge.selftest.run_checks`, with the `Check` of the acoustics.
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
FIX_SIGHT = "the pictures are wrong on this machine: reinstall avw (embreex and numba in particular), and report it"


class Sees(Protocol):
    def render(self, camera_3: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]: ...


RendererMaker = Callable[[Scene, int, float], Sees]


def depth_is_that_of_a_box(make: RendererMaker) -> Check:
    """Every pixel of four views of an empty room: planar depth to 1 mm, and half of them would see a mirror image."""
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


def nothing_is_at_no_distance(make: RendererMaker) -> Check:
    """From outside, looking away from the room, there is nothing to see: depth 0 everywhere."""
    _, depth_HW = make(shoebox(_SIZE), _PIXELS, _HFOV).render(np.array([0.0, 1.0, -20.0]), 0.0)
    seen = int(np.count_nonzero(depth_HW))
    return Check(
        name="depth where nothing is",
        expected="0 everywhere",
        measured="0 everywhere" if seen == 0 else f"{seen} pixels see something",
        ok=seen == 0,
        fix=FIX_SIGHT,
    )


def pictures_are_lit_and_repeat(make: RendererMaker) -> Check:
    """A lamp lights the room, and the same view has the same bytes from a renderer that was built anew."""
    first, second = (make(shoebox(_SIZE), _PIXELS, _HFOV).render(np.array(_CAMERA), 0.6)[0] for _ in range(2))
    mean, equal = float(first.mean()), first.tobytes() == second.tobytes()
    return Check(
        name="a lit room, the same twice",
        expected="mean of 20 to 235 of 255, equal bytes",
        measured=f"{mean:.0f}, {'equal' if equal else 'different'} bytes",
        ok=20.0 <= mean <= 235.0 and equal,
        fix=FIX_SIGHT,
    )


def _box_depth(yaw: float) -> np.ndarray:
    """Planar depth (H, W) of the room from the camera, by where each pixel's ray leaves the box."""
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


DEPTH = (depth_is_that_of_a_box, nothing_is_at_no_distance)
SIGHT = (*DEPTH, pictures_are_lit_and_repeat)
