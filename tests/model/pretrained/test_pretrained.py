"""A run exported as one file, and the model that ships with AVW: made, found, used, and said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from avw import WorldModel, open_dataset
from avw.cli.main import avw
from avw.model import checkpoint
from avw.model.pretrained.card import read_origin
from avw.model.pretrained.export import ExportedModel, export_checkpoint, made_card
from avw.model.run_folder import chosen_run
from avw.sim_bridge.errors import CheckpointError, NoRunError, RunError, UsageError
from benchmarks.half_precision import differences

LIMITS = {"image": 0.5, "depth": 0.01, "sound": 0.1, "reward": 0.02, "success": 0.01}
"""Largest mean difference per predicted step: half a grey level, 1 %, 0.1 dB, 2 cm, 1 %."""


@pytest.fixture(scope="module")
def shipped(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model that ships, with the tiny model in it."""
    folder = tmp_path_factory.mktemp("package") / "pretrained"
    run = tmp_path_factory.mktemp("runs") / "evaluated"
    shutil.copytree(tiny_run, run)
    metric = {"model": 20.5, "reprojection": 19.0, "persistence": None, "unknown": 3.0}
    evaluation = {"split": "test", "scenes": ["a", "b"], "horizons": {"1": {"psnr": metric, "other": metric}}}
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    (run / "navigation.json").write_text(json.dumps({"policies": {"mpc": {"sr": [0.5, 0.25, 0.75], "x": [1, 2, 3]}}}))
    export_checkpoint(run, folder / "model.safetensors")
    return folder


