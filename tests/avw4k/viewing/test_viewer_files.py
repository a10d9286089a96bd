"""The viewer in a real browser: files that it saves, addresses of a moment, search and filters."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.viewing.library import Library
from avw.avw4k.viewing.page import write_export
from avw.avw4k.viewing.played import Played, PlayedNote, write_played
from tests.browser import MISSING, Browser, find_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_browser() is None, reason=MISSING)]

READY = "now.player && now.player.stage.images.every((image) => image.complete)"
ROWS = "[...document.querySelectorAll('#list li')].map((row) => row.id.slice(4))"
TYPE = "$('search').value = %r, $('search').dispatchEvent(new Event('input'))"


@pytest.fixture(scope="module")
def run(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a dataset, an imagined future, and the recordings of two policies."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.json").write_text(json.dumps({"data": str(reference)}))
    for name in ("samples", "episodes"):
        (folder / name).mkdir()
    picture = Image.new("RGB", (32, 32))
    for kind in ("truth", "model"):
        picture.save(folder / "samples" / f"future-{kind}.gif")
        soundfile.write(folder / "samples" / f"future-{kind}.wav", np.full((2400, 2), 0.1, np.float32), 16000)
    note = {"name": "future", "scene": "a.glb", "mode": "leave", "episode": 1, "step": 3}
    (folder / "samples" / "samples.json").write_text(json.dumps([note]))
    for episode, policy in enumerate(("mpc", "greedy-audio")):
        note = PlayedNote(
            policy=policy, scene="gone.glb", episode=12 + episode, success=episode == 0, shortest=5.0, dtg=0.5,
            task="standard", hfov=90.0, success_distance=1.0, source=(1.0, 1.5, 0.0),
        )  # fmt: skip
        none = np.zeros(2, np.int64)
        write_played(folder / "episodes" / f"{policy}.npz", Played(
            note, np.zeros((2, 32, 32, 3), np.uint8), np.full((2, 2, 2400), 0.1, np.float32), none.astype(np.uint8),
            np.zeros((2, 4)), np.ones(2), none.astype(bool), none[:0], {},
        ))  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("export") / "run.html"
    write_export(Library(run), ["0", "1", "2", "future", "mpc", "greedy-audio"], path)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(exported: str) -> Iterator[Browser]:
    with Browser() as browser:
        yield browser
        assert browser.errors == []


@pytest.fixture
def page(browser: Browser, exported: str) -> Browser:
    browser.open("about:blank")
    browser.open(f"{exported}#episode=1&t=0.90")
    browser.wait_for(f"{READY} && now.id === '1'")
    return browser


def save(page: Browser, folder: Path, label: str) -> Path:
    page.evaluate("$('menu').open = true")
    page.wait_for("$('downloads').children.length")
    return page.downloaded(
        folder, f"[...$('downloads').children].find((item) => item.textContent.startsWith('{label}')).click()"
    )


def test_an_address_opens_its_moment_and_follows_it(page: Browser, exported: str):
    assert page.evaluate("now.player.seconds") == pytest.approx(0.9, abs=1e-3)
    assert page.evaluate("now.player.frame") == 5
    page.key("ArrowRight")
    page.wait_for("location.hash === '#episode=1&t=1.05'")
    page.evaluate("location.hash = '#episode=2&t=0.3'")
    page.wait_for(f"{READY} && now.id === '2'")
    assert page.evaluate("now.player.seconds") == pytest.approx(0.3, abs=1e-3)
    page.open("about:blank")
    page.open(f"{exported}#2")  # as older versions wrote it
    page.wait_for(f"{READY} && now.id === '2'")
    page.open("about:blank")
    for wrong in ("episode=nowhere&t=x", "%", "episode=2&t=Infinity"):
        page.open(f"{exported}#{wrong}")
        page.wait_for(f"{READY} && now.id")
        page.open("about:blank")


def test_a_file_has_the_name_of_what_is_in_it(page: Browser, tmp_path: Path):
    page.evaluate("$('menu').open = true")
    page.wait_for("$('downloads').children.length")
    page.key("ArrowRight")
    assert page.downloaded(tmp_path, "$('downloads').children[0].click()").name == "episode-1-step-6-camera.png"


def test_the_frame_is_saved_in_its_own_resolution(page: Browser, reference: Path, tmp_path: Path):
    found = save(page, tmp_path, "Camera")
    assert found.name == "episode-1-step-5-camera.png"
    rgb_THWC = read(reference, "rgb")
    with Image.open(found) as picture:
        np.testing.assert_allclose(
            np.asarray(picture.convert("RGB")).mean(axis=(0, 1)), rgb_THWC[5].mean(axis=(0, 1)), atol=4
        )
        assert picture.size == (32, 32)


def test_the_sound_is_saved_as_it_is_played_whole_or_in_part(page: Browser, reference: Path, tmp_path: Path):
    sound_SE = read(reference, "audio").transpose(0, 2, 1).reshape(-1, 2).astype(float)
    sound_SE *= 0.9 / np.abs(sound_SE).max()
    (tmp_path / "whole").mkdir()
    whole, rate = soundfile.read(save(page, tmp_path / "whole", "Sound"))
    assert rate == 16000
    np.testing.assert_allclose(whole, sound_SE, atol=2e-4)
    left, top, width, _ = page.box("$('lanes')")
    page.drag((left + 0.25 * width, top + 20), (left + 0.5 * width, top + 20), shift=True)
    start, end = page.evaluate("now.part")
    assert (start, end) == pytest.approx((0.25 * 1.95, 0.5 * 1.95), abs=0.01)
    assert page.evaluate("now.player.seconds") == pytest.approx(0.9, abs=1e-3)
    (tmp_path / "part").mkdir()
    file = save(page, tmp_path / "part", "Sound")
    assert f"-{start:.2f}-{end:.2f}s" in file.name
    part, _ = soundfile.read(file)
    first = round(start * 16000)
    np.testing.assert_allclose(part, sound_SE[first : first + len(part)], atol=2e-4)
    assert len(part) == pytest.approx(0.25 * len(whole), abs=200)
    page.key("Escape")
    assert page.evaluate("now.part") is None


def test_the_series_are_saved_as_csv(page: Browser, reference: Path, tmp_path: Path):
    with save(page, tmp_path, "Series").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(13))
    for name, stored, atol in (("distance_geodesic_m", "geodesic", 6e-4), ("reward", "rewards", 6e-5)):
        values = [float(row[name]) for row in rows if row[name]]
        np.testing.assert_allclose(values, read(reference, stored), atol=atol)
    actions = np.array(["stop", "forward", "turn left", "turn right"])[read(reference, "actions")]
    assert [row["action"] for row in rows] == [*actions, ""]
    position = read(reference, "position")
    np.testing.assert_allclose([float(row["x_m"]) for row in rows], position[:, 0], atol=0.01)
    np.testing.assert_allclose([float(row["z_m"]) for row in rows], position[:, 2], atol=0.01)
    np.testing.assert_allclose([float(row["yaw_deg"]) for row in rows], np.rad2deg(read(reference, "yaw")), atol=0.05)
    assert {"time_s", "waveform_left_dbfs", "ild_db"} <= set(rows[0])


def test_search_finds_whole_words_and_enter_opens_the_first_hit(page: Browser):
    leave = [row["id"] for row in page.evaluate("library.entries") if row["mode"] == "leave"]
    found = {}
    for text in ("#1", "#12", "2", "leave ", "lea", "lea ", "aud", "gone mpc", "nowhere"):
        page.evaluate(TYPE % text)
        found[text] = page.evaluate(ROWS)
    assert found["#1"] == ["1", "future"]  # the episode, and what was imagined of it
    assert found["#12"] == ["mpc"]
    assert found["2"] == ["2"]  # not 12
    assert found["leave "] == found["lea"] == leave
    assert found["lea "] == found["nowhere"] == [""]
    assert found["aud"] == ["greedy-audio"]
    assert found["gone mpc"] == ["mpc"]
    page.evaluate(TYPE % "greedy")
    page.evaluate("$('search').focus()")
    page.key("Enter")
    page.wait_for(f"{READY} && now.id === 'greedy-audio'")
    assert page.evaluate("document.activeElement !== $('search')")
    assert page.evaluate("$('name').textContent") == "Episode 13: greedy-audio"


def test_filters_for_imagined_futures_and_policies(page: Browser):
    choose = "$('filter-%s').value = '%s', $('filter-%s').dispatchEvent(new Event('change'))"
    hits = {
        ("kind", "imagined futures"): {"future"},
        ("kind", "recorded policies"): {"mpc", "greedy-audio"},
        ("kind", "dataset"): {"0", "1", "2"},
        ("policy", "mpc"): {"mpc"},
    }
    for (key, value), names in hits.items():
        page.evaluate(choose % (key, value, key))
        assert set(page.evaluate(ROWS)) == names
        page.evaluate(choose % (key, "", key))
    assert len(page.evaluate(ROWS)) == 6
    assert page.evaluate("[...$('filter-policy').options].map((option) => option.value)") == ["", "greedy-audio", "mpc"]


def read(reference: Path, name: str) -> np.ndarray:
    dataset = open_dataset(reference)
    ref = next(ref for ref in dataset.episodes() if ref.index == 1)
    return dataset.read(ref, [name])[name]
