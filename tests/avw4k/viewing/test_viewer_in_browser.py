"""The viewer in a real browser: it shows the frame that belongs to the sound, obeys the keyboard, and asks nobody."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.viewing.library import Library
from avw.avw4k.viewing.page import write_export
from avw.avw4k.viewing.server import ViewerServer
from tests.browser import MISSING, Browser, find_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_browser() is None, reason=MISSING)]

READY = "now.player && now.player.stage.images.every((image) => image.complete)"
MEAN = """(() => { const canvas = now.player.stage.views[%d].canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, sum = [0, 0, 0];
  data.forEach((value, i) => { if (i %% 4 < 3) sum[i %% 4] += value; });
  return sum.map((value) => value / (data.length / 4)); })()"""


@pytest.fixture(scope="module")
def dataset(reference: Path) -> Dataset:
    return open_dataset(reference)


@pytest.fixture(scope="module")
def exported(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("export") / "tour.html"
    write_export(Library(reference), [str(i) for i in range(6)], path)
    return path.as_uri()


@pytest.fixture
def page(exported: str) -> Iterator[Browser]:
    with Browser() as browser:
        browser.open(exported)
        browser.wait_for(READY)
        yield browser
        assert browser.errors == []


def frame(page: Browser) -> int:
    return int(page.evaluate("+$('time').querySelectorAll('b')[1].textContent"))


def test_every_step_shows_its_own_frame_and_figures(page: Browser, dataset: Dataset):
    name = page.evaluate("now.id")
    ref = next(ref for ref in dataset.episodes() if str(ref.index) == name)
    rows = dataset.read(ref)
    page.key("Home")
    for k in range(ref.steps + 1):
        assert frame(page) == k
        np.testing.assert_allclose(page.evaluate(MEAN % 0), rows["rgb"][k].mean(axis=(0, 1)), atol=6)
        metres = page.evaluate("parseFloat($('readout').children[0].children[1].textContent)")
        assert metres == pytest.approx(rows["geodesic"][k], abs=0.006)
        page.key("ArrowRight")
    assert frame(page) == ref.steps
    page.key("ArrowLeft", shift=True)
    assert frame(page) == ref.steps - 10


def test_what_is_heard_at_a_frame_is_the_sound_of_that_step(page: Browser, dataset: Dataset):
    """The blob that plays, decoded by the browser, holds step k's samples just before the instant of frame k."""
    name = page.evaluate("now.id")
    ref = next(ref for ref in dataset.episodes() if str(ref.index) == name)
    found = page.evaluate("""(async () => {
      const text = atob(now.player.clip.sounds[0].audio.split(",")[1]);
      const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0)).buffer;
      const heard = await new OfflineAudioContext(2, 1, 16000).decodeAudioData(bytes);
      const step = 2400, rms = [];
      for (let k = 0; k < now.player.clip.frames; k++) rms.push([0, 1].map((ear) => {
        const part = heard.getChannelData(ear).slice(k * step, (k + 1) * step);
        return Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / step); }));
      return { rms, length: heard.length, element: now.player.audio.duration }; })()""")
    stored = dataset.read(ref, ["audio"])["audio"] * dataset.audio_scale
    rms = np.sqrt((stored**2).mean(axis=2))
    assert found["length"] == stored.shape[0] * 2400
    assert found["element"] == pytest.approx(stored.shape[0] * 0.15, abs=0.01)
    np.testing.assert_allclose(np.array(found["rms"]) / np.max(found["rms"]), rms / rms.max(), atol=0.01)


def test_it_plays_and_the_frame_follows_the_sound(page: Browser):
    page.key(" ")
    page.wait_for("now.player.audio.currentTime > 0.6")
    heard, shown = page.evaluate(
        "draw(now.player), [now.player.audio.currentTime, +$('time').querySelectorAll('b')[1].textContent]"
    )
    assert abs((shown + 1) * 0.15 - heard) <= 0.15 / 2 + 0.03
    assert page.evaluate("document.querySelector('.transport').classList.contains('playing')")
    page.wait_for("now.player.audio.ended", 20)
    page.wait_for("!document.querySelector('.transport').classList.contains('playing')")
    assert frame(page) == 12
    page.key(" ")  # from the beginning again
    page.wait_for("now.player.audio.currentTime < 1 && now.player.playing")
    page.key(" ")
    assert page.evaluate("now.player.audio.paused")


