"""How long a step of `avw play` takes: `python -m benchmarks.play [RUN] [--scene SCENE] [--steps N]`.

A step has 0.15 s. Processor time is that of this process; wall time depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from avw.model.play.session import PlayConfig, Session, default_config
from avw.sim_bridge.types import STEP_SECONDS, Action

WAY = 5 * [Action.FORWARD] + 6 * [Action.TURN_LEFT] + 6 * [Action.FORWARD] + 9 * [Action.TURN_RIGHT] + 4 * [Action.STOP]
WARM = 20  # steps that are not counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="folder of a trained run; without, the simulator alone")
    parser.add_argument("--scene")
    parser.add_argument("--steps", type=int, default=120)
    arguments = parser.parse_args()
    scene, simulator, sound = default_config(arguments.run, arguments.scene)
    model = None
    if arguments.run is not None:
        import torch

        from avw.model.world_model import WorldModel

        torch.set_num_threads(1)
        model = WorldModel.load(arguments.run)
        simulator = dataclasses.replace(simulator, size=model.size, hfov=model.hfov)
    session = Session(PlayConfig(scene=scene, simulator=simulator, sound=sound), model)
    session.reset(0)
    wall, processor = [], []
    for number in range(WARM + arguments.steps):
        began = time.perf_counter(), time.process_time()
        session.step(WAY[number % len(WAY)])
        wall.append(time.perf_counter() - began[0])
        processor.append(time.process_time() - began[1])
    print(f"{scene}, {'the simulator alone' if model is None else arguments.run}, {arguments.steps} steps:")
    for name, seconds in (("wall time", wall), ("processor time", processor)):
        counted = 1e3 * np.array(seconds[WARM:])
        late = 100 * np.mean(counted > 1e3 * STEP_SECONDS)
        print(
            f"  {name:<15} median {np.median(counted):.0f} ms, 90 % {np.percentile(counted, 90):.0f} ms, "
            f"most {counted.max():.0f} ms, {late:.0f} % over {1e3 * STEP_SECONDS:.0f} ms"
        )


if __name__ == "__main__":
    main()
