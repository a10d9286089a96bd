"""Windows: the frames of a context, the frames of its targets, and the motion between them.

Shapes: B contexts · K targets per context · T context frames. A *frame* is one observation. The frames of all episodes
of a split are numbered consecutively, and RGB, latents and sound are arrays indexed by that number.

A batch is a pure function of (seed, purpose, batch number): there is no sampler state to save, so a resumed training
run sees exactly the windows that an uninterrupted run would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from avw.avw4k.reading.dataset import Dataset, EpisodeRef
from avw.avw4k.shards.shard import features_of
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.storage.small_files import read_text, refuse_irregular
from avw.sim_bridge.types import Action

MOTIONS = ("commanded", "realised")


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowConfig:
    """ages: how many steps ago each context frame was observed, oldest first, ending in 0 (now)
    min_offset, max_offset: inclusive range of steps to a target; 0 is excluded, negative offsets are in the past
    near: offsets are range · u^near with u uniform, so that near > 1 favours near targets
    motion: "commanded" (the effect of the actions with nothing in the way, which a planner knows) or "realised"
    """

    ages: tuple[int, ...] = (3, 2, 1, 0)
    min_offset: int = 1
    max_offset: int = 32
    near: float = 1.5
    motion: str = "commanded"


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """context_BT, target_BK: frame numbers
    motion_BK3: motion to each target, (forward m, left m, net turn rad) in the heading frame at t
    past_BT3: the same for each context frame, because the agent knows its own actions
    offset_BK: steps · progress_BK: metres of geodesic distance gained · distance_BK: metres to the source at the target
    reward_BK: Σ r from t to t+offset; NaN for offsets in the past"""

    context_BT: np.ndarray
    past_BT3: np.ndarray
    target_BK: np.ndarray
    motion_BK3: np.ndarray
    offset_BK: np.ndarray
    progress_BK: np.ndarray
    distance_BK: np.ndarray
    reward_BK: np.ndarray

    def part(self, chosen: slice) -> WindowBatch:
        """Some of the contexts."""
        return WindowBatch(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


class Windows:
    """All windows of one split of a dataset. Only the small arrays (motion, distances) are in memory.

    Arrays over all frames F: episode_F (number of the episode), start_F and end_F (its first and last frame), actions_F
    (uint8, the action after the frame; STOP at the last frame of an episode), yaw_F, and, privileged, position_F3
    (float64 metres, the floor point) and geodesic_F (metres to the source).
    """

    def __init__(self, dataset: Dataset, split: str, config: WindowConfig) -> None:
        _refuse_impossible(config)
        self.dataset, self.split, self.config = dataset, split, config
        self.episodes: list[EpisodeRef] = dataset.episodes(split)
        if not self.episodes:
            raise DatasetError(
                f"{dataset.path}: the split {split!r} has no episodes. Datasets of fewer than three scenes have no "
                "validation or test split: generate with --scenes procedural:3 or more."
            )
        keys = ["yaw", "geodesic", "position", "actions", config.motion, "rewards"]
        rows = [dataset.read(ref, keys) for ref in self.episodes]
        lengths = np.array([len(row["yaw"]) for row in rows])
        self.first_n = np.concatenate([[0], np.cumsum(lengths)[:-1]])  # an episode's first frame
        self.episode_F = np.repeat(np.arange(len(rows)), lengths)
        self.lengths_E = lengths
        self.frames = int(lengths.sum())
        self.end_F = np.repeat(self.first_n + lengths - 1, lengths)  # the last frame of a frame's episode
        self.start_F = np.repeat(self.first_n, lengths)
        self.yaw_F = np.concatenate([row["yaw"] for row in rows])
        self.position_F3 = np.concatenate([row["position"] for row in rows])
        self.actions_F = np.concatenate([np.append(row["actions"], np.uint8(Action.STOP)) for row in rows])
        self.geodesic_F = np.concatenate([row["geodesic"] for row in rows]).astype(np.float64)
        self.travel_F2 = np.concatenate([travelled(row["yaw"], row[config.motion]) for row in rows])
        # The reward of a window is a sum over steps: a difference of cumulative sums.
        self.reward_F = np.concatenate([np.concatenate([[0.0], np.cumsum(row["rewards"])]) for row in rows])

    @property
    def height_F(self) -> np.ndarray:
        """float64: metres, height of the floor at each frame."""
        return self.position_F3[:, 1]

    @property
    def has_counterfactuals(self) -> bool:
        """Whether `counterfactuals` has an answer: datasets of schema 1 and 2 have none."""
        return "counterfactual" in features_of(self.dataset.schema)

    def actions_between(self, first: int, last: int) -> np.ndarray:
        """uint8: the actions that lead from frame `first` to the later frame `last` of the same episode."""
        if not self.start_F[first] <= first <= last <= self.end_F[first]:
            raise DatasetError(f"frame {last} does not follow frame {first} in an episode of {self.dataset.path}")
        return self.actions_F[first:last]

    def __len__(self) -> int:
        """Number of frames that can end a context: all but the last of each episode."""
        return self.frames - len(self.episodes)

    def draw(self, seed: int, purpose: str, number: int, contexts: int, targets: int) -> WindowBatch:
        """Batch `number` of an infinite sequence."""
        rng = keyed_rng(seed, "windows", self.split, purpose, number)
        t_B = rng.integers(0, self.frames, contexts)
        t_B = np.where(t_B == self.end_F[t_B], t_B - 1, t_B)  # a context needs at least one step of future
        return self.window(t_B, self.offsets(t_B, targets, rng))

    def offsets(self, t_B: np.ndarray, targets: int, rng: np.random.Generator) -> np.ndarray:
        """Random offsets (B, K) for contexts that end at t_B, as configured, inside the episode.

        Half of the offsets that may be in the past are. A context near the end of its episode gets shorter offsets.
        """
        config, shape = self.config, (len(t_B), targets)
        room_B = self.end_F[t_B] - t_B
        span_B = np.minimum(config.max_offset, room_B)[:, None]
        u_BK = rng.random(shape) ** config.near
        first = max(1, config.min_offset)
        offset_BK = first + np.floor(u_BK * np.maximum(span_B - first + 1, 1)).astype(np.int64)
        if config.min_offset < 0:
            past_B = np.minimum(-config.min_offset, t_B - self.start_F[t_B])[:, None]
            backward = (rng.random(shape) < 0.5) & (past_B > 0)
            offset_BK = np.where(backward, -1 - np.floor(u_BK * past_B).astype(np.int64), offset_BK)
        return offset_BK

    def at(self, offset: int, count: int) -> WindowBatch:
        """`count` windows with one target at `offset`; all windows if there are fewer.

        Spread evenly over the episodes, and over the positions within an episode: each episode has its own phase, so
        that windows of equally long episodes do not all start at the same steps.
        """
        room_E = np.maximum(self.lengths_E - offset, 0)  # windows of each episode
        total = int(room_E.sum())
        if count >= total:
            t = np.flatnonzero(np.arange(self.frames) + offset <= self.end_F)
        else:
            # Window k of an episode's share lies at (k + phase) / share of its length. The golden ratio spreads phases.
            last_E = np.floor(np.cumsum(room_E) * count / total + 1e-9).astype(np.int64)
            share_E = np.diff(last_E, prepend=0)
            phase_E = (np.arange(len(room_E)) * 0.6180339887) % 1.0
            within = [
                np.floor((np.arange(share) + phase) * room / share).astype(np.int64)
                for share, phase, room in zip(share_E.tolist(), phase_E.tolist(), room_E.tolist(), strict=True)
                if share
            ]
            t = np.concatenate(within) + np.repeat(self.first_n, share_E)
        return self.window(t, np.full((len(t), 1), offset))

    def window(self, t_B: np.ndarray, offset_BK: np.ndarray) -> WindowBatch:
        """The windows whose contexts end at frames t_B. Before the start of an episode its first frame is repeated."""
        context_BT = t_B[:, None] - np.array(self.config.ages)
        context_BT = np.maximum(context_BT, self.start_F[t_B][:, None])
        target_BK = np.clip(t_B[:, None] + offset_BK, self.start_F[t_B][:, None], self.end_F[t_B][:, None])
        offset_BK = target_BK - t_B[:, None]
        reward = self.reward_F[target_BK] - self.reward_F[t_B][:, None]
        return WindowBatch(
            context_BT=context_BT,
            target_BK=target_BK,
            past_BT3=self.motion(t_B, context_BT),
            motion_BK3=self.motion(t_B, target_BK),
            offset_BK=offset_BK,
            progress_BK=(self.geodesic_F[t_B][:, None] - self.geodesic_F[target_BK]).astype(np.float32),
            distance_BK=self.geodesic_F[target_BK].astype(np.float32),
            reward_BK=np.where(offset_BK > 0, reward, np.nan).astype(np.float32),
        )

    def motion(self, t_B: np.ndarray, frame_BN: np.ndarray) -> np.ndarray:
        """float32 (B, N, 3): the poses of frames of the same episodes, in the heading frames at t_B."""
        dx, dz = np.moveaxis(self.travel_F2[frame_BN] - self.travel_F2[t_B][:, None], -1, 0)
        return in_heading_frame(dx, dz, self.yaw_F[t_B][:, None], self.yaw_F[frame_BN])

    def counterfactuals(self, t_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(motion_BN3, distance_BN), float32: poses to which the agent could walk, and metres from there to the source.

        motion: from the true pose at frame t to the pose, in the heading frame at t. Both are privileged.
        Raises DatasetError for a dataset of an older schema, which has no such poses: see `has_counterfactuals`.
        """
        x_BN, _, z_BN, yaw_BN, distance_BN = np.moveaxis(self._counterfactual_FN5[t_B].astype(np.float64), -1, 0)
        here_B3, yaw_B1 = self.position_F3[t_B], self.yaw_F[t_B][:, None]
        dx_BN, dz_BN = x_BN - here_B3[:, 0:1], z_BN - here_B3[:, 2:3]
        return in_heading_frame(dx_BN, dz_BN, yaw_B1, yaw_BN), distance_BN.astype(np.float32)

    @cached_property
    def _counterfactual_FN5(self) -> np.ndarray:
        key = "counterfactual"
        return np.concatenate([self.dataset.read(ref, [key])[key] for ref in self.episodes])


