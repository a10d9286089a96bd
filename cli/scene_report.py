"""The findings and measures of a scene as text."""

from __future__ import annotations

from typing import Any

_MOST_MATERIALS = 12
_SMALLEST_ISLAND = 0.5  # square metres; smaller areas are gaps behind furniture


def scene_text(values: dict[str, Any]) -> str:
    """The description of a scene as a table."""
    width, height, depth = values["size_m"]
    rows = [
        ("size", f"{width} x {depth} m, {height} m high"),
        (
            "triangles",
            f"{values['triangles']:,} ({values['triangles_per_m2']:g} per m², {values['area_m2']:g} m² in total)",
        ),
        ("surfaces", f"{values['surfaces']}, {values['textured_surfaces']} of them with a texture or vertex colours"),
    ]
    if "up" in values:
        rows.append(("up axis", f"{values['up']} ({values['up_evidence']})"))
        rows.append(("unit", f"{values['unit_m']:g} m ({values['unit_evidence']})"))
        rows.append(("parts", f"{values['parts']}, {values['mirrored_parts']} of them mirrored"))
    else:
        rows.append(("rooms", f"{values['rooms']}, {values['lights']} lights"))
    if "free_floor_m2" in values:
        floors = ", ".join(f"{floor['area_m2']:g} m² at y = {floor['y']:g}" for floor in values["floors"])
        rows.append(("free floor", floors))
        islands = [f"{area:g} m²" for area in values["islands_m2"] if area >= _SMALLEST_ISLAND]
        rows.append(("islands", ", ".join(islands[:6])))
        ceiling = values["ceiling_m"]
        rows.append(
            ("ceiling", "none" if ceiling is None else f"{ceiling:g} m, {values['air_m3']:g} m³ of air below it")
        )
        rows.append(("enclosed", f"{values['enclosed']:.1%} of the directions from inside hit a surface"))
    rows.append(("pieces", f"{values['pieces']}, {values['open_edges']:.2%} of the edges open"))
    covered, semantic = values["material_coverage"], values["semantic_coverage"]
    if "material_map" in values:
        sources = f"{covered:.1%} of the area by label in {values['material_map']}"
    else:
        sources = f"{semantic:.1%} of the area by semantics, {covered - semantic:.1%} by name"
    rows.append(("materials", f"{sources}, {1 - covered:.1%} by default"))
    if values.get("semantics"):
        rows.append(("semantics", values["semantics"]))
    rows += [("", f"{share:6.1%}  {name}") for name, share in list(values["materials"].items())[:_MOST_MATERIALS]]
    if len(values["materials"]) > _MOST_MATERIALS:
        rest = sum(list(values["materials"].values())[_MOST_MATERIALS:])
        rows.append(("", f"{rest:6.1%}  {len(values['materials']) - _MOST_MATERIALS} others"))
    rows.append(("sha256", values["sha256"]))
    lines = [f"scene {values['scene']}", *(f"  {name:<12} {text}" for name, text in rows), ""]
    for finding in values["findings"]:
        lines.append(f"  {finding['severity']:<8} {finding['name']}: {finding['what']}")
        lines += [f"           {key}: {finding[key]}" for key in ("where", "cause", "fix") if finding[key]]
    if not values["findings"]:
        lines.append("  no problems found")
    return "\n".join(lines)
