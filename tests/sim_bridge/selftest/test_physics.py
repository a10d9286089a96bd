"""Every physics check passes for AVW's engine, and fails for an engine with the fault that it looks for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from avw.cli.doctor import doctor
from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.selftest import engine_checks as checks
from avw.sim_bridge.selftest import path_checks, sight_checks
from avw.sim_bridge.selftest.check import EngineMaker
from avw.sim_bridge.selftest.emitter_checks import EMITTERS
from avw.sim_bridge.selftest.engine_checks import ANY_ENGINE
from avw.sim_bridge.selftest.engines import engine_maker
from avw.sim_bridge.selftest.path_checks import PATHS
from avw.sim_bridge.selftest.run_checks import renderer_maker, run_checks
from avw.sim_bridge.selftest.sight_checks import SIGHT


@pytest.mark.parametrize("check", [*ANY_ENGINE, *EMITTERS, *PATHS], ids=lambda check: check.__name__)
def test_avws_engine_passes(check: Any) -> None:
    result = check(engine_maker())
    assert result.ok, f"{result.name}: expected {result.expected}, measured {result.measured}"


@pytest.mark.parametrize("check", SIGHT, ids=lambda check: check.__name__)
def test_avws_renderer_passes(check: Any) -> None:
    result = check(renderer_maker())
    assert result.ok, f"{result.name}: expected {result.expected}, measured {result.measured}"


class _Faulty:
    """AVW's engine with one fault, for instance a wrong source position or a distorted response."""

    name, reproducible, sample_rate = "faulty", True, 16_000

    def __init__(self, scene: Scene, fault: str, options: dict[str, Any]) -> None:
        if fault == "swapped bands":
            scene = _with_materials(scene, lambda values_6: values_6[::-1])
        if fault == "opaque walls":
            options = {**options, "transmission": False}
        if fault == "no edges":
            options = {**options, "diffraction": False}
        if fault == "remembers nothing":
            options = {**options, "positions": 1}
        self._options = options
        self._engine: Any = engine_maker(emitters=4_000)(scene, **options)
        self._fault = fault
        self.n_samples = self._engine.n_samples
        self._answers = 0

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        x, y, z = position_3
        self._engine.set_source(np.array([y, z, 0.0]) if self._fault == "shifted axes" else np.array([x, y, z]), seed)

    def omni_response(self, position_3: np.ndarray) -> np.ndarray:
        response_S = self._engine.omni_response(position_3)
        if self._fault == "images on top":  # as if emitters had kept the energy of image sources
            return response_S * np.float32(1.0 + 0.1 * self._options.get("image_order", 0))
        if self._fault == "one way":
            return response_S * np.float32(1.0 + 0.1 * position_3[0])
        return response_S

    def impulse_response(self, pose: Any) -> np.ndarray:
        self._answers += 1
        if self._fault == "remembers nothing":
            self._engine.impulse_response(replace(pose, x=pose.x + 0.2))  # with `positions=1`, it evicts the last one
        if self._fault == "turned axes" and self._options.get("layout") == "foa":
            return self._engine.impulse_response(pose)[[0, 3, 1, 2]]
        if self._fault == "turns backwards":
            pose = replace(pose, yaw=-pose.yaw)
        response_ES = self._engine.impulse_response(pose).copy()
        samples = response_ES.shape[1]
        if self._fault == "swapped ears":
            return response_ES[::-1].copy()
        if self._fault == "one ear":
            return np.repeat(response_ES[:1], 2, axis=0)
        if self._fault == "normalised":
            return response_ES / np.abs(response_ES).max()
        if self._fault == "no travel time":
            return np.roll(response_ES, -int(np.argmax(np.abs(response_ES[0]))) + 20, axis=1)
        if self._fault == "rings before":
            return response_ES + 0.003 * np.roll(response_ES, -40, axis=1)
        if self._fault == "decays too slowly":
            return (response_ES * np.exp(1.5 * np.arange(samples) / 16_000)).astype(np.float32)
        if self._fault == "forgets":
            return response_ES * np.float32(1.0 + 0.001 * self._answers)
        return response_ES

    def close(self) -> None:
        self._engine.close()


def _faulty_maker(fault: str) -> EngineMaker:
    def make(scene: Scene, **options: Any) -> Any:
        return _Faulty(scene, fault, options)

    return make


def _with_materials(scene: Scene, change: Any) -> Scene:
    surfaces = [
        replace(surface, material=replace(surface.material, absorption_6=change(surface.material.absorption_6)))
        for surface in scene.surfaces
    ]
    return replace(scene, surfaces=tuple(surfaces))


