"""Whether scenes can be used, before hours of work are started on them."""

from __future__ import annotations

from collections.abc import Iterable

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.inspection.lint import lint_scene
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.collections.inventory import check_files
from avw.sim_bridge.scenes.scene_ref import SceneRef


def check_scenes(scenes: Iterable[SceneRef], *, strict: bool = False) -> None:
    """Raises SceneError for a scene that is missing, damaged or has no floor; with `strict` also for lint warnings.

    A mesh file of the user's own is read in full. Of a scan only the beginnings of its files are read: reading a whole
    collection would take an hour.
    """
    for scene in scenes:
        if scene.problem:
            raise SceneError(scene.problem)
        if scene.files is not None:
            check_files(scene.files)
        if strict:
            lint_scene(scene, strict=True)
        elif scene.files is not None and not scene.files.collection and scene.files.dataset_config is None:
            free_space_of(scene.load())
