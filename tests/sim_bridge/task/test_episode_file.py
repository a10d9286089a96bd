"""Episode files of SoundSpaces: read without conversion, with every value checked."""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.simulators.rotation import yaw_of
from avw.sim_bridge.task import episode_file
from avw.sim_bridge.task.episode_file import FiledEpisode, place_episode, read_episodes, scene_of
from avw.sim_bridge.types import Pose, wrap_angle
from tests.sim_bridge.audionav_files import row, write_split


def test_an_episode_is_read_in_the_terms_of_avw(tmp_path: Path) -> None:
    (episode,) = read_episodes(write_split(tmp_path / "val", [row("7")]))
    assert episode == FiledEpisode(
        episode_id="7",
        scene="mp3d/17DRP5sb8fy",
        start=episode.start,
        goal_3=(4.0, 0.1, -2.0),
        sound="telephone",
        geodesic=3.0,
        actions=4,
    )
    assert episode.start.yaw == pytest.approx(math.pi / 2)
    np.testing.assert_allclose(episode.start.forward_3, [-1, 0, 0], atol=1e-12)  # a quarter to the left of -Z


def test_a_semantic_episode_keeps_its_own_fields(tmp_path: Path) -> None:
    semantic = row(object_category="chair", sound_id="train/chair_1.wav", offset="2", duration=14, info={})
    (episode,) = read_episodes(write_split(tmp_path / "val", [semantic]))
    assert (episode.object_category, episode.sound) == ("chair", "train/chair_1.wav")
    assert (episode.offset, episode.duration, episode.geodesic, episode.actions) == (2.0, 14.0, None, None)


@pytest.mark.parametrize("distance", [math.inf, math.nan])
def test_a_distance_that_is_not_finite_says_nothing(tmp_path: Path, distance: float) -> None:
    """habitat-sim returns it for two places without a path between them."""
    rows = [row("0"), row("1", info={"geodesic_distance": distance})]
    assert [episode.geodesic for episode in read_episodes(write_split(tmp_path / "val", rows))] == [3.0, None]


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "val.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"episodes": [row("0")]}).encode())
    assert len(read_episodes(path)) == 1


def test_content_files_follow_in_the_order_of_their_names(tmp_path: Path) -> None:
    content = {name: [row(f"{name}{i}") for i in range(2)] for name in ("c", "a", "b")}
    path = write_split(tmp_path / "test", [], content)
    assert [episode.episode_id for episode in read_episodes(path)] == ["a0", "a1", "b0", "b1", "c0", "c1"]
    assert [episode.episode_id for episode in read_episodes(path, 3)] == ["a0", "a1", "b0"]
    assert [episode.episode_id for episode in read_episodes(path.parent / "content" / "b.json.gz")] == ["b0", "b1"]


def test_a_later_file_is_not_opened_before_it_is_needed(tmp_path: Path) -> None:
    path = write_split(tmp_path / "test", [], {"a": [row("a0")]})
    (tmp_path / "test" / "content" / "b.json.gz").write_bytes(b"damaged")
    assert len(read_episodes(path, 1)) == 1
    with pytest.raises(DatasetError, match=r"b\.json\.gz is not valid JSON"):
        read_episodes(path)


@given(yaw=st.floats(-math.pi, math.pi, exclude_max=True), sign=st.sampled_from([1.0, -1.0]))
def test_yaw_agrees_with_the_rotation_of_the_forward_direction(yaw: float, sign: float) -> None:
    rotation = Rotation.from_euler("y", yaw)
    quaternion = tuple(float(sign * value) for value in rotation.as_quat())  # q and -q are one rotation
    assert abs(wrap_angle(yaw_of(quaternion) - yaw)) < 1e-9
    np.testing.assert_allclose(Pose(0, 0, 0, yaw_of(quaternion)).forward_3, rotation.apply([0, 0, -1]), atol=1e-9)


