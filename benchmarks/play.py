"""How long a step of `avw play` takes: `python -m benchmarks.play [RUN] [--scene SCENE] [--steps N] [--browser]`.

A step has 0.15 s. Processor time is that of this process; wall time depends on what else the machine does. With
--browser, keys are pressed in a headless Chromium at random times, and the time until they are heard and seen is
measured in the page. With --start, `avw play` is started as a person does it, and the time until the first frame is
on the page is measured. Needs a checkout: the browser is that of the tests.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avw.model.play.session import PlayConfig, Session, default_config
from avw.model.run_folder import run_path
from avw.sim_bridge.types import STEP_SECONDS, Action

if TYPE_CHECKING:
    from avw.model.world_model import WorldModel

WAY = 5 * [Action.FORWARD] + 6 * [Action.TURN_LEFT] + 6 * [Action.FORWARD] + 9 * [Action.TURN_RIGHT] + 4 * [Action.STOP]
WARM = 20  # steps that are not counted
KEYS = 30  # that are pressed in the page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", help="a trained run, or pretrained; without, the simulator alone")
    parser.add_argument("--scene")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--browser", action="store_true", help="measure in the page")
    parser.add_argument("--start", action="store_true", help="measure the start of the command")
    arguments = parser.parse_args()
    arguments.run = run_path(arguments.run) if arguments.run else None
    if arguments.start:
        measure_start(arguments.run, arguments.scene)
        return
    scene, simulator, sound = default_config(arguments.run, arguments.scene)
    model = None
    if arguments.run is not None:
        import torch

        from avw.model.world_model import WorldModel

        torch.set_num_threads(1)
        model = WorldModel.load(arguments.run)
        simulator = dataclasses.replace(simulator, size=model.size, hfov=model.hfov)
    config = PlayConfig(scene=scene, simulator=simulator, sound=sound)
    print(f"{scene}, {'the simulator alone' if model is None else arguments.run}:")
    if arguments.browser:
        measure_page(config, model)
    else:
        measure_steps(config, model, arguments.steps)


def measure_steps(config: PlayConfig, model: WorldModel | None, steps: int) -> None:
    session = Session(config, model)
    session.reset(0)
    wall, processor = [], []
    for number in range(WARM + steps):
        began = time.perf_counter(), time.process_time()
        session.step(WAY[number % len(WAY)])
        wall.append(time.perf_counter() - began[0])
        processor.append(time.process_time() - began[1])
    for name, seconds in (("wall time", wall), ("processor time", processor)):
        counted = 1e3 * np.array(seconds[WARM:])
        late = 100 * np.mean(counted > 1e3 * STEP_SECONDS)
        print(f"  {name:<18} {spread(counted)}, {late:.0f} % over {1e3 * STEP_SECONDS:.0f} ms")


def measure_start(run: Path | None, scene: str | None) -> None:
    from tests.browser import Browser

    command = [sys.executable, "-m", "avw.cli", "play", "--no-browser", "--json"]
    command += [str(run)] if run else ["--simulator-only"]
    command += ["--scene", scene] if scene else []
    with Browser() as browser:
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
            assert started.stdout
            address = json.loads(started.stdout.readline())["url"]
            answered = time.perf_counter() - began
            browser.open(address)
            browser.wait_for("!$('begin').disabled && now.plan")
            print(
                f"  address after {answered:.1f} s, first frame on the page after {time.perf_counter() - began:.1f} s"
            )
            started.terminate()


def measure_page(config: PlayConfig, model: WorldModel | None) -> None:
    from avw.model.play.site import PlayServer
    from tests.browser import Browser

    with PlayServer(config, model, run="the run") as server, Browser() as browser:
        server.prepare()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open(server.url)
        browser.wait_for("!$('begin').disabled && now.plan")
        browser.evaluate("start()")
        browser.wait_for(f"stats.steps >= {WARM}")
        browser.evaluate("stats.latencies = [], stats.soundLatencies = [], stats.seconds = [], now.sounds.late = 0")
        rng = np.random.default_rng(0)
        for _ in range(KEYS):
            key = str(rng.choice(["ArrowUp", "ArrowUp", "ArrowLeft", "ArrowRight"]))
            browser.hold(key)
            time.sleep(rng.uniform(0.1, 0.6))
            browser.let_go(key)
            time.sleep(rng.uniform(0.05, 0.3))
        time.sleep(0.5)
        found = browser.evaluate("({ ...stats, late: now.sounds.late })")
        server.shutdown()
    for name, title in (("soundLatencies", "key to sound"), ("latencies", "key to picture"), ("seconds", "answer")):
        print(f"  {title:<18} {spread(1e3 * np.array(found[name]))}")
    print(f"  {found['late']} of {len(found['seconds'])} parts of the sound were late")


def spread(milliseconds: np.ndarray) -> str:
    return (
        f"median {np.median(milliseconds):.0f} ms, 90 % {np.percentile(milliseconds, 90):.0f} ms, "
        f"most {milliseconds.max():.0f} ms"
    )


if __name__ == "__main__":
    main()
