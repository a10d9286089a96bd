"""Cameras, depth, filtering and ids of the renderer, compared with closed forms and an independent ray tracer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.camera import CameraConfig, axes
from avw.sim_bridge.rendering.ids import label_image, paint_ids
from avw.sim_bridge.rendering.lighting import BakedLight, bake_light
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import RenderConfig, Renderer
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from tests.sim_bridge.boxes import PLAIN, box_scene, flat, mesh_scene

ROOM = RayScene(shoebox((4.0, 3.0, 6.0)))
EYE = np.array([0.3, 1.2, 1.0])


def even_light(scene: Scene, value: float = 0.5) -> BakedLight:
    """The same light everywhere, so that only textures matter."""
    n = len(scene.faces_F3)
    light_N3 = np.full((3 * n, 3), value, dtype=np.float32)
    return BakedLight(np.ones(n, dtype=np.int32), np.arange(0, 3 * n, 3, dtype=np.int32), light_N3)


def distance_to_walls(dirs_HW3: np.ndarray) -> np.ndarray:
    """Distances from EYE to the walls of ROOM in multiples of each direction, by a slab test."""
    low, high = np.array([-2.0, 0.0, -3.0]) - EYE, np.array([2.0, 3.0, 3.0]) - EYE
    with np.errstate(divide="ignore"):
        return np.where(dirs_HW3 > 0, high / np.abs(dirs_HW3), -low / np.abs(dirs_HW3)).min(axis=-1)


def moller_trumbore(origin_3: np.ndarray, dirs_N3: np.ndarray, corners_F33: np.ndarray) -> np.ndarray:
    """Distance of the nearest hit, by a float64 test of every triangle (Moller and Trumbore); inf for none."""
    e1, e2 = corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0]
    p = np.cross(dirs_N3[:, None], e2[None])
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / (p * e1).sum(axis=-1)
        to = origin_3 - corners_F33[:, 0]
        u = (p * to).sum(axis=-1) * inverse
        q = np.cross(to, e1)
        v = (q[None] * dirs_N3[:, None]).sum(axis=-1) * inverse
        t = (q * e2).sum(axis=-1) * inverse
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return np.where(hit, t, np.inf).min(axis=1)


@pytest.mark.parametrize(("width", "height", "hfov"), [(64, 64, 90.0), (97, 41, 120.0), (30, 50, 35.0), (1, 1, 60.0)])
@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (2.1, -0.4), (-1.0, 1.2)])
def test_pinhole_depth_is_planar_at_any_size_and_angle(
    width: int, height: int, hfov: float, yaw: float, pitch: float
) -> None:
    camera = CameraConfig(width=width, height=height, hfov=hfov)
    _, depth_HW = Renderer(ROOM, light=even_light(ROOM.scene), camera=camera).render(EYE, yaw, pitch)
    half = math.tan(math.radians(hfov) / 2)
    x, y = np.meshgrid(
        ((np.arange(width) + 0.5) / width * 2 - 1) * half,
        -((np.arange(height) + 0.5) / height * 2 - 1) * half * height / width,
    )
    forward = np.array([-math.cos(pitch) * math.sin(yaw), math.sin(pitch), -math.cos(pitch) * math.cos(yaw)])
    right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    dirs = x[..., None] * right + y[..., None] * np.cross(right, forward) + forward
    np.testing.assert_allclose(depth_HW, distance_to_walls(dirs), rtol=2e-5)


def test_equirectangular_depth_is_radial() -> None:
    camera = CameraConfig(width=64, height=32, projection="equirectangular")
    yaw = 0.7
    _, depth_HW = Renderer(ROOM, light=even_light(ROOM.scene), camera=camera).render(EYE, yaw)
    azimuth = ((np.arange(64) + 0.5) / 64 * 2 - 1) * math.pi - yaw  # clockwise from -Z
    elevation = (0.5 - (np.arange(32) + 0.5) / 32)[:, None] * math.pi
    dirs = np.stack(
        [
            np.cos(elevation) * np.sin(azimuth),
            np.broadcast_to(np.sin(elevation), (32, 64)),
            -np.cos(elevation) * np.cos(azimuth),
        ],
        axis=-1,
    )
    np.testing.assert_allclose(depth_HW, distance_to_walls(dirs), rtol=2e-5)


def test_the_middle_of_a_panorama_matches_a_pinhole_image() -> None:
    scene = RayScene(generate_house(1))
    light = bake_light(scene)
    room = scene.scene.rooms[0]
    eye = np.array([(room.min_x + room.max_x) / 2, 1.25, (room.min_z + room.max_z) / 2])
    panorama = CameraConfig(width=361, height=181, projection="equirectangular")
    narrow = CameraConfig(width=9, height=9, hfov=9.0)
    wide = Renderer(scene, light=light, camera=panorama).view(eye, 0.4)
    close = Renderer(scene, light=light, camera=narrow).view(eye, 0.4)
    assert wide.depth_HW[90, 180] == pytest.approx(close.depth_HW[4, 4], rel=1e-4)
    assert np.abs(wide.rgb_HWC[90, 180].astype(int) - close.rgb_HWC[4, 4]).max() <= 3


def test_orthographic_depth_and_position_are_exact() -> None:
    block = RayScene(box_scene(((0.0, 0.0, 0.0), (1.0, 0.5, 2.0))))
    camera = CameraConfig(width=40, height=40, projection="orthographic", extent=4.0)
    view = Renderer(block, light=even_light(block.scene), camera=camera).view(
        np.array([0.0, 3.0, 0.0]), 0.0, -math.pi / 2
    )
    assert (view.depth_HW > 0).sum() == 10 * 20
    assert view.depth_HW[20:40, 20:30] == pytest.approx(2.5), "x to the right, z downwards"


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), yaw=st.floats(-math.pi, math.pi), pitch=st.floats(-1.5, 1.5))
def test_depth_agrees_with_an_independent_tracer(seed: int, yaw: float, pitch: float) -> None:
    rng = np.random.Generator(np.random.Philox(seed))
    corners_F33 = rng.normal(size=(60, 1, 3)) * 3.0 + rng.normal(size=(60, 3, 3))
    soup = mesh_scene(corners_F33.reshape(-1, 3), np.arange(180).reshape(60, 3))
    view = Renderer(RayScene(soup), size=20, hfov=100.0, light=even_light(soup)).view(np.zeros(3), yaw, pitch)
    half = math.tan(math.radians(50.0))
    at = ((np.arange(20) + 0.5) / 20 * 2 - 1) * half
    x, y = np.meshgrid(at, -at)
    right, up, forward = axes(yaw, pitch).astype(np.float64)
    dirs = (x[..., None] * right + y[..., None] * up + forward).reshape(-1, 3)
    expected = moller_trumbore(np.zeros(3), dirs, soup.triangles_F33.astype(np.float64))
    depth = view.depth_HW.reshape(-1).astype(np.float64)
    # A ray along an edge may pass on either side of it in float32.
    agree = np.isclose(depth, np.where(np.isinf(expected), 0.0, expected), rtol=1e-4)
    assert agree.mean() > 0.99
    np.testing.assert_array_equal(view.depth_HW > 0, view.face_HW >= 0)


def test_there_are_no_gaps_between_triangles() -> None:
    """Every ray from inside a closed, finely divided sphere hits it."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=5, radius=2.0)
    scene = mesh_scene(ball.vertices, ball.faces)
    camera = CameraConfig(width=512, height=256, projection="equirectangular")
    depth_HW = Renderer(RayScene(scene), light=even_light(scene), camera=camera).render(np.zeros(3), 0.3)[1]
    assert depth_HW.min() > 1.99
    assert depth_HW.max() < 2.001


