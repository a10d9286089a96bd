"""The reliability card, on metrics that respond perfectly, not at all, and wrongly."""

from __future__ import annotations

import json

import numpy as np
import pytest

from avw.model.metrics.audio import lsd_per_clip
from avw.model.metrics.binaural import itd_error_per_clip, pan_error_per_clip
from avw.model.metrics.physical import ild_error_per_clip
from avw.model.metrics.reliability import STRENGTHS, card_as_json, damaged, reliability_card
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES


def clips(count: int = 6) -> np.ndarray:
    noise = keyed_rng("clips").normal(0.0, 0.1, (count, 2, STEP_SAMPLES))
    return (noise * np.array([1.0, 0.3])[:, None]).astype(np.float32)


def test_damage_is_what_it_is_called():
    true = clips()
    shifted = damaged(true, "shift", 15.0)
    assert not shifted[..., :240].any()
    np.testing.assert_array_equal(shifted[..., 240:], true[..., :-240])
    muted = damaged(true, "mute", 0.25)
    assert not muted[..., 1800:].any()
    np.testing.assert_array_equal(muted[..., :1800], true[..., :1800])
    np.testing.assert_array_equal(damaged(true, "swap", 1.0), true[:, ::-1])
    sine = np.sin(2 * np.pi * 1000.0 * np.arange(STEP_SAMPLES) / SAMPLE_RATE)[None, None].repeat(2, 1)
    slower = np.abs(np.fft.rfft(damaged(sine, "speed", 0.75)[0, 0]))
    assert np.argmax(slower) * SAMPLE_RATE / STEP_SAMPLES == pytest.approx(750.0, abs=4.0)


def test_shuffling_keeps_all_samples_and_moves_more_with_the_strength():
    true = clips()
    moved = [(damaged(true, "shuffle", share) != true).mean() for share in STRENGTHS["shuffle"]]
    assert moved == pytest.approx([0.2, 0.4, 0.7, 1.0], abs=0.01)
    np.testing.assert_array_equal(np.sort(damaged(true, "shuffle", 0.7)), np.sort(true))


def test_a_metric_that_measures_the_damage_is_perfect():
    true = clips()
    card = reliability_card(lambda x: np.array([(clip == 0.0).mean() for clip in x]), true, families=["mute"])["mute"]
    assert card.errors == pytest.approx((0.0, 0.1, 0.25, 0.5, 0.9))
    assert (card.delta, card.monotone, card.flip, card.clips) == pytest.approx((0.9, 1.0, 0.0, 6))
    assert card.variation == pytest.approx(0.0, abs=1e-6)


def test_a_metric_that_does_not_respond_is_a_coin():
    card = reliability_card(lambda x: np.ones(len(x)), clips())
    assert set(card) == set(STRENGTHS)
    for row in card.values():
        assert (row.delta, row.monotone, row.flip) == (0.0, 0.0, 0.5)


def test_a_metric_that_responds_wrongly_is_noticed():
    row = reliability_card(lambda x: -np.array([(clip == 0.0).mean() for clip in x]), clips(), families=["mute"])[
        "mute"
    ]
    assert (row.monotone, row.flip) == (-1.0, 1.0)
    assert row.delta < 0.0


def test_variation_and_flips_of_a_noisy_metric_are_those_of_its_noise():
    """Values 1 + z with a spread of 0.5 that do not depend on the damage: half of all pairs are in the wrong order."""
    rng = keyed_rng("noisy")
    row = reliability_card(lambda x: 1.0 + 0.5 * rng.standard_normal(len(x)), clips(400), families=["swap"])["swap"]
    assert row.variation == pytest.approx(0.5, rel=0.1)
    assert row.flip == pytest.approx(0.5, abs=0.05)


def test_clips_without_a_value_do_not_count():
    true = clips()
    true[:2] = 0.0
    card = reliability_card(lambda x: ild_error_per_clip(x, true), true)
    assert {row.clips for row in card.values()} == {4}
    assert reliability_card(lambda x: np.full(len(x), np.nan), true) == {}


def test_metrics_notice_what_they_are_made_for():
    true = clips()
    cards = {
        "lsd": reliability_card(lambda x: lsd_per_clip(x, true), true),
        "ild_error": reliability_card(lambda x: ild_error_per_clip(x, true), true),
        "pan_error": reliability_card(lambda x: pan_error_per_clip(x, true), true),
    }
    assert cards["lsd"]["mute"].monotone == cards["lsd"]["shuffle"].monotone == 1.0
    assert cards["ild_error"]["swap"].monotone == cards["pan_error"]["swap"].monotone == 1.0
    # The level difference hardly depends on when a sound begins.
    assert cards["ild_error"]["shift"].delta < 0.1 * cards["ild_error"]["swap"].delta


def test_the_card_as_json():
    true = clips()
    cards = card_as_json({"itd_error": reliability_card(lambda x: itd_error_per_clip(x, true), true), "none": {}})
    assert json.loads(json.dumps(cards, allow_nan=False)) == cards
    assert len(cards["itd_error"]["mute"]["errors"]) == 5


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="unknown damage"):
        damaged(clips(), "echo", 1.0)
