"""A dataset from your own mesh: two rooms with a doorway as a GLB file, trajectories in it, and what they contain.

    python examples/dataset_from_a_mesh.py [--mesh flat.glb] [--out data/two-rooms] [--trajectories 6] [--steps 60]

Without --mesh, it makes the GLB file itself. Names of materials in the file choose the acoustic materials.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import trimesh

import avw

HEIGHT, DEPTH, THICKNESS = 2.6, 4.0, 0.15  # metres
ROOMS = (5.0, 4.0)  # widths of the two rooms
DOOR = 1.0  # width of the doorway


def block(low_3: tuple[float, float, float], high_3: tuple[float, float, float], material: str) -> trimesh.Trimesh:
    """A box between two corners, +Y up."""
    low, high = np.array(low_3), np.array(high_3)
    box = trimesh.creation.box(
        extents=high - low, transform=trimesh.transformations.translation_matrix((low + high) / 2)
    )
    box.visual = trimesh.visual.TextureVisuals(material=trimesh.visual.material.PBRMaterial(name=material))
    return box


def two_rooms() -> trimesh.Scene:
    """Floor, ceiling, four outer walls, and a wall with a doorway between the rooms."""
    width, t = sum(ROOMS), THICKNESS
    wall, gap = ROOMS[0], (DEPTH - DOOR) / 2
    parts = {
        "floor": block((0, -t, 0), (width, 0, DEPTH), "wood floor"),
        "ceiling": block((0, HEIGHT, 0), (width, HEIGHT + t, DEPTH), "plaster ceiling"),
        "west": block((-t, 0, 0), (0, HEIGHT, DEPTH), "brick wall"),
        "east": block((width, 0, 0), (width + t, HEIGHT, DEPTH), "brick wall"),
        "north": block((0, 0, -t), (width, HEIGHT, 0), "brick wall"),
        "south": block((0, 0, DEPTH), (width, HEIGHT, DEPTH + t), "brick wall"),
        "left of the door": block((wall, 0, 0), (wall + t, HEIGHT, gap), "plaster wall"),
        "right of the door": block((wall, 0, gap + DOOR), (wall + t, HEIGHT, DEPTH), "plaster wall"),
        "sofa": block((0.4, 0, 0.3), (2.2, 0.5, 1.1), "sofa"),
    }
    return trimesh.Scene(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mesh", type=Path, help="your GLB, glTF, OBJ or PLY file; default: two rooms")
    parser.add_argument("--out", type=Path, default=Path("data/two-rooms"))
    parser.add_argument("--trajectories", type=int, default=6)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--size", type=int, default=64, help="pixels per side of the images")
    arguments = parser.parse_args()
    mesh = arguments.mesh
    if mesh is None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        mesh = arguments.out.with_suffix(".glb")
        two_rooms().export(mesh)
        print(f"wrote {mesh}")
    dataset = avw.generate(
        arguments.out, scenes=mesh, trajectories=arguments.trajectories, steps=arguments.steps,
        simulator=avw.SimulatorConfig(size=arguments.size),
    )  # fmt: skip
    print(dataset)
    print("episode   mode        metres to the source   level dB   return")
    for episode in dataset:
        level = 10 * np.log10(np.mean(np.square(episode.audio)) + 1e-12)
        distance = episode.geodesic
        print(
            f"{episode.index:7}   {episode.mode:9}   {distance[0]:8.1f} to {distance[-1]:5.1f}   {level:8.1f}   "
            f"{episode.rewards.sum():6.2f}"
        )
    print(f"Next: avw view {arguments.out}")


if __name__ == "__main__":
    main()
