"""Small buildings with more than one floor, made of boxes and ramps, in which every path is known."""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.scenes.scene import Scene
from tests.sim_bridge.boxes import Box, box_scene, mesh_scene

RISE = 2.8  # metres from floor to floor
TREADS = 16
RUN = 0.28  # metres, depth of a tread
STAIRS = TREADS * RUN  # 4.48 m along x


def two_storeys(*, stairs: bool = True) -> list[Box]:
    """Two rooms of 10 x 6 m, one above the other, and a straight flight 1.3 m wide along +x at z in [4.7, 6.0].

    The flight starts at x = 3 and ends at x = 3 + STAIRS, where the upper floor continues; the slab is open above it.
    """
    top = RISE + 2.6
    end = 3.0 + STAIRS
    boxes: list[Box] = [
        ((-0.1, -0.1, -0.1), (10.1, 0.0, 6.1)),
        ((-0.1, top, -0.1), (10.1, top + 0.1, 6.1)),
        ((-0.1, 0.0, -0.1), (0.0, top, 6.1)),
        ((10.0, 0.0, -0.1), (10.1, top, 6.1)),
        ((0.0, 0.0, -0.1), (10.0, top, 0.0)),
        ((0.0, 0.0, 6.0), (10.0, top, 6.1)),
        # The slab between the storeys, open above the stairs.
        ((0.0, RISE - 0.2, 0.0), (10.0, RISE, 4.7)),
        ((end, RISE - 0.2, 4.7), (10.0, RISE, 6.0)),
        ((0.0, RISE - 0.2, 4.7), (2.0, RISE, 6.0)),
        # A banister along the opening, on the upper floor.
        ((2.0, RISE, 4.6), (end - 0.05, RISE + 1.0, 4.7)),
        ((2.0, RISE, 4.7), (2.1, RISE + 1.0, 6.0)),
    ]
    if stairs:
        for step in range(TREADS):
            x = 3.0 + step * RUN
            boxes.append(((x, 0.0, 4.7), (x + RUN, (step + 1) * RISE / TREADS, 6.0)))
    return boxes


def ramp_scene(height: float = 1.2, length: float = 6.0) -> Scene:
    """A room of 12 x 4 m: level for 3 m, then a ramp `length` metres long along +x, then level at `height`."""
    top = 3.0 + length
    ceiling = height + 2.6
    shell = box_scene(
        ((-0.1, -0.1, -0.1), (3.0, 0.0, 4.1)),
        ((top, -0.1, -0.1), (12.1, height, 4.1)),
        ((-0.1, ceiling, -0.1), (12.1, ceiling + 0.1, 4.1)),
        ((-0.1, 0.0, -0.1), (0.0, ceiling, 4.1)),
        ((12.0, 0.0, -0.1), (12.1, ceiling, 4.1)),
        ((0.0, 0.0, -0.1), (12.0, ceiling, 0.0)),
        ((0.0, 0.0, 4.0), (12.0, ceiling, 4.1)),
    )
    ramp_43 = np.array([[3.0, 0.0, 0.0], [3.0, 0.0, 4.0], [top, height, 4.0], [top, height, 0.0]])
    base = len(shell.vertices_V3)
    faces_F3 = np.concatenate([shell.faces_F3, [[base, base + 1, base + 2], [base, base + 2, base + 3]]])
    return mesh_scene(np.concatenate([shell.vertices_V3, ramp_43]), faces_F3, "ramp")


def tower(storeys: int = 3, rise: float = 3.0, steps: int = 18) -> Scene:
    """Floors of 8 x 6 m above each other, joined by stacked flights of stairs that turn at a landing half-way."""
    top = storeys * rise
    half, turn_x = steps // 2, 4.0 + steps // 2 * RUN
    boxes: list[Box] = [
        ((-0.1, -0.1, -0.1), (8.1, 0.0, 6.1)),
        ((-0.1, top, -0.1), (8.1, top + 0.1, 6.1)),
        ((-0.1, 0.0, -0.1), (0.0, top, 6.1)),
        ((8.0, 0.0, -0.1), (8.1, top, 6.1)),
        ((0.0, 0.0, -0.1), (8.0, top, 0.0)),
        ((0.0, 0.0, 6.0), (8.0, top, 6.1)),
    ]
    for storey in range(storeys - 1):
        base = storey * rise
        for step in range(half):
            first, second = base + (step + 1) * rise / steps, base + rise / 2 + (step + 1) * rise / steps
            up_x, back_x = 4.0 + step * RUN, turn_x - step * RUN
            boxes.append(((up_x, first - 0.15, 0.0), (up_x + RUN, first, 1.2)))
            boxes.append(((back_x - RUN, second - 0.15, 1.4), (back_x, second, 2.6)))
        boxes.append(((turn_x, base + rise / 2 - 0.15, 0.0), (8.0, base + rise / 2, 2.6)))
        boxes.append(((0.0, base + rise - 0.2, 0.0), (4.0, base + rise, 6.0)))
        boxes.append(((4.0, base + rise - 0.2, 2.7), (8.0, base + rise, 6.0)))
    return box_scene(*boxes, scene_id="tower")
