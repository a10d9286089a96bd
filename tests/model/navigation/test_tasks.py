"""Variants of the task in the closed loop, episode sets, and episodes that cannot take place."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from avw.avw4k.execution.this_process import run_in_this_process
from avw.cli.navigate import navigate
from avw.model.navigation.episode_run import EpisodeRecord
from avw.model.navigation.episode_set import _packed as packed
from avw.model.navigation.episode_set import write_episode_set
from avw.model.navigation.navigate import NavigationResult, run_policies
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.navigation.outcomes import comparison, table
from avw.sim_bridge.errors import DatasetError, SoundError, UsageError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task import shipped_sets
from avw.sim_bridge.task.episode_file import read_episodes
from avw.sim_bridge.task.shipped_sets import episode_set
from avw.sim_bridge.task.task import TaskConfig
from avw.sim_bridge.task.variants import VARIANTS

TINY = SimulatorConfig(size=16, emitters=200)


@pytest.fixture
def config(flats: tuple[str, ...]):
    def made(**changes: object) -> NavigateConfig:
        values: dict[str, object] = {
            "policies": ("oracle",), "scenes": flats[:2], "episodes": 3, "seed": 5, "min_distance": 2.0,
            "simulator": TINY, "task": TaskConfig(max_steps=80),
        }  # fmt: skip
        return NavigateConfig(**(values | changes))  # type: ignore[arg-type]

    return made


def run(asked: NavigateConfig, **keywords: object) -> NavigationResult:
    return run_policies(asked, execute=run_in_this_process, **keywords)  # type: ignore[arg-type]


def without_times(records: list[EpisodeRecord]) -> list[EpisodeRecord]:
    kept = dict.fromkeys(("filed_shortest", "filed_spl"))
    named = {"episode_id": "", "sound": "", "decision_ms": 0.0}
    return [dataclasses.replace(record, **named, **kept) for record in records]


@pytest.mark.parametrize("variant", [name for name, about in VARIANTS.items() if not about.scenes])
def test_a_set_holds_the_episodes_that_a_run_draws(config, tmp_path: Path, variant: str) -> None:
    asked = config(variant=variant, policies=("oracle", "greedy-audio"))
    if variant == "distractor":
        asked = config(variant=variant)
    path = tmp_path / "set" / "episodes.json.gz"
    digest = write_episode_set(path, asked)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest == write_episode_set(path, asked)
    drawn = run(asked).records
    filed = run(dataclasses.replace(asked, episode_file=str(path), sound=None, variant="standard")).records
    for policy in asked.policies:
        assert without_times(filed[policy]) == without_times(drawn[policy])
        assert {record.task for record in filed[policy]} == {variant}
    assert all(record.success for record in drawn["oracle"])


def test_variants_run_on_the_starts_of_the_standard_task(config) -> None:
    places = {
        variant: [
            (record.start, record.source, record.difficulty)
            for record in run(config(variant=variant)).records["oracle"]
        ]
        for variant in ("standard", "silent", "unheard")
    }
    assert places["standard"] == places["silent"] == places["unheard"]


def test_records_have_their_difficulty_and_the_table_is_split_by_it(config) -> None:
    asked = config(episodes=8)
    records = run(asked).records
    for record in records["oracle"]:
        assert record.difficulty in ("easy", "medium", "hard")
        assert record.ratio == pytest.approx(max(1.0, record.shortest / record.euclidean))
    document = comparison(asked, records)
    assert sum(part["episodes"] for part in document["difficulty"].values()) == 8
    made = [dataclasses.replace(r, difficulty="easy" if n % 2 else "hard") for n, r in enumerate(records["oracle"])]
    text = table(comparison(asked, {"oracle": made}))
    assert "easy (4): SR, SPL" in text
    assert "hard (4): SR, SPL" in text


def test_success_when_silent_counts_successes_after_the_end_of_the_sound(config) -> None:
    asked = config(variant="silent")
    records = run(asked).records["oracle"]
    early = [dataclasses.replace(record, silent_after=0) for record in records]
    late = [dataclasses.replace(record, silent_after=500) for record in records]
    assert comparison(asked, {"oracle": early})["sws"]["oracle"][0] == 1.0
    assert comparison(asked, {"oracle": late})["sws"]["oracle"][0] == 0.0
    assert "success when silent" in table(comparison(asked, {"oracle": early}))
    assert "sws" not in comparison(config(), run(config()).records)


def test_an_unreachable_start_a_missing_sound_and_a_silent_one_are_skipped_with_their_reason(
    config, tmp_path: Path
) -> None:
    path = tmp_path / "episodes.json.gz"
    write_episode_set(path, config(episodes=4))
    document = json.loads(gzip.decompress(path.read_bytes()))
    document["episodes"][0]["start_position"][0] += 500.0
    document["episodes"][1]["info"]["sound"] = "absent"
    (tmp_path / "1s_all").mkdir()
    soundfile.write(tmp_path / "1s_all" / "mute.wav", np.zeros(16_000), 16_000)
    document["episodes"][2]["info"]["sound"] = "mute"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    result = run(config(episodes=4, episode_file=str(path), sound=None, sound_root=str(tmp_path)))
    assert [record.episode for record in result.records["oracle"]] == [3]
    reasons = [skipped.reason for skipped in sorted(result.skipped, key=lambda s: s.episode)]
    assert "off the floor" in reasons[0]
    assert "no sound 'absent'" in reasons[1]
    assert "is silent" in reasons[2]


def test_a_task_applies_to_episode_files_of_others(config, tmp_path: Path) -> None:
    """A file as SoundSpaces writes it says nothing about what happens to the sound."""
    path = tmp_path / "episodes.json.gz"
    write_episode_set(path, config(episodes=2))
    document = json.loads(gzip.decompress(path.read_bytes()))
    del document["avw_task"]
    for row in document["episodes"]:
        del row["avw"]
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    for variant in ("standard", "silent"):
        records = run(config(episodes=2, episode_file=str(path), sound=None, variant=variant)).records["oracle"]
        assert [record.task for record in records] == [variant] * 2
        assert all((record.silent_after is not None) == (variant == "silent") for record in records)


def test_a_silent_sound_of_a_drawn_episode_is_an_error(config, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mute.wav", np.zeros(16_000), 16_000)
    with pytest.raises(SoundError, match="is silent"):
        run(config(sound=str(tmp_path / "mute.wav")))


def test_a_skipped_episode_is_tried_again(config, tmp_path: Path) -> None:
    path, sounds = tmp_path / "episodes.json.gz", tmp_path / "sounds"
    write_episode_set(path, config(episodes=1, variant="distractor"))
    document = json.loads(gzip.decompress(path.read_bytes()))
    document["episodes"][0]["avw"]["events"]["distractor"]["sound"] = "telephone"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    asked = config(episodes=1, episode_file=str(path), sound=None, sound_root=str(sounds))
    with pytest.raises(UsageError, match="can take place: no sound 'telephone'"):
        run(asked, folder=tmp_path / "out")
    sounds.mkdir()
    soundfile.write(sounds / "telephone.wav", 0.3 * np.sin(np.arange(16_000) / 5), 16_000)
    assert run(asked, folder=tmp_path / "out").skipped == ()


def test_a_distractor_of_a_file_cannot_name_a_file_outside_of_the_sounds(config, tmp_path: Path) -> None:
    path = tmp_path / "episodes.json.gz"
    write_episode_set(path, config(episodes=1, variant="distractor"))
    document = json.loads(gzip.decompress(path.read_bytes()))
    document["episodes"][0]["avw"]["events"]["distractor"]["sound"] = "/etc/passwd"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    with pytest.raises(UsageError, match="can take place: no sound '/etc/passwd'"):
        run(config(episodes=1, episode_file=str(path), sound=None, sound_root=str(tmp_path)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "avw.seed is '?-1'? instead of a whole number"),
        ({"phase": "x"}, "avw.phase is 'x'"),
        ({"yaw": None}, "avw.yaw has 'None' instead of a number"),
        ({"events": {"leg_steps": 0}}, "leg_steps = 0"),
        ({"events": {"volume": 3}}, "there is no field 'events.volume'"),
        ({"events": {"route": [[1.0, 2.0]]}}, "has 2 items: expected 3"),
        ({"events": {"route": [[1e9, 0.0, 0.0]]}}, "avw.events.route has '1000000000.0'"),
    ],
)
def test_values_of_a_set_are_checked(config, tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "episodes.json.gz"
    write_episode_set(path, config(episodes=1))
    document = json.loads(gzip.decompress(path.read_bytes()))
    document["episodes"][0]["avw"] |= change
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    with pytest.raises(DatasetError, match=message):
        read_episodes(path)


def test_an_empty_set_and_one_of_an_unknown_task_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "episodes.json.gz"
    path.write_bytes(gzip.compress(b'{"avw_task": "standard", "episodes": []}'))
    with pytest.raises(DatasetError, match="have no episodes"):
        read_episodes(path)
    path.write_bytes(gzip.compress(b'{"avw_task": "quiet", "episodes": []}'))
    with pytest.raises(DatasetError, match="unknown task 'quiet'"):
        read_episodes(path)


def test_the_shipped_sets_have_their_hashes_and_no_house_of_another_split(monkeypatch, tmp_path: Path) -> None:
    index = shipped_sets.shipped_sets()
    scenes = {}
    for name, about in index.items():
        episodes = read_episodes(episode_set(name))
        assert len(episodes) == about["episodes"]
        assert len({episode.seed for episode in episodes}) == len(episodes)
        scenes[name] = {episode.scene for episode in episodes}
    assert {"rooms-v1-test", "rooms-v1-test-silent", "small-houses"} <= set(index)
    assert not scenes["rooms-v1-val"] & scenes["rooms-v1-test"]
    monkeypatch.setattr(shipped_sets, "FOLDER", tmp_path)
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "rooms-v1-test.json.gz").write_bytes(b"other")
    with pytest.raises(DatasetError, match="was changed since it was released"):
        episode_set("rooms-v1-test")
    with pytest.raises(DatasetError, match=r"no episode file or set 'rooms-v1-tset'.*rooms-v1-test"):
        episode_set("rooms-v1-tset")


def test_the_command_writes_a_set_and_runs_it(flats: tuple[str, ...], tmp_path: Path) -> None:
    path, out = tmp_path / "mine.json.gz", tmp_path / "out"
    words = ["--policy", "oracle", "--model", str(tmp_path / "none")]
    made = CliRunner().invoke(
        navigate,
        [*words, "--scenes", "procedural-0217", "--episodes", "1", "--task", "silent", "--write-episodes", str(path)],
    )
    assert made.exit_code == 0, made.output
    assert hashlib.sha256(path.read_bytes()).hexdigest() in made.output
    ran = CliRunner().invoke(
        navigate, [*words, "--episode-file", str(path), "--out", str(out), "--workers", "1", "--json"]
    )
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["task"] == "silent"
    local = [*words, "--scenes", flats[0], "--write-episodes", str(path)]
    with pytest.raises(UsageError, match=r"flat-a\.glb is a file of this machine"):
        CliRunner().invoke(navigate, local, catch_exceptions=False)
    wrong = CliRunner().invoke(navigate, [*words, "--episode-file", str(path), "--task", "moving"])
    assert isinstance(wrong.exception, UsageError)
    assert "leave out --task moving" in str(wrong.exception)


def test_a_set_names_sounds_that_others_have(config, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mine\.wav is a file"):
        write_episode_set(tmp_path / "episodes.json.gz", config(sound=str(tmp_path / "mine.wav")))


@pytest.mark.parametrize("name", ["small-houses", "rooms-v1-val"])
def test_shipped_sets_have_the_bytes_that_this_python_writes(name: str) -> None:
    content = episode_set(name).read_bytes()
    document = json.loads(gzip.decompress(content))
    rows = dict(enumerate(document["episodes"]))
    assert packed(document["avw_task"], rows) == content
