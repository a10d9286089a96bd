"""The entries of the viewer: the episodes of a dataset, and the futures that the model of a run predicted."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from avw.avw4k.reading.dataset import Dataset, EpisodeRef, open_dataset
from avw.avw4k.viewing.clip import Json, episode_clip, predicted_clip
from avw.avw4k.viewing.media import read_frames, read_sound
from avw.avw4k.viewing.played import clip_of, read_note, read_played, recordings, row
from avw.avw4k.viewing.samples import FOLDER, read_samples
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.storage.small_files import read_object
from avw.sim_bridge.storage.typed_json import typed

KEPT_CLIPS = 8  # some 2 MB each
FROM_TABLE = ("success", "return", "geodesic_start", "geodesic_end", "path_metres", "collisions", "clipped")


class Library:
    """The entries of a dataset or a run. `entry` may be called from several threads."""

    def __init__(self, folder: Path, data: Path | None = None) -> None:
        """data: the dataset of a run; None: where its config.json says"""
        self.folder = Path(folder)
        self.dataset, self.samples = _open(self.folder, data)
        self.played = recordings(self.folder)
        refs = self.dataset.episodes() if self.dataset else []
        self._refs: dict[str, EpisodeRef] = {str(ref.index): ref for ref in sorted(refs, key=lambda ref: ref.index)}
        self._clips: OrderedDict[str, Json] = OrderedDict()
        self._lock = threading.Lock()
        if not self._refs and not self.samples and not self.played:
            if self.dataset is None:
                raise DatasetError(
                    f"the dataset of the run {folder} is missing, and the run has no predictions or recordings to "
                    f"show; type: avw evaluate {folder} DATA"
                )
            raise DatasetError(f"{folder} has no episodes yet; type: avw generate {folder}")

    @property
    def title(self) -> str:
        return self.folder.resolve().name

    def facts(self) -> Json:
        """Title and description of the whole folder."""
        facts: Json = {"title": self.title, "kind": "run" if self.samples or self.played else "dataset"}
        if self.dataset:
            spec = self.dataset.spec
            facts["about"] = (
                f"{len(self._refs)} episode{'' if len(self._refs) == 1 else 's'}, "
                f"{spec.hours * len(self._refs) / spec.trajectories:.2f} h, "
                f"{len(spec.scenes)} scene{'' if len(spec.scenes) == 1 else 's'}, sound by “{spec.simulator.acoustics}”"
            )
        return facts

    def entries(self) -> list[Json]:
        """One row per entry, in the order of the list: id, kind, and the values that the filters use."""
        imagined = [
            {"id": note["name"], "kind": "predicted", "mode": note.get("mode", ""), "scene": note.get("scene", ""),
             "split": "test", "episode": note.get("episode"), "step": note.get("step")}
            for note in self.samples.values()
        ]  # fmt: skip
        played = [row(name, read_note(path)) for name, path in self.played.items()]
        return imagined + played + [self._row(ref) for ref in self._refs.values()]

    def entry(self, name: str) -> Json:
        """The clip of an entry. Raises UsageError for an unknown name, DatasetError for damaged data."""
        with self._lock:  # one reader of the shards at a time
            if name not in self._clips:
                self._clips[name] = self._load(name)
                if len(self._clips) > KEPT_CLIPS:
                    self._clips.popitem(last=False)
            self._clips.move_to_end(name)
            return self._clips[name]

    def chosen(self, expression: str | None) -> list[str]:
        """The ids that "0,3,7-9" or "all" stands for; None: one episode of each mode, and the predicted futures."""
        if expression is None:
            firsts = {ref.mode: name for name, ref in reversed(self._refs.items())}
            return [*self.samples, *self.played, *sorted(firsts.values(), key=int)]
        if expression == "all":
            return [*self.samples, *self.played, *self._refs]
        chosen: list[str] = []
        for word in expression.split(","):
            first, _, last = word.strip().partition("-")
            if word.strip() in self.samples or word.strip() in self.played:
                chosen.append(word.strip())
                continue
            try:
                numbers = range(int(first), int(last or first) + 1)
                if not numbers:
                    raise ValueError
            except ValueError:
                raise UsageError(
                    f"--episodes {expression!r}: {word!r} is not a number or a range; type e.g. --episodes 0,3-5"
                ) from None
            chosen += [str(number) for number in numbers]
        for name in chosen:
            if name not in self._refs and name not in self.samples and name not in self.played:
                raise UsageError(f"{self.folder} has no episode {name}: it has {_span(list(self._refs))}")
        return list(dict.fromkeys(chosen))

    def _load(self, name: str) -> Json:
        if name in self.samples:
            folder = self.folder / "samples"
            truth, model = (
                (read_frames(folder / f"{name}-{kind}.gif"), read_sound(folder / f"{name}-{kind}.wav"))
                for kind in ("truth", "model")
            )
            return predicted_clip(truth, model, self.samples[name])
        if name in self.played:
            return clip_of(read_played(self.played[name]))
        if self.dataset is None or name not in self._refs:
            raise UsageError(f"{self.folder} has no episode {name}")
        return episode_clip(self.dataset, self._refs[name])

    def _row(self, ref: EpisodeRef) -> Json:
        assert self.dataset is not None
        table = self.dataset.records[ref.shard].episodes[ref.demo]
        row: Json = {"id": str(ref.index), "kind": "episode", "mode": ref.mode, "scene": ref.scene, "split": ref.split}
        row |= {"shard": ref.shard, "demo": ref.demo, "steps": ref.steps, "sound": ref.spec.sound}
        return row | {name: table[name] for name in FROM_TABLE if name in table}


def _open(folder: Path, data: Path | None) -> tuple[Dataset | None, dict[str, Any]]:
    """A dataset, or the dataset of a run with the futures that it predicted. Raises DatasetError for other folders."""
    config = folder / "config.json"
    if not config.is_file() and not (folder / "info.json").is_file() and recordings(folder):
        return None, {}  # results of navigation only
    if (folder / "info.json").is_file() or not config.is_file():
        return open_dataset(folder), {}
    samples = read_samples(folder / FOLDER)
    try:
        data = data or Path(typed(str, read_object(config).get("data"), "data"))
    except ValueError as error:
        raise DatasetError(f"{folder} is not a readable run ({error}). To train a run, type: avw train") from error
    if not (data / "info.json").is_file():
        return None, samples
    return open_dataset(data), samples


def _span(names: list[str]) -> str:
    return f"{names[0]} to {names[-1]}" if names else "none"
