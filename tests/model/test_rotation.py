"""The rotation warp against the renderer: a turn on the spot moves pixels independently of the scene."""

import math

import numpy as np
import pytest
import torch

from avw.model.rotation import Rotation
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import Renderer
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.types import TURN_RADIANS


@pytest.fixture(scope="module")
def camera():
    scene = load_scene("procedural-0001")
    room = scene.rooms[0]
    renderer = Renderer(RayScene(scene), size=64, hfov=90.0)
    eye = np.array([(room.min_x + room.max_x) / 2, 1.25, (room.min_z + room.max_z) / 2])
    return lambda yaw: torch.from_numpy(renderer.render(eye, yaw)[0].copy())


@pytest.mark.parametrize("turns", [1, -1, 3, -5])
def test_turned_frame_is_what_the_renderer_sees(camera, turns):
    rotation = Rotation(64, 90.0)
    yaw = turns * TURN_RADIANS
    turned, seen = rotation.turned(camera(0.3)[None], torch.tensor([yaw]), smooth=True)
    truth = camera(0.3 + yaw)[None].float()
    inside = seen[0]
    # The share that a pinhole camera of 90° keeps in view is known for the middle row.
    middle = inside[32].float().mean().item()
    expected = (1 - math.tan(abs(yaw) - math.pi / 4)) / 2 if abs(yaw) < math.pi / 2 else 0.0
    assert middle == pytest.approx(expected, abs=0.03)
    right = (turned.float() - truth)[0][inside].square().mean()
    wrong = (rotation.turned(camera(0.3)[None], torch.tensor([-yaw]), smooth=True)[0].float() - truth)[0][inside]
    assert 10 * math.log10(255**2 / right.item()) > 21  # the remaining error is resampling at edges and in textures
    assert right < 0.5 * wrong.square().mean()


def test_no_turn_changes_nothing_and_a_half_turn_shows_nothing(camera):
    rotation = Rotation(64, 90.0)
    frames = torch.stack([camera(0.0), camera(1.0)])
    turned, seen = rotation.turned(frames, torch.tensor([0.0, math.pi]), smooth=False)
    assert torch.equal(turned[0], frames[0])
    assert seen[0].all()
    assert not seen[1].any()
    assert turned[1].flatten(0, 1).unique(dim=0).shape[0] == 1  # one colour: the frame's mean
