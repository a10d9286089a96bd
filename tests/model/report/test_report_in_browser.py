"""The report in a real browser: its players show the frame that belongs to the sound, one at a time, and load
nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from avw.avw4k.reading.dataset import Dataset
from avw.model.report import write_report
from tests.browser import MISSING, Browser, find_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_browser() is None, reason=MISSING)]

PLAYERS = "[...document.querySelectorAll('.player')].map((box) => box.player)"
READY = f"{PLAYERS}.every((player) => player && player.stage.images.every((image) => image.complete))"
MEAN = """(() => { const canvas = %s[0].stage.views[0].canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, sum = [0, 0, 0];
  data.forEach((value, i) => { if (i %% 4 < 3) sum[i %% 4] += value; });
  return sum.map((value) => value / (data.length / 4)); })()"""

LOG = [
    {"stage": "1", "step": step, "audio": 4.0 - step / 100, "vision": 1.0 + step / 100} for step in range(0, 300, 100)
]
HOVER = (
    "[...Hover.box.querySelectorAll('div')].map((row) => [...row.children].slice(1).map((part) => part.textContent))"
)


@pytest.fixture(scope="module")
def exported(data_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = tmp_path_factory.mktemp("report") / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"data": str(data_path)}))
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in LOG))
    return write_report(run).as_uri()


@pytest.fixture
def page(exported: str) -> Iterator[Browser]:
    with Browser() as browser:
        browser.open(exported)
        browser.wait_for(READY)
        yield browser
        assert browser.errors == []
        assert [address for address in browser.requests if not address.startswith(("data:", "blob:"))] == [exported]


def test_the_frame_follows_the_time(page: Browser, dataset: Dataset):
    refs = sorted(dataset.episodes("test"), key=lambda ref: ref.index)
    rows = dataset.read(next(ref for ref in refs if ref.mode == "approach"))
    for k in (0, 5, len(rows["rgb"]) - 1):
        page.evaluate(f"{PLAYERS}[0].seek({(k + 1) * 0.15})")
        assert page.evaluate(f"{PLAYERS}[0].frame") == k
        np.testing.assert_allclose(page.evaluate(MEAN % PLAYERS), rows["rgb"][k].mean(axis=(0, 1)), atol=8)


def test_one_player_at_a_time(page: Browser):
    page.evaluate(f"{PLAYERS}[0].play()")
    page.wait_for(f"{PLAYERS}[0].audio.currentTime > 0.3")
    page.evaluate(f"{PLAYERS}[1].play()")
    page.wait_for(f"{PLAYERS}[1].audio.currentTime > 0.1")
    assert page.evaluate(f"{PLAYERS}.map((player) => player.playing)")[:2] == [False, True]


def test_a_click_on_the_levels_and_the_controls_of_the_browser_move_the_clock(page: Browser):
    page.evaluate("document.querySelector('.levels').scrollIntoView({block: 'center', behavior: 'instant'})")
    left, top, width, height = page.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.querySelector('.levels').getBoundingClientRect())"
    )
    page.click(left + 0.75 * width, top + height / 2)
    assert page.evaluate(f"{PLAYERS}[0].seconds / {PLAYERS}[0].total") == pytest.approx(0.75, abs=0.01)
    page.wait_for(f"!{PLAYERS}[0].audio.seeking")
    page.evaluate(f"{PLAYERS}[0].audio.currentTime = 0.5")  # what the controls of the browser do
    page.wait_for(f"!{PLAYERS}[0].audio.seeking")
    assert page.evaluate(f"{PLAYERS}[0].seconds") == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("width", [1440, 400])
def test_nothing_is_cut_off(exported: str, width: int):
    with Browser(width, 900) as browser:
        browser.open(exported)
        browser.wait_for(READY)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        view, plan = browser.evaluate(
            f"(({{stage}}) => [stage.views[0].canvas, stage.plan.canvas].map((c) => [c.clientWidth, c.clientHeight]))"
            f"({PLAYERS}[0])"
        )
        assert view[0] == pytest.approx(view[1], abs=1)
        assert min(*view, *plan) >= 120
        if width == 400:  # the controls stay in sight while their pictures are
            _, top, _, height = browser.box("document.querySelector('.player')")
            assert height > 900
            browser.evaluate(f"window.scrollTo({{top: {top} - 200, behavior: 'instant'}})")
            _, top, _, height = browser.box("document.querySelector('.player audio')")
            assert 0 < top < top + height <= 900


def test_charts_show_values_below_the_pointer_and_hide_series(page: Browser):
    page.evaluate("document.querySelector('svg.chart').scrollIntoView({block: 'center', behavior: 'instant'})")
    left, top, width, height = page.box("document.querySelector('svg.chart polyline')")
    page.move(left + width / 2 + 2, top + height / 2)
    assert page.evaluate("Hover.box.querySelector('b').textContent") == "step 100"
    assert page.evaluate(HOVER) == [["audio", "3"], ["vision", "2"]]
    page.evaluate("document.querySelector('#training .chip[data-series=audio]').click()")
    page.move(left + width / 2, top + height / 2)
    assert page.evaluate(HOVER) == [["vision", "2"]]
    assert page.evaluate("getComputedStyle(document.querySelector('polyline[data-series=audio]')).display") == "none"
    page.evaluate("document.querySelector('.levels').scrollIntoView({block: 'center', behavior: 'instant'})")
    left, top, width, height = page.box("document.querySelector('.levels')")
    page.move(left + width / 2, top + 10)
    assert [row[0] for row in page.evaluate(HOVER)] == ["left ear", "right ear"]
    assert all(row[1].endswith(" dB") for row in page.evaluate(HOVER))


def test_the_dark_version_has_light_text_and_no_bright_area(exported: str):
    with Browser(dark=True) as browser:
        browser.open(exported)
        browser.wait_for(READY)
        luminance = (
            "((rgb) => 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2])(getComputedStyle(%s).%s.match(/\\d+/g))"
        )
        for place in ("document.body", "document.querySelector('.card')", "document.querySelector('nav')"):
            assert browser.evaluate(luminance % (place, "backgroundColor")) < 50
            assert browser.evaluate(luminance % (place, "color")) > 200
        ink = "getComputedStyle(document.querySelector('.levels')).getPropertyValue('--ink')"
        assert browser.evaluate(ink) == "#e6e9ee"
        assert browser.errors == []
