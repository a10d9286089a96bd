"""Procedural houses: floor plan, shell, furniture, lights, and an acoustic material on every face."""

from __future__ import annotations

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.floor_plan import draw_floor_plan
from avw.sim_bridge.scenes.houses.furnishing import furnish
from avw.sim_bridge.scenes.houses.house_shell import build_shell
from avw.sim_bridge.scenes.houses.lamps import draw_lamps
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style
from avw.sim_bridge.scenes.scene import Scene


def generate_house(seed: int) -> Scene:
    """Generate the furnished house of a seed: 3 to 12 rooms on one floor at y = 0.

    The same seed gives the same bytes on every machine.
    Raises UsageError for a negative seed.
    """
    if seed < 0:
        raise UsageError(f"procedural scene {seed}: the seed must be a whole number from 0")
    builder = MeshBuilder()
    style = Style(builder, seed)
    plan = draw_floor_plan(keyed_rng(seed, "floor plan"))
    build_shell(builder, style, plan, seed)
    lights = draw_lamps(builder, style, plan, seed)
    lights += furnish(builder, style, plan, seed)
    return Scene(
        scene_id=f"procedural-{seed:04d}",
        lights=lights,
        rooms=plan.rooms,
        **builder.build(),
    )
