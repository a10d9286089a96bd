"""generate, verify, info and scenes on the command line: their output and exit codes."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
import trimesh
from click.testing import CliRunner, Result

from avw.cli.generate import duration
from avw.cli.main import avw
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from tests.sim_bridge.audionav_files import row, write_split
from tests.sim_bridge.boxes import box_scene, flat
from tests.sim_bridge.material_maps import write_map

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(avw, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def glb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "flat.glb"
    export_glb(box_scene(*flat()), path)
    return path


@pytest.fixture(scope="module")
def small(glb: Path) -> list[str]:
    """Options for a dataset that takes a few seconds."""
    sizes = "--trajectories 2 --steps 4 --size 16 --emitters 500 --workers 1 --episodes-per-shard 1"
    return ["--scenes", str(glb), *sizes.split()]


@pytest.fixture(scope="module")
def data(small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "data"
    result = CliRunner().invoke(avw, ["generate", str(folder), *small, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)  # exactly one document
    assert document["complete"] is True
    assert document["steps"] == 8
    assert "generate: 100%" in result.stderr
    return folder


def test_running_the_same_command_again_changes_nothing(run: Run, data: Path, small: list[str]) -> None:
    result = run("generate", data, *small)
    assert result.exit_code == 0
    assert "2 trajectories, 8 steps, 2 shards" in result.stdout


def test_a_dry_run_prints_a_forecast_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    result = run("generate", folder, "--preset", "avw-4k", "--size", 32, "--emitters", 500, "--dry-run")
    assert result.exit_code == 0
    assert (
        "4,500 trajectories of 160 steps = 720,000 steps (30.00 h) in 76 scenes (51 train, 8 val, 17 test)"
        in result.stdout
    )
    document = json.loads(
        run("generate", folder, "--scenes", "procedural:3", "--size", 32, "--dry-run", "--json").stdout
    )
    assert document["spec"]["scenes"] == ["procedural-0000", "procedural-0001", "procedural-0002"]
    assert document["shards_left"] == 9
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--steps 0", "--steps is 0: expected a whole number of at least 1"),
        ("--steps 501", "at most 500 steps"),
        ("--trajectories 0", "--trajectories is 0"),
        ("--scenes nowhere.glb", "nowhere.glb"),
        ("--scenes mp3d", "no scene of mp3d is under"),
        ("--preset avw-4k --scenes mp3d", "is missing, because"),
        ("--sound nothing.wav", "nothing.wav"),
        ("--shard 4/4", "expected I/N with I from 0 to N - 1"),
        ("--shard x", "expected I/N with I from 0 to N - 1"),
        ("--backend dream", "Invalid value for '--backend'"),
    ],
)
def test_invalid_requests_exit_2_with_a_reason(run: Run, tmp_path: Path, options: str, message: str) -> None:
    result = run("generate", tmp_path / "data", *options.split())
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert not list((tmp_path / "data").glob("*.h5"))


@pytest.mark.parametrize(
    ("python", "message"),
    [("/no/such/python", "cannot be run"), ("/", "cannot be run"), (sys.executable, "habitat-sim is not installed in")],
)
def test_a_missing_habitat_is_reported_before_anything_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str, message: str
) -> None:
    monkeypatch.setenv("AVW_HABITAT_PYTHON", "")  # the option sets this variable; monkeypatch restores it
    if python == sys.executable and importlib.util.find_spec("habitat_sim"):
        pytest.skip("this Python has habitat-sim")
    result = run("generate", tmp_path / "data", "--backend", "habitat", "--habitat-python", python)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "--habitat-python" in result.stderr
    assert not (tmp_path / "data").exists()


def test_another_spec_in_the_folder_exits_2(run: Run, data: Path, small: list[str]) -> None:
    result = run("generate", data, *small, "--seed", 3)
    assert result.exit_code == 2
    assert "another spec (seed: 0 stored, 3 requested)" in result.stderr


def test_an_invalid_mesh_exits_2(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.glb"
    broken.write_bytes(b"no mesh")
    result = run("generate", tmp_path / "data", "--scenes", broken, "--trajectories", 1)
    assert result.exit_code == 2
    assert "broken.glb" in result.stderr


def test_sounds_can_be_a_folder_and_unreadable_ones_are_found_first(run: Run, tmp_path: Path, small: list[str]) -> None:
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    result = run("generate", tmp_path / "data", *small, "--sound", sounds)
    assert result.exit_code == 2
    assert "no sound in" in result.stderr
    soundfile.write(sounds / "a.wav", np.sin(np.arange(1600)).astype(np.float32), 16000)
    dry = json.loads(run("generate", tmp_path / "data", *small, "--sound", sounds, "--dry-run", "--json").stdout)
    assert dry["spec"]["sounds"] == [str(sounds / "a.wav")]
    assert str(sounds / "a.wav") in dict(dry["spec"]["assets"])
    (sounds / "b.wav").write_bytes(b"silence")
    result = run("generate", tmp_path / "data", *small, "--sound", sounds)
    assert result.exit_code == 2
    assert "b.wav" in result.stderr
    assert not (tmp_path / "data").exists()


def test_the_data_name_the_material_map(run: Run, tmp_path: Path, small: list[str]) -> None:
    materials = write_map(tmp_path / "map.json")
    made = run("generate", tmp_path / "data", *small, "--materials", materials, "--stream", "soundspaces")
    assert made.exit_code == 0, made.output
    info = json.loads((tmp_path / "data" / "info.json").read_text())
    assert info["spec"]["simulator"]["materials"] == str(materials)
    assert str(materials) in dict(info["spec"]["assets"])  # a changed map under the same name makes another dataset
    rows = pyarrow.parquet.read_table(tmp_path / "data" / "episodes.parquet").to_pylist()
    assert all(0.0 <= row["materials_named"] <= 1.0 for row in rows)
    card = (tmp_path / "data" / "README.md").read_text()
    assert "`map.json`, which has a label for" in card
    assert "--stream soundspaces" in card
    described = run("info", small[1], "--materials", materials, "--json")
    values = json.loads(described.stdout)
    assert values["material_map"] == "map.json"
    assert values["material_coverage"] == rows[0]["materials_named"]
    assert run("generate", tmp_path / "data", *small).exit_code == 2  # without the map it is another dataset
    materials.write_text("{}")
    spoiled = run("generate", tmp_path / "other", *small, "--materials", materials)
    assert spoiled.exit_code == 2
    assert "a list called 'materials'" in spoiled.output


def test_verify_finds_and_repairs_damage(run: Run, data: Path, small: list[str], tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    good = run("verify", copy)
    assert good.exit_code == 0
    assert "no damage found; 2 shards, 8 steps" in good.stdout
    content = (copy / "train-00001.h5").read_bytes()
    (copy / "train-00001.h5").write_bytes(content[:-100])
    bad = run("verify", copy)
    assert bad.exit_code == 1
    assert "train-00001.h5" in bad.stderr
    assert "--repair" in bad.stderr
    document = json.loads(run("verify", copy, "--json").stdout)
    assert document["ok"] is False
    repaired = run("verify", copy, "--repair")
    assert repaired.exit_code == 0
    assert "repaired: train-00001.h5" in repaired.stdout
    assert (copy / "train-00001.h5").read_bytes() == content
    replayed = run("verify", copy, "--replay", 1)
    assert replayed.exit_code == 0
    assert "1 episodes simulated again: every byte is the same" in replayed.stdout


def test_verify_of_an_empty_folder_exits_2(run: Run, tmp_path: Path) -> None:
    result = run("verify", tmp_path)
    assert result.exit_code == 2
    assert "holds no dataset" in result.stderr


def test_info_describes_datasets_runs_and_scenes(run: Run, data: Path, glb: Path, tmp_path: Path) -> None:
    assert "2 trajectories of 4 steps (complete)" in run("info", data).stdout
    assert json.loads(run("info", data, "--json").stdout)["steps"] == 8
    (tmp_path / "config.json").write_text('{"size": "nano"}')
    assert json.loads(run("info", tmp_path, "--json").stdout)["config"] == {"size": "nano"}
    assert json.loads(run("info", glb, "--json").stdout)["free_floor_m2"] > 30
    assert run("info", tmp_path / "nothing").exit_code == 2


def test_info_describes_a_shard_and_an_episode_file(run: Run, data: Path, tmp_path: Path) -> None:
    shard = next(data.glob("*.h5"))
    values = json.loads(run("info", shard, "--json").stdout)
    assert values["dataset"] == str(data.resolve())
    assert values["steps"] == 4 * len(values["episodes"])
    assert f"a shard of the dataset {data.resolve()}" in run("info", shard).stdout
    (tmp_path / "alone.h5").write_bytes(shard.read_bytes())
    alone = run("info", tmp_path / "alone.h5")
    assert alone.exit_code == 1
    assert "not in the folder of a dataset" in alone.stderr
    file = write_split(tmp_path / "val", [row("7"), row("8")])
    text = run("info", file).stdout
    assert "2 navigation episodes" in text
    assert "1 (mp3d/17DRP5sb8fy)" in text
    assert "3.0 to 3.0 m" in text
    file.write_bytes(b"damaged")
    assert run("info", file).exit_code == 1


def test_info_and_others_say_what_is_wrong_with_a_path(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "my.py").write_text("")
    cut = tmp_path / "cut"
    shutil.copytree(data, cut)
    shard = next(cut.glob("*.h5"))
    shard.write_bytes(shard.read_bytes()[:1000])
    wrong = [
        (("info", str(tmp_path / "empty")), 2, "contains neither a dataset nor a run"),
        (("info", str(data / "info.json")), 2, f"is part of a dataset or of a run; type: avw info {data}"),
        (("info", str(data), "--picture", "x.png"), 2, "draws the floor plan of a scene"),
        (("info", "procedural-0007", "--plots", "x"), 2, "draws the statistics of a dataset"),
        (("info", str(shard)), 1, "--repair"),
        (("view", str(tmp_path / "my.py")), 2, "is a file, not the folder of a dataset"),
        (("verify", str(tmp_path / "my.py")), 2, "is a file, not the folder of a dataset"),
        (("report", str(tmp_path / "my.py")), 2, "is a file, not the folder of a run"),
        (("report", str(data)), 2, "is a dataset, not a run. Create a run: avw train DATA --out runs/mine"),
        (("navigate", "--model", str(data)), 2, "is a dataset, not a run, and --policy mpc needs a trained model"),
        (("navigate", "--model", "nosuch"), 2, "nosuch does not exist, and --policy mpc needs a trained model"),
        (("navigate", "--model", "pretrained", "--policy", "beam"), 2, "--policy --out runs/mine"),
        (("navigate", "--model", "pretrained", "--device", "nope"), 2, "PyTorch cannot use this device"),
        (("navigate", "--episode-file", "nosuch.json.gz"), 2, "there is no episode file nosuch.json.gz"),
        (("navigate", "--task", "unheard", "--sound", "ring"), 2, "chooses the sounds"),
        (("navigate", "--task", "small-houses", "--scenes", "procedural:2"), 2, "has houses of its own"),
    ]
    for arguments, code, words in wrong:
        result = run(*arguments)
        assert (result.exit_code, words in result.stderr) == (code, True), (arguments, result.stderr)
        assert "Did you mean" not in result.stderr


def test_info_of_a_dataset_names_shards_that_are_missing(run: Run, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "cut")
    shard = next((tmp_path / "cut").glob("*.h5"))
    shard.unlink()
    result = run("info", tmp_path / "cut")
    assert result.exit_code == 0
    assert f"missing or cut short: 1 shard ({shard.name}); type: avw verify" in result.stdout
    assert "missing or cut short" not in run("info", data).stdout


def test_info_knows_the_shipped_episode_sets(run: Run) -> None:
    assert "216 navigation episodes" in run("info", "rooms-v1-test").stdout


def test_scenes_lists_and_exports(run: Run, glb: Path, tmp_path: Path) -> None:
    assert run("scenes", "procedural:3", "--names").stdout.split() == [f"procedural-000{i}" for i in range(3)]
    rows = json.loads(run("scenes", glb, "--json", "--export", tmp_path / "out").stdout)
    assert [row["scene"] for row in rows] == [str(glb)]
    assert Path(rows[0]["file"]).stat().st_size > 1000
    assert "free floor" in run("scenes", glb).stdout


@pytest.mark.parametrize(("seconds", "text"), [(3.4, "3 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")])
def test_durations_as_text(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_info_lints_scenes(run: Run, glb: Path, tmp_path: Path) -> None:
    result = run("info", glb, "--picture", tmp_path / "plan" / "flat.png")
    assert result.exit_code == 0, "warnings alone must not fail"
    assert "up axis      y (written by AVW)" in result.stdout or "up axis      y (given by" in result.stdout
    assert (tmp_path / "plan" / "flat.png").stat().st_size > 1000
    document = json.loads(run("info", f"{glb}?units=cm", "--json").stdout)
    assert document["findings"][0]["severity"] == "error"
    assert run("info", f"{glb}?units=cm").exit_code == 1
    assert run("info", f"{glb}?units=fathom").exit_code == 2
    assert run("info", "procedural-0003", "--strict").exit_code == 0
    plain = tmp_path / "scan.ply"
    trimesh.creation.box((6.0, 2.6, 5.0)).export(plain)
    assert "warning  materials: the labels give the material of 0.0%" in run("info", plain).stdout
    assert run("info", plain).exit_code == 0
    assert run("info", plain, "--strict").exit_code == 1
    refused = run("generate", tmp_path / "refused", "--scenes", plain, "--trajectories", 1, "--steps", 20, "--strict")
    assert refused.exit_code == 2
    assert "does not pass" in refused.stderr
    assert not (tmp_path / "refused").exists()