def _refuse_impossible(config: WindowConfig) -> None:
    """Raises DatasetError for settings that no window can have."""
    if config.min_offset > config.max_offset or config.max_offset < 1:
        raise DatasetError(f"the offsets {config.min_offset} to {config.max_offset} contain no future target")
    if not config.ages or min(config.ages) < 0 or config.ages[-1] != 0:
        raise DatasetError(f"the ages {config.ages} are not those of a context: expected steps ago, ending in 0 (now)")
    if config.motion not in MOTIONS:
        raise DatasetError(f"unknown motion {config.motion!r}: expected one of {', '.join(MOTIONS)}")
    if not 0.0 < config.near < np.inf:
        raise DatasetError(f"near is {config.near}: expected a number above 0, such as 1.5")


def in_heading_frame(dx: np.ndarray, dz: np.ndarray, yaw: np.ndarray, target_yaw: np.ndarray) -> np.ndarray:
    """float32 (…, 3): metres forward, metres left and turn to targets that are (dx, dz) away in the world."""
    sin, cos = np.sin(yaw), np.cos(yaw)
    turn = (target_yaw - yaw + np.pi) % (2 * np.pi) - np.pi
    return np.stack([-dx * sin - dz * cos, -dx * cos + dz * sin, turn], -1).astype(np.float32)


