"""Motion of the agent from its own depth images: how far a commanded step really led.

Turns are exact. A step ahead may be free, slide along a wall, or be blocked. Each hypothesis (forward, left) predicts
the depth image after the step from the one before it; the hypothesis with the smallest mean error wins, and the
commanded step wins unless another one is clearly better: most steps are free, and a long corridor looks almost alike
from every place in it. A change of height (stairs) is searched for only where no level step explains the images.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS, Action

REACH = 6.0  # metres; farther points say little about a step of 0.15 m
CLIP = 0.1  # metres; larger errors are edges and things that were hidden, not motion
FAVOUR = 0.0015  # metres of mean error by which a hypothesis must be better than the commanded step …
FAVOUR_SHARE = 0.15  # … and share of it
PULL = 0.01  # metres of error per metre from a full slide: along a blank wall, depth does not tell how far
FEWEST_SHARE = 0.04  # of the points must be in view after the step
SAMPLES = 32  # points per row and column of the image
STILL = 0.006  # metres; shorter steps count as none
UNEXPLAINED = 0.02  # metres of mean error above which a change of height is searched for


def step_pose(
    depth0_HW: np.ndarray,
    depth1_HW: np.ndarray,
    action: int,
    hfov: float,
) -> tuple[float, float, float, float]:
    """(forward, left, up, turn): the pose after `action` in the frame before it; metres, radians.

    depth0_HW, depth1_HW: float32 metres or uint16 millimetres before and after the action; 0 = nothing hit
    """
    if not 0 < hfov < 180:
        raise UsageError(
            f"depth odometry needs a field of view below 180°, not {hfov:g}°: panoramas have no image plane"
        )
    if action == Action.TURN_LEFT:
        return 0.0, 0.0, 0.0, TURN_RADIANS
    if action == Action.TURN_RIGHT:
        return 0.0, 0.0, 0.0, -TURN_RADIANS
    if action != Action.FORWARD:
        return 0.0, 0.0, 0.0, 0.0
    tan = math.tan(math.radians(hfov) / 2)
    return (*match_step(metres(depth0_HW), metres(depth1_HW), tan, FORWARD_METRES), 0.0)


def step_motion(depth0_HW: np.ndarray, depth1_HW: np.ndarray, action: int, hfov: float) -> tuple[float, float, float]:
    """(forward, left, turn): `step_pose` without the change of height."""
    forward, left, _, turn = step_pose(depth0_HW, depth1_HW, action, hfov)
    return forward, left, turn


def metres(depth_HW: np.ndarray) -> np.ndarray:
    """A depth image as float32 metres; uint16 is millimetres."""
    if depth_HW.dtype == np.uint16:
        return np.multiply(depth_HW, np.float32(0.001), dtype=np.float32)
    return np.ascontiguousarray(depth_HW, np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _sample(depth_HW, tan):
    """Depth, left and up of a grid of about SAMPLES² pixels, float32 (N, 3); the first ones, a count, are coarser."""
    height, width = depth_HW.shape
    step_i, step_j = max(1, height // SAMPLES), max(1, width // SAMPLES)
    out = np.empty((((height - 1) // step_i + 1) * ((width - 1) // step_j + 1), 3), np.float32)
    focal = 0.5 * width / tan
    n, coarse = 0, 0
    for part in range(4):
        for i in range((part // 2) * step_i + step_i // 2, height, 2 * step_i):
            for j in range((part % 2) * step_j + step_j // 2, width, 2 * step_j):
                z = depth_HW[i, j]
                if 0.0 < z < REACH:
                    out[n, 0] = z
                    out[n, 1] = (0.5 * (width - 1) - j) / focal * z
                    out[n, 2] = (0.5 * (height - 1) - i) / focal * z
                    n += 1
        if part == 0:
            coarse = n
    return out[:n], coarse


@njit(cache=True, nogil=True, fastmath=True)
def _error(points_N3, inverse_HW, focal, forward, left, up):
    """Mean clipped error of a hypothesis, metres; CLIP if too few points are in view after the step.

    The image after the step is interpolated as inverse depth, which is linear over planes. A point that the agent
    would have walked through counts as an error.
    """
    height, width = inverse_HW.shape
    centre_u, centre_v = np.float32(0.5 * (width - 1)), np.float32(0.5 * (height - 1))
    total, count, clip = np.float32(0.0), 0, np.float32(CLIP)
    f, s, h = np.float32(forward), np.float32(left), np.float32(up)
    for n in range(len(points_N3)):
        z = points_N3[n, 0] - f
        beside = points_N3[n, 1] - s
        if z < np.float32(0.03):
            if abs(beside) < np.float32(0.07):
                total += clip
                count += 1
            continue
        scale = np.float32(focal) / z
        u = centre_u - beside * scale
        v = centre_v - (points_N3[n, 2] - h) * scale
        if u < 0 or v < 0 or u > width - 1 or v > height - 1:
            continue
        u0, v0 = min(int(u), width - 2), min(int(v), height - 2)
        fu, fv = u - np.float32(u0), v - np.float32(v0)
        a, b, c, d = inverse_HW[v0, u0], inverse_HW[v0, u0 + 1], inverse_HW[v0 + 1, u0], inverse_HW[v0 + 1, u0 + 1]
        if min(min(a, b), min(c, d)) <= 0:
            continue
        w = (a * (1 - fu) + b * fu) * (1 - fv) + (c * (1 - fu) + d * fu) * fv
        total += min(abs(1 / w - z), clip)
        count += 1
    return total / count if count >= FEWEST_SHARE * len(points_N3) and count > 0 else clip


@njit(cache=True, nogil=True, fastmath=True)
def _unlikely(forward, left, step):
    """Penalty of hypotheses that are neither a full slide along one wall nor a full stop, metres of error.

    Sliding along one wall ends on the circle over the commanded step, left² = forward · (step - forward); this
    hypothesis is on a circle over forward + left² / forward.
    """
    squared = forward * forward + left * left
    if squared < 0.0015 * 0.0015:
        return 0.0
    return PULL * min(step, abs(step - squared / max(forward, 1e-5)))


@njit(cache=True, nogil=True, fastmath=True)
def match_step(depth0_HW, depth1_HW, tan, step):
    """(forward, left, up) of a step of `step` metres ahead, from the depth images (float32 metres) around it."""
    points_N3, coarse = _sample(depth0_HW, tan)
    height, width = depth1_HW.shape
    inverse_HW = np.zeros((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            if depth1_HW[i, j] > 0:
                inverse_HW[i, j] = 1 / depth1_HW[i, j]
    focal = 0.5 * width / tan
    free = _error(points_N3, inverse_HW, focal, step, 0.0, 0.0)
    if free < FAVOUR or coarse == 0:
        return step, 0.0, 0.0
    starts = np.zeros((3, 3))
    _grid(points_N3[:coarse], inverse_HW, focal, step, starts)
    best, forward, left, up = free, step, 0.0, 0.0
    for k in range(3):
        f, s = starts[k, 0], starts[k, 1]
        error = _error(points_N3, inverse_HW, focal, f, s, 0.0) + _unlikely(f, s, step)
        error, f, s, _ = _refined(points_N3, inverse_HW, focal, error, f, s, 0.0, 0.1 * step, step, False)
        if error < best:
            best, forward, left = error, f, s
        if best < FAVOUR:
            break
    if best > UNEXPLAINED:
        high, rise = best, 0.0
        for k in range(-5, 6):
            error = _error(points_N3, inverse_HW, focal, step, 0.0, 0.04 * k)
            if error < high:
                high, rise = error, 0.04 * k
        high, f, s, rise = _refined(points_N3, inverse_HW, focal, high, step, 0.0, rise, 0.02, step, True)
        if high < 0.5 * best:
            best, forward, left, up = high, f, s, rise
    if free <= best * (1 + FAVOUR_SHARE) + FAVOUR:
        return step, 0.0, 0.0
    if up == 0.0 and math.hypot(forward, left) < STILL:
        return 0.0, 0.0, 0.0
    return forward, left, up


@njit(cache=True, nogil=True, fastmath=True)
def _grid(points_N3, inverse_HW, focal, step, starts_33):
    """The best three hypotheses of a coarse grid, rows (forward, left, error): full slides, and shorter ones."""
    starts_33[:, 2] = 1e9
    for ring in range(1, 6):
        size = step * ring / 5
        most = 24 if ring == 5 else 4
        for k in range(-most, most + 1):
            angle = 0.5 * math.pi * k / (most + 0.5)
            f, s = size * math.cos(angle) ** 2, size * math.cos(angle) * math.sin(angle)
            error = _error(points_N3, inverse_HW, focal, f, s, 0.0) + _unlikely(f, s, step)
            for place in range(3):
                if error < starts_33[place, 2]:
                    for later in range(2, place, -1):
                        starts_33[later] = starts_33[later - 1]
                    starts_33[place, 0], starts_33[place, 1], starts_33[place, 2] = f, s, error
                    break


@njit(cache=True, nogil=True, fastmath=True)
def _refined(points_N3, inverse_HW, focal, best, forward, left, up, delta, step, climbs):
    """(error, forward, left, up) of the best hypothesis near one: a search with steps from `delta` to a millimetre."""
    while delta > 0.001:
        f0, s0, u0 = forward, left, up
        for k in range(10 if climbs else 8):
            f, s, h = f0, s0, u0
            if k < 8:
                f, s = f0 + delta * math.cos(k * math.pi / 4), s0 + delta * math.sin(k * math.pi / 4)
            else:
                h = u0 + delta * (2 * k - 17)
            if math.hypot(f - 0.5 * step, s) > 0.5 * step + 0.004:
                continue  # farther than any slide leads
            error = _error(points_N3, inverse_HW, focal, f, s, h) + _unlikely(f, s, step)
            if error < best - np.float32(1e-5):
                best, forward, left, up = error, f, s, h
        if forward == f0 and left == s0 and up == u0:
            delta *= 0.5
    return best, forward, left, up
