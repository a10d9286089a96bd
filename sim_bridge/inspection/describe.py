"""Descriptions of scenes as JSON values: `avw info SCENE` and `avw scenes` print them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avw.sim_bridge.inspection.lint import LintReport, lint
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.catalogue import read_scene, scene_sha256
from avw.sim_bridge.scenes.collections.dataset_configs import CONFIG
from avw.sim_bridge.scenes.materials.material_map import apply_material_map, open_material_map, share_named
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.scene_ref import SceneRef


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """scene: as it was read · report: measures and findings · values: all of it as JSON values"""

    scene: Scene
    report: LintReport
    values: dict[str, Any]


def inspect_scene(scene_id: str, materials: Path | None = None) -> Inspection:
    """Measure a scene and check it for problems.

    materials: a material map in place of the built-in table. Raises SceneError or UsageError.
    """
    scene, reading = read_scene(scene_id)
    table = open_material_map(str(materials)) if materials else None
    if table is not None:
        scene, evidence = apply_material_map(scene, table)
        reading = None if reading is None else dataclasses.replace(reading, evidence=evidence)
    report = lint(scene, reading)
    if table is not None:  # the lint judges materials by the built-in table
        report = dataclasses.replace(report, findings=tuple(f for f in report.findings if f.name != "materials"))
    findings = [
        {key: getattr(finding, key) for key in ("name", "severity", "what", "where", "cause", "fix")}
        for finding in report.findings
    ]
    values = {**report.facts, "sha256": scene_sha256(scene), "findings": findings}
    if table is not None:
        values |= {"material_map": table.name, "material_coverage": round(share_named(scene, table), 4)}
    return Inspection(scene=scene, report=report, values=values)


def scene_properties(ref: SceneRef, export_folder: Path | None = None) -> dict[str, Any]:
    """The main properties of a scene. Raises SceneError if it is missing or unusable.

    export_folder: also write the scene as a GLB file into this folder
    """
    scene, report = ref.read()
    low_3, high_3 = scene.vertices_V3.min(axis=0), scene.vertices_V3.max(axis=0)
    values: dict[str, Any] = {
        "scene": ref.scene_id,
        "triangles": len(scene.faces_F3),
        "surfaces": len(scene.surfaces),
        "materials": sorted({surface.material.name for surface in scene.surfaces}),
        "lights": len(scene.lights),
        "rooms": len(scene.rooms),
        "size_m": [round(float(length), 2) for length in high_3 - low_3],
        "free_floor_m2": round(free_space_of(scene).area, 2),
        "by_semantics": round(report.by_semantics, 4) if report else 0.0,
        "by_name": round(report.by_name, 4) if report else 1.0,
        "by_default": round(report.by_default, 4) if report else 0.0,
        "sha256": scene_sha256(scene),
    }
    if export_folder is not None:
        export_folder.mkdir(parents=True, exist_ok=True)
        handle = ref.scene_id.partition("?")[0].partition(f"{CONFIG}:")[2]  # for a scene of a Habitat dataset
        path = export_folder / f"{handle or Path(ref.scene_id).stem}.glb"
        export_glb(scene, path)
        values["file"] = str(path)
    return values
