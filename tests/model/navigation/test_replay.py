"""Recordings of closed-loop episodes: written, checked, listed by the viewer and played in the report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.viewing.library import Library
from avw.avw4k.viewing.played import clip_of, read_note, read_played, recordings, write_played
from avw.model.memory.free_space import FreeSpace, ReachablePoses
from avw.model.navigation import replay
from avw.model.navigation.navigate import run_policies
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.navigation.outcomes import write_outcome
from avw.model.planning.decision import Decision
from avw.model.report import write_report
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import TaskConfig


def config(run: Path, flats: tuple[str, ...], **changes: object) -> NavigateConfig:
    values: dict[str, object] = {
        "policies": ("oracle-reward", "forward"), "scenes": flats[:1], "episodes": 2, "min_distance": 1.5,
        "simulator": SimulatorConfig(size=32, emitters=200), "task": TaskConfig(max_steps=60),
        "record_dir": str(run / "episodes"), "record": 1,
    }  # fmt: skip
    return NavigateConfig(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(flats: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of two policies, the first episode of each recorded."""
    folder = tmp_path_factory.mktemp("played")
    asked = config(folder, flats)
    records = run_policies(asked, folder=folder, execute=run_in_this_process).records
    write_outcome(folder, asked, records)
    return folder


def test_the_first_episodes_are_recorded_as_they_were(run: Path, flats: tuple[str, ...]) -> None:
    assert sorted(recordings(run)) == ["forward-000", "oracle-reward-000"]
    plain = run_policies(config(run, flats, record_dir=None), execute=run_in_this_process).records
    for name, path in recordings(run).items():
        played, record = read_played(path), plain[name.rpartition("-")[0]][0]
        assert played.path_T4.tolist() == [list(pose) for pose in record.path[:-1]]
        assert len(played.action_T) == record.actions
        assert int(played.collided_T.sum()) == record.collisions
        assert played.distance_T[0] == record.shortest
        assert (read_note(path).success, read_note(path).dtg) == (record.success, record.dtg)


def test_a_planner_has_its_map_at_every_decision_and_other_policies_have_none(run: Path) -> None:
    played = read_played(recordings(run)["oracle-reward-000"])
    assert set(played.views) == {"map"}  # nothing is imagined without a model
    assert len(played.decision_D) == len(played.views["map"]) >= 1
    assert (np.diff(played.decision_D) > 0).all()
    assert played.views["map"].std() > 10
    assert not read_played(recordings(run)["forward-000"]).views


def test_the_viewer_lists_and_plays_recordings_of_a_folder_without_a_dataset(run: Path) -> None:
    library = Library(run)
    assert {entry["id"] for entry in library.entries()} == {"forward-000", "oracle-reward-000"}
    clip = library.entry("oracle-reward-000")
    assert [view["caption"] for view in clip["views"]] == ["Camera", "Memory and field"]
    assert clip["frames"] == len(clip["actions"]) == len(clip["distance"]) == len(clip["map"]["path"])
    assert clip["decisions"] == read_played(recordings(run)["oracle-reward-000"]).decision_D.tolist()
    assert library.chosen(None) == library.chosen("all") == library.chosen("forward-000,oracle-reward-000")


def test_the_report_plays_them(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    assert page.count('class="player"') == 2
    assert "oracle reward, episode 0 in" in page


def test_frames_before_the_first_decision_have_no_picture(run: Path) -> None:
    played = read_played(recordings(run)["oracle-reward-000"])
    first = int(played.decision_D[0])
    assert first == 36  # after the agent has looked around
    frames: list[np.ndarray] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "avw.avw4k.viewing.played.played_clip", lambda views, *_, **__: frames.append(views[1]["frames"]) or {}
        )
        clip_of(played)
    assert (frames[0][:first] == 224).all()
    np.testing.assert_array_equal(frames[0][first], played.views["map"][0])


def test_a_missing_recording_is_made_by_running_its_episode_again(run: Path, flats: tuple[str, ...]) -> None:
    path = recordings(run)["forward-000"]
    before = path.read_bytes()
    path.unlink()
    again: list[str] = []
    run_policies(
        config(run, flats),
        folder=run,
        execute=run_in_this_process,
        on_episode=lambda outcome: again.append(outcome.policy),
    )
    assert again == ["forward"]
    assert path.read_bytes() == before


