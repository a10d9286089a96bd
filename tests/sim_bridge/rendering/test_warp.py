"""The Warp renderer compared with the Embree renderer, on Warp's CPU device; needs `pip install 'avw[gpu]'`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.rendering.camera import CameraConfig
from avw.sim_bridge.rendering.lighting import BakedLight, bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import RenderConfig, Renderer
from avw.sim_bridge.scenes.houses.procedural import generate_house

needs_warp = pytest.mark.skipif(
    importlib.util.find_spec("warp") is None, reason="warp-lang is not installed: pip install 'avw[gpu]'"
)


@pytest.fixture(scope="module")
def house() -> tuple[RayScene, BakedLight, np.ndarray]:
    ray_scene = RayScene(generate_house(3))
    eyes_B3 = [[(r.min_x + r.max_x) / 2, 1.25, (r.min_z + r.max_z) / 2] for r in ray_scene.scene.rooms[:3]]
    return ray_scene, bake_light(ray_scene), np.array(eyes_B3)


@needs_warp
@pytest.mark.parametrize(
    ("camera", "config"),
    [
        (CameraConfig(width=96, height=64), RenderConfig()),
        (CameraConfig(width=96, height=48, projection="equirectangular"), RenderConfig()),
        (CameraConfig(width=40, height=40), RenderConfig(samples=4)),
        (CameraConfig(width=40, height=40), RenderConfig(anisotropy=0)),
    ],
)
def test_both_renderers_agree(
    house: tuple[RayScene, BakedLight, np.ndarray], camera: CameraConfig, config: RenderConfig
) -> None:
    from avw.sim_bridge.rendering.warp import WarpRenderer

    ray_scene, light, eyes_B3 = house
    yaw_B = np.array([0.3, -1.9, 2.6])
    ours = Renderer(ray_scene, light=light, camera=camera, config=config).render_batch(eyes_B3, yaw_B)
    theirs = WarpRenderer(ray_scene, light=light, camera=camera, config=config, device="cpu").render_batch(
        eyes_B3, yaw_B
    )
    assert theirs[0].dtype == np.uint8
    assert theirs[0].shape == ours[0].shape
    # Rays along a silhouette may pass on either side of it.
    near = np.abs(ours[1] - theirs[1]) < 1e-3
    assert near.mean() > 0.998
    error = (ours[0].astype(float) - theirs[0])[near]
    assert np.abs(error).max() <= (8 if config.anisotropy else 255)
    psnr_floor = 50 if config.anisotropy else 35  # without filtering, the edge of a texel is as sharp as a silhouette
    assert (error**2).mean() <= 255**2 / 10 ** (psnr_floor / 10)


@needs_warp
def test_an_image_does_not_depend_on_its_batch(house: tuple[RayScene, BakedLight, np.ndarray]) -> None:
    from avw.sim_bridge.rendering.warp import WarpRenderer

    ray_scene, light, eyes_B3 = house
    renderer = WarpRenderer(ray_scene, size=24, light=light, device="cpu")
    rgb_BHWC, depth_BHW = renderer.render_batch(eyes_B3, np.zeros(3))
    rgb_HWC, depth_HW = renderer.render(eyes_B3[1], 0.0)
    np.testing.assert_array_equal(rgb_BHWC[1], rgb_HWC)
    np.testing.assert_array_equal(depth_BHW[1], depth_HW)


@needs_warp
def test_unsupported_devices_and_cameras_are_refused(house: tuple[RayScene, BakedLight, np.ndarray]) -> None:
    from avw.sim_bridge.rendering.warp import WarpRenderer

    ray_scene, light, _ = house
    with pytest.raises(BackendError, match=r"no device 'cuda:77'.* expected one of .*cpu"):
        WarpRenderer(ray_scene, light=light, device="cuda:77")
    with pytest.raises(UsageError, match="use `Renderer`"):
        WarpRenderer(ray_scene, light=light, camera=CameraConfig(projection="orthographic"))


def test_a_missing_warp_installation_tells_what_to_type() -> None:
    program = (
        "import sys; sys.modules['warp'] = None\n"
        "from avw.sim_bridge.errors import BackendError\n"
        "try:\n    import avw.sim_bridge.rendering.warp\n"
        "except BackendError as error:\n    print(error)\n"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "pip install 'avw[gpu]'" in output
