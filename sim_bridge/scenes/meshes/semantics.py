"""Apply the object labels of a scan to a scene: categories, and acoustic materials by category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from avw.sim_bridge.scenes.materials.labels import DEFAULTED, SEMANTICS, label_material
from avw.sim_bridge.scenes.meshes.scan_labels import SceneLabels
from avw.sim_bridge.scenes.meshes.semantic_meshes import NO_OBJECT
from avw.sim_bridge.scenes.scene import Scene, Surface


def with_semantics(
    scene: Scene, evidence: Sequence[str], object_F: np.ndarray, labels: SceneLabels, given: Mapping[str, str]
) -> tuple[Scene, tuple[str, ...]]:
    """Split the surfaces of `scene` by category. Returns the scene and the evidence of each surface.

    evidence: reasons for the materials of `scene.surfaces`, as in `labels.Labelled`
    object_F: int32, object number of each face in the collection, or `NO_OBJECT`; numbers in the scene are one higher
    given: label -> name of an acoustic material, as in `labels.label_material`
    Faces of a category that names no material ("objects", "misc") keep the material that they had.
    """
    words = sorted({label.words for label in labels.objects.values()})
    kind_of = {label: index + 1 for index, label in enumerate(words)}
    last = max((int(object_F.max(initial=NO_OBJECT)), *labels.objects), default=0)
    kind_O = np.zeros(last + 2, dtype=np.int64)  # the last entry is for NO_OBJECT, whose index is -1
    for number, label in labels.objects.items():
        kind_O[number] = kind_of[label.words]
    category = {kind_of[label.words]: label.category for label in labels.objects.values()}
    kind_F = kind_O[np.maximum(object_F, NO_OBJECT)]
    pairs, surface_F = np.unique(scene.surface_F.astype(np.int64) * (len(words) + 1) + kind_F, return_inverse=True)
    surfaces: list[Surface] = []
    reasons: list[str] = []
    for surface, kind in (divmod(int(pair), len(words) + 1) for pair in pairs):
        own = scene.surfaces[surface]
        if kind == 0:
            surfaces.append(own)
            reasons.append(evidence[surface])
            continue
        found = label_material(words[kind - 1], given, categories=True)
        known = found.evidence != DEFAULTED
        name = f"{own.name}: {category[kind]}"
        material = found.material if known else own.material
        surfaces.append(replace(own, name=name, material=material, category=category[kind]))
        reasons.append(f"{SEMANTICS}{found.evidence}" if known else evidence[surface])
    labelled = replace(
        scene,
        surface_F=surface_F.astype(np.int32),
        surfaces=tuple(surfaces),
        object_F=(np.maximum(object_F, NO_OBJECT) + 1).astype(np.int32),
    )
    return labelled, tuple(reasons)
