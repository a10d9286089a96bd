"""The audio tokenizer on synthetic rooms: what the round trip must preserve, and what the latents must contain."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from avw.model.metrics.audio import lsd
from avw.model.metrics.physical import ild_db, ild_error, level_db
from avw.model.tokenizers.audio import CUES, PHASE_BANDS, AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.griffin_lim import griffin_lim, istft, reflected, stft
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES

CONFIG = AudioTokenizerConfig(components=12, full_scale=2.0)


def rooms(count: int, key: str = "rooms", delay: int | None = None) -> torch.Tensor:
    """Coloured noise of random level at two ears; one ear is delayed (by `delay` samples, or randomly) and softer."""
    rng = keyed_rng(key)
    out = np.empty((count, 2, STEP_SAMPLES))
    for clip in out:
        mono = rng.normal(0.0, 1.0, STEP_SAMPLES + 64)
        mono = mono + rng.uniform(-0.9, 0.9) * np.roll(mono, 1)
        late = int(rng.integers(-10, 11)) if delay is None else delay
        level, ild = rng.uniform(0.003, 0.3), 10 ** (rng.uniform(-8, 8) / 40)
        clip[0] = level * ild * mono[32 : 32 + STEP_SAMPLES]
        clip[1] = level / ild * mono[32 - late : 32 - late + STEP_SAMPLES]
        clip += rng.normal(0.0, 0.05 * level, clip.shape)
    return torch.from_numpy(out).float()


@pytest.fixture(scope="module")
def tokenizer() -> AudioTokenizer:
    torch.set_num_threads(1)
    return AudioTokenizer.fit(rooms(240), CONFIG)


def test_stft_and_its_inverse_are_exact():
    audio = rooms(3)
    window = torch.hann_window(480)
    back = istft(stft(reflected(audio, 120), window), window)
    assert torch.allclose(back[..., 180:-180], audio, atol=1e-5)


def test_griffin_lim_approaches_the_given_magnitudes():
    window = torch.hann_window(480)
    magnitude = stft(reflected(rooms(4), 120), window).abs()

    def distance(steps: int) -> float:
        found = stft(reflected(griffin_lim(magnitude, window, steps=steps), 120), window).abs()
        return float((found - magnitude).norm() / magnitude.norm())

    assert distance(32) < distance(4) < distance(0)
    assert distance(32) < 0.2


def test_shapes_and_types(tokenizer):
    latent = tokenizer.encode(rooms(3))
    assert latent.shape == (3, *tokenizer.latent_shape) == (3, 5, CUES + 12)
    assert tokenizer.config.latent_shape == tokenizer.latent_shape
    audio = tokenizer.decode(latent)
    assert audio.shape == (3, 2, STEP_SAMPLES)
    assert audio.dtype == latent.dtype == torch.float32


def test_latents_are_whitened_on_the_fitted_sounds_and_with_swapped_ears(tokenizer):
    clips = rooms(240)
    latent = tokenizer.encode(torch.cat([clips, clips.flip(1)])).flatten(0, 1)
    assert latent.mean(0).abs().max() < 0.01
    assert (latent.var(0) - 1.0).abs().max() < 0.02
    components = latent[:, CUES:]
    correlation = components.T @ components / len(components)
    assert (correlation - torch.eye(12)).abs().max() < 0.02


def test_levels_and_ild_survive_the_round_trip(tokenizer):
    clips = rooms(30, "unseen")
    decoded = tokenizer.decode(tokenizer.encode(clips)).numpy()
    assert ild_error(decoded, clips.numpy(), full_scale=2.0) < 0.1
    assert np.abs(level_db(decoded) - level_db(clips.numpy())).max() < 0.1


def test_round_trip_is_nearer_than_another_clip_of_the_same_noise(tokenizer):
    clips = rooms(30, "unseen")
    other = rooms(31, "unseen")[1:]
    decoded = tokenizer.decode(tokenizer.encode(clips))
    gain = (clips.square().mean(-1, keepdim=True) / other.square().mean(-1, keepdim=True)).sqrt()
    repeated = lsd((other * gain).numpy(), clips.numpy(), full_scale=2.0)
    assert lsd(decoded.numpy(), clips.numpy(), full_scale=2.0) < repeated - 1.0


def test_level_and_ild_are_linear_in_the_latent(tokenizer):
    clips = rooms(60, "unseen")
    latent = tokenizer.encode(clips).mean(1)
    louder = tokenizer.encode(clips * 10 ** (3 / 20)).mean(1) - latent
    assert torch.allclose(louder[:, 0], (3.0 / tokenizer.cue_std_D[0]).expand(60), atol=0.02)
    ild = torch.from_numpy(ild_db(clips.numpy())).float()
    slope = latent[:, 1] * tokenizer.cue_std_D[1]
    assert (slope - ild).abs().max() < 0.3


@pytest.mark.parametrize("delay", [-6, 5])
def test_the_interaural_delay_survives_the_round_trip(tokenizer, delay):
    clips = rooms(12, "delays", delay)
    decoded = tokenizer.decode(tokenizer.encode(clips)).numpy()

    def measured(audio: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft(audio, 2 * STEP_SAMPLES)
        frequency = np.fft.rfftfreq(2 * STEP_SAMPLES, 1 / SAMPLE_RATE)
        cross = spectrum[:, 1] * spectrum[:, 0].conj() * ((frequency > 200) & (frequency < 1500))
        correlation = np.fft.irfft(cross)
        lags = np.arange(-16, 17)
        return lags[correlation[:, lags].argmax(1)]

    assert (measured(clips.numpy()) == delay).all()
    assert np.abs(measured(decoded) - delay).max() <= 1


def test_swapping_the_ears_negates_the_differences_and_keeps_the_rest(tokenizer):
    clips = rooms(5, "unseen")
    latent, swapped = tokenizer.encode(clips)[..., :CUES], tokenizer.encode(clips.flip(1))[..., :CUES]
    odd = torch.ones(CUES)
    odd[1 : CUES - 2 * PHASE_BANDS] = -1.0
    odd[CUES - PHASE_BANDS :] = -1.0
    assert torch.allclose(swapped, latent * odd, atol=1e-3)


def test_decoding_is_deterministic_and_does_not_mix_clips(tokenizer):
    latent = tokenizer.encode(rooms(4, "unseen"))
    whole = tokenizer.decode(latent)
    assert torch.equal(tokenizer.decode(latent), whole)
    # Matrix products round differently in batches of other sizes, and the phase iterations amplify it to about 1e-4.
    alone = tokenizer.decode(latent[2:3])
    assert (alone - whole[2:3]).norm() < 1e-3 * whole[2:3].norm()


def at_borders(audio_ES: torch.Tensor) -> float:
    """Energy of the first difference at the borders of steps, relative to the samples around them. 1: no clicks."""
    difference = audio_ES.diff(dim=-1).square()
    near = torch.cat([difference[:, STEP_SAMPLES - 1 + k : -50 : STEP_SAMPLES] for k in range(-40, 41) if k], -1)
    return float(difference[:, STEP_SAMPLES - 1 :: STEP_SAMPLES].mean() / near.mean())


def test_a_sequence_keeps_the_levels_of_its_steps(tokenizer):
    steps = rooms(16, "sequence")  # the levels of neighbours differ by up to 20 dB
    latent = tokenizer.encode(steps)
    whole = tokenizer.decode_sequence(latent)
    assert whole.shape == (2, 16 * STEP_SAMPLES)
    cut = whole.unflatten(-1, (16, STEP_SAMPLES)).transpose(0, 1)
    error_NE = np.abs(level_db(cut.numpy()) - level_db(steps.numpy()))
    assert error_NE.max() < 1.0
    assert error_NE.mean() < 0.1
    assert ild_error(cut.numpy(), steps.numpy(), full_scale=2.0) < 0.1
    alone = tokenizer.decode(latent)
    assert lsd(cut.numpy(), steps.numpy(), full_scale=2.0) < lsd(alone.numpy(), steps.numpy(), full_scale=2.0) + 0.5


def test_a_sequence_has_no_clicks_between_its_steps(tokenizer):
    """In a low sound, a click is a large jump from one sample to the next."""
    rng = keyed_rng("hum")
    hum_ES = np.stack([np.convolve(rng.normal(0.0, 0.2, 16 * STEP_SAMPLES + 59), np.ones(60) / 8, "valid")] * 2)
    steps = torch.from_numpy(hum_ES).float().unflatten(-1, (16, STEP_SAMPLES)).transpose(0, 1)
    hums = AudioTokenizer.fit(steps, CONFIG)
    latent = hums.encode(steps)
    assert at_borders(hums.decode_sequence(latent)) < 1.5
    assert at_borders(hums.decode(latent).transpose(0, 1).flatten(1)) > 5.0  # steps that are decoded one by one


def test_a_sequence_of_one_step_is_that_step(tokenizer):
    latent = tokenizer.encode(rooms(1, "unseen"))
    alone = tokenizer.decode(latent)[0]
    assert (tokenizer.decode_sequence(latent) - alone).norm() < 0.1 * alone.norm()


def test_silence_stays_silent(tokenizer):
    silence = torch.zeros(2, 2, STEP_SAMPLES)
    decoded = tokenizer.decode(tokenizer.encode(silence))
    assert torch.isfinite(decoded).all()
    assert level_db(decoded.numpy(), full_scale=2.0).max() < -75.0
    sequence = tokenizer.decode_sequence(tokenizer.encode(silence))
    assert level_db(sequence[None].numpy(), full_scale=2.0).max() < -75.0


def test_latents_far_from_any_sound_still_decode_to_finite_sound(tokenizer):
    latent = torch.from_numpy(keyed_rng("wild").normal(0.0, 10.0, (4, *tokenizer.latent_shape))).float()
    assert torch.isfinite(tokenizer.decode(latent)).all()
    assert torch.isfinite(tokenizer.decode_sequence(latent)).all()


def test_the_state_dict_contains_the_whole_tokenizer(tokenizer):
    copy = AudioTokenizer(AudioTokenizerConfig(**dataclasses.asdict(tokenizer.config)))
    copy.load_state_dict(tokenizer.state_dict())
    latent = tokenizer.encode(rooms(2, "unseen"))
    assert torch.equal(copy.encode(rooms(2, "unseen")), latent)
    assert torch.equal(copy.decode(latent), tokenizer.decode(latent))


def test_fitting_on_nothing_but_silence_gives_a_working_tokenizer():
    silent = AudioTokenizer.fit(torch.zeros(4, 2, STEP_SAMPLES), CONFIG)
    assert torch.isfinite(silent.encode(rooms(2))).all()
    assert silent.encode(torch.zeros(1, 2, STEP_SAMPLES)).abs().max() < 1e-3


def test_invalid_arguments_are_refused():
    with pytest.raises(UsageError, match="cannot be cut into hops"):
        AudioTokenizer(AudioTokenizerConfig(tokens=7))
    with pytest.raises(UsageError, match="on 0 clips"):
        AudioTokenizer.fit(torch.zeros(0, 2, STEP_SAMPLES), CONFIG)
    with pytest.raises(UsageError, match="finite sound"):
        AudioTokenizer.fit(torch.full((1, 2, STEP_SAMPLES), float("nan")), CONFIG)
