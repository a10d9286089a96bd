"""Demonstrations: what the oracle would do in every step of an episode, in closed loop in the training houses.

In round 0 the oracle acts. In round r > 0 the policy of the round before acts, and in a share of 0.5^r of the steps the
oracle: DAgger (Ross et al. 2011). So the policy learns what to do where it really gets to.

One file per episode, so that an interrupted round continues with the missing ones.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from avw.avw4k.execution.protocol import Report
from avw.model import checkpoint
from avw.model.cloning.features import SIDE, SOUND, sight, sound
from avw.model.cloning.network import START, ClonedNet, ClonedNetConfig
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.process.threads import one_torch_thread
from avw.sim_bridge.randomness import keyed_rng, keyed_seed
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.small_files import DAMAGED_ARRAYS
from avw.sim_bridge.task.follower import ShortestPathFollower
from avw.sim_bridge.task.task import AudioNavTask, TaskConfig, sample_episode
from avw.sim_bridge.types import FORWARD_METRES, Action

DISCOUNT = 0.99
ACTIONS_PER_STEP = 1.3  # of the expert, per 0.15 m of its way: the turns
MOST_STEPS = 200  # of a demonstration
MIN_DISTANCE = 2.0  # metres from start to source


@dataclass(frozen=True, slots=True)
class Demonstration:
    """sight_T: uint8 (T, SIDE, SIDE, 4) · sound_TF: float32 · taken_T, expert_T: uint8, actions · value_T: float32"""

    sight_T: np.ndarray
    sound_TF: np.ndarray
    taken_T: np.ndarray
    expert_T: np.ndarray
    value_T: np.ndarray

    @property
    def last_T(self) -> np.ndarray:
        """int64: the action before each observation."""
        return np.concatenate([[START], self.taken_T[:-1]]).astype(np.int64)


@dataclass(frozen=True, kw_only=True, slots=True)
class DemonstrationTask:
    """One episode of a round. path: its file · policy: checkpoint of the policy that acts; None: the oracle acts"""

    scene: str
    episode: int
    round: int
    path: Path
    policy: Path | None = None

    def __str__(self) -> str:
        return f"demonstration {self.episode} of round {self.round} in {self.scene}"


@dataclass(slots=True)
class DemonstrationWork:
    """Runs a task in a worker and writes its file. sounds: of the episodes, in turn"""

    seed: int
    simulator: SimulatorConfig
    sounds: tuple[str, ...]
    scenes: Mapping[str, SceneRef]
    _open: tuple[str, Simulator] | None = None
    _policies: dict[Path, ClonedNet] = field(default_factory=dict)

    def __call__(self, task: DemonstrationTask, report: Report) -> None:
        if self._open is None or self._open[0] != task.scene:
            if self._open is not None:
                self._open[1].close()
                self._open = None
            self._open = (task.scene, open_simulator(self.scenes[task.scene], self.simulator))
        net = None
        if task.policy is not None:
            net = self._policies.setdefault(task.policy, self._policies.get(task.policy) or load_net(task.policy))
        with one_torch_thread():
            shown = demonstrate(self._open[1], self.seed, task, net, self.sounds[task.episode % len(self.sounds)])
        task.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(task.path, lambda tmp: _save(tmp, shown))


def demonstrate(
    simulator: Simulator, seed: int, task: DemonstrationTask, net: ClonedNet | None, played: str
) -> Demonstration:
    """Run one episode and note what the oracle would do in each step."""
    words = (seed, "demonstration", task.round, task.episode)
    rng = keyed_rng(*words)
    start, source = sample_episode(simulator, keyed_seed(*words), MIN_DISTANCE, sound=played)
    run = AudioNavTask(simulator, TaskConfig(max_steps=MOST_STEPS))
    observation = run.reset(start, source, seed=keyed_seed(*words))
    oracle = ShortestPathFollower(simulator, stop_distance=run.config.success_distance)
    share = 1.0 if net is None else 0.5**task.round
    rows: list[tuple[np.ndarray, np.ndarray, int, int, float]] = []
    hidden, last, done = None, START, False
    while not done:
        seen, heard = sight(observation), sound(observation)
        expert = oracle.next_action()
        action = expert
        if net is not None:
            output = _step(net, seen, heard, last, hidden)
            hidden = output[1]
            # An early STOP would end the episode, and the states after it would be missing.
            if rng.random() >= share and output[0] != Action.STOP and expert != Action.STOP:
                action = output[0]
        left = ACTIONS_PER_STEP * max(0.0, run.geodesic - run.config.success_distance) / FORWARD_METRES
        rows.append((seen, heard, int(action), int(expert), DISCOUNT**left))
        result = run.step(action)
        observation, done, last = result.observation, result.done, int(action)
    sights, sounds, taken, experts, values = zip(*rows, strict=True)
    return Demonstration(
        np.stack(sights), np.stack(sounds), np.array(taken, np.uint8), np.array(experts, np.uint8),
        np.array(values, np.float32),
    )  # fmt: skip


@torch.inference_mode()
def _step(
    net: ClonedNet, seen: np.ndarray, heard: np.ndarray, last: int, hidden: torch.Tensor | None
) -> tuple[Action, torch.Tensor]:
    output = net(
        torch.from_numpy(seen)[None, None], torch.from_numpy(heard)[None, None], torch.tensor([[last]]), hidden
    )
    return Action(int(output.logits_BTA[0, 0].argmax())), output.hidden


def load_net(path: Path, device: torch.device | str = "cpu") -> ClonedNet:
    """The network of a checkpoint, frozen. Raises CheckpointError."""
    from avw.sim_bridge.errors import CheckpointError

    tensors, note = checkpoint.load(path)
    try:
        net = ClonedNet(checkpoint.configured(ClonedNetConfig, note["policy"], "policy"))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is not a cloned policy ({error}); train one: avw train DATA --policy") from error
    checkpoint.restore(net, tensors, "net", path)
    return net.eval().requires_grad_(False).to(device)


def _save(path: Path, shown: Demonstration) -> None:
    with path.open("wb") as file:
        np.savez_compressed(
            file, sight=shown.sight_T, sound=shown.sound_TF, taken=shown.taken_T, expert=shown.expert_T,
            value=shown.value_T,
        )  # fmt: skip


def read_demonstration(path: Path) -> Demonstration:
    """Raises DatasetError for a file that is damaged or has other arrays."""
    try:
        with zipfile.ZipFile(path):  # numpy leaves a file open that is not an archive
            pass
        with np.load(path, allow_pickle=False) as stored:
            shown = Demonstration(*(stored[name] for name in ("sight", "sound", "taken", "expert", "value")))
        T = len(shown.taken_T)
        fits = shown.sight_T.shape == (T, SIDE, SIDE, 4) and shown.sound_TF.shape == (T, SOUND) and T > 0
        fits = fits and all(x.shape == (T,) for x in (shown.taken_T, shown.expert_T, shown.value_T))
        if not fits or not all(x.min() >= 0 and x.max() <= 3 for x in (shown.taken_T, shown.expert_T)):
            raise ValueError("its arrays do not fit together")
    except DAMAGED_ARRAYS as error:
        raise DatasetError(f"{path} is not a demonstration ({error}); remove it, and it is made again") from error
    return shown
