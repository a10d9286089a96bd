"""The tools of the validation: reference rays, exact diffraction at an edge, rooms, and the report."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner

from avw.sim_bridge.acoustics.measures import eyring_rt60
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.selftest.edge_theory import behind_an_edge
from validation.__main__ import validate
from validation.findings import Finding, Section, Verdict
from validation.ray_decay import BIN_SECONDS, ray_decay
from validation.report import BEGIN, END, markdown_report, replace_report
from validation.rooms import coupled_rooms, octave_material, open_air
from validation.shoeboxes import t20

SIZE = (6.0, 3.0, 5.0)
SOURCE_3 = np.array([1.5, 1.5, -1.0])


def test_rays_have_the_right_direct_sound_and_free_path() -> None:
    receiver_3 = np.array([-1.0, 1.6, 1.0])
    found = ray_decay(SIZE, (1.0, 0.3), 1.0, SOURCE_3, receiver_3[None], seconds=0.3, rays=40_000)
    distance = float(np.linalg.norm(receiver_3 - SOURCE_3))
    energy_W = found.energy_ARW[0, 0]  # everything is absorbed at the first wall, so only the direct sound remains
    assert energy_W.sum() == pytest.approx(1.0 / distance**2, rel=0.06)
    travelled = np.flatnonzero(energy_W) * BIN_SECONDS * 343.0
    # Each chord is counted at its middle, near the centre of the sphere; a bin is 0.34 m long.
    assert np.abs(travelled + 0.17 - distance).max() < 0.4
    assert found.free_path == pytest.approx(4.0 * 90.0 / 126.0, rel=0.01)
    assert found.energy_ARW[1, 0].sum() > energy_W.sum()


def test_rays_decay_slightly_more_slowly_than_eyring() -> None:
    receivers = np.array([[-1.4, 1.6, 1.1], [2.0, 1.2, 1.5], [-2.2, 1.0, -1.7]])
    found = ray_decay(SIZE, (0.2, 0.5), 1.0, SOURCE_3, receivers, seconds=0.8, rays=6_000)
    ratios = [
        t20(energy_RW.mean(axis=0)) / eyring_rt60(90.0, 126.0, absorption)
        for absorption, energy_RW in zip((0.2, 0.5), found.energy_ARW, strict=True)
    ]
    assert 1.0 < ratios[0] < 1.1
    assert ratios[0] < ratios[1] < 1.2


def test_rays_stay_in_the_room_and_are_reproducible() -> None:
    receivers = np.array([[-1.4, 1.6, 1.1]])
    one, two = (ray_decay(SIZE, (0.1,), 0.5, SOURCE_3, receivers, seconds=0.2, rays=500) for _ in range(2))
    np.testing.assert_array_equal(one.energy_ARW, two.energy_ARW)
    assert one.free_path < math.dist((0, 0, 0), SIZE)


def test_pressure_at_the_shadow_boundary_is_half() -> None:
    """On the line from the source over the edge, many wavelengths from the faces, half the pressure remains."""
    hertz_F = np.array([2_000.0, 4_000.0, 8_000.0])
    source, receiver = (2.0, 0.8), (3.0, 0.8 + math.pi + 3e-3)
    pressure_F = np.abs(behind_an_edge(hertz_F, source, receiver, 0.0, 2.0 * math.pi))
    np.testing.assert_allclose(pressure_F * 5.0, 0.5, rtol=0.06)


def test_the_exact_edge_satisfies_reciprocity_and_maekawas_chart() -> None:
    hertz_F = np.array([500.0, 2_000.0])
    one, other = (2.0, 0.5), (3.0, 4.4)
    forward = behind_an_edge(hertz_F, one, other, 0.7, 2.0 * math.pi)
    np.testing.assert_allclose(forward, behind_an_edge(hertz_F, other, one, 0.7, 2.0 * math.pi))
    # Z. Maekawa's chart in the form of U. J. Kurze and G. S. Anderson (1971), accurate to 1.5 dB in the deep shadow.
    depth, away = 1.0, 2.0
    over = 2.0 * math.hypot(depth, away) - 2.0 * away
    fresnel_F = np.sqrt(2.0 * math.pi * 2.0 * over * hertz_F / 343.0)
    chart_F = 5.0 + 20.0 * np.log10(fresnel_F / np.tanh(fresnel_F))
    angle = math.atan2(away, depth)
    place = math.hypot(depth, away)
    exact_F = behind_an_edge(hertz_F, (place, angle), (place, 2.0 * math.pi - angle), 0.0, 2.0 * math.pi)
    np.testing.assert_allclose(-20.0 * np.log10(np.abs(exact_F) * 2.0 * away), chart_F, atol=1.5)


def test_coupled_rooms_have_a_wall_with_a_doorway() -> None:
    rays = RayScene(coupled_rooms((8.0, 3.0, 5.0), 0.1, 0.5, door=(0.9, 2.0)))
    from_N3 = np.array([[-2.0, 1.0, 0.0], [-2.0, 1.0, 0.6], [-2.0, 2.2, 0.0]])
    _, distance_N, _ = rays.closest(from_N3, np.tile([1.0, 0.0, 0.0], (3, 1)))
    np.testing.assert_allclose(distance_N, [6.0, 2.0, 2.0], rtol=1e-5)


def test_open_air_contains_only_the_panel() -> None:
    scene = open_air([((0.0, 0.0, -20.0), (0.0, 15.0, 20.0))], octave_material((0.1,) * 6))
    face_N, distance_N, _ = RayScene(scene).closest(np.array([[-1.0, 14.9, 0.0], [-1.0, 15.1, 0.0]]), np.eye(3)[[0, 0]])
    np.testing.assert_allclose(distance_N, [1.0, 21.0], rtol=1e-5)
    assert scene.surfaces[scene.surface_F[face_N[0]]].material.transmission_6 == (0.1,) * 6
    assert scene.surfaces[scene.surface_F[face_N[1]]].material.absorption_6 == (1.0,) * 6


def test_findings_have_verdicts() -> None:
    assert Finding.within("T20", -4.9, 5.0, "%", target="rays").verdict is Verdict.HOLDS
    assert Finding.within("T20", 5.1, 5.0, "%", target="rays").verdict is Verdict.FAILS
    assert Finding.within("T20", math.nan, 5.0, "%", target="rays").verdict is Verdict.FAILS


def test_the_page_keeps_its_text_and_shows_failures() -> None:
    section = Section(title="Rooms", method="As they are.", charts={"decay": "<svg/>"})
    section.findings.append(Finding.within("level", 3.0, 1.0, "dB", target="theory"))
    section.findings.append(Finding.note("ours", "2 ms"))
    page = replace_report(f"before\n{BEGIN}stale\n{END}\nafter\n", markdown_report([section], "images"))
    assert page.startswith("before\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "stale" not in page
    assert "| level | within 1 dB of theory | +3.0 dB | **FAILS** |" in page
    assert "![decay](images/decay.svg)" in page
    assert "0 of 1 expectations hold" in page
    with pytest.raises(UsageError, match="validation:begin"):
        replace_report("no markers", "x")


def test_the_command_writes_the_page_and_valid_charts(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}{END}\n", encoding="utf-8")
    result = CliRunner().invoke(
        validate, ["--quick", "--only", "distance,ears", "--write", str(page)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    text = page.read_text(encoding="utf-8")
    assert "KEMAR" in text
    for name in ("ild", "itd"):
        assert f"images/acoustics/{name}.svg" in text
        ET.parse(tmp_path / "images" / "acoustics" / f"{name}.svg")


def test_an_unknown_part_is_an_error() -> None:
    with pytest.raises(UsageError, match="gardens"):
        CliRunner().invoke(validate, ["--only", "gardens"], catch_exceptions=False, standalone_mode=False)