def test_supersampling_changes_colour_but_not_depth_or_faces() -> None:
    scene = RayScene(box_scene(*flat()))
    light = bake_light(scene)
    eye = np.array([2.5, 1.25, 4.0])
    one, many = (Renderer(scene, light=light, config=RenderConfig(samples=n)).view(eye, 0.5) for n in (1, 16))
    np.testing.assert_array_equal(one.depth_HW, many.depth_HW)
    np.testing.assert_array_equal(one.face_HW, many.face_HW)
    assert 0 < np.abs(one.rgb_HWC.astype(int) - many.rgb_HWC).mean() < 2.0


def test_unlit_rendering_shows_textures_unchanged_also_for_emissive_surfaces() -> None:
    for level in (0, 7, 128, 250, 255):
        texture_HWC = np.full((4, 4, 3), (level, 128, 90), dtype=np.uint8)
        for emission in (0.0, 1.0):
            glowing = replace(PLAIN, texture_HWC=texture_HWC, emission=emission)
            scene = RayScene(replace(box_scene(*flat()), surfaces=(glowing,)))
            view = Renderer(scene, size=16, config=RenderConfig(lit=False)).view(np.array([2.5, 1.25, 4.0]), 0.5)
            assert (view.face_HW >= 0).all()
            assert np.abs(view.rgb_HWC.astype(int) - texture_HWC[0, 0]).max() <= 1


