"""The CEM solver of stable-worldmodel (MIT) as shipped, with AVW's model in place of its own.

Only its folder of solvers is imported, so that its simulators and data readers need not be installed:

    pip install --no-deps stable-worldmodel loguru
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import sys
from contextlib import redirect_stdout, suppress
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from avw.model.context import Context
from avw.model.memory.poses import walking_steps
from avw.model.planning.outlook import outlook
from avw.model.world_model import WorldModel

SPREAD = torch.tensor([3.0, 3.0, 1.5])  # forward and left, metres; turn, radians


def solvers() -> Any:
    """Its module of solvers; None if it is not installed."""
    name = "stable_worldmodel"
    if f"{name}.solver" in sys.modules:
        return sys.modules[f"{name}.solver"]
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        return None
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
    with suppress(ImportError):
        return importlib.import_module(f"{name}.solver")
    return None


class Costs:
    """Its protocol of a world model: the cost of candidates (B, N, horizon, 3) is the expected distance, metres."""

    def __init__(self, model: WorldModel, context: Context, passes: int) -> None:
        self.model, self.context, self.passes = model, context, passes

    def get_cost(self, info: dict[str, Any], candidate_BNH3: torch.Tensor) -> torch.Tensor:
        motion_K3 = (candidate_BNH3[0, :, 0] * SPREAD).numpy().astype(np.float32)
        steps_K = walking_steps(motion_K3).clip(1, self.model.max_offset).round().astype(np.int64)
        predicted = outlook(self.model, self.context, motion_K3, steps_K, denoising_steps=self.passes, seed=0)
        return torch.from_numpy(predicted.distance_K[:-1].astype(np.float32))[None]


def solve(model: WorldModel, context: Context, samples: int, iterations: int, elites: int, passes: int) -> np.ndarray:
    """The motion (forward, left, turn) that its solver finds."""
    solver = solvers().CEMSolver(
        Costs(model, context, passes), num_samples=samples, n_steps=iterations, topk=elites, seed=0
    )
    space = spaces.Box(-np.inf, np.inf, (1, 3), np.float32)
    solver.configure(action_space=space, n_envs=1, config=SimpleNamespace(horizon=1, action_block=1))
    with redirect_stdout(io.StringIO()):  # it prints its time
        found = solver.solve({"env": torch.zeros(1)})
    return np.asarray(found["actions"][0, 0] * SPREAD)
