"""How much rounded weights change predictions: `python -m benchmarks.half_precision RUN`.

`avw export RUN --to checkpoint` rounds weights to float16. That model and the one of the run imagine the recorded
actions of the same validation episodes. One row per quantity gives the mean and the largest difference per step.
Sounds are compared by the level at each ear: Griffin-Lim turns the smallest change into other phases.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import avw
from avw.model.pretrained.export import export_checkpoint
from avw.model.run_folder import run_data

UNITS = {
    "image": "grey levels",
    "depth": "relative",
    "sound": "dB of level, worse ear",
    "reward": "m",
    "success": "probability",
}


def differences(
    exact: avw.WorldModel, rounded: avw.WorldModel, episodes: Sequence[avw.DatasetEpisode], *, start: int, horizon: int
) -> dict[str, np.ndarray]:
    """{quantity: mean absolute difference per predicted step}, in the order and the units of UNITS.

    start: the observation after which the recorded actions are imagined · horizon: how many
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in UNITS}
    for episode in episodes:
        actions = episode.actions[start : start + horizon].tolist()
        a, b = (model.imagine(episode, t=start, actions=actions, every_step=True) for model in (exact, rounded))
        found["image"].append(np.abs(a.rgb.astype(float) - b.rgb).mean((1, 2, 3)))
        if a.depth is not None and b.depth is not None:
            found["depth"].append((np.abs(a.depth - b.depth) / a.depth).mean((1, 2)))
        found["sound"].append(np.abs(_level(a.audio) - _level(b.audio)).max(1))
        found["reward"].append(np.abs(np.asarray(a.reward) - b.reward))
        found["success"].append(np.abs(np.asarray(a.success) - b.success))
    return {name: np.concatenate(rows) for name, rows in found.items() if rows}


def _level(audio_TES: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.mean(np.square(audio_TES), axis=2) + 1e-12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a trained run")
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--start", type=int, default=20)
    parser.add_argument("--horizon", type=int, default=16)
    arguments = parser.parse_args()
    episodes = avw.open_dataset(run_data(arguments.run)).split("val")[: arguments.episodes]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        made = export_checkpoint(arguments.run, file)
        models = avw.WorldModel.load(arguments.run), avw.WorldModel.load(file)
        found = differences(*models, episodes, start=arguments.start, horizon=arguments.horizon)
    print(f"{made.bytes / 1e6:.2f} MB; in float32: {', '.join(made.kept) or 'none'}; {len(episodes)} episodes")
    for name, values in found.items():
        print(f"{name:8} mean {values.mean():.2e}   most {values.max():.2e}   {UNITS[name]}")


if __name__ == "__main__":
    main()
