"""Optional metrics: real packages where they are installed, and a reason where they are not."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from avw.model.metrics.perceptual import PERCEPTUAL, Futures, perceptual
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE

PACKAGES = {
    "lpips": "lpips",
    "dreamsim": "dreamsim",
    "fid": "pytorch_fid",
    "fad": "frechet_audio_distance",
    "visqol": "visqol",
}


def futures(noise: float = 0.0) -> Futures:
    rng = keyed_rng("futures")
    rgb = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    sound = np.cumsum(rng.normal(0.0, 0.01, (1, 2, 2 * SAMPLE_RATE)), axis=-1).astype(np.float32)
    other = sound + rng.normal(0.0, noise, sound.shape).astype(np.float32) if noise else sound
    return Futures(rgb, rgb, other, sound)


@pytest.mark.parametrize("name", PERCEPTUAL)
def test_a_missing_package_is_named_and_the_value_is_none(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    values, unavailable = perceptual(futures(), [name])
    assert values == {name: None}
    assert f"the package {PACKAGES[name]}" in unavailable[name]
    assert "pip install 'avw[metrics]'" in unavailable[name]


def test_missing_weights_are_a_reason_and_not_an_error(monkeypatch: pytest.MonkeyPatch):
    def create(**_: object) -> None:
        raise OSError("the weights could not be downloaded\nTraceback of the library")

    package = ModuleType("frechet_audio_distance")
    package.FrechetAudioDistance = create
    monkeypatch.setitem(sys.modules, "frechet_audio_distance", package)
    assert perceptual(futures(), ["fad"]) == ({"fad": None}, {"fad": "OSError: the weights could not be downloaded"})


def test_a_result_that_is_not_finite_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PERCEPTUAL, "fad", lambda _: float("nan"))
    values, unavailable = perceptual(futures(), ["fad"])
    assert values == {"fad": None}
    assert "not a finite number" in unavailable["fad"]


def test_sounds_reach_visqol_at_48_khz_and_scores_are_averaged(monkeypatch: pytest.MonkeyPatch):
    seen = []

    class Api:
        def create(self, mode: str) -> None:
            assert mode == "audio"

        def measure_from_arrays(self, reference: np.ndarray, degraded: np.ndarray, rate: int) -> SimpleNamespace:
            seen.append((len(reference), len(degraded), rate))
            return SimpleNamespace(moslqo=3.0 + len(seen))

    package = ModuleType("visqol")
    package.VisqolApi = Api
    monkeypatch.setitem(sys.modules, "visqol", package)
    values, unavailable = perceptual(futures(), ["visqol"])
    assert (values, unavailable) == ({"visqol": 4.5}, {})
    assert seen == [(6 * SAMPLE_RATE, 6 * SAMPLE_RATE, 48_000)] * 2


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("visqol") is None, reason="visqol-python is not installed")
def test_visqol_prefers_the_truth():
    clean, noisy = (perceptual(futures(noise), ["visqol"])[0]["visqol"] for noise in (0.0, 0.1))
    assert clean is not None
    assert noisy is not None
    assert 5.0 >= clean > noisy + 0.5
