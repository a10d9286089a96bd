"""Calibration of P(success) on validation scenes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowBatch, WindowConfig, Windows
from avw.model.frames import EncodedFrames, encoded_frames
from avw.model.prediction import Calibration, Prediction
from avw.model.world_model import WorldModel


def predict_windows(
    model: WorldModel,
    frames: EncodedFrames,
    window: WindowBatch,
    *,
    steps: int | None = None,
    batch: int = 32,
    pixels: bool = True,
) -> Iterator[tuple[slice, Prediction]]:
    """Predict every target of `window`, `batch` contexts at a time."""
    for first in range(0, len(window.context_BT), batch):
        chosen = slice(first, first + batch)
        yield chosen, model.predict_window(frames, window.part(chosen), steps=steps, pixels=pixels)


def calibrate(
    model: WorldModel, dataset: Dataset, frames: EncodedFrames | None = None, *, count: int = 1500
) -> Calibration:
    """Fit sigmoid(logit / temperature + bias) to the event "the pose is within the success radius".

    The poses are those after one step of the recorded agents and, from datasets that have them, the counterfactual
    poses around them: a planner also visits places that the recorded agents avoid.

    frames: of the validation split; None: they are encoded
    """
    windows = Windows(dataset, "val", WindowConfig(ages=model.ages))
    window = windows.at(1, count)
    model.calibration = Calibration()
    predicted: list[Tensor] = []
    distances: list[np.ndarray] = []
    encoded = encoded_frames(windows, model.tokenizers, model.net.config) if frames is None else nullcontext(frames)
    with encoded as frames:
        for chosen, prediction in predict_windows(model, frames, window, pixels=False):
            predicted.append(prediction.success_BK)
            distances.append(window.distance_BK[chosen])
            if windows.has_counterfactuals:
                alone, distance_BN = model.predict_counterfactuals(frames, window.context_BT[chosen, -1])
                predicted.append(alone.success_BK)
                distances.append(distance_BN)
    logits = torch.cat([torch.logit(success.double().flatten(), 1e-6).cpu() for success in predicted])
    distance = np.concatenate([array.ravel() for array in distances])
    inside = torch.from_numpy(distance < dataset.spec.task.success_distance).double()
    scale, bias = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    if 0 < inside.sum() < len(inside):
        scale, bias = _platt(logits, inside)
    return Calibration(temperature=float(1 / scale.clamp(min=1e-3)), bias=float(bias))


def _platt(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logistic regression on one variable by Newton's method, with weak regularisation towards the identity."""
    features = torch.stack([logits, torch.ones_like(logits)], 1)
    prior = torch.tensor([1.0, 0.0], dtype=torch.float64)

    def loss(weight: Tensor) -> float:
        error = functional.binary_cross_entropy_with_logits(features @ weight, labels, reduction="sum")
        return float(error + 0.5 * (weight - prior).square().sum())

    weight = prior.clone()
    for _ in range(30):
        p = torch.sigmoid(features @ weight)
        gradient = features.T @ (p - labels) + (weight - prior)
        hessian = (features * (p * (1 - p))[:, None]).T @ features + torch.eye(2, dtype=torch.float64)
        step = torch.linalg.solve(hessian, gradient)
        # A full step diverges where most probabilities are close to 0 or 1: halve it until the loss does not increase.
        limit = loss(weight) * (1 + 1e-12)
        while loss(weight - step) > limit:
            step = step / 2
        weight = weight - step
    return weight[0], weight[1]
