"""The shipped episode sets: `python -m benchmarks.episode_sets [--check]`.

Writes every set and the index with their hashes, or checks that they are drawn again with the same bytes. The houses
are those of rooms-v1 (docs/benchmark.md), and for the tasks with houses of other sizes those of the task.
"""

from __future__ import annotations

import hashlib
import json
import sys

import click

from avw.model.navigation.episode_set import packed_sets
from avw.model.navigation.navigate_config import NavigateConfig
from avw.sim_bridge.scenes.catalogue import resolve_scenes
from avw.sim_bridge.task.shipped_sets import FOLDER, shipped_sets
from avw.sim_bridge.task.variants import VARIANTS

VAL = (3006, 3009, 3016, 3019, 3054, 3060, 3064, 3069, 3072)
TEST = (
    3001, 3010, 3015, 3018, 3027, 3031, 3032, 3033, 3034, 3036, 3050, 3051, 3052, 3066, 3070, 3073, 3074, 3077,
)  # fmt: skip


def sets() -> dict[str, NavigateConfig]:
    """The configuration of every set by its name."""
    found = {}
    for variant, about in VARIANTS.items():
        ending = "" if variant == "standard" else f"-{variant}"
        if about.scenes:
            scenes = tuple(scene.scene_id for scene in resolve_scenes(about.scenes))
            found[variant] = _config(variant, scenes, 48)
            continue
        found[f"rooms-v1-val{ending}"] = _config(variant, _houses(VAL), 54)
        found[f"rooms-v1-test{ending}"] = _config(variant, _houses(TEST), 216 if variant == "standard" else 108)
    return found


def _houses(numbers: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"procedural-{number:04d}" for number in numbers)


def _config(variant: str, scenes: tuple[str, ...], episodes: int) -> NavigateConfig:
    return NavigateConfig(policies=("oracle",), scenes=scenes, episodes=episodes, seed=0, variant=variant)


@click.command()
@click.option("--check", is_flag=True, help="Draw all sets again and compare their hashes; write nothing.")
@click.option("--only", metavar="NAME", multiple=True, help="Only these sets.")
def episode_sets(check: bool, only: tuple[str, ...]) -> None:
    """Write the shipped episode sets, or check them."""
    index, wrong = shipped_sets(), []
    wanted = {name: config for name, config in sets().items() if not only or name in only}
    with click.progressbar(length=sum(config.episodes for config in wanted.values()), file=sys.stderr) as bar:
        packed = packed_sets(wanted, bar.update)
    for name, content in packed.items():
        digest = hashlib.sha256(content).hexdigest()
        if check:
            same = index.get(name, {}).get("sha256") == digest
            wrong += [] if same else [name]
            click.echo(f"{name}: {'the same bytes' if same else 'other bytes'}, {digest}")
            continue
        (FOLDER / f"{name}.json.gz").write_bytes(content)
        about = VARIANTS[wanted[name].variant].about
        index[name] = {"sha256": digest, "episodes": wanted[name].episodes, "about": about}
        (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        click.echo(f"{name}: {wanted[name].episodes} episodes, {len(content)} bytes, {digest}")
    if wrong:
        sys.exit(f"drawn with other bytes than shipped: {', '.join(wrong)}")


if __name__ == "__main__":
    episode_sets()
