"""Exports, read back with the formats' own libraries where they are installed."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from avw.avw4k.exports.export import FORMATS, export
from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.cli.main import avw
from avw.sim_bridge.errors import BackendError, DatasetError, UsageError
from avw.sim_bridge.process.ffmpeg import find_ffmpeg


@pytest.fixture(scope="module")
def dataset(reference: Path) -> Dataset:
    return open_dataset(reference)


@pytest.fixture(scope="module")
def tars(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tars") / "out"
    assert export(dataset, out, "webdataset").episodes == 6
    return out


@pytest.fixture(scope="module")
def lerobot(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lerobot") / "out"
    assert export(dataset, out, "lerobot").steps == 72
    return out


# WebDataset


def test_tars_are_numbered_by_split_and_always_the_same(dataset: Dataset, tars: Path, tmp_path: Path):
    names = sorted(path.name for path in tars.iterdir())
    assert names == [f"{split}-{i:06d}.tar" for split in ("test", "train", "val") for i in range(2)]
    export(dataset, tmp_path / "again", "webdataset", splits=("train",))
    assert (tmp_path / "again" / "train-000001.tar").read_bytes() == (tars / "train-000001.tar").read_bytes()
    with tarfile.open(tars / "train-000000.tar") as tar:
        assert all(member.isreg() and member.mtime == 0 for member in tar)


def test_webdataset_gives_every_array_back(dataset: Dataset, tars: Path):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    paths = sorted(str(path) for path in tars.glob("*.tar"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = {int(s["__key__"]): s for s in webdataset.WebDataset(paths, shardshuffle=False).decode()}
    assert len(samples) == 6
    for ref in dataset.episodes():
        sample = samples[ref.index]
        for name, array in dataset.read(ref).items():
            np.testing.assert_array_equal(sample[f"{name}.npy"], array)
        assert sample["json"]["mode"] == ref.mode
        assert sample["json"]["audio_scale"] == dataset.audio_scale


# LeRobot


def test_the_tables_of_lerobot_agree(dataset: Dataset, lerobot: Path):
    info = json.loads((lerobot / "meta" / "info.json").read_text())
    assert info["splits"] == {"train": "0:2", "val": "2:4", "test": "4:6"}
    assert (info["total_episodes"], info["total_frames"]) == (6, 72)
    episodes = pq.read_table(lerobot / "meta" / "episodes").to_pylist()
    by_index = {ref.index: ref for ref in dataset.episodes()}
    for row in episodes:
        ref = by_index[row["avw/index"]]
        file = info["data_path"].format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
        table = pq.read_table(lerobot / file, filters=[("episode_index", "=", row["episode_index"])])
        assert len(table) == row["length"] == row["dataset_to_index"] - row["dataset_from_index"]
        assert table["index"][0].as_py() == row["dataset_from_index"]
        rows = dataset.read(ref, ["actions", "audio", "counterfactual"])
        assert table["action"].to_pylist() == rows["actions"].tolist()
        sound = np.array(table["observation.audio"].to_pylist(), np.float32)
        np.testing.assert_allclose(sound, rows["audio"][:12] * dataset.audio_scale, rtol=1e-6)
        elsewhere = np.array(table["privileged.counterfactual"].to_pylist(), np.float32)
        np.testing.assert_array_equal(elsewhere, rows["counterfactual"][:12])
    stats = json.loads((lerobot / "meta" / "stats.json").read_text())
    assert set(stats) == set(info["features"])
    assert stats["action"]["count"] == [72]
    assert np.shape(stats["observation.images.front"]["mean"]) == (3, 1, 1)


def test_a_dataset_of_schema_2_is_exported_without_counterfactuals(tmp_path: Path):
    old = open_dataset(Path(__file__).parents[1] / "reading" / "fixtures" / "schema-2")
    assert export(old, tmp_path / "out", "lerobot").episodes == 3
    features = json.loads((tmp_path / "out" / "meta" / "info.json").read_text())["features"]
    assert "privileged.geodesic" in features
    assert "privileged.counterfactual" not in features


def test_lerobots_own_library_reads_it(dataset: Dataset, lerobot: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("lerobot.datasets.lerobot_dataset", reason="lerobot is not installed")
        found = module.LeRobotDataset("local/avw", root=lerobot, delta_timestamps={"action": [0.0, 0.15]})
        assert (found.num_episodes, found.num_frames) == (6, 72)
        items = [found[i] for i in (0, 13, 71)]
    for i, item in zip((0, 13, 71), items, strict=True):
        row = pq.read_table(lerobot / "meta" / "episodes").to_pylist()[i // 12]
        ref = next(ref for ref in dataset.episodes() if ref.index == row["avw/index"])
        rows, t = dataset.read(ref), i % 12
        np.testing.assert_array_equal(
            (item["observation.images.front"].numpy() * 255).round().transpose(1, 2, 0), rows["rgb"][t]
        )
        np.testing.assert_allclose(item["observation.depth"].numpy(), rows["depth"][t] / 1000.0, rtol=1e-6)
        np.testing.assert_allclose(item["observation.audio"].numpy(), rows["audio"][t] * dataset.audio_scale, rtol=1e-6)
        assert item["action"].tolist() == [rows["actions"][t], rows["actions"][min(t + 1, 11)]]
        assert item["next.reward"].item() == rows["rewards"][t]
        assert item["timestamp"].item() == pytest.approx(0.15 * t)
        assert {"approach": "walk to", "leave": "walk away", "unrelated": "walk around"}[ref.mode] in item["task"]


# mp4


def test_films_last_as_long_as_their_episodes_and_show_them(dataset: Dataset, tmp_path: Path):
    ffmpeg = find_ffmpeg()
    if ffmpeg is None:
        pytest.skip("neither ffmpeg nor imageio-ffmpeg is installed")
    export(dataset, tmp_path / "out", "mp4", splits=("val",))
    films = sorted((tmp_path / "out" / "val").glob("*.mp4"))
    refs = {f"{ref.index:06d}": ref for ref in dataset.episodes("val")}
    assert [film.stem for film in films] == sorted(refs)
    for film in films:
        rows = dataset.read(refs[film.stem])
        raw = [ffmpeg, "-loglevel", "error", "-i", str(film)]
        video = subprocess.run([*raw, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
        frames = np.frombuffer(video.stdout, np.uint8).reshape(-1, 32, 32, 3)
        assert len(frames) == 13
        assert np.abs(frames.mean(axis=(1, 2)) - rows["rgb"].mean(axis=(1, 2))).max() < 8
        audio = subprocess.run([*raw, "-f", "s16le", "-"], capture_output=True, check=True)
        sound = np.frombuffer(audio.stdout, "<i2").reshape(-1, 2)
        assert len(sound) / 16000 == pytest.approx(13 * 0.15, abs=0.15)
        note = json.loads(film.with_suffix(".json").read_text())
        assert note["actions"] == rows["actions"].tolist()


def test_without_ffmpeg_mp4_says_what_to_do(dataset: Dataset, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(BackendError, match=r"apt-get install ffmpeg.*--to webdataset"):
        export(dataset, tmp_path / "out", "mp4")
    assert not (tmp_path / "out").exists()


# All of them


@pytest.mark.parametrize("to", FORMATS)
def test_a_folder_with_something_in_it_is_left_alone(dataset: Dataset, tmp_path: Path, to: str):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        export(dataset, tmp_path, to)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_damage_leaves_no_half_of_an_export(copy: Path, tmp_path: Path):
    dataset = open_dataset(copy)
    (copy / dataset.episodes()[-1].shard).write_bytes(b"")
    with pytest.raises(DatasetError):
        export(dataset, tmp_path / "out", "webdataset")
    assert not list(tmp_path.glob("out*"))
    with pytest.raises(UsageError, match="unknown format 'zarr'"):
        export(dataset, tmp_path / "out", "zarr")


def test_the_command(reference: Path, tmp_path: Path):
    arguments = [
        "export",
        str(reference),
        "--to",
        "webdataset",
        "--out",
        str(tmp_path / "o"),
        "--split",
        "test",
        "--json",
    ]
    done = CliRunner().invoke(avw, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["episodes"], report["files"]) == (2, 2)
    assert report["bytes"] == sum(path.stat().st_size for path in (tmp_path / "o").iterdir())
