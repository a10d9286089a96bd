"""The specification of a dataset as pure data: a hashed spec, and the plan of shards and episodes that follows from it.

Everything about a dataset is a function of its spec. Planning needs no scene: positions are drawn later, when a worker
opens the scene, from random streams keyed by (seed, scene, episode, purpose). So the number and order of workers and
restarts cannot change a byte.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from avw.avw4k.plan.motion import MotionConfig
from avw.sim_bridge.acoustics.stream import FULL_SCALE
from avw.sim_bridge.config_differences import config_differences
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.randomness import keyed_rng, keyed_seed
from avw.sim_bridge.simulators.protocol import SimulatorConfig, check_config, stored_config
from avw.sim_bridge.storage.small_files import as_object
from avw.sim_bridge.storage.typed_json import from_json
from avw.sim_bridge.task.task import MOST_STEPS, TaskConfig
from avw.sim_bridge.types import STEP_SECONDS

SCHEMA_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
MODES = ("approach", "leave", "unrelated")
SPLITS = ("train", "val", "test")
COMPRESSIONS = ("blosc2", "gzip", "none")
SOUNDS_BY = ("scene", "turn")
MOST = {"trajectories": 250_000, "steps": MOST_STEPS, "sources_per_scene": 250_000, "episodes_per_shard": 250_000}
"""The largest numbers of a spec: planning lists every episode, and an episode is held in memory."""
MOST_BYTES = 2**36  # of the frames of an episode
PIXEL_BYTES = 5  # colours and depth
BEFORE: dict[str, dict[str, Any]] = {
    "": {"scene_splits": (), "sounds_by": "turn"},
    "motion": {
        "slip_rate": 0.0,
        "recover_rate": 0.0,
        "stop_rate": 0.0,
        "leave_clear": 0.0,
        "leave_back": 0.0,
        "distance_bins": (),
    },
}
"""Values of fields in specs that were stored before the field existed, by part of the spec. A new field whose default
changes the data needs its old value here, so that older datasets are read correctly. Others had their default."""
STORED_IF_CHOSEN = ("materials", "stream")
"""Options of the simulator that are stored only if they differ from the default, so that the default gives the same
bytes as before the option existed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetSpec:
    """A dataset.

    scenes: scene ids, each in one split · trajectories: total number · steps: exact length of each (0.15 s per step)
    sources_per_scene: number of source positions per scene; 1, as in the paper: one fixed source per environment
    sounds: names or files · sounds_by: "scene": each scene has one, drawn from (seed, scene); "turn": the sources use
        them in turn · scene_splits: the split of each scene; (): drawn
    mode_shares, split_shares: weights in the order of MODES and SPLITS
    audio_full_scale: linear amplitude stored as 32767 · assets: (file, SHA-256) of the scene and sound files
    """

    scenes: tuple[str, ...]
    trajectories: int = 72
    steps: int = 160
    seed: int = 0
    sources_per_scene: int = 1
    scene_splits: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ("ring",)
    sounds_by: str = "scene"
    mode_shares: tuple[float, ...] = (1.0, 1.0, 1.0)
    split_shares: tuple[float, ...] = (6.0, 1.0, 2.0)
    episodes_per_shard: int = 8
    compression: str = "blosc2"
    audio_full_scale: float = FULL_SCALE
    simulator: SimulatorConfig = field(default_factory=SimulatorConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    assets: tuple[tuple[str, str], ...] = ()
    _stored_sha256: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            value = getattr(self, name)
            option = "--" + name.replace("_", "-")
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"{option} is {value!r}: expected a whole number of at least 1; type e.g. {option} 8")
            if value > most:
                raise UsageError(f"{option} is {value:,}: at most {most:,} are possible; make several datasets")
        if not self.scenes:
            raise UsageError("at least one scene is needed; type e.g. --scenes procedural:12")
        if len(set(self.scenes)) < len(self.scenes):
            repeated = sorted({scene for scene in self.scenes if self.scenes.count(scene) > 1})
            raise UsageError(
                f"scenes named twice: {', '.join(repeated)}. Name each once: a scene in two splits would leak test data"
            )
        if not self.sounds:
            raise UsageError("at least one sound is needed; type e.g. --sound ring")
        if self.steps > self.task.max_steps:
            raise UsageError(f"--steps is {self.steps}: an episode of the task has at most {self.task.max_steps} steps")
        if self.scene_splits and (
            len(self.scene_splits) != len(self.scenes) or not set(self.scene_splits) <= set(SPLITS)
        ):
            raise UsageError(f"scene_splits must name one of {', '.join(SPLITS)} for each of {len(self.scenes)} scenes")
        for name, known in (("compression", COMPRESSIONS), ("sounds_by", SOUNDS_BY)):
            if getattr(self, name) not in known:
                raise UsageError(f"unknown {name} {getattr(self, name)!r}: expected one of {', '.join(known)}")
        if not 0 < self.audio_full_scale < 1e6:
            raise UsageError(f"audio_full_scale is {self.audio_full_scale!r}: expected a number above 0, such as 6.0")
        check_config(self.simulator)
        if (held := (self.steps + 1) * self.simulator.size**2 * PIXEL_BYTES) > MOST_BYTES:
            raise UsageError(
                f"an episode of {self.steps} steps with images of {self.simulator.size} pixels takes {held / 1e9:.0f} "
                "GB of memory: use shorter episodes or smaller images"
            )
        for name, words in (("mode_shares", MODES), ("split_shares", SPLITS)):
            shares = getattr(self, name)
            if len(shares) != len(words) or min(shares) < 0 or not 0 < sum(shares) < 1e9:
                raise UsageError(f"{name} is {shares}: expected a weight of at least 0 for each of {', '.join(words)}")

    @property
    def total_steps(self) -> int:
        return self.trajectories * self.steps

    @property
    def hours(self) -> float:
        """Simulated hours."""
        return self.total_steps * STEP_SECONDS / 3600.0

    @property
    def sha256(self) -> str:
        """Identifies the dataset: equal for equal specs, on any machine.

        For a spec that was read from a dataset, it is the SHA-256 of the stored text, which an older AVW may have
        written with fewer fields. So the identity of a dataset never changes.
        """
        return self._stored_sha256 or json_sha256(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without the paths of collections and interpreters on this machine."""
        simulator = dataclasses.asdict(self.simulator)
        del simulator["habitat_python"]
        simulator["scene_root"] = None  # older specs have this field, and its absence would change every hash
        default = SimulatorConfig()
        for name in STORED_IF_CHOSEN:
            if simulator[name] == getattr(default, name):
                del simulator[name]
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        values |= {"simulator": simulator, "task": dataclasses.asdict(self.task)}
        values["motion"] = dataclasses.asdict(self.motion)
        plain: dict[str, Any] = json.loads(json.dumps(values))
        return plain

    @classmethod
    def from_json(cls, stored: Any) -> DatasetSpec:
        """The spec that `to_json` wrote, in this or an older AVW. Raises DatasetError for anything else."""
        try:
            values = BEFORE[""] | dict(stored)
            for part in ("simulator", "task", "motion"):
                values[part] = BEFORE.get(part, {}) | as_object(values[part])
            simulator = stored_config(values["simulator"])
            spec = from_json(cls, values | {"simulator": dataclasses.asdict(simulator)})
            object.__setattr__(spec, "_stored_sha256", json_sha256(stored))
            return spec
        except (TypeError, ValueError, KeyError, UsageError) as error:
            raise DatasetError(
                f"the dataset's spec cannot be understood ({error}); it was altered, or written by a newer AVW"
            ) from error

    def same_as(self, other: DatasetSpec) -> bool:
        """Whether both describe the same data, also if different versions of AVW wrote them."""
        return self.to_json() == other.to_json()

    def differences(self, other: DatasetSpec) -> list[str]:
        """One text for each field in which `other` differs: "steps: 160 stored, 80 requested"."""
        differing = config_differences(self.to_json(), other.to_json())
        return [f"{name}: {stored} stored, {requested} requested" for name, stored, requested in differing]


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeSpec:
    """One trajectory. index: number in the dataset · source: number among the scene's sources

    seed: of this episode only (start, script, phase of the sound) · source_seed: shared by all episodes of the source,
    because the reverberation of a place is the same in all of them
    """

    index: int
    scene: str
    split: str
    mode: str
    source: int
    sound: str
    seed: int
    source_seed: int
    steps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardSpec:
    """One file: episodes of one scene, so that the worker that writes it opens one scene only."""

    name: str
    split: str
    scene: str
    episodes: tuple[EpisodeSpec, ...]

    def __str__(self) -> str:
        return f"{self.name} of {self.scene}"

    @property
    def steps(self) -> int:
        return sum(episode.steps for episode in self.episodes)


def split_scenes(spec: DatasetSpec) -> dict[str, str]:
    """{scene: split}: from the spec if it names them, else by the shares, in an order drawn from the seed.

    With three or more scenes, every split with a share has at least one; two scenes are train and test, one is train.
    """
    if spec.scene_splits:
        return dict(zip(spec.scenes, spec.scene_splits, strict=True))
    count, shares = len(spec.scenes), spec.split_shares
    if count == 1:
        return {spec.scenes[0]: "train"}
    wanted = [count * share / sum(shares) for share in shares]
    sizes = [max(1, round(size)) if share else 0 for size, share in zip(wanted, shares, strict=True)]
    while sum(sizes) != count:
        grow = 1 if sum(sizes) < count else -1
        # The split that is furthest from its share gains or loses a scene, as long as it keeps one.
        able = [i for i in (0, 2, 1) if shares[i] and (grow > 0 or sizes[i] > 1)] or [1]
        sizes[max(able, key=lambda i: grow * (wanted[i] - sizes[i]))] += grow
    order = keyed_rng(spec.seed, "split").permutation(count)
    names = [name for name, size in zip(SPLITS, sizes, strict=True) for _ in range(size)]
    chosen = {spec.scenes[scene]: name for scene, name in zip(order, names, strict=True)}
    return {scene: chosen[scene] for scene in spec.scenes}


def plan(spec: DatasetSpec) -> list[ShardSpec]:
    """Every shard of the dataset, by split and then by scene. Episodes are spread evenly over the scenes."""
    split_of = split_scenes(spec)
    counters = dict.fromkeys(SPLITS, 0)
    shards: list[ShardSpec] = []
    for split in SPLITS:
        for number, scene in enumerate(spec.scenes):
            if split_of[scene] != split:
                continue
            episodes = _scene_episodes(spec, number, scene, split)
            for first in range(0, len(episodes), spec.episodes_per_shard):
                name = f"{split}-{counters[split]:05d}.h5"
                counters[split] += 1
                part = tuple(episodes[first : first + spec.episodes_per_shard])
                shards.append(ShardSpec(name=name, split=split, scene=scene, episodes=part))
    return shards


def _scene_episodes(spec: DatasetSpec, number: int, scene: str, split: str) -> list[EpisodeSpec]:
    indices = range(number, spec.trajectories, len(spec.scenes))
    modes = _modes(spec.mode_shares, number, len(indices))
    episodes = []
    known = -1
    for place, index in enumerate(indices):
        # Consecutive episodes share a source, so that it is traced once.
        source = place * spec.sources_per_scene // len(indices)
        if source != known:
            known, sound = source, _sound(spec, number, scene, source)
            source_seed = keyed_seed(spec.seed, scene, "source", source)
        episodes.append(
            EpisodeSpec(
                index=index,
                scene=scene,
                split=split,
                mode=modes[place],
                source=source,
                sound=sound,
                seed=keyed_seed(spec.seed, scene, "episode", index),
                source_seed=source_seed,
                steps=spec.steps,
            )
        )
    return episodes


def _sound(spec: DatasetSpec, number: int, scene: str, source: int) -> str:
    if spec.sounds_by == "scene":
        return spec.sounds[keyed_seed(spec.seed, scene, "sound") % len(spec.sounds)]
    return spec.sounds[(number * spec.sources_per_scene + source) % len(spec.sounds)]


def _modes(shares: tuple[float, ...], number: int, count: int) -> list[str]:
    """The modes of scene `number`, in turn by their shares. Scenes start at different ones: small datasets have all."""
    credit = [0.0] * len(shares)
    modes = []
    for _ in range(number % 64 + count):
        credit = [have + share for have, share in zip(credit, shares, strict=True)]
        chosen = max(range(len(shares)), key=lambda i: (credit[i], -i))
        credit[chosen] -= sum(shares)
        modes.append(MODES[chosen])
    return modes[-count:]


def json_sha256(values: Any) -> str:
    """SHA-256 of JSON values, independent of the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
