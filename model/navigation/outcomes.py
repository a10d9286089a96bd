"""Results of navigation: summaries, paired comparisons, and their files.

RUN/navigation-<policy>.json holds every episode of one policy. RUN/navigation.json compares the policies that ran on
the same episodes; it is written again whenever one of those files is.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from avw.model.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_mean
from avw.model.metrics.navigation import summarise
from avw.model.navigation.denoising_steps import denoising_steps
from avw.model.navigation.episode_run import EpisodeRecord, SkippedEpisode, record_from_json
from avw.model.navigation.episode_store import episodes_config, stored_config
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.policies.policy_file import policy_label
from avw.model.policies.registry import LEARNED, POLICIES
from avw.model.run_folder import read_result_object
from avw.sim_bridge.errors import CheckpointError, DatasetError, UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.file_lock import claimed
from avw.sim_bridge.storage.small_files import as_object
from avw.sim_bridge.task.difficulty import LEVELS
from avw.sim_bridge.wording import plural

MEASURES = ("sr", "spl", "softspl", "sna", "dtg", "na")
_ATTRIBUTES = {"sr": "success", "spl": "spl", "softspl": "softspl", "sna": "sna", "dtg": "dtg", "na": "actions"}

Records = Mapping[str, Sequence[EpisodeRecord]]


def summary(records: Sequence[EpisodeRecord]) -> dict[str, Interval]:
    """sr, spl, softspl, sna, dtg (metres) and na, each the mean with its 95 % bootstrap interval."""
    return {name.lower(): interval for name, interval in summarise(records).items()}


def paired_gain(first: Sequence[EpisodeRecord], second: Sequence[EpisodeRecord]) -> dict[str, Interval]:
    """Mean of first - second over the same episodes, with its 95 % interval, for every measure.

    Raises UsageError if the two did not run on the same episodes.
    """
    if [_identity(r) for r in first] != [_identity(r) for r in second]:
        raise UsageError("paired comparison needs the same scenes, seed and number of episodes for both policies")
    return {
        name: bootstrap_difference(
            [float(getattr(r, attribute)) for r in first], [float(getattr(r, attribute)) for r in second]
        )
        for name, attribute in _ATTRIBUTES.items()
    }


def comparison(config: NavigateConfig, records: Records, skipped: Sequence[SkippedEpisode] = ()) -> dict[str, Any]:
    """Summary of every policy, and the gain of the leading one (mpc if it is there) over each other, as plain JSON.

    Intervals are [mean, low, high]. `difficulty` has the same for the easy, the medium and the hard episodes, and
    `sws` the share of episodes that succeeded after the sound had ended, in the task silent. With an episode file also
    the `filed` measures (SPL and SNA with the file's own path lengths, over the episodes that have them), and the
    skipped episodes (`skipped`).
    """
    names = _in_order(records)
    leader = "mpc" if "mpc" in names else names[0]
    filed = {} if config.episode_file is None else {
        "episode_file": config.episode_file,
        "filed": {name: _filed(records[name]) for name in names},
        "skipped": [dataclasses.asdict(episode) for episode in skipped],
    }  # fmt: skip
    return {
        "episodes": config.episodes,
        "seed": config.seed,
        "scenes": list(config.scenes),
        "min_distance": config.min_distance,
        "success_distance": config.task.success_distance,
        "task": config.variant,
        "policies": {name: _plain(summary(records[name])) for name in names},
        "difficulty": {level: part for level in LEVELS if (part := _of_level(records, names, level))},
        **_silent(records, names),
        "paired": {
            f"{leader} - {other}": _plain(paired_gain(records[leader], records[other]))
            for other in names
            if other != leader
        },
        **filed,
    }


def _of_level(records: Records, names: Sequence[str], level: str) -> dict[str, Any]:
    """The summary of every policy over the episodes of one difficulty; {} if there are none."""
    chosen = {name: [row for row in records[name] if row.difficulty == level] for name in names}
    count = max(len(rows) for rows in chosen.values())
    if not count:
        return {}
    return {
        "episodes": count,
        "policies": {name: _plain(summary(rows)) for name, rows in chosen.items() if rows},
    }


def _silent(records: Records, names: Sequence[str]) -> dict[str, Any]:
    if all(row.silent_after is None for name in names for row in records[name]):
        return {}
    shares = {name: bootstrap_mean([float(row.success_when_silent) for row in records[name]]) for name in names}
    return {"sws": _plain(shares)}


def _in_order(names: Iterable[str]) -> list[str]:
    """The user's own policies first, then ours in the order of POLICIES."""
    found = set(names)
    return [*sorted(found - set(POLICIES)), *(name for name in POLICIES if name in found)]


def _filed(records: Sequence[EpisodeRecord]) -> dict[str, list[float]]:
    found = {}
    for name in ("filed_spl", "filed_sna"):
        values = [float(value) for record in records if (value := getattr(record, name)) is not None]
        if values:
            found[name.removeprefix("filed_")] = bootstrap_mean(values)
    return _plain(found)


def write_outcome(
    run_dir: Path, config: NavigateConfig, records: Records, skipped: Sequence[SkippedEpisode] = ()
) -> dict[str, Any]:
    """Write navigation-<policy>.json for each policy, and navigation.json; returns the content of the latter.

    Policies of earlier commands stay in the comparison as long as they ran on the same episodes, with the same sounds,
    task and simulator; those that plan with a model, with the same one.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    place = episodes_config(config)
    acted = {policy_label(policy): stored_config(config, policy) for policy in config.policies}
    models = {values["model"] for values in acted.values() if "model" in values}
    for name, rows in records.items():
        document = {
            "policy": name,
            "config": _published(config, name),
            "episodes_config": place,
            "acted": acted.get(name),
            "summary": _plain(summary(rows)),
            "records": [dataclasses.asdict(row) for row in rows],
        }
        atomic_write(run_dir / f"navigation-{name}.json", json.dumps(document))
    with claimed(run_dir / "navigation.json", ""):  # commands for other policies may write it at the same time
        comparable, own = dict(records), next(iter(records.values()))
        for path in sorted(run_dir.glob("navigation-*.json")):
            name = path.stem.removeprefix("navigation-")
            if name in records or not (name in POLICIES or name.isidentifier()):
                continue
            stored = read_result_object(path)
            earlier = records_of(stored, path)
            # Earlier versions did not write where the episodes took place.
            same = stored.get("episodes_config", place) == place and _episodes(earlier) == _episodes(own)
            model = (stored.get("acted") or {}).get("model")
            if same and not (models and name in LEARNED and model not in models):
                comparable[name] = earlier
        document = comparison(config, comparable, skipped)
        atomic_write(run_dir / "navigation.json", json.dumps(document))
    return document


def read_records(path: Path) -> list[EpisodeRecord]:
    """The episodes of a navigation-<policy>.json. Raises DatasetError for a file that is damaged or of another kind."""
    return records_of(read_result_object(path), path)


def records_of(document: Mapping[str, Any], path: Path) -> list[EpisodeRecord]:
    """The same of a document that was read from `path`."""
    try:
        return [record_from_json(as_object(row)) for row in document["records"]]
    except (ValueError, KeyError, TypeError, CheckpointError) as error:
        raise DatasetError(
            f"{path}: not a readable file of navigation results ({error}); run avw navigate again"
        ) from error


def episodes_run(document: Mapping[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """(how many episodes each policy of a comparison ran, the skipped ones)."""
    skipped = list(document.get("skipped", document.get("left_out", ())))  # its name in earlier versions
    return document["episodes"] - len(skipped), skipped


def table(document: Mapping[str, Any]) -> str:
    """The comparison as text: one line per policy, then the gains."""
    titles = {"sr": "SR", "spl": "SPL", "softspl": "SoftSPL", "sna": "SNA", "dtg": "DTG, m", "na": "NA"}
    ran, skipped = episodes_run(document)
    task = document.get("task", "standard")
    of_task = "" if task == "standard" else f" of the task {task}"
    scenes = min(ran, len(document["scenes"]))
    lines = [f"{plural(ran, 'episode')}{of_task} in {plural(scenes, 'scene')}; mean [95 % bootstrap interval]"]
    lines.append(f"{'':22}" + "".join(f"{titles[name]:>24}" for name in MEASURES))
    for policy, figures in document["policies"].items():
        lines.append(f"{policy:22}" + "".join(f"{_cell(figures[name], name):>24}" for name in MEASURES))
    for pair, figures in document["paired"].items():
        lines.append(f"{pair:22}" + "".join(f"{_cell(figures[name], name, '+'):>24}" for name in MEASURES))
    for policy, interval in document.get("sws", {}).items():
        lines.append(f"{policy}: success when silent {_cell(interval, 'sr')}")
    lines += _by_difficulty(document)
    for policy, figures in document.get("filed", {}).items():
        lines += [
            f"{policy}: {titles[name]} {_cell(interval, name)} with the path lengths of the file"
            for name, interval in figures.items()
        ]
    if skipped:
        count = plural(len(skipped), "episode")
        lines.append(f"Skipped, because they cannot take place: {count}, e.g. {skipped[0]['reason']}")
    return "\n".join(lines)


def _by_difficulty(document: Mapping[str, Any]) -> list[str]:
    """SR and SPL of every policy over the episodes of each difficulty, if there are several."""
    levels = document.get("difficulty", {})
    if len(levels) < 2:
        return []
    heads = [f"{level} ({part['episodes']}): SR, SPL" for level, part in levels.items()]
    lines = [f"{'':22}" + "".join(f"{head:>46}" for head in heads)]
    for policy in document["policies"]:
        cells = []
        for part in levels.values():
            found = part["policies"].get(policy)
            cells.append(f"{_cell(found['sr'], 'sr')}  {_cell(found['spl'], 'spl')}" if found else "")
        lines.append(f"{policy:22}" + "".join(f"{cell:>46}" for cell in cells))
    return lines


def _cell(values: Sequence[float], measure: str, sign: str = "") -> str:
    digits = 1 if measure == "na" else 2
    mean, low, high = (f"{value:{sign}.{digits}f}" for value in values)
    return f"{mean} [{low}, {high}]"


def _published(config: NavigateConfig, policy: str) -> dict[str, Any]:
    """The configuration of a policy, with the denoising steps that it took and without the path of an interpreter on
    this machine."""
    values = dataclasses.asdict(config)
    values["denoising_steps"] = denoising_steps(config, policy)
    values["simulator"]["habitat_python"] = None
    return values


def _plain(intervals: Mapping[str, Interval]) -> dict[str, list[float]]:
    return {name: [round(i.mean, 5), round(i.low, 5), round(i.high, 5)] for name, i in intervals.items()}


def _episodes(records: Sequence[EpisodeRecord]) -> list[tuple[object, ...]]:
    return [_identity(record) for record in records]


def _identity(record: EpisodeRecord) -> tuple[object, ...]:
    return record.task, record.scene, record.episode, record.seed, record.start, record.source
