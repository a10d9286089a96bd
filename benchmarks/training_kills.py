"""Kills a training of two processes at random times: what it continues from, and whether it ends at the same weights.

    python -m benchmarks.training_kills                       # 20 kills
    python -m benchmarks.training_kills --kills 5 --sharded   # with FSDP2
    python -m benchmarks.training_kills --keep kills          # continues if it is interrupted itself

Each training is killed (SIGKILL: both processes, or one of them, whose partner must end by itself with a message) at a
random time and continued until the next kill, and a finished one is compared with one that was never interrupted: its
model.safetensors must have the same tensors, to the last bit, and the same note. Then the next begins, until there were
enough kills. The exit code is 1 if a training cannot be continued or ends at other weights.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.writing.generate import generate
from avw.model import checkpoint
from avw.model.run_folder import MODEL
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.presets import preset
from avw.model.training.train import train
from avw.sim_bridge.errors import AvwError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.storage.atomic_write import atomic_write

FAILED, TOLD = 1, 3  # exit codes of a process: an error that is not ours, and one that has a message
VICTIMS = {"both": (0, 1), "the first": (0,), "the second": (1,)}
LONGEST = 300.0  # seconds of a training that was not killed


def small_data(folder: Path) -> Path:
    """Twelve episodes in three houses, one of them for validation."""
    spec = DatasetSpec(
        scenes=("procedural-0000", "procedural-0001", "procedural-0002"), trajectories=12, steps=20,
        simulator=SimulatorConfig(backend="embedded", size=32, emitters=100),
    )  # fmt: skip
    generate(folder, spec, execute=run_in_this_process)
    return folder


def small_config(data: Path, *, sharded: bool = False) -> TrainConfig:
    """A training of some seconds, with all stages."""
    config = preset("nano", open_dataset(data), steps=[24, 12, 18])
    return replace(
        config, net=replace(config.net, width=32, depth=2, heads=2), sharded=sharded,
        tokenizers=TokenizerBudget(frames=60, steps=12, depth_channels=4), compositor_steps=4, contexts=4,
        sound_contexts=4, reward_contexts=4, reward_targets=3, save_every=3, log_every=3, validate_every=6,
        sample_every=0, tensorboard=False, rank_timeout=20.0,
    )  # fmt: skip


def start(data: Path, out: Path, config: TrainConfig) -> list[int]:
    """Start the two processes. Returns their numbers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in (0, 1):
        child = os.fork()
        if child == 0:
            os._exit(_process(data, out, config, rank, port))
        children.append(child)
    return children


