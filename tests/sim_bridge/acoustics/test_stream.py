"""The stream: an endless loop that follows the time-varying filter exactly, also across steps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.acoustics.stream import BinauralStream
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import STEP_SAMPLES

RNG = np.random.Generator(np.random.Philox(key=7))


def noise(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def decaying(taps: int) -> np.ndarray:
    return noise(2, taps) * np.exp(-5.0 * np.arange(taps, dtype=np.float32) / taps)


def definition(clip_S: np.ndarray, phase: int, response_TES: np.ndarray, step: int, n: int) -> np.ndarray:
    """Sample n of `step` (0: the one that `reset` returns), by the definition of the time-varying filter."""
    share = (n + 1) / STEP_SAMPLES if step > 0 else 1.0
    now_ES = share * response_TES[step] + (1.0 - share) * response_TES[max(step - 1, 0)]
    at = phase + (step - 1) * STEP_SAMPLES + n - np.arange(response_TES.shape[2])
    return now_ES.astype(np.float64) @ clip_S[at % len(clip_S)].astype(np.float64)


@settings(max_examples=25, deadline=None)
@given(
    loop=st.sampled_from([1, 700, 2_400, 9_999, 16_800, 60_000]),
    taps=st.sampled_from([1, 500, 20_000]),
    phase=st.integers(-30_000, 200_000),
    step=st.integers(0, 3),
    n=st.integers(0, STEP_SAMPLES - 1),
)
def test_every_sample_follows_the_definition(loop: int, taps: int, phase: int, step: int, n: int) -> None:
    clip_S, response_TES = noise(loop), np.stack([decaying(taps) for _ in range(4)])
    stream = BinauralStream(clip_S, phase)
    steps = [stream.reset(response_TES[0]), *(stream.step(response_ES) for response_ES in response_TES[1:])]
    expected_E = definition(clip_S, phase, response_TES, step, n)
    np.testing.assert_allclose(steps[step][:, n], expected_E, atol=2e-4 * np.sqrt(taps), rtol=1e-3)


def test_shape_and_type() -> None:
    stream = BinauralStream(load_sound("ring"))
    for heard_ES in (stream.reset(decaying(20_000)), stream.step(decaying(20_000))):
        assert heard_ES.shape == (2, STEP_SAMPLES)
        assert heard_ES.dtype == np.float32


def test_the_ring_repeats_every_seven_steps_for_a_stationary_listener() -> None:
    response_ES = decaying(20_000)
    stream = BinauralStream(load_sound("ring"), 1_234)
    steps = [stream.reset(response_ES), *(stream.step(response_ES) for _ in range(13))]
    np.testing.assert_allclose(np.concatenate(steps[:7], 1), np.concatenate(steps[7:], 1), atol=1e-5)


def test_the_phase_shifts_the_sound_in_time() -> None:
    response_ES = decaying(20_000)
    late = BinauralStream(load_sound("ring"), STEP_SAMPLES).reset(response_ES)
    early = BinauralStream(load_sound("ring"), 0)
    early.reset(response_ES)
    np.testing.assert_allclose(late, early.step(response_ES), atol=1e-5)


def test_a_pure_delay_returns_the_clip() -> None:
    clip_S = load_sound("ring")
    response_ES = np.zeros((2, 100), dtype=np.float32)
    response_ES[0, 0], response_ES[1, 3] = 1.0, 0.5
    heard_ES = BinauralStream(clip_S, 5_000).reset(response_ES)
    np.testing.assert_allclose(heard_ES[0], clip_S[2_600:5_000], atol=1e-6)
    np.testing.assert_allclose(heard_ES[1], 0.5 * clip_S[2_597:4_997], atol=1e-6)


def test_there_is_no_click_between_steps() -> None:
    # A low tone with changing responses: differences across step boundaries are no larger than within a step.
    clip_S = np.sin(2 * np.pi * 40 * np.arange(16_000) / 16_000).astype(np.float32)
    stream = BinauralStream(clip_S)
    levels = (1.0, 0.2, 0.9, 0.1)
    steps = [stream.reset(np.full((2, 1), levels[0], dtype=np.float32))]
    steps += [stream.step(np.full((2, 1), level, dtype=np.float32)) for level in levels[1:]]
    heard_S = np.concatenate(steps, axis=1)[0]
    assert np.abs(np.diff(heard_S)).max() < 1.1 * 2 * np.pi * 40 / 16_000


def test_later_steps_do_not_overwrite_earlier_ones() -> None:
    stream = BinauralStream(load_sound("ring"))
    first = stream.reset(decaying(20_000))
    kept = first.copy()
    stream.step(decaying(20_000))
    np.testing.assert_array_equal(first, kept)


def soundspaces_step(clip_S: np.ndarray, index: int, response_ES: np.ndarray) -> np.ndarray:
    """2,400 samples from clip sample `index` on, by a direct-form filter that processes the whole past."""
    taps = response_ES.shape[1]
    if index < taps:  # the clip with silence before and after it
        line_S = np.concatenate([clip_S, np.zeros(STEP_SAMPLES)])[: index + STEP_SAMPLES]
    else:
        repetitions = -(-(index + STEP_SAMPLES) // len(clip_S))
        line_S = np.tile(clip_S, repetitions)[: index + STEP_SAMPLES]
    steps_heard = [signal.lfilter(ear_S.astype(np.float64), 1.0, line_S.astype(np.float64)) for ear_S in response_ES]
    return np.stack(steps_heard)[:, index:]


def soundspaces_episode(clip_S: np.ndarray, index: int, response_TES: list[np.ndarray]) -> list[np.ndarray]:
    """The first observation and the steps after it, as the description of SoundSpaces' mode defines them."""
    if 16_000 <= len(clip_S) < 32_000:
        clip_S = np.concatenate([clip_S, clip_S, clip_S])
    index %= len(clip_S)
    steps = [soundspaces_step(clip_S, index, response_TES[0])]
    for last_ES, now_ES in itertools.pairwise(response_TES):
        index = (index + STEP_SAMPLES) % len(clip_S)
        before_ES, after_ES = (soundspaces_step(clip_S, index, ir_ES) for ir_ES in (last_ES, now_ES))
        rising_S = np.interp(np.arange(STEP_SAMPLES), [0, 800], [0.0, 1.0])
        steps.append(before_ES * (1.0 - rising_S) + after_ES * rising_S)
    return steps


