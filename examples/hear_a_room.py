"""Hear a room: turn on the spot, then stand at other places, and measure what the two ears receive.

    python examples/hear_a_room.py [SCENE] [--out DIR]

Prints the level and the interaural level difference (ILD) for each heading, and the level at other places beside their
walking distance to the source. Writes turn.wav, a full turn with the sound of a telephone; use headphones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile

import avw

TURN = 36  # steps of 10°
NEAR = 2.5  # metres: farther away, reflections hide the direction


def level_db(audio_ES: np.ndarray) -> np.ndarray:
    """RMS of each ear in dB; 0 dB is full scale."""
    return 10 * np.log10(np.mean(np.square(audio_ES), axis=1) + 1e-12)


def bearing_deg(pose: avw.Pose, source: avw.Source) -> float:
    """Direction of the source relative to where the agent looks: positive to the left."""
    dx, _, dz = np.subtract(source.position_3, (pose.x, pose.y, pose.z))
    return float((np.degrees(np.arctan2(-dx, -dz) - pose.yaw) + 180) % 360 - 180)


def in_sight(simulator: avw.Simulator, seed: int) -> avw.Source:
    """Begin near the source, where the way to it is straight. Returns the source."""
    for number in range(seed, seed + 100):
        start, source = avw.sample_episode(simulator, number, min_distance=1.0)
        straight = np.hypot(source.position_3[0] - start.x, source.position_3[2] - start.z)
        if straight > NEAR:
            continue
        simulator.reset(start, source, seed=number)
        if simulator.distance_to_source() < 1.01 * straight:
            break
    return source


def turn(simulator: avw.Simulator, seed: int) -> np.ndarray:
    """Turn left on the spot. Prints what the ears receive, and returns the sound, float32 (S, E)."""
    source = in_sight(simulator, seed)
    sound = []
    print("source at    left dB   right dB   ILD dB")
    for _ in range(TURN):
        observation = simulator.step(avw.Action.TURN_LEFT)
        sound.append(observation.audio_ES)
        left, right = level_db(observation.audio_ES)
        side = bearing_deg(simulator.pose, source)
        print(f"{side:+7.0f}°   {left:8.1f}   {right:8.1f}   {left - right:+6.1f}")
    return np.concatenate(sound, axis=1).T


def places(simulator: avw.Simulator, seed: int, count: int) -> None:
    """The level at other places in the house: it depends on walls and doors, not on the distance alone."""
    print("walking distance m   level dB")
    for number in range(seed + 1, seed + 1 + count):
        start, source = avw.sample_episode(simulator, number)
        levels = level_db(simulator.reset(start, source, seed=number).audio_ES)
        print(f"{simulator.distance_to_source():18.1f}   {levels.mean():8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", nargs="?", default="procedural-0007", help="a generated house, or a mesh file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--places", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("heard"))
    arguments = parser.parse_args()
    simulator = avw.open_simulator(arguments.scene)
    sound = turn(simulator, arguments.seed)
    places(simulator, arguments.seed, arguments.places)
    simulator.close()
    arguments.out.mkdir(parents=True, exist_ok=True)
    soundfile.write(arguments.out / "turn.wav", sound / max(1e-9, np.abs(sound).max()), 16_000)
    print(f"wrote {arguments.out / 'turn.wav'}")


if __name__ == "__main__":
    main()
