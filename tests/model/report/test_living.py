"""The page of trainings: the curves are those of the log, it updates, and it says how configurations differ."""

from __future__ import annotations

import json
import re
import shutil
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.cli.main import avw
from avw.model.report.living import LivingServer, Run, curves, page
from avw.model.run_folder import read_log
from avw.sim_bridge.errors import NoRunError, RunError, UsageError
from tests.browser import MISSING, Browser, find_browser


@pytest.fixture
def going(tiny_run: Path, tmp_path: Path) -> Path:
    """A run in its third stage, without a model yet."""
    run = tmp_path / "going"
    run.mkdir()
    for name in ("config.json", "log.jsonl"):
        shutil.copy(tiny_run / name, run)
    return run


def test_each_stage_has_its_losses_its_learning_rate_and_the_norm_of_its_gradient(going: Path) -> None:
    text = curves([going])
    losses = {name for row in read_log(going / "log.jsonl") if row["stage"] == "3" for name in row}
    assert "audio" in losses
    joint = text[text.index("<h2>Stage 3") :].split("<section>")[0]
    for title in ("loss: vision", "loss: audio", "learning rate", "norm of the gradient", "targets per second"):
        assert f'aria-label="{title}"' in joint
    assert "Stage 3: joint, with reward: step 1 of 1" in text
    assert "Configurations that differ" not in text


def test_lines_are_the_values_of_the_log(going: Path) -> None:
    rows = [{"stage": "3", "step": step, "vision": 2.0 / step, "gradient": 1.0} for step in (10, 20)]
    rows[1]["val_vision"] = 0.3
    (going / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"stage": "3", "st')
    run = Run(going, "#000")
    assert (run.line("3", "vision").x, run.line("3", "vision").y) == ([10.0, 20.0], [0.2, 0.1])
    assert (run.line("3", "val_vision").x, run.line("3", "val_vision").y) == ([20.0], [0.3])
    assert run.line("3", "missing").x == []
    assert 'stroke-dasharray="5 4"' in curves([going])


def test_runs_are_compared_with_their_differences(going: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(going, other)
    config = json.loads((other / "config.json").read_text())
    config["train"]["seed"] = 7
    (other / "config.json").write_text(json.dumps(config))
    text = curves([going, other])
    table = text[text.index("Configurations that differ") :].split("</table>")[0]
    assert "<td>train.seed</td><td>0</td><td>7</td>" in table
    assert table.count("<tr>") == 2
    colours = set(re.findall(r'stroke="(#[0-9a-f]{6})"', text))
    assert len(colours) == 2


def test_the_page_updates_while_the_training_goes_on(going: Path) -> None:
    with LivingServer([going]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        with urllib.request.urlopen(server.url) as answer:
            assert "AVW · training" in answer.read().decode()
        with (going / "log.jsonl").open("a") as file:
            file.write(json.dumps({"stage": "3", "step": 4321, "vision": 0.5}) + "\n")
        with urllib.request.urlopen(server.url + "curves") as answer:
            assert "step 4321" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(server.url + "other").close()
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.skipif(find_browser() is None, reason=MISSING)
def test_values_below_the_pointer_and_a_hidden_run_stays_hidden(going: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(going, other)
    for run, loss in ((going, 0.25), (other, 0.5)):
        rows = [{"stage": "3", "step": step, "vision": loss} for step in (10, 20, 30)]
        (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    hidden = f"getComputedStyle(document.querySelector('polyline[data-series=\"{other}\"]')).display"
    with LivingServer([going, other]) as server, Browser() as browser:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        browser.open(server.url)
        browser.evaluate("document.querySelector('svg.chart').scrollIntoView({block: 'center', behavior: 'instant'})")
        left, top, width, height = browser.box("document.querySelector('svg.chart polyline')")
        browser.move(left + width / 2, top + height / 2)
        assert browser.evaluate("Hover.box.textContent").startswith("step 20")
        assert browser.evaluate("[...Hover.box.querySelectorAll('output')].map((o) => o.textContent)") == [
            "0.25",
            "0.5",
        ]
        browser.evaluate("document.querySelectorAll('button.chip')[1].click()")
        with (going / "log.jsonl").open("a") as file:
            file.write(json.dumps({"stage": "3", "step": 40, "vision": 0.1}) + "\n")
        browser.evaluate("refresh()")
        assert "step 40" in browser.evaluate("runs.textContent")
        assert browser.evaluate(hidden) == "none"
        browser.evaluate("document.querySelectorAll('button.chip')[1].click()")
        assert browser.evaluate(hidden) != "none"
        assert browser.errors == []
        server.shutdown()
        thread.join()


def test_a_name_in_a_log_cannot_become_markup(going: Path) -> None:
    row = {"stage": "<img src=x>", "step": 1, "<script>alert(1)</script>": 1.0}
    (going / "log.jsonl").write_text(json.dumps(row) + "\n")
    text = page([going])
    assert "<script>alert" not in text
    assert "<img" not in text


def test_folders_without_a_training_are_refused(going: Path, tmp_path: Path) -> None:
    with pytest.raises(NoRunError):
        LivingServer([tmp_path])
    with pytest.raises(UsageError, match="at most"):
        LivingServer([going] * 9)
    (going / "config.json").write_text("{")
    with pytest.raises(RunError):
        LivingServer([going])


def test_the_command_shows_the_training_of_a_run_without_a_model(
    going: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[list[Path]] = []
    monkeypatch.setattr("avw.cli.view.serve", lambda server, **rest: shown.append(server.folders))
    for arguments in ([str(going)], [str(tiny_run), "--training"], [str(going), str(tiny_run)]):
        assert CliRunner().invoke(avw, ["view", *arguments]).exit_code == 0
    assert shown == [[going], [tiny_run], [going, tiny_run]]
    wrong = CliRunner().invoke(avw, ["view", str(going), "--export", "x.html"])
    assert wrong.exit_code == 2
    assert "--export and --episodes" in wrong.stderr