@settings(max_examples=12, deadline=None)
@given(
    loop=st.sampled_from([2_000, 16_000, 16_800, 31_999, 32_000, 60_000]),
    taps=st.lists(st.sampled_from([1, 500, 3_000]), min_size=4, max_size=4),
    index=st.integers(0, 200_000),
)
def test_the_soundspaces_mode_follows_its_description(loop: int, taps: list[int], index: int) -> None:
    clip_S, response_TES = noise(loop), [decaying(count) for count in taps]
    stream = BinauralStream(clip_S, index + STEP_SAMPLES, mode="soundspaces")
    steps_heard = [stream.reset(response_TES[0]), *(stream.step(response_ES) for response_ES in response_TES[1:])]
    for heard_ES, expected_ES in zip(steps_heard, soundspaces_episode(clip_S, index, response_TES), strict=True):
        assert heard_ES.shape == (2, STEP_SAMPLES)
        assert heard_ES.dtype == np.float32
        np.testing.assert_allclose(heard_ES, expected_ES, atol=2e-2)  # for noise of RMS 1 and up to 3,000 taps


def test_only_the_soundspaces_mode_cuts_reverberation_off_when_the_loop_repeats() -> None:
    clip_S = np.zeros(40_000, dtype=np.float32)
    clip_S[-1] = 1.0  # a click at the very end, so that everything after it is reverberation
    response_ES = np.ones((2, 4_000), dtype=np.float32)
    for mode, continues in (("glide", True), ("soundspaces", False)):
        stream = BinauralStream(clip_S, 40_000, mode=mode)
        stream.reset(response_ES)
        assert (np.abs(stream.step(response_ES)).max() > 0.5) == continues, mode


def test_both_modes_agree_for_a_stationary_listener_far_from_the_loop_boundary() -> None:
    clip_S, response_ES = noise(60_000), decaying(3_000)
    steps_heard = []
    for mode in ("glide", "soundspaces"):
        stream = BinauralStream(clip_S, 30_000, mode=mode)
        steps_heard.append(np.concatenate([stream.reset(response_ES), stream.step(response_ES)], axis=1))
    np.testing.assert_allclose(*steps_heard, atol=1e-3)


def test_bad_requests_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="mono clip"):
        BinauralStream(np.zeros((2, 100), dtype=np.float32))
    with pytest.raises(UsageError, match="mono clip"):
        BinauralStream(np.zeros(0, dtype=np.float32))
    with pytest.raises(UsageError, match="reset"):
        BinauralStream(load_sound("ring")).step(decaying(10))
    with pytest.raises(UsageError, match="impulse response"):
        BinauralStream(load_sound("ring")).reset(np.zeros(10, dtype=np.float32))
    with pytest.raises(UsageError, match="glide, soundspaces"):
        BinauralStream(load_sound("ring"), mode="wavy")


@pytest.mark.parametrize("loop", [700, 16_800, 60_000])
@pytest.mark.parametrize("taps", [500, 9_000])
def test_a_sound_that_ends_leaves_its_reverberation(loop: int, taps: int) -> None:
    """After the end, the filter has a clip of zeros; before it, the stream is that of the endless loop."""
    clip_S, response_TES = noise(loop), np.stack([decaying(taps) for _ in range(9)])
    endless, ending = BinauralStream(clip_S, 11), BinauralStream(clip_S, 11, ends=2)
    expected = [endless.reset(response_TES[0]), *(endless.step(response_TES[t]) for t in range(1, 9))]
    heard = [ending.reset(response_TES[0]), *(ending.step(response_TES[t]) for t in range(1, 9))]
    for step in range(3):  # the one that `reset` returns, and two more
        np.testing.assert_allclose(heard[step], expected[step], atol=2e-4)
    at = 11 + np.arange(-taps - STEP_SAMPLES, 9 * STEP_SAMPLES)
    gated_S = clip_S[at % loop] * (np.arange(len(at)) < taps + STEP_SAMPLES + 2 * STEP_SAMPLES)
    for step in (3, 4, 8):
        for n in (0, 1_200, STEP_SAMPLES - 1):
            share = (n + 1) / STEP_SAMPLES
            now_ES = share * response_TES[step] + (1.0 - share) * response_TES[step - 1]
            here = taps + STEP_SAMPLES + (step - 1) * STEP_SAMPLES + n
            wanted_E = now_ES.astype(np.float64) @ gated_S[here - np.arange(taps)].astype(np.float64)
            np.testing.assert_allclose(heard[step][:, n], wanted_E, atol=2e-4)
    assert np.abs(heard[8]).max() == pytest.approx(0.0, abs=2e-5)


def test_steps_of_soundspaces_have_no_end() -> None:
    with pytest.raises(UsageError, match="needs --stream glide"):
        BinauralStream(noise(700), mode="soundspaces", ends=3)
