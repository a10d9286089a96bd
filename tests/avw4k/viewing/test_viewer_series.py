"""The curves of the viewer in a real browser: values below the pointer, axes, and series that are hidden by a click."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from avw.avw4k.reading.dataset import Dataset, EpisodeRef, open_dataset
from avw.avw4k.viewing.hearing import BAND_ROWS, HOP, SPECTRUM_FLOOR, WINDOW
from avw.avw4k.viewing.library import Library
from avw.avw4k.viewing.page import write_export
from tests.browser import MISSING, Browser, find_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_browser() is None, reason=MISSING)]

READY = "now.player && now.player.stage.images.every((image) => image.complete) && now.player.sound.picture.complete"
SHOWN = """Object.fromEntries([...Hover.box.querySelectorAll("div")].map(
  (row) => [...row.children].slice(1).map((part) => part.textContent)))"""
# How many pixels of a lane have the colour of the path.
INK = """(() => { const lane = now.layout.lanes.find((lane) => lane.name === "%s"), canvas = $("drawn");
  const { data } = canvas.getContext("2d").getImageData(0, lane.top, canvas.width, lane.height);
  return data.filter((value, i) => i %% 4 === 1 && value > 90 && data[i - 1] < 60 && data[i + 2] > 200).length; })()"""


@pytest.fixture(scope="module")
def dataset(reference: Path) -> Dataset:
    return open_dataset(reference)


@pytest.fixture(scope="module")
def browser(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = tmp_path_factory.mktemp("export") / "tour.html"
    write_export(Library(reference), ["0", "1"], path)
    with Browser() as browser:
        browser.open(path.as_uri())
        browser.wait_for(READY)
        yield browser
        assert browser.errors == []


@pytest.fixture
def ref(dataset: Dataset) -> EpisodeRef:
    return next(ref for ref in dataset.episodes() if ref.index == 0)


def hover(browser: Browser, lane: str, seconds: float, share: float = 0.5) -> dict[str, str]:
    """The values beside the pointer at a time, `share` of a lane from its top."""
    left, top, width, _ = browser.box("$('lanes')")
    place = browser.evaluate(
        f"(({{top, height}}) => [top, height])(now.layout.lanes.find((lane) => lane.name === '{lane}'))"
    )
    browser.move(left + seconds / browser.evaluate("now.player.total") * width, top + place[0] + share * place[1])
    return browser.evaluate(SHOWN)


def number(text: str) -> float:
    return float(text.replace("−", "-").split()[0])


def test_the_values_below_the_pointer_are_those_of_the_data(browser: Browser, dataset: Dataset, ref: EpisodeRef):
    rows = dataset.read(ref)
    for k in (1, 6, 11):
        found = hover(browser, "Distance", (k + 1.4) * 0.15)
        assert browser.evaluate("Hover.box.querySelector('b').textContent").endswith(f" s, step {k}")
        assert found["Distance, geodesic"].endswith(" m")
        assert number(found["Distance, geodesic"]) == pytest.approx(rows["geodesic"][k], abs=0.006)
        assert number(found["Reward"]) == pytest.approx(rows["rewards"][k], abs=6e-4)
        assert found["Action"] == ("stop", "forward", "turn left", "turn right")[rows["actions"][k]]
        assert ("Collision" in found) == bool(rows["collided"][k])
    browser.move(5, 5)
    assert browser.evaluate("Hover.box.hidden")


def test_level_and_spectrum_are_in_decibels(browser: Browser, dataset: Dataset, ref: EpisodeRef):
    sound_ES = dataset.read(ref, ["audio"])["audio"].transpose(1, 0, 2).reshape(2, -1).astype(float)
    sound_ES *= 0.9 / np.abs(sound_ES).max()
    seconds, middle = 1.0, 16000
    found = hover(browser, "Spectrogram", seconds, share=0.42)  # low frequencies of the left ear
    name = next(name for name in found if name.startswith("Spectrogram, left"))
    kilohertz = float(name.split()[-2])
    spectra_CF = (
        np.abs(
            np.fft.rfft(
                np.lib.stride_tricks.sliding_window_view(
                    np.pad(sound_ES, ((0, 0), (WINDOW // 2, WINDOW // 2))), WINDOW, axis=1
                )[:, ::HOP]
                * np.hanning(WINDOW),
                axis=2,
            )
        )
        ** 2
    )
    bands = np.arange(BAND_ROWS) * (spectra_CF.shape[2] - 1) // BAND_ROWS
    power = np.add.reduceat(spectra_CF[..., :-1], bands, axis=2)
    level = np.maximum(10 * np.log10(power / power.max()), SPECTRUM_FLOOR)
    row = int(kilohertz / 8 * BAND_ROWS)
    near = level[0, middle // HOP - 1 : middle // HOP + 2, row - 1 : row + 2]
    assert near.min() - 4 <= number(found[name]) <= near.max() + 4
    peak = 20 * np.log10(np.abs(sound_ES[0, middle - 30 : middle + 30]).max())
    assert number(found["Waveform, left"]) == pytest.approx(peak, abs=6)
    assert found["ILD"] == "silent" or found["ILD"].endswith(" dB")


def test_axes_have_units_and_depth_has_a_bar_in_metres(browser: Browser, dataset: Dataset, ref: EpisodeRef):
    ticks = browser.evaluate("[...document.querySelectorAll('.tick')].map((tick) => tick.textContent)")
    assert {"8 kHz", "0"} <= set(ticks)
    assert any(tick.endswith(" dB") for tick in ticks)
    assert any(tick.endswith(" m") for tick in ticks)
    assert browser.evaluate("document.querySelector('.stage .ramp').textContent") == "06 m"
    depth_HW = dataset.read(ref, ["depth"])["depth"][0] / 1000
    left, top, width, height = browser.box("now.player.stage.views[1].canvas")
    browser.key("Home")
    errors = []
    for row, column in ((8, 8), (16, 12), (20, 24), (26, 16)):
        browser.move(left + (column + 0.5) / 32 * width, top + (row + 0.5) / 32 * height)
        shown = browser.evaluate("Hover.box.querySelector('output').textContent")
        errors.append(abs(number(shown) - min(6.0, depth_HW[row, column])))
    assert np.median(errors) < 0.15


def test_a_click_in_the_legend_hides_a_series(browser: Browser):
    click = "document.querySelector('[data-key=\"%s\"]').click()"
    before = browser.evaluate(INK % "Distance")
    browser.evaluate(click % "Distance/geodesic")
    assert browser.evaluate(INK % "Distance") == 0 < before
    assert "Distance, geodesic" not in hover(browser, "Distance", 1.0)
    browser.evaluate(click % "Waveform/right")
    assert "Waveform, right" not in hover(browser, "Waveform", 1.0)
    browser.evaluate("open('1')")  # and stays hidden in the next episode
    browser.wait_for(f"now.player.clip === library.clips['1'] && {READY}")
    assert "Distance, geodesic" not in hover(browser, "Distance", 1.0)
    for key in ("Distance/geodesic", "Waveform/right"):
        browser.evaluate(click % key)
    assert "Distance, geodesic" in hover(browser, "Distance", 1.0)
    browser.evaluate("open('0')")
    browser.wait_for(f"now.player.clip === library.clips['0'] && {READY}")