def test_depth_without_colour_equals_the_depth_of_the_view() -> None:
    renderer = Renderer(ROOM, size=30, light=bake_light(ROOM))
    view = renderer.view(EYE, 0.5, 0.1)
    depth_HW, face_HW = renderer.depth(EYE, 0.5, 0.1)
    np.testing.assert_array_equal(depth_HW, view.depth_HW)
    np.testing.assert_array_equal(face_HW, view.face_HW)


def test_a_batch_equals_its_single_images() -> None:
    renderer = Renderer(ROOM, size=24, light=bake_light(ROOM))
    eyes, yaws = np.array([EYE, EYE + 0.2, EYE - 0.1]), np.array([0.0, 1.0, -2.0])
    rgb_BHWC, depth_BHW = renderer.render_batch(eyes, yaws)
    for b in range(3):
        rgb_HWC, depth_HW = renderer.render(eyes[b], yaws[b])
        np.testing.assert_array_equal(rgb_BHWC[b], rgb_HWC)
        np.testing.assert_array_equal(depth_BHW[b], depth_HW)


def _carpet(texture_HWC: np.ndarray) -> Scene:
    """A floor of 40 x 40 m whose texture repeats every half metre."""
    vertices = np.array([[-20, 0, -20], [20, 0, -20], [20, 0, 20], [-20, 0, 20]], dtype=np.float32)
    scene = mesh_scene(vertices, np.array([[0, 2, 1], [0, 3, 2]]))
    uv_V2 = vertices[:, [0, 2]] / 0.5
    return replace(scene, uv_F32=uv_V2[scene.faces_F3], surfaces=(replace(PLAIN, texture_HWC=texture_HWC),))


def _pan(scene: Scene, config: RenderConfig, frames: int = 6) -> np.ndarray:
    """A slow camera pan and dolly over the carpet, float64 (T, H, W, 3)."""
    renderer = Renderer(RayScene(scene), size=48, hfov=90.0, light=even_light(scene), config=config)
    views = [renderer.render(np.array([0.003 * t, 1.25, -0.004 * t]), 0.002 * t)[0] for t in range(frames)]
    return np.stack(views).astype(np.float64)[:, 26:]  # below the horizon


def test_filtering_does_not_shimmer() -> None:
    """Compares the frame-to-frame change of a slow pan over a fine pattern with that of 64 samples per pixel."""
    noise = np.random.Generator(np.random.Philox(3)).integers(0, 256, (128, 128, 1), dtype=np.uint8)
    scene = _carpet(np.repeat(noise, 3, axis=2))
    reference = _pan(scene, RenderConfig(samples=64))
    change = {}
    for name, config in {
        "nearest": RenderConfig(anisotropy=0),
        "isotropic": RenderConfig(anisotropy=1),
        "filtered": RenderConfig(),
    }.items():
        frames = _pan(scene, config)
        change[name] = float(((np.diff(frames, axis=0) - np.diff(reference, axis=0)) ** 2).mean())
    assert change["filtered"] < change["nearest"] / 50
    assert change["isotropic"] < change["nearest"] / 50


def test_anisotropy_keeps_detail_that_isotropic_filtering_blurs() -> None:
    """Stripes that run away from the camera stay visible; the reference is supersampled without filtering."""
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, :24] = 255
    scene = _carpet(stripes)
    reference = _pan(scene, RenderConfig(samples=256, anisotropy=0), frames=1)
    error = {n: ((_pan(scene, RenderConfig(anisotropy=n), frames=1) - reference) ** 2).mean() for n in (0, 1, 8)}
    assert error[8] < 0.7 * error[1]
    assert error[8] < 0.5 * error[0]


