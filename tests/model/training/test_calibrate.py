"""Calibration of P(success), with a scripted model: the fit is computed again in the test."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit, logit

from avw.avw4k.reading.dataset import Dataset
from avw.model.prediction import Calibration
from avw.model.training.calibrate import calibrate
from avw.sim_bridge.randomness import keyed_rng


class ScriptedModel:
    """Predicts a probability of success for each frame from a table."""

    ages = (1, 0)
    tokenizers = None
    net = SimpleNamespace(config=None)

    def __init__(self, probability: dict[bytes, float]) -> None:
        self.probability = probability
        self.calibration = Calibration(temperature=9.0, bias=9.0)  # of an earlier fit: must not have an effect
        self.used: list[Calibration] = []

    def predict_window(self, frames, window, *, steps, pixels):
        self.used.append(self.calibration)
        shown = [frames.rgb_FHWC[t].tobytes() for t in window.context_BT[:, -1]]
        return SimpleNamespace(success_BK=torch.tensor([[self.probability[key]] for key in shown]))


@pytest.fixture(autouse=True)
def only_recorded_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames without latents, of a dataset without counterfactual poses: what the fit is computed again from."""

    @contextmanager
    def shown(windows, tokenizers, config):
        rows = [windows.dataset.read(ref, ["rgb"])["rgb"] for ref in windows.episodes]
        yield SimpleNamespace(rgb_FHWC=np.concatenate(rows), windows=windows)

    monkeypatch.setattr("avw.model.training.calibrate.encoded_frames", shown)
    monkeypatch.setattr("avw.avw4k.reading.windows.Windows.has_counterfactuals", False)


@pytest.fixture(scope="module")
def frames(dataset: Dataset) -> tuple[list[bytes], np.ndarray]:
    """Every frame of the validation split with a successor, and whether the agent is close to the source after it."""
    keys, inside = [], []
    for ref in dataset.episodes("val"):
        row = dataset.read(ref, ["rgb", "geodesic"])
        keys += [frame.tobytes() for frame in row["rgb"][:-1]]
        inside += (row["geodesic"][1:] < dataset.spec.task.success_distance).tolist()
    return keys, np.array(inside)


def probabilities(frames: tuple[list[bytes], np.ndarray]) -> dict[bytes, float]:
    """Informative but overconfident and biased: the logit is three times too large."""
    keys, inside = frames
    rng = keyed_rng("calibration")
    logits = 3.0 * (np.where(inside, 0.8, -0.8) + rng.normal(0.0, 1.0, len(keys))) + 1.0
    return {key: float(expit(value)) for key, value in zip(keys, logits, strict=True)}


def test_the_fit_is_the_regularised_logistic_regression(dataset: Dataset, frames):
    model = ScriptedModel(probabilities(frames))
    found = calibrate(model, dataset, count=10_000)
    keys, inside = frames
    assert 0 < inside.sum() < len(inside)
    z = logit(np.clip(np.float32([model.probability[key] for key in keys]).astype(float), 1e-6, 1 - 1e-6))

    def loss(weight: np.ndarray) -> float:
        signed = np.where(inside, 1, -1) * (weight[0] * z + weight[1])
        return float(np.logaddexp(0, -signed).sum() + 0.5 * (weight[0] - 1) ** 2 + 0.5 * weight[1] ** 2)

    scale, bias = minimize(loss, [1.0, 0.0], tol=1e-10).x
    assert 1 / found.temperature == pytest.approx(scale, abs=1e-3)
    assert found.bias == pytest.approx(bias, abs=1e-3)
    assert found.temperature > 1.2  # it was overconfident
    assert set(model.used) == {Calibration()}


def test_without_examples_of_both_kinds_probabilities_are_not_changed(dataset: Dataset, frames):
    class NeverClose:
        """The dataset, with a success radius of 0."""

        spec = SimpleNamespace(task=SimpleNamespace(success_distance=0.0))

        def __getattr__(self, name: str):
            return getattr(dataset, name)

    found = calibrate(ScriptedModel(dict.fromkeys(frames[0], 0.3)), NeverClose())
    assert (found.temperature, found.bias) == (1.0, 0.0)
