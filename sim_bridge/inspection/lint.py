"""Problems of a scene, found before hours are spent on it: units, axes, holes, floors, materials, flicker.

`lint` depends only on the scene and on how it was read, and repairs nothing. docs/scenes.md lists every finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.inspection.findings import Finding, failures
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.materials.labels import Coverage, coverage
from avw.sim_bridge.scenes.meshes.mesh_options import UNITS
from avw.sim_bridge.scenes.meshes.units import HUGE, SMALL, unit_by_name, unit_by_size
from avw.sim_bridge.scenes.meshes.up_axis import DECISIVE, walkable_patches
from avw.sim_bridge.scenes.scene import Scene

if TYPE_CHECKING:
    from avw.sim_bridge.inspection.mesh_measures import Topology, Views
    from avw.sim_bridge.navigation.open_free_space import NavGrid
    from avw.sim_bridge.scenes.meshes.mesh_files import MeshReport
    from avw.sim_bridge.scenes.scene_ref import SceneRef

HOLES = 0.02  # share of rays from inside that escape, from which it is worth a warning
NAMED = 0.5  # share of the area whose material the labels should give
FLICKER = 0.01  # share of the visible points that may have another surface in the same place
MIXED = 0.05  # share of the visible faces that are seen from behind
HIGH = 4.5  # metres; a house with a higher ceiling is probably in feet
SMALL_FLOOR = 6.0  # m² of floor, less than a small room has
BOXED = 0.25  # share of the area of the scene; less floor is probably not that of its rooms
FAR = 2_000.0  # metres from the origin beyond which 32-bit coordinates are coarse
DENSE = 5_000_000  # triangles


@dataclass(frozen=True, slots=True)
class LintReport:
    """facts: measurements, ready for JSON · findings: the most severe first."""

    scene_id: str
    facts: dict[str, Any]
    findings: tuple[Finding, ...] = field(default=())

    def failures(self, *, strict: bool = False) -> list[Finding]:
        """The errors; with `strict` the warnings too."""
        return failures(self.findings, strict=strict)


def lint_scene(ref: SceneRef, *, strict: bool = False) -> LintReport:
    """Read and lint a scene. Raises SceneError if it is unusable; with `strict`, for warnings too."""
    report = lint(*ref.read())
    bad = report.failures(strict=strict)
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise SceneError(
            f"scene {ref.scene_id!r} does not pass the checks: {bad[0].sentence()}{more}. See all findings: "
            f"avw info {ref.scene_id}"
        )
    return report


def lint(scene: Scene, report: MeshReport | None = None) -> LintReport:
    """Measure `scene` and list its problems. report: how a mesh file was read; None for a generated scene."""
    from avw.sim_bridge.inspection.mesh_measures import topology, views
    from avw.sim_bridge.navigation.open_free_space import free_space_of
    from avw.sim_bridge.rendering.raycast import RayScene

    size_3 = np.ptp(scene.vertices_V3.astype(np.float64), axis=0)
    covered = coverage(scene, report.evidence if report else ())
    structure = topology(scene)
    found = [*_of_size(scene, size_3, report), *_of_reading(report), *_of_materials(covered)]
    navgrid: NavGrid | None = None
    seen: Views | None = None
    if not failures(found):  # with a wrong unit no floor can be found
        try:
            navgrid = free_space_of(scene)
            rng = keyed_rng("lint", "views")
            seen = views(RayScene(scene), np.array([navgrid.sample(rng) for _ in range(48)]))
            found += [*_of_views(seen), *_of_floors(navgrid, size_3), *_of_storeys(scene, navgrid)]
        except SceneError as error:
            found.append(Finding("no-floor", "error", str(error)))
    found += [*_of_place(scene), *_of_axis(scene, size_3), *_of_faces(scene, structure, report)]
    order = {"error": 0, "warning": 1, "note": 2}
    return LintReport(
        scene.scene_id,
        _facts(scene, size_3, report, covered, structure, navgrid, seen),
        tuple(sorted(found, key=lambda f: order[f.severity])),
    )


def _facts(
    scene: Scene,
    size_3: np.ndarray,
    report: MeshReport | None,
    covered: Coverage,
    structure: Topology,
    navgrid: NavGrid | None,
    seen: Views | None,
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "scene": scene.scene_id,
        "triangles": len(scene.faces_F3),
        "vertices": len(scene.vertices_V3),
        "surfaces": len(scene.surfaces),
        "size_m": [round(float(length), 2) for length in size_3],
        "area_m2": round(covered.area, 1),
        "triangles_per_m2": round(len(scene.faces_F3) / max(covered.area, 1e-9), 1),
        "lights": len(scene.lights),
        "rooms": len(scene.rooms),
        "textured_surfaces": sum(s.texture_HWC.shape[0] > 1 for s in scene.surfaces),
        "open_edges": round(structure.open_edges, 5),
        "pieces": structure.pieces,
        "duplicate_faces": structure.duplicate_faces,
        "materials": {name: round(share, 4) for name, share in covered.share.items()},
        "material_coverage": round(covered.named, 4),
        "semantic_coverage": round(covered.semantic, 4),
        "defaulted": {name: round(share, 4) for name, share in covered.defaulted.items()},
    }
    if report is not None:
        facts |= {
            "file_bytes": report.bytes,
            "up": report.up,
            "up_evidence": report.up_evidence,
            "unit_m": report.unit,
            "unit_evidence": report.unit_evidence,
            "semantics": report.semantics,
            "parts": report.geometries,
            "mirrored_parts": report.mirrored,
            "zero_area_faces": report.zero_area_faces,
            "unused_vertices": report.unused_vertices,
            "degenerate_uv": report.degenerate_uv,
        }
    if navgrid is not None:
        facts["free_floor_m2"] = round(navgrid.area, 2)
        facts["floors"] = [{"y": round(f.y, 2) + 0.0, "area_m2": round(f.area, 2)} for f in navgrid.floors]
        facts["islands_m2"] = [round(area, 2) for area in navgrid.islands]
    if seen is not None and navgrid is not None:
        facts["enclosed"] = round(1.0 - seen.escaping, 4)
        facts["ceiling_m"] = round(seen.ceiling, 2) if np.isfinite(seen.ceiling) else None
        facts["air_m3"] = round(navgrid.area * seen.ceiling, 1) if np.isfinite(seen.ceiling) else None
        facts["inside_out"] = round(seen.inside_out, 4)
        facts["coplanar"] = round(seen.coplanar, 4)
    return facts


def _of_size(scene: Scene, size_3: np.ndarray, report: MeshReport | None) -> list[Finding]:
    longest = float(size_3.max())
    named = unit_by_name(scene.scene_id)
    separator = "&" if "?" in scene.scene_id else "?"
    retype = f"type {scene.scene_id}{separator}units="
    if longest > HUGE:
        likely = named or unit_by_size(size_3)
        scaled = " x ".join(f"{length * UNITS[likely]:.1f}" for length in size_3)
        cause = f"most likely the file is in {likely}: it would then be {scaled} m"
        what = f"the scene is {longest:,.0f} m long"
        return [Finding("units", "error", what, cause=cause, fix=f"{retype}{likely}")]
    if longest < SMALL:
        cause = "most likely its unit is not the metre, or it is a single object"
        return [
            Finding("units", "error", f"the scene is {longest:.3g} m long", cause=cause, fix=f"{retype}METRES_PER_UNIT")
        ]
    if named and report is not None and report.unit == 1.0:
        cause = f"its name suggests {named}"
        return [Finding("units", "warning", "the file may not be in metres", cause=cause, fix=f"{retype}{named}, or m")]
    return []


def _of_place(scene: Scene) -> list[Finding]:
    away = float(np.abs(scene.vertices_V3).max())
    if away < FAR:
        return []
    what = f"the scene is {away:,.0f} m from the origin, where coordinates are rounded to {away * 2**-23:.2g} m"
    fix = "move it to the origin in a mesh editor"
    return [Finding("far-away", "warning", what, cause="it is georeferenced, or a stray part is far away", fix=fix)]


def _of_axis(scene: Scene, size_3: np.ndarray) -> list[Finding]:
    if size_3.max() > HUGE:
        return []
    x, y, z = (float(value) for value in walkable_patches(scene.triangles_F33))
    if max(x, z) <= DECISIVE * max(y, 0.5):
        return []
    # After reading, +z of the file is -z or +z of the scene; only the axis matters.
    what = f"turned on its side, the scene would have {max(x, z):.0f} m² to walk on; as read, it has {y:.0f} m²"
    cause = "most likely another axis is up"
    return [Finding("up-axis", "warning", what, cause=cause, fix="append ?up=z or ?up=y to its name")]


def _of_reading(report: MeshReport | None) -> list[Finding]:
    if report is None:
        return []
    found = [Finding("not-read", "warning", warning) for warning in report.warnings]
    found += [Finding("simplified", "note", note) for note in report.notes]
    if report.against_standard:
        what = f"glTF is Y-up by definition, but this file was turned ({report.up_evidence})"
        cause = f"most likely it was exported with {report.up.upper()} up"
        fix = f"append ?up=y to its name if that is wrong, or ?up={report.up} to confirm it"
        found.append(Finding("up-axis", "note", what, cause=cause, fix=fix))
    if report.degenerate_uv:
        what = f"{report.degenerate_uv:,} faces have no usable texture coordinates; each of them shows a single texel"
        found.append(Finding("texture-coordinates", "note", what))
    if report.unused_vertices:
        found.append(
            Finding("unused-vertices", "note", f"{report.unused_vertices:,} vertices are not used by any face; skipped")
        )
    return found


def _of_materials(covered: Coverage) -> list[Finding]:
    if not covered.defaulted:
        return []
    worst = ", ".join(f"{name} ({share:.1%})" for name, share in list(covered.defaulted.items())[:5])
    what = f"the labels give the material of {covered.named:.1%} of the area; the rest becomes hard_surface: {worst}"
    fix = 'name materials after what they are made of, or write {"materials": {"LABEL": "MATERIAL"}} to NAME.avw.json'
    severity = "warning" if covered.named < NAMED else "note"
    return [Finding("materials", severity, what, cause="AVW does not know these names", fix=fix)]


def _of_views(seen: Views) -> list[Finding]:
    found = []
    if seen.roofless > 0.5:
        what = f"{seen.roofless:.0%} of the view upwards is open sky"
        found.append(
            Finding(
                "no-roof",
                "warning",
                what,
                cause="the ceiling was not modelled",
                fix="model it; without a ceiling, sound escapes",
            )
        )
    elif seen.escaping > HOLES:
        what = f"{seen.escaping:.1%} of all directions from inside leave the scene"
        fix = "fill the holes in a mesh editor; until then, light and sound escape through them"
        found.append(
            Finding("holes", "warning", what, cause="holes in the scan, open doors, or no outer walls", fix=fix)
        )
    if seen.inside_out > 0.5:
        what = f"{seen.inside_out:.0%} of the faces seen from inside are seen from behind"
        fix = "flip the normals for viewers that hide back faces; AVW treats both sides alike, and gives Habitat both"
        found.append(Finding("inside-out", "warning", what, cause="the normals point out of the rooms", fix=fix))
    elif seen.inside_out > MIXED:
        what = f"{seen.inside_out:.1%} of the faces seen from inside are seen from behind"
        found.append(
            Finding("mixed-normals", "note", what, cause="some walls are single sheets, or some parts are inside out")
        )
    if seen.coplanar > FLICKER:
        what = f"{seen.coplanar:.1%} of the visible points have another surface in the same place"
        fix = "move one of the surfaces by a millimetre, or delete it"
        found.append(Finding("z-fighting", "warning", what, cause="faces of two surfaces lie in one plane", fix=fix))
    if np.isfinite(seen.ceiling) and seen.ceiling > HIGH:
        what = f"the ceiling is {seen.ceiling:.1f} m above the floor"
        fix = f"for feet, append ?units=ft to its name: the ceiling would be at {seen.ceiling * UNITS['ft']:.1f} m"
        found.append(Finding("units", "note", what, cause="a hall, an atrium, or a house in feet", fix=fix))
    return found


def _of_floors(navgrid: NavGrid, size_3: np.ndarray) -> list[Finding]:
    found = []
    islands = navgrid.islands
    others = sum(islands[1:])
    if others > 0.2 * navgrid.area:
        what = (
            f"{others:.1f} m² of free floor in {len(islands) - 1} places cannot be reached from the "
            f"largest piece, {islands[0]:.1f} m²"
        )
        cause = "closed doors, doorways narrower than the agent, or floors without stairs"
        found.append(
            Finding(
                "islands", "warning", what, cause=cause, fix="open the doors; starts and sources are on the largest"
            )
        )
    largest = max(islands, default=navgrid.area)
    if largest < SMALL_FLOOR:
        what = f"only {largest:.1f} m² can be walked on"
        if largest < BOXED * size_3[0] * size_3[2]:
            cause = "the floor may be the inside of a cupboard or a box, with nothing else under a roof"
            found.append(Finding("small", "warning", what, cause=cause, fix="check the floor with --picture"))
        else:
            found.append(Finding("small", "note", what))
    return found


def _of_storeys(scene: Scene, navgrid: NavGrid) -> list[Finding]:
    from avw.sim_bridge.navigation.open_free_space import unreachable_floors

    apart = unreachable_floors(scene, navgrid)
    if not apart:
        return []
    listed = ", ".join(f"{floor.area:.0f} m² at y = {floor.y:.2f}" for floor in apart)
    cause = "no stairs, or stairs with risers above 0.2 m, narrower than 0.2 m, or with less than 1.6 m of headroom"
    fix = "fix the stairs; until then, starts and sources are only on floors that can be reached"
    return [Finding("storeys", "warning", f"other floors cannot be reached: {listed}", cause=cause, fix=fix)]


def _of_faces(scene: Scene, structure: Topology, report: MeshReport | None) -> list[Finding]:
    found = []
    count = len(scene.faces_F3)
    if report is not None and report.zero_area_faces:
        severity = "warning" if report.zero_area_faces > 0.05 * count else "note"
        what = f"{report.zero_area_faces:,} faces have no area; skipped"
        found.append(Finding("zero-area", severity, what, cause="collapsed triangles of a simplified mesh"))
    if structure.duplicate_faces:
        severity = "warning" if structure.duplicate_faces > 0.01 * count else "note"
        what = f"{structure.duplicate_faces:,} faces coincide with another face"
        found.append(
            Finding("duplicate-faces", severity, what, cause="a part was exported twice", fix="delete one of them")
        )
    if report is not None and structure.open_edges > 1e-4:
        what = f"{structure.open_edges:.2%} of the total edge length is the rim of a hole or of a sheet"
        found.append(Finding("open-edges", "note", what, cause="the mesh is not watertight"))
    if all(s.texture_HWC.shape[:2] == (1, 1) for s in scene.surfaces):
        found.append(Finding("untextured", "note", "no surface has a texture or vertex colours"))
    if count > DENSE:
        fix = "simplify the mesh; a twentieth of the triangles looks the same at 128 pixels"
        found.append(Finding("dense", "warning", f"{count:,} triangles need much memory and time to load", fix=fix))
    return found