def test_distant_textures_keep_their_brightness() -> None:
    """Black and white average to half the linear light, not to the mean of the coded values."""
    checks = np.zeros((64, 64, 3), dtype=np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255
    grey = np.full((64, 64, 3), 188, dtype=np.uint8)  # sRGB of half the light
    far = [_pan(_carpet(t), RenderConfig(), frames=1)[0, :6].mean() for t in (checks, grey)]
    assert far[0] == pytest.approx(far[1], abs=2.0)


def test_colours_of_textures_are_preserved() -> None:
    """Textures and images are sRGB: brighter textures give brighter images, hue is kept, black stays black."""
    levels = []
    for value in (0, 40, 128, 220):
        texture = np.full((4, 4, 3), (value, value // 2, 0), dtype=np.uint8)
        levels.append(_pan(_carpet(texture), RenderConfig(), frames=1)[0].reshape(-1, 3))
        assert np.ptp(levels[-1], axis=0).max() == 0
    means = np.array([level.mean(axis=0) for level in levels])
    assert (means[0] == 0).all()
    assert (np.diff(means[:, 0]) > 10).all()
    assert (means[:, 2] == 0).all()


def test_ids_match_the_visible_surfaces() -> None:
    scene = generate_house(1)
    room = scene.rooms[0]
    eye = np.array([(room.min_x + room.max_x) / 2, 1.25, (room.min_z + room.max_z) / 2])
    view = Renderer(RayScene(scene), size=48, light=even_light(scene)).view(eye, 0.7)
    ids_HW, legend = label_image(view.face_HW, scene)
    assert [label.id for label in legend] == list(range(len(scene.surfaces)))
    assert [label.name for label in legend] == [surface.name for surface in scene.surfaces]
    np.testing.assert_array_equal(ids_HW, scene.surface_F[view.face_HW])
    corners = scene.triangles_F33.astype(np.float64)
    total = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    assert sum(label.area for label in legend) == pytest.approx(total)
    material_HW, materials = label_image(view.face_HW, scene, by="material")
    for face, k in zip(view.face_HW.flat, material_HW.flat, strict=True):
        assert materials[k].name == scene.surfaces[scene.surface_F[face]].material.name
    category_HW, categories = label_image(view.face_HW, scene, by="category")
    named = {categories[k].name for k in np.unique(category_HW)}
    assert named == {scene.surfaces[k].category for k in np.unique(ids_HW)}
    assert scene.object_F is not None
    np.testing.assert_array_equal(label_image(view.face_HW, scene, by="object")[0], scene.object_F[view.face_HW])
    picture = paint_ids(ids_HW)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == len(np.unique(ids_HW))


def test_pixels_without_a_hit_have_no_id() -> None:
    block = box_scene(((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    view = Renderer(RayScene(block), size=16, light=even_light(block)).view(np.array([0.5, 0.5, 4.0]), 0.0)
    ids_HW, _ = label_image(view.face_HW, block)
    assert set(np.unique(ids_HW)) == {-1, 0}
    assert (paint_ids(ids_HW)[ids_HW < 0] == 0).all()
    assert len(np.unique(view.rgb_HWC[ids_HW < 0], axis=0)) == 1


def test_invalid_texture_coordinates_are_tolerated() -> None:
    """NaN and huge coordinates of an untrusted mesh give a colour from within the texture."""
    scene = _carpet(np.full((64, 64, 3), 99, dtype=np.uint8))
    uv_F32 = scene.uv_F32.copy()
    uv_F32[0] = np.nan
    uv_F32[1, 0] = 1e30
    broken = replace(scene, uv_F32=uv_F32)
    for anisotropy in (0, 4):
        assert (_pan(broken, RenderConfig(anisotropy=anisotropy), frames=1) == _pan(scene, RenderConfig(), 1)).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"projection": "fisheye"},
        {"hfov": 175.0},
        {"projection": "orthographic", "extent": 0.0},
        {"width": 1 << 20, "height": 1 << 20},
    ],
)
def test_invalid_cameras_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        CameraConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"samples": 5}, {"anisotropy": -1}, {"texture_side": 0}])
def test_invalid_render_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        RenderConfig(**wrong)


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="expected one of surface, material, category, object"):
        label_image(np.zeros((1, 1), dtype=np.int32), ROOM.scene, by="price")
    with pytest.raises(UsageError, match="does not distinguish objects"):
        label_image(np.zeros((1, 1), dtype=np.int32), replace(ROOM.scene, object_F=None), by="object")
