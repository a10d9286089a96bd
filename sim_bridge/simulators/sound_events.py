"""What happens to the sound in an episode: it ends, it moves, or a second source plays another sound."""

from __future__ import annotations

from dataclasses import dataclass

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import SOURCE_HEIGHT, Source

Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundEvents:
    """silent_after: number of steps after which the source is silent; its reverberation decays; None: never
    distractor: a second source, which is not the goal
    route: floor points (metres) that the source visits in turn; the first is where it starts; (): it does not move
    leg_steps: number of steps from one point of the route to the next. The source jumps; the sound fades over one step
    """

    silent_after: int | None = None
    distractor: Source | None = None
    route: tuple[Point, ...] = ()
    leg_steps: int = 10

    def __post_init__(self) -> None:
        if self.leg_steps < 1 or (self.silent_after is not None and self.silent_after < 0):
            raise UsageError(
                f"leg_steps = {self.leg_steps} and silent_after = {self.silent_after} of the sound: expected at least "
                "1 and at least 0 steps"
            )

    def place(self, step: int) -> Point | None:
        """The floor point below the source after `step` steps; None if it does not move."""
        return self.route[min(step // self.leg_steps, len(self.route) - 1)] if self.route else None


NOTHING = SoundEvents()


def moved_to(source: Source, floor_3: Point) -> Source:
    """The source above another floor point."""
    x, y, z = floor_3
    return Source(position_3=(x, y + SOURCE_HEIGHT, z), floor_3=floor_3, sound=source.sound, phase=source.phase)