@pytest.mark.parametrize(
    ("filed", "ours"),
    [
        ("17DRP5sb8fy/17DRP5sb8fy.glb", "mp3d/17DRP5sb8fy"),
        ("mp3d/17DRP5sb8fy/17DRP5sb8fy.glb", "mp3d/17DRP5sb8fy"),
        ("data/scene_datasets/mp3d/17DRP5sb8fy/17DRP5sb8fy.glb", "mp3d/17DRP5sb8fy"),
        ("data/scene_dataset/mp3d/17DRP5sb8fy/17DRP5sb8fy.glb", "mp3d/17DRP5sb8fy"),
        ("office_1/habitat/mesh_semantic.ply", "replica/office_1"),
        ("data/scene_datasets/replica/frl_apartment_0/habitat/mesh_semantic.ply", "replica/frl_apartment_0"),
        ("hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb", "hm3d/00800-TEEsavR23oF"),
        ("hm3d_v0.2/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb", "hm3d/00800-TEEsavR23oF"),
        ("data/scene_datasets/gibson/Cantwell.glb", "gibson/Cantwell"),
        ("procedural-0007", "procedural-0007"),
        ("houses/flat.glb", "houses/flat.glb"),
    ],
)
def test_scene_ids_become_those_of_avw(filed: str, ours: str) -> None:
    assert scene_of(filed) == ours


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scene_id": "../../etc/passwd"}, "leads out"),
        ({"scene_id": "/etc/passwd"}, "leads out"),
        ({"scene_id": 3}, "scene_id is not a name"),
        ({"start_position": [1.0, 2.0]}, "start_position is not 3 numbers"),
        ({"start_position": [1.0, float("nan"), 2.0]}, "start_position has 'nan'"),
        ({"start_position": [1.0, True, 2.0]}, "start_position has 'True'"),
        ({"start_rotation": [0, 0, 0, 0]}, "is not a rotation"),
        ({"start_rotation": [0.7071, 0, 0, 0.7071]}, "is not upright"),
        ({"goals": []}, "no goals"),
        ({"goals": [{"position": None}]}, r"goals\[0\].position"),
        ({"info": [1]}, "info is not a JSON object"),
        ({"info": {"geodesic_distance": "far"}}, "geodesic_distance has 'far'"),
        ({"episode_id": None}, "episode_id is None"),
        ({"info": {"sound": ["a"]}}, "sound is not a name"),
    ],
)
def test_invalid_episodes_are_named_in_the_error(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    path = write_split(tmp_path / "val", [row("0"), row("1") | changes])
    with pytest.raises(DatasetError, match=rf"episode 1: .*{says}"):
        read_episodes(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>404</html>", "is not valid JSON"),
        (gzip.compress(b"x" * 1_000_000)[:200], "cannot be unpacked"),
        (gzip.compress(b'{"episodes": 3}'), "a list called 'episodes'"),
        (gzip.compress(b"[]"), "a list called 'episodes'"),
        (gzip.compress(b'{"episodes": [3]}'), "episode 0: it is not a JSON object"),
        (gzip.compress(b'{"episodes": []}'), "have no episodes"),
        (gzip.compress(b"[" * 100_000), "is not valid JSON"),
    ],
)
def test_files_that_are_not_episode_files_are_rejected(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "val.json.gz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=says):
        read_episodes(path)
    with pytest.raises(DatasetError, match="there is no episode file"):
        read_episodes(tmp_path / "absent.json.gz")


def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episode_file, "MAX_FILE_BYTES", 10_000)
    path = tmp_path / "val.json.gz"
    path.write_bytes(gzip.compress(b" " * 50_000 + json.dumps({"episodes": [row()]}).encode()))
    with pytest.raises(DatasetError, match="unpacks to more than"):
        read_episodes(path)


def test_starts_and_goals_are_moved_to_the_simulators_floor() -> None:
    navgrid = free_space_of(shoebox((6.0, 3.0, 5.0)))
    xs = navgrid.near(np.zeros(3), 50.0)
    middle_3 = xs.mean(axis=0)
    inside = FiledEpisode(
        episode_id="9", scene="box", start=Pose(middle_3[0] + 0.013, 0.15, middle_3[2], 1.0),
        goal_3=(float(xs[:, 0].max()) + 0.3, -0.1, float(middle_3[2])),
    )  # fmt: skip
    start, source = place_episode(navgrid, inside, "ring", 5)
    assert (start.x, start.z, start.yaw) == (inside.start.x, inside.start.z, 1.0)  # only the height is ours
    assert start.y == navgrid.floor_y
    assert navgrid.is_free(np.array(source.floor_3))  # a goal in the wall moves to the nearest free floor
    assert 0.25 < inside.goal_3[0] - source.floor_3[0] < 0.36
    assert source.position_3[1] == source.floor_3[1] + 1.5
    assert (source.sound, source.phase) == ("ring", 5)
    for far in (Pose(99.0, 0.0, 0.0, 0.0), Pose(middle_3[0], 3.0, middle_3[2], 0.0)):
        with pytest.raises(UsageError, match=r"episode 9 of box: its start .* off the floor"):
            place_episode(navgrid, dataclasses.replace(inside, start=far), "ring")