def test_the_scrubber_goes_where_it_is_clicked(page: Browser):
    left, top, width, height = page.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])($('lanes').getBoundingClientRect())"
    )
    page.click(left + 0.75 * width, top + height / 2)
    assert page.evaluate("now.player.seconds / now.player.total") == pytest.approx(0.75, abs=0.01)


def test_lists_filters_and_search(page: Browser):
    rows = "[...document.querySelectorAll('#list li b')].map((b) => b.textContent)"
    assert len(page.evaluate(rows)) == 6
    page.evaluate("$('filter-mode').value = 'leave', $('filter-mode').dispatchEvent(new Event('change'))")
    assert set(page.evaluate(rows)) == {"leave"}
    page.evaluate(
        "$('filter-mode').value = '', $('search').value = '#4', $('search').dispatchEvent(new Event('input'))"
    )
    assert len(page.evaluate(rows)) == 1
    page.evaluate("$('search').value = 'nowhere', $('search').dispatchEvent(new Event('input'))")
    assert page.evaluate("$('list').textContent") == "Nothing matches."
    page.evaluate("$('search').value = '', $('search').dispatchEvent(new Event('input'))")
    first = page.evaluate("now.id")
    page.key("ArrowDown")
    page.wait_for(f"now.id !== '{first}' && {READY}")
    page.key("k")
    page.wait_for(f"now.id === '{first}'")
    page.key("?")
    assert page.evaluate("$('help').open")


def test_an_exported_file_asks_nobody(page: Browser, exported: str):
    page.key(" ")
    time.sleep(0.3)
    others = [address for address in page.requests if not address.startswith(("data:", "blob:"))]
    assert others == [exported]


def test_the_served_page_asks_its_own_server_only(reference: Path):
    with ViewerServer(Library(reference)) as server, Browser() as browser:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        browser.open(server.url)
        browser.wait_for(READY)
        browser.key("j")
        browser.wait_for(f"now.id === '1' && {READY}")
        others = [address for address in browser.requests if not address.startswith(("data:", "blob:"))]
        assert others
        assert all(address.startswith(server.url) for address in others)
        assert browser.errors == []
        server.shutdown()
        thread.join()
        browser.key("j")
        server.server_close()
        browser.wait_for("$('message').textContent.includes('start avw view again')", 90)


def test_a_prediction_has_two_sounds_on_one_clock(reference: Path, tmp_path: Path):
    samples = tmp_path / "samples"
    samples.mkdir()
    (tmp_path / "config.json").write_text(json.dumps({"data": str(reference)}))
    pictures = [Image.fromarray(np.full((32, 32, 3), 60 * i, np.uint8)) for i in range(4)]
    noise = np.random.default_rng(0).uniform(-1, 1, (9600, 2))
    for kind, height in (("truth", 0.5), ("model", 0.25)):
        pictures[0].save(samples / f"a-{kind}.gif", save_all=True, append_images=pictures[1:], duration=150)
        soundfile.write(samples / f"a-{kind}.wav", (height * noise).astype(np.float32), 16000)
    note = {"name": "a", "scene": "s", "mode": "leave", "episode": 1, "step": 3}
    curves = {"true_progress": [0.1, 0.2, 0.3, 0.4], "imagined_progress": [0.1, 0.1, 0.2, 0.2]}
    (samples / "samples.json").write_text(json.dumps([note | curves]))
    write_export(Library(tmp_path), ["a"], tmp_path / "run.html")
    with Browser() as browser:
        browser.open((tmp_path / "run.html").as_uri())
        browser.wait_for(READY)
        browser.evaluate("now.player.seek(0.45)")
        browser.wait_for("!now.player.audio.seeking")
        browser.key("s")
        assert browser.evaluate("now.player.sound.name") == "Predicted sound"
        assert browser.evaluate("now.player.audio.currentTime") == pytest.approx(0.45, abs=0.02)
        assert frame(browser) == 2
        assert browser.errors == []


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 720), (400, 900)])
def test_nothing_is_cut_off(exported: str, width: int, height: int):
    with Browser(width, height) as browser:
        browser.open(exported)
        browser.wait_for(READY)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        if width > 820:
            bottom = browser.evaluate("document.querySelector('.transport').getBoundingClientRect().bottom")
            assert bottom <= height
            box = browser.evaluate(
                "(({width, height}) => [width, height])(now.player.stage.views[0].canvas.getBoundingClientRect())"
            )
            assert box[0] == pytest.approx(box[1], abs=1)
            assert box[0] >= 120
        else:
            for scrolled in (0, 300):  # the controls stay in sight
                browser.evaluate(f"window.scrollTo(0, {scrolled})")
                left, top, wide, high = browser.box("$('play')")
                assert 0 <= left < left + wide <= width
                assert top + high <= height