class _FaultyRenderer:
    """AVW's renderer with one fault."""

    built = 0

    def __init__(self, scene: Scene, size: int, hfov: float, fault: str) -> None:
        self._renderer = renderer_maker()(scene, size, hfov * (0.98 if fault == "wrong lens" else 1.0))
        self._fault = fault
        _FaultyRenderer.built += 1

    def render(self, camera_3: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        rgb_HWC, depth_HW = self._renderer.render(camera_3, -yaw if self._fault == "mirrored" else yaw)
        if self._fault == "far plane":
            depth_HW = np.where(depth_HW == 0.0, np.float32(100.0), depth_HW)
        if self._fault == "dark":
            rgb_HWC = rgb_HWC // 20
        if self._fault == "flickers":
            rgb_HWC = rgb_HWC + np.uint8(_FaultyRenderer.built % 2)
        return rgb_HWC, depth_HW


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("swapped ears", checks.source_on_the_right_is_louder_right),
        ("swapped ears", checks.source_on_the_right_is_earlier_right),
        ("turns backwards", checks.turning_equals_moving_the_source),
        ("shifted axes", checks.left_mirrors_right),
        ("one ear", checks.source_on_the_right_is_louder_right),
        ("one ear", checks.left_mirrors_right),
        ("normalised", checks.level_falls_as_one_over_r),
        ("normalised", checks.wall_between_lowers_the_level),
        ("no travel time", checks.sound_travels_at_its_speed),
        ("rings before", checks.no_sound_before_the_onset),
        ("decays too slowly", checks.reverberation_follows_eyring),
        ("forgets", checks.responses_are_reproducible),
        ("swapped bands", checks.octave_bands_decay_separately),
        ("images on top", path_checks.image_sources_keep_the_energy),
        ("one way", path_checks.paths_are_reciprocal),
        ("opaque walls", path_checks.walls_attenuate_as_specified),
        ("no edges", path_checks.diffraction_matches_theory),
        ("turned axes", path_checks.layouts_agree),
        ("remembers nothing", path_checks.turning_traces_no_rays),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_fault_is_caught(fault: str, check: Any) -> None:
    result = check(_faulty_maker(fault))
    assert not result.ok, f"{result.name} passed an engine with the fault {fault!r}: {result.measured}"


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("wrong lens", sight_checks.depth_matches_a_box),
        ("mirrored", sight_checks.depth_matches_a_box),
        ("far plane", sight_checks.depth_is_zero_where_nothing_is),
        ("dark", sight_checks.images_are_lit_and_reproducible),
        ("flickers", sight_checks.images_are_lit_and_reproducible),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_fault_of_the_renderer_is_caught(fault: str, check: Any) -> None:
    result = check(lambda scene, size, hfov: _FaultyRenderer(scene, size, hfov, fault))
    assert not result.ok, f"{result.name} passed a renderer with the fault {fault!r}: {result.measured}"


def test_an_engine_that_raises_fails_its_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, pose: Any) -> Any:
        raise BackendError("the process died")

    monkeypatch.setattr(_Faulty, "impulse_response", fail)
    monkeypatch.setattr("avw.sim_bridge.selftest.run_checks.engine_maker", lambda *_: _faulty_maker("none"))
    for others in ("EMITTERS", "PATHS", "SIGHT", "FLOOR"):
        monkeypatch.setattr(f"avw.sim_bridge.selftest.run_checks.{others}", ())
    results = list(run_checks("emitters"))
    assert len(results) == len(ANY_ENGINE)
    assert not any(result.ok for result in results)
    assert all("the process died" in result.fix for result in results)


def test_a_missing_engine_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise BackendError("not installed")

    monkeypatch.setattr("avw.sim_bridge.selftest.engines.make_engine", refuse)
    with pytest.raises(BackendError, match="not installed"):
        next(run_checks("emitters"))


def test_doctor_prints_a_table_and_exits_with_0() -> None:
    result = CliRunner().invoke(doctor, [])
    assert result.exit_code == 0, result.output
    assert "tests passed" in result.output
    assert "FAIL" not in result.output


def test_doctor_json_is_one_document_and_a_failure_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avw.sim_bridge.selftest.run_checks.ANY_ENGINE", (checks.source_on_the_right_is_louder_right,))
    for others in ("EMITTERS", "PATHS", "SIGHT", "FLOOR"):
        monkeypatch.setattr(f"avw.sim_bridge.selftest.run_checks.{others}", ())
    document = json.loads(CliRunner().invoke(doctor, ["--json"]).stdout)
    assert document["ok"] is True
    assert [check["ok"] for check in document["checks"]] == [True]
    assert document["versions"]["numpy"]
    assert "BSD" in document["licences"]["numpy"]
    assert "KEMAR" in document["licences"]["head-related responses"]
    assert document["machine"]["cpus"] >= 1

    monkeypatch.setattr("avw.sim_bridge.selftest.run_checks.engine_maker", lambda *_: _faulty_maker("swapped ears"))
    broken = CliRunner().invoke(doctor, ["--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["ok"] is False
    table = CliRunner().invoke(doctor, [])
    assert table.exit_code == 1
    assert "swaps the ears" in " ".join(table.output.split())
