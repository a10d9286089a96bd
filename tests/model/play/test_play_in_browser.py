"""`avw play` in a real browser: keys walk, sounds have no gaps, tabs do not disturb each other, and phones can play."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from avw.model.play.site import PlayServer
from avw.model.world_model import WorldModel
from tests.browser import MISSING, Browser, find_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_browser() is None, reason=MISSING)]

READY = "!$('begin').disabled && now.plan"
POSES = "now.path.map((pose) => [...pose])"
# Everything that is given to the sound card, with the frame at which it begins.
WATCH = """(() => { const add = Sounds.prototype.add; window.heard = [];
  Sounds.prototype.add = function (parts) { const late = this.late, start = add.call(this, parts);
    heard.push({ frame: Math.round(start * RATE), late: this.late - late, real: Array.from(parts.real) });
    return start; }; })()"""
# Parts of a tone, played through the page's own scheduling into an offline context: every sample that would be heard.
RENDERED = """(async () => {
  const count = 6, length = 2400, first = 320, context = new OfflineAudioContext(2, first + (count + 1) * length, RATE);
  const sounds = new Sounds(["real"], context);
  for (let n = 0; n < count; n++) {
    const part = new Float32Array(2 * length);
    for (let k = 0; k < length; k++) {
      const tone = Math.sin(2 * Math.PI * 440 * (n * length + k) / RATE + 1);
      part[k] = 0.5 * tone; part[length + k] = 0.25 * tone;
    }
    sounds.add({ real: part });
  }
  const out = await context.startRendering();
  return { first, left: Array.from(out.getChannelData(0)), right: Array.from(out.getChannelData(1)) };
})()"""


@pytest.fixture
def server(serve: Callable, model: WorldModel) -> Iterator[PlayServer]:
    with serve(model) as server:
        yield server


@pytest.fixture
def page(server: PlayServer) -> Iterator[Browser]:
    with Browser() as browser:
        browser.open(server.url)
        browser.wait_for(READY)
        yield browser
        assert browser.errors == []


def walk_until(page: Browser, condition: str) -> None:
    page.wait_for(condition, 60)


def test_keys_walk_and_turn(page: Browser):
    page.hold("ArrowLeft")  # also starts
    walk_until(page, "now.history.length >= 5")
    page.let_go("ArrowLeft")
    poses = np.array(page.evaluate(POSES))
    turned = np.rad2deg((poses[4, 2] - poses[0, 2] + np.pi) % (2 * np.pi) - np.pi)
    assert turned == pytest.approx(40, abs=0.1)
    assert np.abs(poses[:, :2] - poses[0, :2]).max() == 0
    seen = page.evaluate("now.path.length")
    page.key("ArrowUp")  # a short press is one step, and standing still goes on
    walk_until(page, f"now.path.length > {seen} + 6")
    steps = np.diff(np.array(page.evaluate(POSES))[:, :2], axis=0)
    assert np.count_nonzero(np.hypot(*steps.T) > 1e-3) == 1
    page.key(" ")
    page.wait_for("!now.running && !now.asking && now.queue.length === 0")
    stopped = page.evaluate("now.path.length")
    assert page.evaluate("new Promise((done) => setTimeout(() => done(now.path.length), 400))") == stopped
    page.key("n")
    page.wait_for(f"now.seed === 4 && now.path.length < {stopped}")
    page.key("Enter")
    assert "Not yet" in page.evaluate("$('message').textContent")


def test_keys_that_are_held_together_take_turns(page: Browser):
    page.hold("ArrowUp")
    page.hold("ArrowRight")
    walk_until(page, "now.history.length >= 9")
    yaw = np.array(page.evaluate(POSES))[1:9, 2]
    turns = np.count_nonzero(np.abs(np.diff(yaw)) > 0.01)
    assert 2 <= turns <= 5


def test_every_sample_is_played_once_and_nothing_clicks(page: Browser):
    found = page.evaluate(RENDERED)
    time = np.arange(6 * 2400) / 16_000
    tone = np.sin(2 * np.pi * 440 * time + 1)
    inside = slice(found["first"] + 192, found["first"] + 6 * 2400)  # it fades in at first
    np.testing.assert_allclose(np.array(found["left"])[inside], 0.5 * tone[192:], atol=1e-4)
    np.testing.assert_allclose(np.array(found["right"])[inside], 0.25 * tone[192:], atol=1e-4)
    # At the end nothing follows, as when a part is late: it fades out instead of ending at once.
    steps = np.abs(np.diff(found["left"]))
    assert steps.max() < 0.11  # 0.5 · 2π · 440 / 16000 is 0.086
    assert np.abs(found["left"][found["first"] + 6 * 2400 + 200 :]).max() == 0


def test_the_sound_of_a_walk_has_no_gaps(page: Browser):
    page.evaluate(WATCH)
    page.hold("ArrowLeft")
    walk_until(page, "heard.length >= 20")
    heard = page.evaluate("heard")
    for before, after in pairwise(heard):
        gap = after["frame"] - before["frame"] - 2400
        assert gap == 0 or after["late"]  # on a busy machine
        jump = abs(after["real"][0] - before["real"][2399])
        assert jump <= np.abs(np.diff(before["real"][:2400])).max() + 1e-3
    assert page.evaluate("stats.steps") >= 20
    assert 0 < np.median(page.evaluate("stats.latencies")) < 5


def test_imagination_and_settings(page: Browser):
    page.hold("ArrowLeft")
    walk_until(page, "now.moment.dreamed && now.moment.dreamed.steps === 4")
    page.let_go("ArrowLeft")
    walk_until(page, "now.moment.dreamed.steps === 1")  # anchored after four steps
    page.evaluate("$('every').value = '0', $('every').dispatchEvent(new Event('change'))")
    walk_until(page, "now.moment.dreamed.steps >= 7")
    page.key("x")
    walk_until(page, "now.moment.dreamed.steps <= 3")
    assert page.evaluate("$('predicted').textContent").endswith(" m")
    left, top, width, height = page.box("$('curves')")
    page.move(left + width - 20, top + height / 2)
    assert "Distance, imagination" in page.evaluate("Hover.box.textContent")
    # The imagined agent is drawn on the plan, where its pose is.
    page.evaluate(
        "window.drawnAt = null; { const draw = drawAgent; drawAgent = (pen, pose, dot, fill) => { "
        "if (fill === '#7c3aed') drawnAt = [pen.getTransform().a, pose]; draw(pen, pose, dot, fill); }; drawMap(); }"
    )
    scale = page.evaluate("Math.min($('map').clientWidth / now.plan.width, $('map').clientHeight / now.plan.height)")
    assert page.evaluate("drawnAt[0]") == pytest.approx(scale)
    page.evaluate("$('curve-legend').children[1].click()")
    page.move(left + width - 21, top + height / 2)
    assert "imagination" not in page.evaluate("Hover.box.textContent")
    page.key("s")
    assert page.evaluate("now.heard") == "imagination"
    page.wait_for("now.sounds.buses.dream.bus.gain.value > 0.9 && now.sounds.buses.real.bus.gain.value < 0.1")
    page.key("v")
    page.key("u")
    page.key("h")
    assert page.evaluate("$('distance').textContent") == "hidden"
    page.key("m")
    page.wait_for("now.sounds.master.gain.value < 0.01")
    page.key("r")
    walk_until(page, "$('record-text').textContent > 'Stop 0.4'")
    page.key("r")
    page.wait_for("$('message').querySelectorAll('a').length > 0", 60)


def test_two_tabs_and_a_closed_tab(server: PlayServer):
    with Browser() as browser:
        for _ in range(2):
            browser.open(server.url)
            browser.wait_for(READY)
            browser.hold("ArrowLeft")
            walk_until(browser, "now.history.length >= 4")
            browser.let_go("ArrowLeft")
            if len(browser.tabs) == 1:
                browser.new_tab()
        assert len(server._walks) == 2
        browser.close_tab(0)
        until = time.monotonic() + 30
        while len(server._walks) == 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(server._walks) == 1
        before = browser.evaluate("now.path.length")
        browser.evaluate("start()")
        walk_until(browser, f"now.path.length > {before} + 3")
        assert browser.errors == []


def test_the_curves_show_the_values_below_the_pointer(serve: Callable):
    with serve() as server, Browser() as browser:
        browser.open(server.url)
        browser.wait_for(READY)
        browser.hold("ArrowUp")
        walk_until(browser, "now.history.length >= 6")
        browser.let_go("ArrowUp")
        browser.key(" ")
        browser.wait_for("!now.running && !now.asking && now.queue.length === 0")
        left, top, width, height = browser.box("$('curves')")
        browser.move(left + width - 9, top + height / 2)
        last = browser.evaluate("now.history[now.history.length - 1]")
        shown = browser.evaluate("[...Hover.box.querySelectorAll('output')].map((value) => value.textContent)")
        assert shown[0] == f"{last['distance']:.2f} m"
        assert shown[1] == f"{last['ild']:.1f} dB".replace("-", "−")
        assert browser.evaluate("Hover.box.querySelector('b').textContent").endswith(f"step {last['number']}")
        browser.move(5, 5)
        assert browser.evaluate("Hover.box.hidden")
        assert browser.errors == []


def test_a_stopped_server_is_named(serve: Callable):
    with Browser() as browser:
        with serve() as server:
            browser.open(server.url)
            browser.wait_for(READY)
            assert browser.evaluate("getComputedStyle($('dream').parentElement.parentElement).display") == "none"
        browser.hold("ArrowUp")
        browser.wait_for("$('message').textContent.includes('start it again')", 60)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 720), (400, 860)])
def test_nothing_is_cut_off_and_fingers_can_walk(server: PlayServer, width: int, height: int):
    with Browser(width, height) as browser:
        browser.open(server.url)
        browser.wait_for(READY)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        browser.evaluate("start()")
        for name in ("left", "ahead", "right", "play"):
            left, top, right, bottom = browser.evaluate(
                f"(({{left, top, right, bottom}}) => [left, top, right, bottom])($('{name}').getBoundingClientRect())"
            )
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            assert min(right - left, bottom - top) >= 44  # large enough for a finger
        box = browser.evaluate(
            "(({left, top, width, height}) => [left + width / 2, top + height / 2])($('left').getBoundingClientRect())"
        )
        browser.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": box[0], "y": box[1]}]})
        walk_until(browser, "now.history.length >= 5")
        browser.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        poses = np.array(browser.evaluate(POSES))
        assert np.count_nonzero(np.abs(np.diff(poses[:, 2])) > 0.01) >= 2
        shown = browser.evaluate("(({width, height}) => [width, height])($('real').getBoundingClientRect())")
        assert shown[0] == pytest.approx(shown[1], abs=1)
        assert shown[0] >= 150
        assert browser.errors == []
