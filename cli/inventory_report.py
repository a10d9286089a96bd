"""The scanned collections on this machine, as text and as JSON values."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from avw.sim_bridge.scenes.collections.inventory import CollectionState

_MOST_PROBLEMS = 3  # per collection in the overview
_MOST_MISSING = 6  # names


def inventory_values(states: list[CollectionState], root: Path, others: tuple[Path, ...]) -> dict[str, Any]:
    """All fields, for JSON."""
    return {
        "scene_root": str(root),
        "collections": [dataclasses.asdict(state) | {"usable": state.usable} for state in states],
        "datasets": [str(path) for path in others],
    }


def overview_text(states: list[CollectionState], root: Path, others: tuple[Path, ...]) -> str:
    """A few lines per collection."""
    lines = [f"Scanned collections in {root} (use --scene-root DIR or $AVW_SCENES for another folder)"]
    for state in states:
        lines += ["", f"  {state.name:<8} {state.title}: {_counts(state)}"]
        bad = [scene for scene in state.scenes if scene.problem]
        lines += [f"           {scene.scene}: {scene.problem}" for scene in bad[:_MOST_PROBLEMS]]
        if len(bad) > _MOST_PROBLEMS:
            lines.append(f"           and {len(bad) - _MOST_PROBLEMS} more; to see them, type: avw scenes {state.name}")
        if state.usable < state.published:
            lines.append(f"           to obtain {'the others' if state.scenes else 'it'}, {state.obtain}")
        if state.scenes:
            lines.append(f"           licence: {state.terms}")
    lines.append("")
    lines += [f"  Other dataset: avw scenes {path} --names" for path in others]
    lines.append("  Generated houses need no files: avw scenes procedural:4")
    return "\n".join(lines)


def collection_text(state: CollectionState) -> str:
    """One line per scene of a collection, and the missing scenes."""
    lines = [f"{state.title}: {_counts(state)}"]
    if state.scenes:
        lines.append(f"{'scene':<28} {'split':<6} {'semantics':<9} {'navmesh':<8} state")
    for scene in state.scenes:
        state_text = scene.problem or "; ".join(scene.notes) or "complete"
        semantics, navmesh = ("yes" if there else "no" for there in (scene.semantics, scene.navmesh))
        lines.append(f"{scene.scene:<28} {scene.split or '-':<6} {semantics:<9} {navmesh:<8} {state_text}")
    if state.scenes and state.missing:
        more = f" and {len(state.missing) - _MOST_MISSING} more" if len(state.missing) > _MOST_MISSING else ""
        lines.append(f"missing: {', '.join(state.missing[:_MOST_MISSING])}{more}")
    if state.usable < state.published:
        lines.append(f"to obtain {'the others' if state.scenes else 'it'}, {state.obtain}")
    return "\n".join(lines)


def _counts(state: CollectionState) -> str:
    if not state.scenes:
        return f"0 of {state.published} scenes"
    whole = [scene for scene in state.scenes if not scene.problem]
    semantics, navmeshes = sum(scene.semantics for scene in whole), sum(scene.navmesh for scene in whole)
    return (
        f"{len(whole)} of {state.published} scenes in {', '.join(state.folders)}, {semantics} with semantics, "
        f"{navmeshes} with a navmesh"
    )
