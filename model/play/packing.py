"""A moment as bytes for the page: four bytes with the length of a JSON header, the header, and one array after another.

Every part begins at a multiple of four bytes, so that a browser can read it in place. All numbers are little-endian.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from avw.model.play.session import Moment
from avw.sim_bridge.types import Pose

FARTHEST = 6.0  # metres: the depth that the largest byte stands for
ALIGNED = 4


def packed(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """header: JSON values. The names, types, shapes and places of the arrays are added to it as "arrays"."""
    parts, places, at = [], {}, 0
    for name, array in arrays.items():
        content = np.ascontiguousarray(array).tobytes()
        places[name] = {"type": str(array.dtype), "shape": list(array.shape), "at": at}
        parts.append(content + bytes(-len(content) % ALIGNED))
        at += len(parts[-1])
    text = json.dumps({**header, "arrays": places}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    return struct.pack("<I", len(text)) + text + b"".join(parts)


def packed_moment(moment: Moment, more: dict[str, Any]) -> bytes:
    """A moment, and more values for its header."""
    observation, dreamed = moment.observation, moment.dreamed
    header = {
        "number": moment.number,
        "pose": _numbers(moment.pose),
        "collided": moment.collided,
        "distance": round(moment.distance, 3),
        "bearing": round(moment.bearing, 4),
        "reward": round(moment.reward, 3),
        "seconds": round(moment.seconds, 4),
        "dreamed": None,
        **more,
    }
    arrays = {
        "rgb": observation.rgb_HWC,
        "depth": depth_bytes(observation.depth_HW),
        "audio": observation.audio_ES.astype("<f4"),
    }
    if dreamed is not None:
        header["dreamed"] = {
            "steps": dreamed.steps,
            "distance": round(dreamed.distance, 3),
            "success": round(dreamed.success, 4),
            "reward": round(dreamed.reward, 3),
            "pose": None if moment.dream_pose is None else _numbers(moment.dream_pose),
        }
        arrays["dream_rgb"] = dreamed.rgb_HWC
        arrays["dream_audio"] = dreamed.audio_ES.astype("<f4")
        if dreamed.depth_HW is not None:
            arrays["dream_depth"] = depth_bytes(dreamed.depth_HW)
        if dreamed.coverage_HW is not None:
            arrays["dream_seen"] = dreamed.coverage_HW.astype(np.uint8)
    return packed(header, arrays)


def depth_bytes(depth_HW: np.ndarray) -> np.ndarray:
    """Depth in metres as uint8: 0 is missing, 1 is near, 255 is `FARTHEST` or more."""
    share = np.clip(depth_HW / FARTHEST, 0.0, 1.0)
    return np.where(depth_HW > 0, np.round(1 + 254 * share), 0).astype(np.uint8)


def _numbers(pose: Pose) -> list[float]:
    return [round(pose.x, 4), round(pose.z, 4), round(pose.yaw, 5)]