def _process(data: Path, out: Path, config: TrainConfig, rank: int, port: int) -> int:
    """One process of a training, with the environment that torchrun gives. Returns its exit code."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    try:
        train(open_dataset(data), out, config)
    except AvwError as error:
        (out / f"rank-{rank}.error").write_text(str(error))
        return TOLD
    except BaseException:
        with contextlib.suppress(OSError):
            (out / f"rank-{rank}.error").write_text(traceback.format_exc())
        return FAILED
    return 0


def wait(children: list[int], seconds: float) -> list[int | None]:
    """Exit codes after at most `seconds`; negative for a signal, None for a process that still runs."""
    codes: dict[int, int] = {}
    end = time.monotonic() + seconds
    while len(codes) < len(children) and time.monotonic() < end:
        for child in children:
            if child not in codes:
                found, status = os.waitpid(child, os.WNOHANG)
                if found:
                    codes[child] = os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return [codes.get(child) for child in children]


def end(children: list[int], codes: list[int | None]) -> None:
    """End the processes that still run."""
    for child, code in zip(children, codes, strict=True):
        if code is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def whole(data: Path, out: Path, config: TrainConfig) -> float:
    """An uninterrupted training. Returns its seconds. Raises RuntimeError if it fails."""
    began = time.monotonic()
    children = start(data, out, config)
    codes = wait(children, LONGEST)
    end(children, codes)
    if codes != [0, 0]:
        errors = [path.read_text() for path in out.glob("rank-*.error")]
        raise RuntimeError(f"a training without a kill ended with {codes}: {errors}")
    return time.monotonic() - began


def kill_once(data: Path, out: Path, config: TrainConfig, seconds: float, victims: str) -> str:
    """Continue the training in `out` and kill it. Returns what was found: finished, killed, or what went wrong."""
    children = start(data, out, config)
    codes = wait(children, seconds)
    if codes == [0, 0]:
        return "finished"
    if any(code not in (None, 0) for code in codes):
        end(children, codes)
        return "ended by itself"
    # In the last moments one process may have finished, while the first still writes the model.
    running = [child for child, code in zip(children, codes, strict=True) if code is None]
    killed = [child for number in VICTIMS[victims] if (child := children[number]) in running] or running
    for child in killed:
        os.kill(child, signal.SIGKILL)
    codes = wait(running, 3 * config.rank_timeout)
    end(running, codes)
    others = [code for child, code in zip(running, codes, strict=True) if child not in killed]
    if any(code is None for code in others):
        return "partner hung"
    # The partner may have finished its part, if the kill came in the last moment.
    return "killed" if all(code in (TOLD, 0) for code in others) else "partner failed without a message"


def where(out: Path, config: TrainConfig) -> str:
    """The part of the training that a kill fell into, from the files that it left."""
    for stage in "321":
        path = out / f"stage-{stage}.safetensors"
        if path.exists():
            step = int(checkpoint.read_note(path)["step"])
            return f"stage {stage}" if step < config.steps[stage] else f"after stage {stage}"
    return "stage 1" if (out / "latents").exists() else "tokenizers"


def digest(path: Path) -> str:
    """SHA-256 of the tensors and the note. The header of a file lists them in random order."""
    tensors, note = checkpoint.load(path)
    found = hashlib.sha256(json.dumps(note, sort_keys=True).encode())
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


@dataclass(slots=True)
class Tally:
    """What was counted so far. duration: seconds of a training without a kill · attempts: how often a training was
    started to be killed · places: parts of the training that the kills fell into"""

    duration: float = 0.0
    attempts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)

    @classmethod
    def kept(cls, path: Path) -> Tally:
        """That of an interrupted command, or a new one."""
        if not path.exists():
            return cls()
        note = json.loads(path.read_text())
        return cls(note["duration"], note["attempts"], Counter(note["outcomes"]), Counter(note["places"]))

    def keep(self, path: Path) -> None:
        values = {"duration": self.duration, "attempts": self.attempts}
        atomic_write(path, json.dumps({**values, "outcomes": self.outcomes, "places": self.places}))


def measure(folder: Path, kills: int, seed: int, *, sharded: bool = False) -> Tally:
    """Kill and continue trainings in `folder`, from where an interrupted command ended."""
    record = folder / f"tally-{seed}{'-sharded' if sharded else ''}.json"
    tally = Tally.kept(record)
    data = small_data(folder / "data")
    config = small_config(data, sharded=sharded)
    one, out = (folder / f"{name}-{record.stem}" for name in ("whole", "killed"))
    if not tally.duration:
        tally.duration = whole(data, one, config)
    wanted = digest(one / MODEL)
    while tally.outcomes["killed"] < kills:
        tally.keep(record)
        found = attempt(data, out, config, tally, seed)
        tally.attempts += 1
        tally.outcomes[found] += 1
        print(f"{tally.outcomes['killed']} of {kills}: {found}", file=sys.stderr, flush=True)
        if found not in ("killed", "finished"):
            for path in out.glob("rank-*.error"):
                print(path.read_text(), file=sys.stderr)
            break
        if found == "finished" or (out / MODEL).exists() or tally.outcomes["killed"] == kills:
            whole(data, out, config)  # what a user types again: it continues, or finds everything finished
            exact = digest(out / MODEL) == wanted
            tally.outcomes["exact" if exact else "not exact"] += 1
            print("the weights are those of the uninterrupted training" if exact else "OTHER WEIGHTS", file=sys.stderr)
            shutil.rmtree(out)
    tally.keep(record)
    return tally


def attempt(data: Path, out: Path, config: TrainConfig, tally: Tally, seed: int) -> str:
    """Continue the training in `out`, and kill it at a random time, which depends on the number of the attempt."""
    rng = keyed_rng("training kills", seed, tally.attempts)
    victims = str(rng.choice(list(VICTIMS)))
    found = kill_once(data, out, config, float(rng.uniform(0.05, 0.9)) * tally.duration, victims)
    if found == "killed":
        tally.places[where(out, config)] += 1
    return found


def main() -> int:
    """Print the outcomes; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sharded", action="store_true", help="with FSDP2 instead of DistributedDataParallel")
    parser.add_argument("--keep", type=Path, help="folder for the trainings and the counts, to continue from")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="avw-training-kills-"))
    try:
        tally = measure(folder, options.kills, options.seed, sharded=options.sharded)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    for counted in (tally.outcomes, tally.places):
        print(", ".join(f"{number} {name}" for name, number in sorted(counted.items())))
    return 0 if set(tally.outcomes) <= {"killed", "finished", "exact"} else 1


if __name__ == "__main__":
    sys.exit(main())