@pytest.fixture
def with_model(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without runs, and an AVW that contains the tiny model."""
    for module in ("avw.model.run_folder", "avw.model.report.overview"):
        monkeypatch.setattr(f"{module}.SHIPPED", shipped)
    monkeypatch.chdir(tmp_path)
    return shipped


@pytest.fixture
def without_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same without a model, as before `make results`."""
    monkeypatch.setattr("avw.model.run_folder.SHIPPED", tmp_path / "pretrained")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_avw(*arguments: str) -> Result:
    return CliRunner().invoke(avw, list(arguments))


def test_the_exported_file_is_half_as_large_and_says_where_it_comes_from(
    tiny_run: Path, shipped: Path, data_path: Path
) -> None:
    file = shipped / "model.safetensors"
    tensors, note = checkpoint.load(tiny_run / "model.safetensors")
    floats = sum(tensor.numel() for tensor in tensors.values() if tensor.dtype == torch.float32)
    assert file.stat().st_size < 3 * floats + 100_000
    origin = read_origin(file)
    assert origin is not None
    dataset = open_dataset(data_path)
    assert origin.spec.sha256 == dataset.spec.sha256
    assert origin.scenes("test") == sorted({ref.scene for ref in dataset.episodes("test")})
    assert origin.card["evaluation"]["horizons"] == {
        "1": {"psnr": {"model": 20.5, "reprojection": 19.0, "persistence": None}}
    }
    assert origin.card["navigation"] == {"mpc": {"sr": [0.5, 0.25, 0.75]}}
    assert origin.card["licences"] == note["licences"]
    assert str(data_path.parent).encode() not in file.read_bytes()  # no path of this machine


def test_the_weights_are_the_moving_average(tiny_run: Path, shipped: Path) -> None:
    average = checkpoint.load(tiny_run / "stage-3.safetensors")[0]
    exported = checkpoint.load(shipped / "model.safetensors")[0]
    names = [name.removeprefix("ema.") for name in average if name.startswith("ema.")]
    assert len(names) > 50
    for name in names:
        torch.testing.assert_close(exported[f"net.{name}"], average[f"ema.{name}"], rtol=2e-3, atol=1e-4)


def test_rounded_weights_change_predictions_little(tiny_run: Path, shipped: Path, data_path: Path) -> None:
    models = WorldModel.load(tiny_run), WorldModel.load(shipped)
    episodes = open_dataset(data_path).split("test")
    found = differences(*models, episodes, start=8, horizon=8)
    assert set(found) == set(LIMITS)
    assert {name: values.max() for name, values in found.items() if values.max() > LIMITS[name]} == {}
    assert any(values.max() > 0 for values in found.values())


def test_exporting_twice_gives_the_same_content(tiny_run: Path, tmp_path: Path) -> None:
    first, second = (export_checkpoint(tiny_run, tmp_path / name / "a.safetensors") for name in "ab")
    (tensors, note), (others, same) = (checkpoint.load(Path(made.file)) for made in (first, second))
    assert note == same
    assert all(torch.equal(tensors[name], others[name]) for name in tensors)
    assert first.missing == ("evaluation.json", "navigation.json")
    assert "Not evaluated." in Path(first.card).read_text()


def test_the_card_as_text_has_data_licences_and_figures(shipped: Path) -> None:
    text = (shipped / "model.md").read_text()
    assert "| PSNR, dB ↑ | 1 | 20.50 | 19.00 | – | – |" in text
    assert "| mpc | 0.50 [0.25, 0.75] | – [–, –] | – [–, –] |" in text
    origin = read_origin(shipped)
    assert origin is not None
    assert origin.spec.sha256 in text
    assert "* licence of the sounds: synthesised by AVW" in text


def test_weights_from_elsewhere_have_their_terms_in_the_card_and_no_path_of_this_machine(data_path: Path) -> None:
    dataset = open_dataset(data_path)
    trained = made_card(dataset, {"train": {"init": "", "tokenizers": {"image": "pca", "audio": "cues"}}}, None, None)
    assert trained["licences"] == dataset.info["licences"]
    tokenizers = {"image": "kl:/home/me/kl.safetensors", "audio": "codec:/home/me/codec.safetensors", "hop": 160}
    taken = made_card(dataset, {"train": {"init": "nwm:/home/me/xl.tar", "tokenizers": tokenizers}}, None, None)
    assert "/home/me" not in json.dumps(taken)
    assert taken["train"]["tokenizers"] == {
        "image": "kl:kl.safetensors",
        "audio": "codec:codec.safetensors",
        "hop": 160,
    }
    assert taken["licences"]["restricted"]
    assert "CC-BY-NC" in taken["licences"]["initial weights"]
    assert {"image tokenizer", "audio tokenizer"} <= set(taken["licences"])
    folder = made_card(dataset, {"train": {"tokenizers": {"image": "sd-vae:/home/me/sd", "audio": "cues"}}}, None, None)
    assert folder["train"]["tokenizers"]["image"] == "sd-vae"
    assert set(folder["licences"]) - set(dataset.info["licences"]) == {"image tokenizer"}


def test_values_that_float16_does_not_cover_keep_32_bits() -> None:
    tensors = {"large": torch.tensor([1e6, 1.0]), "tiny": torch.tensor([1e-7]), "plain": torch.tensor([0.3, -2.0])}
    halves = checkpoint.halved({**tensors, "count": torch.tensor([3])})
    kinds = {name: tensor.dtype for name, tensor in halves.items()}
    assert kinds == {
        "large": torch.float32, "tiny": torch.float32, "plain": torch.float16, "count": torch.int64
    }  # fmt: skip


def test_a_model_that_is_saved_again_is_an_ordinary_checkpoint(shipped: Path, tmp_path: Path) -> None:
    model = WorldModel.load(shipped)
    model.save(tmp_path / "again.safetensors")
    tensors, note = checkpoint.load(tmp_path / "again.safetensors")
    assert checkpoint.STORED not in checkpoint.read_note(tmp_path / "again.safetensors")
    assert "card" in note
    expected = checkpoint.load(shipped / "model.safetensors")[0]
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_a_card_with_another_spec_is_refused(shipped: Path, tmp_path: Path) -> None:
    tensors, note = checkpoint.load(shipped / "model.safetensors")
    note["card"]["spec"]["steps"] = 5
    checkpoint.save(tmp_path / "model.safetensors", tensors, note)
    with pytest.raises(CheckpointError, match="export the model again"):
        read_origin(tmp_path)


def test_only_a_finished_run_can_be_exported(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.safetensors"):
        export_checkpoint(tiny_run, tmp_path / "model.bin")
    with pytest.raises(NoRunError, match="does not exist"):
        export_checkpoint(tmp_path, tmp_path / "a.safetensors")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(tiny_run / "model.safetensors", alone)
    with pytest.raises(NoRunError, match=r"config\.json"):
        export_checkpoint(alone, tmp_path / "a.safetensors")


def test_runs_latest_comes_first_then_the_model_that_ships(with_model: Path, tiny_run: Path) -> None:
    said: list[str] = []
    assert chosen_run(None, said.append) == with_model
    assert chosen_run("pretrained") == with_model
    assert "the model that ships with AVW" in said[0]
    Path("runs").mkdir()
    Path("runs/latest").symlink_to(tiny_run)
    assert chosen_run(None, said.append) == Path("runs/latest")
    assert "runs/latest" in said[1]


def test_imagine_without_a_run_and_without_its_dataset(with_model: Path) -> None:
    done = run_avw("imagine", "--walk", "14", "--horizon", "4", "--json")
    assert done.exit_code == 0, done.output
    assert "using the model that ships with AVW" in done.stderr
    assert "The dataset of this model is not here" in done.stderr
    result = json.loads(done.stdout)
    origin = read_origin(with_model)
    assert origin is not None
    assert result["scene"] == origin.scenes("test")[0]
    assert Path(result["folder"]).is_relative_to("runs/pretrained")
    assert (Path(result["folder"]) / "strip.png").is_file()
    assert not list(with_model.glob("imagination*"))


def test_evaluate_without_a_run_takes_the_named_dataset(with_model: Path, data_path: Path) -> None:
    done = run_avw("evaluate", "--count", "4", "--horizons", "1", "--parts", "ranking")
    assert done.exit_code == 1
    assert "data/data, which is not there" in done.stderr
    arguments = ("--count", "4", "--horizons", "1", "--parts", "ranking", "--json")
    done = run_avw("evaluate", "pretrained", str(data_path), *arguments)
    assert done.exit_code == 0, done.output
    written = json.loads(Path("runs/pretrained/evaluation.json").read_text())
    assert written["horizons"]["1"]["psnr"]["model"] > 0
    assert not (with_model / "evaluation.json").exists()


def test_the_dataset_of_a_preset_is_named_with_its_command(with_model: Path, tmp_path: Path) -> None:
    tensors, note = checkpoint.load(with_model / "model.safetensors")
    note["card"]["generate"] = "avw generate data/rooms-v1 --preset rooms-v1"
    checkpoint.save(tmp_path / "other.safetensors", tensors, note)
    done = run_avw("evaluate", "other.safetensors")
    assert done.exit_code == 1
    assert "Make it: avw generate data/rooms-v1 --preset rooms-v1" in done.stderr


def test_navigate_plans_with_the_model_that_ships(with_model: Path, flats: tuple[str, ...]) -> None:
    done = run_avw("navigate", "--episodes", "1", "--workers", "1", "--json")
    assert done.exit_code == 0, done.output
    assert "using the model that ships with AVW" in done.stderr
    assert Path("runs/pretrained/navigation.json").is_file()
    origin = read_origin(with_model)
    assert origin is not None
    assert json.loads(done.stdout)["scenes"] == origin.scenes("test")


def test_info_describes_the_model_that_ships(with_model: Path) -> None:
    done = run_avw("info", "pretrained")
    assert done.exit_code == 0, done.output
    assert "weights in float16" in done.stdout
    assert "PSNR, dB: 20.50 at 1 steps ahead" in done.stdout
    assert "Next: avw play pretrained" in done.stdout


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What `avw play` would serve."""
    found: list[tuple[object, ...]] = []

    class Server:
        url, server_port = "", 0

        def __init__(self, config: object, model: object, **rest: object) -> None:
            found.append((config, model))

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *error: object) -> None:
            return None

        def prepare(self) -> None:
            return None

        def serve_forever(self) -> None:
            return None

    monkeypatch.setattr("avw.model.play.site.PlayServer", Server)
    return found


@pytest.mark.parametrize("arguments", [(), ("pretrained",), ("flat-b.glb",), ("--scene", "flat-b.glb")])
def test_play_imagines_with_the_model_that_ships(
    with_model: Path, played: list[tuple[object, ...]], arguments: tuple[str, ...]
) -> None:
    done = run_avw("play", "--no-browser", *arguments)
    assert done.exit_code == 0, done.output
    ((config, model),) = played
    assert isinstance(model, WorldModel)
    origin = read_origin(with_model)
    assert origin is not None
    assert config.scene == ("flat-b.glb" if "flat-b.glb" in arguments else origin.scenes("test")[0])  # type: ignore[attr-defined]
    assert config.simulator.size == model.size  # type: ignore[attr-defined]
    assert ("using the model that ships" in done.stderr) == (arguments != ("pretrained",))


def test_play_shows_the_simulator_alone_if_asked(with_model: Path, played: list[tuple[object, ...]]) -> None:
    assert run_avw("play", "--no-browser", "--simulator-only").exit_code == 0
    assert played[0][1] is None
    done = run_avw("play", "--no-browser", "--simulator-only", "pretrained")
    assert done.exit_code == 2
    assert "does not go with the run pretrained" in done.stderr


def test_without_any_model_play_says_so_and_shows_the_simulator(
    without_model: Path, played: list[tuple[object, ...]]
) -> None:
    done = run_avw("play", "--no-browser")
    assert done.exit_code == 0, done.output
    assert played[0][1] is None
    assert "Showing the simulator alone: no run is named" in done.stderr
    assert "avw export RUN --to checkpoint --out" in done.stderr


@pytest.mark.parametrize("command", ["imagine", "evaluate", "navigate", "imagine pretrained", "info pretrained"])
def test_without_any_model_other_commands_say_what_to_type(without_model: Path, command: str) -> None:
    done = run_avw(*command.split())
    assert done.exit_code == 2, done.output
    assert "contains no trained model" in done.stderr
    assert "Train one: avw train DATA" in done.stderr


def test_the_command_writes_the_file_and_its_card(tiny_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "nano.safetensors"
    done = run_avw("export", str(tiny_run), "--to", "checkpoint", "--out", str(file))
    assert done.exit_code == 0, done.output
    assert "has no evaluation.json, so the card has no figures of it" in done.stderr
    assert f"Next: avw play {file}" in done.stdout
    assert file.with_suffix(".md").is_file()
    made = json.loads(run_avw("export", str(tiny_run), "--to", "checkpoint", "--out", str(file), "--json").stdout)
    assert ExportedModel(**{**made, "kept": tuple(made["kept"]), "missing": tuple(made["missing"])}).bytes > 0
    assert np.isfinite(WorldModel.load(file).imagine(open_dataset(_data(tiny_run))[0], actions=[1] * 2, t=9).reward)
    wrong = run_avw("export", str(tiny_run), "--to", "checkpoint", "--split", "test")
    assert wrong.exit_code == 2


def _data(run: Path) -> Path:
    return Path(json.loads((run / "config.json").read_text())["data"])


def test_a_run_whose_dataset_is_gone_cannot_be_exported(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    config = json.loads((run / "config.json").read_text()) | {"data": "/nowhere", "data_from_run": "nowhere"}
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="which is not there"):
        export_checkpoint(run, tmp_path / "a.safetensors")
