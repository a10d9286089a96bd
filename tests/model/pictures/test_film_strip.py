"""Film strips, sound panels and floor plans: the frames are where they belong, and the drawings show their data."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from avw.model.pictures.film_strip import StripRow, depth_picture, film_strip, guessed_picture, shown_steps, strip_width
from avw.model.pictures.floor_plan import FloorPlan
from avw.model.pictures.ink import GUESSED, IMAGINED, PAPER, SOURCE, TRUTH
from avw.model.pictures.sound_panel import SoundTrack, sound_panel
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.types import Pose


def plain(level: int) -> np.ndarray:
    return np.full((16, 16, 3), level, np.uint8)


def test_a_strip_has_every_frame_once_and_room_for_what_is_below():
    rows = [
        StripRow(label="truth", pictures=[plain(10), plain(60), plain(110)], colour=TRUTH),
        StripRow(label="imagined", note="in one jump", pictures=[None, plain(160), plain(210)], colour=IMAGINED),
    ]
    below = Image.new("RGB", (strip_width(3, 64), 40), (1, 2, 3))
    strip = film_strip(
        rows, ["now", "+1", "+2"], title="house", subtitles=["2 forward", "2 left"], below=[below], cell=64
    )
    pixels = np.asarray(strip)
    for level in (10, 60, 110, 160, 210):
        assert (pixels == level).all(axis=-1).sum() == 64 * 64
    assert (pixels == (1, 2, 3)).all(axis=-1).sum() == below.width * below.height
    top, bottom = (np.argwhere((pixels == level).all(axis=-1)).min(axis=0) for level in (60, 160))
    assert top[1] == bottom[1]  # one column
    assert bottom[0] - top[0] > 64


@pytest.mark.parametrize(("steps", "shown"), [(1, [1]), (3, [1, 2, 3]), (16, [1, 2, 3, 5, 9, 16])])
def test_the_steps_that_are_shown_end_with_the_last(steps, shown):
    assert shown_steps(steps) == shown


def test_near_is_lighter_than_far_and_nothing_is_black():
    depth = depth_picture(np.array([[0.5, 5.0, 0.0]], np.float32), 6.0)
    assert depth[0, 0].sum() > depth[0, 1].sum() > depth[0, 2].sum() == 0


def test_guessed_pixels_are_tinted_and_seen_ones_are_grey():
    tinted = guessed_picture(plain(128), np.eye(16, dtype=bool))
    assert np.ptp(tinted[0, 0].astype(int)) < 10
    assert tinted[0, 1].argmax() == np.argmax(GUESSED)
    assert np.ptp(tinted[0, 1].astype(int)) > 60


def test_the_panel_shows_which_ear_is_louder():
    t = np.arange(8 * 2400) / 16000
    ring = np.sin(2 * np.pi * 500 * t)
    track = SoundTrack(label="truth", audio_ES=np.stack([ring, 0.1 * ring]).astype(np.float32), colour=(200, 0, 0))
    heard = np.zeros((2, 2400), np.float32)
    panel = np.asarray(sound_panel(heard, [track], [1, 8], 600, 300)).astype(int)
    swapped = SoundTrack(label="truth", audio_ES=track.audio_ES[::-1], colour=(200, 0, 0))
    other = np.asarray(sound_panel(heard, [swapped], [1, 8], 600, 300)).astype(int)
    red, other_red = (picture[..., 0] - picture[..., 1] > 120 for picture in (panel, other))
    assert red.any()
    assert np.argwhere(red)[:, 0].mean() < np.argwhere(other_red)[:, 0].mean()  # the left ear is above


@pytest.mark.parametrize("silent", [np.zeros((2, 0), np.float32), np.zeros((2, 4800), np.float32)])
def test_silence_and_no_past_are_drawn_too(silent):
    track = SoundTrack(label="imagined", audio_ES=np.zeros((2, 2400), np.float32), colour=IMAGINED)
    assert sound_panel(silent, [track], [1], 300, 200).size == (300, 200)


def test_a_plan_shows_the_part_around_the_points():
    points = np.array([(1.0, 1.0), (2.0, 3.0)])
    plan = FloorPlan.blank(points, 200)
    metres = 200 / plan.pixels_per_metre
    assert metres == 5.0
    assert plan.at(1.5, 2.0) == pytest.approx((100, 100))
    clean = plan.copy()
    plan.source(1.5, 2.0)
    assert plan.image.getpixel((100, 100)) == SOURCE
    assert clean.image.getpixel((100, 100)) == PAPER
    clean.path([(1.0, 2.0), (2.0, 2.0)], IMAGINED)
    clean.agent(Pose(1.0, 0.0, 3.0, 0.0), TRUTH)
    clean.dots(np.array([(2.5, 3.5)]), TRUTH)
    clean.legend([("truth", TRUTH)])
    assert clean.image.getpixel((100, 100)) == IMAGINED
    assert clean.image.getpixel((80, 139)) == TRUTH


@pytest.mark.slow
def test_a_plan_of_a_scene_has_the_scale_that_it_says():
    whole = FloorPlan.of_scene(scene_ref("procedural-0200"), 300)
    centre = np.array(whole.corner) + 150 / whole.pixels_per_metre
    part = FloorPlan.of_scene(scene_ref("procedural-0200"), 300, np.stack([centre, centre + 0.5]))
    assert part.pixels_per_metre > whole.pixels_per_metre
    assert len(np.unique(np.asarray(part.image).reshape(-1, 3), axis=0)) > 10
