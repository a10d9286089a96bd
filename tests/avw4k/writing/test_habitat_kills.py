"""Habitat-Sim killed, crashed and stopped in the middle of episodes: no episode is lost or changed, and no process is
left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.shards.manifest import read_manifest
from avw.avw4k.writing.generate import generate
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from tests import ROOT
from tests.sim_bridge.processes import command, descendants, is_running, wait_for

pytestmark = [pytest.mark.habitat, pytest.mark.slow]

KILLS = 20
SIGNALS = (signal.SIGSEGV, signal.SIGKILL, signal.SIGSTOP)
SPEC = DatasetSpec(
    scenes=("procedural-0000", "procedural-0001"),
    trajectories=8,
    steps=160,
    episodes_per_shard=2,
    simulator=SimulatorConfig(backend="habitat", size=32, emitters=300),
)


def habitats(pid: int) -> list[int]:
    """The Habitat processes below `pid`, oldest first."""
    found = [child for child in descendants(pid) if "habitat/worker.py" in command(child)]
    return sorted(found, key=lambda child: Path(f"/proc/{child}").stat().st_ctime if is_running(child) else 0.0)


class Killer(threading.Thread):
    """Kills a Habitat below this process whenever steps have been made since the last time, KILLS times.

    The oldest that it has not met: one that walks through an episode, and not one that only now starts.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.steps, self.over = 0, False
        self.killed: list[signal.Signals] = []

    def run(self) -> None:
        rng = keyed_rng("test", "killer")
        met: set[int] = set()
        seen = 0
        while not self.over and len(self.killed) < KILLS:
            time.sleep(0.02)
            victims = [pid for pid in habitats(os.getpid()) if pid not in met]
            if self.steps <= seen or not victims:
                continue
            time.sleep(float(rng.uniform(0.0, 0.2)))
            seen = self.steps
            chosen = SIGNALS[len(self.killed) % len(SIGNALS)]
            try:
                os.kill(victims[0], chosen)
            except ProcessLookupError:
                continue
            met.add(victims[0])
            self.killed.append(chosen)

    def count(self, steps: int) -> None:
        self.steps += steps


def test_twenty_deaths_in_the_middle_of_episodes_change_no_byte(tmp_path: Path) -> None:
    calm = generate(tmp_path / "calm", SPEC, workers=2)
    killer = Killer()
    killer.start()
    try:
        report = generate(tmp_path / "stormy", SPEC, workers=2, on_steps=killer.count)
    finally:
        killer.over = True
        killer.join()
    assert Counter(killer.killed) == {signal.SIGSEGV: 7, signal.SIGKILL: 7, signal.SIGSTOP: 6}
    assert report.complete
    assert (report.episodes, report.steps) == (calm.episodes, calm.steps) == (8, 8 * 160)
    calm_records, stormy_records = (read_manifest(tmp_path / name) for name in ("calm", "stormy"))
    assert {name: record.sha256 for name, record in stormy_records.items()} == {
        name: record.sha256 for name, record in calm_records.items()
    }
    for name in calm_records:
        assert (tmp_path / "calm" / name).read_bytes() == (tmp_path / "stormy" / name).read_bytes()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "Ctrl-C"])
def test_all_processes_end_with_the_parent(tmp_path: Path, ending: signal.Signals) -> None:
    options = (
        "--scenes procedural:2 --trajectories 40 --steps 160 --size 32 --emitters 300 --backend habitat --workers 2"
    )
    before = set(Path("/dev/shm").iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "avw.cli", "generate", str(tmp_path / "data"), *options.split()],
        cwd=ROOT, start_new_session=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test in the background ignores Ctrl-C
    )  # fmt: skip
    try:
        made = tmp_path / "data"
        assert wait_for(lambda: list(made.glob("*.h5")) or process.poll() is not None, 300.0), "it never wrote a shard"
        family = list(descendants(process.pid))
        theirs = habitats(process.pid)
        assert theirs
        assert any(_frames(pid) for pid in theirs), "no picture has come from it yet"
        if ending == signal.SIGINT:
            os.killpg(process.pid, ending)  # as a terminal does
        else:
            os.kill(process.pid, ending)  # to the parent only
        process.communicate(timeout=60)
        assert process.returncode == (130 if ending == signal.SIGINT else -signal.SIGKILL)
        assert wait_for(lambda: not any(is_running(pid) for pid in family)), [
            command(p) for p in family if is_running(p)
        ]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)
    assert not [path for path in Path("/dev/shm").iterdir() if path not in before and path.name.startswith("avw")]


def _frames(pid: int) -> bool:
    """Whether a process has mapped the shared memory of the frames."""
    return "avw-frames" in Path(f"/proc/{pid}/maps").read_text()
