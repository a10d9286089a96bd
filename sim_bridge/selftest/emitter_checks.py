"""Checks of AVW's engine and of the stream: arrival times to the sample, levels against theory, exact convolution.

AVW's engine has an omnidirectional microphone and a head with known delays, so these checks can be stricter than those
for any engine. Used by `avw.sim_bridge.selftest.run_checks`.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.bands import band_responses
from avw.sim_bridge.acoustics.free_field import SPEED_OF_SOUND, empty_space, free_field
from avw.sim_bridge.acoustics.hrtf import load_hrtf
from avw.sim_bridge.acoustics.measures import difference_db, eyring_rt60, onset
from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.acoustics.stream import BinauralStream
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.check import Check, EngineMaker
from avw.sim_bridge.selftest.engine_checks import FIX_ROOM
from avw.sim_bridge.types import EAR_HEIGHT, SAMPLE_RATE, STEP_SAMPLES, Pose


def impulse_arrives_at_distance_over_c(make: EngineMaker) -> Check:
    """The omnidirectional impulse arrives at d/c within one sample and has height 1/d within 1 %."""
    engine = make(empty_space())
    worst_samples = worst_level = 0.0
    for distance in (0.75, 2.0, 3.3, 9.1):
        engine.set_source(np.array([distance, 9.0, 0.0]))
        response_S = engine.omni_response(np.array([0.0, 9.0, 0.0]))  # type: ignore[attr-defined]
        worst_samples = max(worst_samples, abs(int(np.argmax(response_S)) - distance / SPEED_OF_SOUND * SAMPLE_RATE))
        worst_level = max(worst_level, abs(float(response_S.sum()) * distance - 1.0))
    engine.close()
    return Check(
        name="mono arrival at d/c, height 1/d",
        expected="+- 1 sample, +- 1 %",
        measured=f"{worst_samples:.2f} samples, {100 * worst_level:.2f} %",
        ok=worst_samples <= 1.0 and worst_level <= 0.01,
        fix=FIX_ROOM,
    )


def onsets_include_the_heads_delay(make: EngineMaker) -> Check:
    """The onset at each ear is d/c plus the head's delay for that direction, within one sample."""
    worst = 0.0
    for azimuth in np.radians(np.arange(-180.0, 180.0, 22.5)):
        x, z = 2.5 * math.sin(azimuth), -2.5 * math.cos(azimuth)
        response_ES = free_field(make, (x, z))
        ir_ES, delay_E = load_hrtf().towards(azimuth, 0.0)
        for ear in range(2):
            expected = 2.5 / SPEED_OF_SOUND * SAMPLE_RATE + delay_E[ear] + onset(ir_ES[ear], 6.0)
            worst = max(worst, abs(onset(response_ES[ear], 6.0) - expected))
    return Check(
        name="binaural onset at d/c + the head's delay",
        expected="+- 1 sample",
        measured=f"{worst:.2f} samples",
        ok=worst <= 1.0,
        fix=FIX_ROOM,
    )


def reverberant_level_follows_theory(make: EngineMaker) -> Check:
    """Energy after the direct sound: 16 pi (1 - a) / (a S) exp(-0.04 r / T), Barron's revised theory, within 1.5 dB."""
    size, absorption = (6.0, 3.0, 5.0), 0.2
    volume, area = 90.0, 126.0
    source_3, ear_3 = np.array([1.5, 1.5, -1.0]), np.array([-1.4, 1.6, 1.1])
    engine = make(shoebox(size, absorption, 0.5))
    errors = []
    for seed in range(3):
        engine.set_source(source_3, seed)
        response_S = engine.omni_response(ear_3)  # type: ignore[attr-defined]
        distance = float(np.linalg.norm(source_3 - ear_3))
        late = float(np.square(response_S, dtype=np.float64).sum()) - 1.0 / distance**2
        decay = math.exp(-0.04 * distance / eyring_rt60(volume, area, absorption))
        theory = 16.0 * math.pi * (1.0 - absorption) / (absorption * area) * decay
        errors.append(10.0 * math.log10(late / theory))
    engine.close()
    error = float(np.mean(errors))
    return Check(
        name="reverberant level against theory",
        expected="+- 1.5 dB",
        measured=f"{error:+.2f} dB",
        ok=abs(error) <= 1.5,
        fix=FIX_ROOM,
    )