def test_nothing_is_drawn_again_unless_it_changes(page: Browser):
    page.evaluate("""(() => { const draw = CanvasRenderingContext2D.prototype.drawImage; window.drawn = 0;
      CanvasRenderingContext2D.prototype.drawImage = function (...rest) { drawn++; return draw.apply(this, rest); };
    })()""")
    page.evaluate("now.player.seek(0.6)")
    page.wait_for("!now.player.audio.seeking")
    first = page.evaluate("drawn")
    assert first >= 2  # camera and depth
    page.evaluate("now.player.draw(), now.player.draw()")
    assert page.evaluate("drawn") == first
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true }), now.player.seek(0)")
    page.wait_for("!now.player.audio.seeking")
    first = page.evaluate("drawn")
    page.key(" ")
    page.wait_for("now.player.audio.currentTime > 0.4")
    assert page.evaluate("drawn") == first


def test_the_plan_has_a_scale_bar(page: Browser):
    """Its line, 10 pixels above the lower edge, is as long as a round number of metres on the plan."""
    length, metre = page.evaluate("""(() => { const { canvas } = now.player.stage.plan, { map } = now.player.clip;
      const { data } = canvas.getContext("2d").getImageData(0, canvas.height - 10, canvas.width, 1);
      let length = 0;
      while (data[4 * (14 + length)] < 150) length++;
      return [length + 2, map.metre * Math.min(canvas.width / map.width, canvas.height / map.height)]; })()""")
    assert min(abs(length - metres * metre) for metres in (0.5, 1, 2, 5)) <= 2
    assert length >= 40


def test_the_3d_view_shows_points_and_turns(page: Browser):
    pixels = """(() => { const canvas = $("space"), { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      let count = 0, sum = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i + 3]) {
        count++; sum += ((i / 4) % width) * (data[i] + data[i + 1]);
      }
      return [count / (width * height), sum]; })()"""
    page.key("Home")
    page.key("v")
    assert page.evaluate("now.space.frames.length") > 300
    share, first = page.evaluate(pixels)
    assert share > 0.02
    page.key("End")
    _, seen = page.evaluate(pixels)
    assert seen != first  # points that were pale have been seen
    left, top, width, height = page.box("$('space')")
    page.drag((left + width / 2, top + height / 2), (left + width / 2 + 90, top + height / 2 + 20))
    share, turned = page.evaluate(pixels)
    assert turned != seen
    assert share > 0.02
    assert page.evaluate("now.space.eye.turn") == pytest.approx(0.4 - 90 * 0.008)
    page.evaluate("$('space').dispatchEvent(new WheelEvent('wheel', { deltaY: -400 }))")
    assert page.evaluate("now.space.eye.zoom") > 1.5
    page.key("v")
    assert page.evaluate("getComputedStyle($('space')).display") == "none"