def test_what_was_imagined_is_recorded(tiny_run: Path, flats: tuple[str, ...], tmp_path: Path) -> None:
    """The pictures of a trained model, at the two best places, without a change of the actions."""
    from avw.avw4k.reading.dataset import open_dataset
    from avw.model.run_folder import run_data

    simulator = open_dataset(run_data(tiny_run)).spec.simulator
    asked = config(
        tmp_path, flats, policies=("mpc",), episodes=1, model_dir=str(tiny_run), simulator=simulator,
        task=TaskConfig(max_steps=44),
    )  # fmt: skip
    recorded = run_policies(asked, execute=run_in_this_process).records["mpc"][0]
    plain = run_policies(dataclasses.replace(asked, record_dir=None), execute=run_in_this_process).records["mpc"][0]
    assert recorded.path == plain.path
    played = read_played(recordings(tmp_path)["mpc-000"])
    assert set(played.views) == {"chosen", "second", "map"}
    assert played.views["chosen"].shape == played.views["second"].shape
    assert (played.views["chosen"] != played.views["second"]).any()


def test_the_map_faces_up_and_is_seen_from_above() -> None:
    """An obstacle ahead is at the top, one to the left at the left, whatever the heading."""
    free_HW = np.ones((121, 121), bool)
    obstacle_HW = np.zeros_like(free_HW)
    obstacle_HW[100:105, 55:65] = True  # 4 m along +forward of the frame
    for heading, (row, column) in ((0.0, (10, 32)), (-np.pi / 2, (32, 10)), (np.pi / 2, (32, 53))):
        space = FreeSpace(free_HW & ~obstacle_HW, obstacle_HW, (-6.05, -6.05), 0.1, np.array([0.0, 0.0, 0.0, heading]))
        none = ReachablePoses(np.zeros((0, 3), np.float32), np.zeros(0), np.zeros(0, np.int64), ())
        drawn = replay.draw_map(Decision(space, none, np.zeros((0, 2)), np.zeros(0), np.zeros(0)), 64)
        dark = np.argwhere(drawn.sum(-1) < 400)
        outside = dark[(np.abs(dark - 32) > 6).any(axis=1)]  # not the agent
        np.testing.assert_allclose(outside.mean(0), (row, column), atol=2.5)


@pytest.mark.parametrize(
    "change",
    [
        {"action_T": np.full(3, 9, np.uint8)},
        {"path_T4": np.zeros((2, 4))},
        {"decision_D": np.array([10**6], np.int64)},
        {"audio_TES": np.full((3, 2, 2400), np.nan, np.float32)},
        {"distance_T": np.array(["a", "b", "c"])},
    ],
)
def test_recordings_that_do_not_fit_together_are_refused(
    run: Path, tmp_path: Path, change: dict[str, np.ndarray]
) -> None:
    played = read_played(recordings(run)["forward-000"])
    short = {
        name: getattr(played, name)[:3]
        for name in ("rgb_THWC", "audio_TES", "action_T", "path_T4", "distance_T", "collided_T")
    }
    write_played(tmp_path / "x.npz", dataclasses.replace(played, **(short | change)))
    with pytest.raises(DatasetError, match=r"not a (readable )?recording"):
        read_played(tmp_path / "x.npz")


def test_damaged_files_and_pickles_are_refused(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(recordings(run)["forward-000"].read_bytes()[:-100])
    with pytest.raises(DatasetError, match="not a readable recording"):
        read_played(path)
    with path.open("wb") as file:
        np.savez(file, note=np.array([{"policy": "x"}], dtype=object))
    with pytest.raises(DatasetError, match="not a readable recording"):
        read_played(path)


def test_any_damaged_byte_of_a_recording_is_a_dataset_error(run: Path, tmp_path: Path) -> None:
    whole = recordings(run)["forward-000"].read_bytes()
    refused = 0
    for at in range(0, len(whole), max(1, len(whole) // 80)):
        (tmp_path / "x.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            read_played(tmp_path / "x.npz")
        except DatasetError:
            refused += 1
    assert refused > 40
