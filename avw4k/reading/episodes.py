"""A dataset as a sequence of episodes: what `avw.open_dataset` returns.

Shapes: T steps · H W image · E ears (0 left, 1 right) · S samples. Observations and poses have T + 1 rows: the first
before any action, the last after the last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np

from avw.avw4k.plan.episode import DEPTH_UNITS
from avw.avw4k.plan.spec import SPLITS
from avw.avw4k.reading.dataset import Dataset, EpisodeRef
from avw.avw4k.reading.dataset import open_dataset as open_reader
from avw.avw4k.reading.recover import RecordedEpisode, reopen
from avw.avw4k.reading.windows import WindowConfig, Windows, travelled
from avw.sim_bridge.errors import missing_model_extra
from avw.sim_bridge.types import STEP_SECONDS, Source

if TYPE_CHECKING:
    from avw.avw4k.reading.loader import WindowLoader, WindowStream


class WindowOptions(TypedDict, total=False):
    """The fields of `WindowConfig`, which has their meaning and defaults."""

    ages: tuple[int, ...]
    min_offset: int
    max_offset: int
    near: float
    motion: str


class DatasetEpisode:
    """One recorded episode. Arrays are read from disk when they are first used, and kept as long as this object.

    index: number of the episode in the dataset · scene, split, mode: as in the plan · steps: T
    mode: how the recorded agent walked: "approach" the source, "leave" it, or "unrelated" to it
    """

    def __init__(self, dataset: Dataset, ref: EpisodeRef) -> None:
        self.dataset, self.ref = dataset, ref
        self.index, self.scene, self.split, self.mode, self.steps = ref.index, ref.scene, ref.split, ref.mode, ref.steps
        self._arrays: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return self.steps

    def __repr__(self) -> str:
        return f"<episode {self.index}: {self.mode!r} in {self.scene}, split {self.split}, {self.steps} steps>"

    @property
    def rgb(self) -> np.ndarray:
        """uint8 (T + 1, H, W, 3), sRGB."""
        return self._array("rgb")

    @property
    def depth(self) -> np.ndarray:
        """float32 (T + 1, H, W): metres along the view axis; 0 where nothing was hit."""
        return self._array("depth")

    @property
    def audio(self) -> np.ndarray:
        """float32 (T + 1, 2, 2400): the samples that end at each observation, at 16 kHz, in linear units.

        The direct sound of a source at 1 m has the RMS of its clip. The scale is the same for all episodes.
        """
        return self._array("audio")

    @property
    def waveform(self) -> np.ndarray:
        """float32 (2, (T + 1) · 2400): `audio` as one continuous sound."""
        return np.ascontiguousarray(np.moveaxis(self.audio, 0, 1)).reshape(2, -1)

    @property
    def actions(self) -> np.ndarray:
        """uint8 (T,): 0 STOP, 1 FORWARD, 2 TURN_LEFT, 3 TURN_RIGHT (`avw.Action`)."""
        return self._array("actions")

    @property
    def rewards(self) -> np.ndarray:
        """float32 (T,): slack + metres gained + success reward."""
        return self._array("rewards")

    @property
    def poses(self) -> np.ndarray:
        """float64 (T + 1, 4): x, y, z of the floor point (metres) and yaw (radians). Privileged."""
        return np.concatenate([self._array("position"), self._array("yaw")[:, None]], axis=1)

    @property
    def geodesic(self) -> np.ndarray:
        """float32 (T + 1,): metres to walk to the source. Privileged."""
        return self._array("geodesic")

    @property
    def counterfactual(self) -> np.ndarray:
        """float32 (T + 1, 16, 5): random reachable poses within 6 m of each observation. Privileged.

        x, y, z of the floor point (metres), yaw (radians), and metres to walk from there to the source.
        Raises DatasetError for a dataset of schema 1 or 2, which has none.
        """
        return self._array("counterfactual")

    @property
    def commanded(self) -> np.ndarray:
        """float32 (T, 3): what each action does with nothing in the way: forward m, left m, turn rad."""
        return self._array("commanded")

    @property
    def odometry(self) -> np.ndarray:
        """float64 (T + 1, 4): as `poses`, but as if no action had met an obstacle: what the agent itself can know."""
        poses_T4 = self.poses.copy()
        poses_T4[:, [0, 2]] = poses_T4[0, [0, 2]] + travelled(poses_T4[:, 3], self.commanded)
        return poses_T4

    @property
    def collided(self) -> np.ndarray:
        """bool (T,): whether the action met an obstacle."""
        return self._array("collided")

    @property
    def source(self) -> Source:
        """The sound source. Privileged."""
        return self.dataset.source(self.ref)

    def reopen(self) -> RecordedEpisode:
        """Open the simulator at the start of this episode, to replay it or to act differently."""
        return reopen(self.dataset, self.ref)

    def _array(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            array = self.dataset.read(self.ref, [name])[name]
            if name == "audio":
                array = np.multiply(array, np.float32(self.dataset.audio_scale), dtype=np.float32)
            elif name == "depth":
                array = np.multiply(array, np.float32(1 / DEPTH_UNITS), dtype=np.float32)
            self._arrays[name] = array
        return self._arrays[name]


class EpisodeDataset(Dataset):
    """A dataset on disk as a sequence of its committed episodes, with windows and tensors for training.

    Episodes are in the order of their index: in a complete dataset, `dataset[i].index == i`.
    """

    @cached_property
    def _refs(self) -> list[EpisodeRef]:
        return sorted(self.episodes(), key=lambda ref: ref.index)

    def __len__(self) -> int:
        """Committed episodes."""
        return len(self._refs)

    @overload
    def __getitem__(self, index: int) -> DatasetEpisode: ...
    @overload
    def __getitem__(self, index: slice) -> list[DatasetEpisode]: ...
    def __getitem__(self, index: int | slice) -> DatasetEpisode | list[DatasetEpisode]:
        refs = self._refs
        if isinstance(index, slice):
            return [DatasetEpisode(self, ref) for ref in refs[index]]
        if not -len(refs) <= index < len(refs):
            raise IndexError(f"{self.path} has {len(refs)} episodes; there is no episode {index}")
        return DatasetEpisode(self, refs[index])

    def __iter__(self) -> Iterator[DatasetEpisode]:
        return (DatasetEpisode(self, ref) for ref in self._refs)

    def __repr__(self) -> str:
        refs = self._refs
        splits = Counter(ref.split for ref in refs)
        steps = sum(ref.steps for ref in refs)
        size = sum(record.bytes for record in self.records.values())
        unfinished = "" if self.complete else ", incomplete: resume with avw generate"
        return (
            f"<dataset {self.path}: {len(refs)} episodes ({', '.join(f'{splits[name]} {name}' for name in SPLITS)}), "
            f"{steps} steps ({steps * STEP_SECONDS / 3600:.2f} h), {len({ref.scene for ref in refs})} scenes, "
            f"{size / 1e6:.1f} MB{unfinished}>"
        )

    def split(self, name: str) -> list[DatasetEpisode]:
        """The episodes of "train", "val" or "test"; no scene is in two splits."""
        return [DatasetEpisode(self, ref) for ref in self.episodes(name)]

    def windows(self, split: str = "train", **options: Unpack[WindowOptions]) -> Windows:
        """Windows of a split as frame numbers: a context of past frames, a motion, and targets.

        options: ages, min_offset, max_offset, near and motion; see `WindowConfig`.
        """
        return Windows(self, split, WindowConfig(**options))

    def torch(
        self,
        split: str = "train",
        *,
        contexts: int = 16,
        targets: int = 4,
        senses: tuple[str, ...] = ("rgb", "audio"),
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        **windows: Unpack[WindowOptions],
    ) -> WindowStream:
        """Batches of windows as a torch IterableDataset: `DataLoader(dataset.torch("train"), batch_size=None)`.

        contexts, targets: per batch, and per context · senses: some of rgb, depth and audio
        rank, ranks: number of this process, and of all processes that train together
        windows: the options of `windows`. Each iteration is the next epoch, in another order.
        """
        loader = _loader_module("dataset.torch")
        config = loader.LoaderConfig(
            epochs=loader.EpochConfig(contexts=contexts, seed=seed),
            targets=targets,
            senses=tuple(senses),
            rank=rank,
            ranks=ranks,
        )
        stream: WindowStream = loader.WindowStream(self.windows(split, **windows), config)
        return stream

    def loader(
        self,
        split: str = "train",
        *,
        contexts: int = 16,
        targets: int = 4,
        senses: tuple[str, ...] = ("rgb", "audio"),
        workers: int = 0,
        start: str = "spawn",
        pin_memory: bool = False,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        **windows: Unpack[WindowOptions],
    ) -> WindowLoader:
        """The batches of `torch`, from a loader with worker processes of its own that can resume inside an epoch.

        workers: 0 reads in this process · start: "spawn", "fork" or "forkserver". Other options as for `torch`.
        """
        loader = _loader_module("dataset.loader")
        config = loader.LoaderConfig(
            epochs=loader.EpochConfig(contexts=contexts, seed=seed, lanes=max(4, workers)),
            targets=targets,
            senses=tuple(senses),
            workers=workers,
            start=start,
            pin_memory=pin_memory,
            rank=rank,
            ranks=ranks,
        )
        found: WindowLoader = loader.WindowLoader(self.windows(split, **windows), config)
        return found


def _loader_module(what: str) -> Any:
    """The module that needs torch."""
    try:
        from avw.avw4k.reading import loader
    except ModuleNotFoundError as error:
        raise missing_model_extra(what, error) from error
    return loader


def open_dataset(path: str | Path) -> EpisodeDataset:
    """Open the dataset in a folder, complete or not.

    Raises DatasetError when there is none, when it was written by a newer schema, or when it was altered.
    """
    opened = open_reader(path)
    return EpisodeDataset(opened.path, opened.info, opened.spec, opened.records)
