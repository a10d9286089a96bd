"""What a planner reads from the predictions of a model."""

import numpy as np
import pytest

from avw.model.context import Observer
from avw.model.planning.outlook import Outlook, outlook
from tests.model.planning.room_walk import KnowingModel, RoomWalk

MOTION = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 1.5]], np.float32)
STEPS = np.array([7, 22])


def predicted(sharpness: float, denoising_steps: int = 0) -> Outlook:
    """For a source 3 m ahead."""
    model = KnowingModel(lambda place_2: float(np.linalg.norm(place_2 - [3.0, 0.0])), sharpness)
    observer = Observer(model.needs)
    observer.observe(RoomWalk().observation())
    return outlook(model, observer.context(), MOTION, STEPS, denoising_steps=denoising_steps, seed=0)


@pytest.mark.parametrize("denoising_steps", [0, 1])
def test_the_current_pose_comes_last(denoising_steps):
    found = predicted(50.0, denoising_steps)
    assert found.distance_K == pytest.approx([2.0, np.hypot(3.0, 2.0), 3.0], abs=0.26)  # half a bin
    assert found.success_K.max() < 0.01


def test_a_flat_histogram_is_uncertain():
    sharp, flat = predicted(50.0), predicted(0.1)
    assert (sharp.variance_K >= 0).all()
    assert sharp.variance_K.max() < 0.1
    assert flat.variance_K.min() > 10.0