def travelled(yaw_T: np.ndarray, motion_T3: np.ndarray) -> np.ndarray:
    """(T + 1, 2): world x and z, relative to the start, of an agent whose steps are exactly `motion`."""
    sin, cos = np.sin(yaw_T[:-1]), np.cos(yaw_T[:-1])
    forward, left = motion_T3[:, 0].astype(np.float64), motion_T3[:, 1].astype(np.float64)
    steps = np.stack([-forward * sin - left * cos, -forward * cos + left * sin], -1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])


class FrameCache:
    """Arrays over all frames of a split, memory-mapped from a folder: computed once, then read by frame number.

    The key of an array (what it was computed from) is in a text file that is written last, so that an interrupted
    array, or one that belongs to other data, is computed again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, name: str, key: str) -> np.ndarray | None:
        """The array, if it is complete and was computed for `key`."""
        array = self.folder / f"{name}.npy"
        try:
            if read_text(self.folder / f"{name}.key") != key:
                return None
            refuse_irregular(array, links=True)  # it may be linked from the cache of another run
            return np.load(array, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):  # missing, or damaged: it is computed again
            return None

    def create(self, name: str, shape: tuple[int, ...], dtype: type) -> np.memmap:
        (self.folder / f"{name}.key").unlink(missing_ok=True)
        (self.folder / f"{name}.npy").unlink(missing_ok=True)  # the file may be linked from the cache of another run
        return np.lib.format.open_memmap(self.folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)

    def finish(self, name: str, array: np.memmap, key: str) -> np.ndarray:
        array.flush()
        (self.folder / f"{name}.key").write_text(key)
        loaded = self.load(name, key)
        assert loaded is not None
        return loaded