def octave_bands_add_up_flat(make: EngineMaker) -> Check:
    """Equal gains in all bands leave every frequency unchanged. (No engine is needed.)"""
    total_F = np.abs(band_responses(16_384, SAMPLE_RATE).sum(axis=0))
    worst = float(np.abs(20.0 * np.log10(total_F)).max())
    return Check(
        name=f"{len(OCTAVE_BANDS)} octave bands add up flat",
        expected="+- 0.5 dB",
        measured=f"{worst:.4f} dB",
        ok=worst <= 0.5,
        fix=FIX_ROOM,
    )


def standing_still_is_one_convolution(make: EngineMaker) -> Check:
    """Steps with a constant response equal the looped clip, convolved once with that response."""
    clip_S, phase = load_sound("ring"), 5_000
    response_ES = _walk(make, 1)[0]
    stream = BinauralStream(clip_S, phase)
    heard_ES = np.concatenate([stream.reset(response_ES), *(stream.step(response_ES) for _ in range(9))], axis=1)
    taps = response_ES.shape[1]
    first = phase - STEP_SAMPLES
    past_S = clip_S[np.arange(first - taps + 1, first + heard_ES.shape[1]) % len(clip_S)]
    n_fft = fft.next_fast_len(len(past_S) + taps, real=True)
    full_ES = fft.irfft(fft.rfft(response_ES.astype(np.float64), n_fft) * fft.rfft(past_S.astype(np.float64), n_fft))
    expected_ES = full_ES[:, taps - 1 :][:, : heard_ES.shape[1]]
    difference = difference_db(heard_ES, expected_ES)
    return Check(
        name="standing listener = one convolution",
        expected="<= -100 dB",
        measured=f"{difference:.0f} dB",
        ok=difference <= -100.0,
        fix=FIX_ROOM,
    )


def steps_are_slices_of_one_stream(make: EngineMaker) -> Check:
    """Each step of a walk is a slice of one time-varying filter: sample n is the clip filtered with the response at n.

    The reference is this definition in double precision, at 40 samples of each step.
    """
    clip_S, phase = load_sound("ring"), 15_000
    response_TES = _walk(make, 4)
    stream = BinauralStream(clip_S, phase)
    heard = [stream.reset(response_TES[0]), *(stream.step(response_ES) for response_ES in response_TES[1:])]
    taps = np.arange(response_TES.shape[2])
    actual, expected = [], []
    for step in range(1, len(response_TES)):
        for n in range(0, STEP_SAMPLES, STEP_SAMPLES // 40):
            share = (n + 1) / STEP_SAMPLES
            now_ES = (1.0 - share) * response_TES[step - 1] + share * response_TES[step]
            clip_part_S = clip_S[(phase + (step - 1) * STEP_SAMPLES + n - taps) % len(clip_S)].astype(np.float64)
            expected.append(now_ES @ clip_part_S)
            actual.append(heard[step][:, n])
    difference = difference_db(np.array(actual), np.array(expected))
    return Check(
        name="slices of the stream = the stream",
        expected="<= -100 dB",
        measured=f"{difference:.0f} dB",
        ok=difference <= -100.0,
        fix=FIX_ROOM,
    )


def _walk(make: EngineMaker, steps: int) -> np.ndarray:
    """Responses (steps, 2, S) for a listener who walks and turns in a shoebox."""
    engine = make(shoebox((6.0, 3.0, 5.0), 0.2, 0.5))
    engine.set_source(np.array([1.5, EAR_HEIGHT, -1.0]))
    poses = [Pose(-1.0 + 0.15 * t, 0.0, 0.5, 0.7 - 0.17 * t) for t in range(steps)]
    response_TES = np.stack([engine.impulse_response(pose) for pose in poses])
    engine.close()
    return response_TES


EMITTERS = (
    impulse_arrives_at_distance_over_c,
    onsets_include_the_heads_delay,
    reverberant_level_follows_theory,
    octave_bands_add_up_flat,
    standing_still_is_one_convolution,
    steps_are_slices_of_one_stream,
)
