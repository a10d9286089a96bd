"""`avw.evaluate`: measure the model of a run with the defaults of `avw evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.model.device import pick_device
from avw.model.evaluate import EvaluationConfig
from avw.model.evaluate import evaluate as evaluate_model
from avw.model.world_model import WorldModel


def evaluate(
    run: str | Path = "runs/latest",
    data: str | Path | Dataset | None = None,
    *,
    split: str = "test",
    horizons: Sequence[int] = (1, 4, 16),
    count: int = 1000,
    denoising_steps: int | None = None,
    device: str = "auto",
    progress: Callable[[int], object] = lambda windows: None,
) -> dict[str, Any]:
    """Measure the predictions of a trained model and of its baselines, and write RUN/evaluation.json.

    data: a dataset or its folder; None: the dataset that the run was trained on · horizons: steps ahead
    count: windows per horizon · denoising_steps: None: as many as the model was trained for
    progress: called with the number of windows that were just done

    Returns the content of evaluation.json: result["horizons"]["4"]["psnr"]["model"], and so on.
    """
    model = WorldModel.load(run, pick_device(device))
    dataset = data if isinstance(data, Dataset) else open_dataset(Path(model.note["data"]) if data is None else data)
    config = EvaluationConfig(split=split, horizons=tuple(horizons), count=count, denoising_steps=denoising_steps)
    return evaluate_model(model, dataset, config, out=Path(run), progress=progress)
