"""What `avw navigate` proposes to a run whose dataset has no test scenes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from avw.model.navigation import plan_navigation
from avw.sim_bridge.errors import UsageError


@pytest.mark.parametrize(
    ("scenes", "proposed"),
    [
        (("procedural-0000", "procedural-0001"), "procedural:40-43"),
        (("flats/a.glb", "flats/b.glb"), r"like those .* \(flats/a.glb, flats/b.glb\), but not those: --scenes FILE"),
    ],
)
def test_scenes_of_the_same_kind_are_proposed(
    monkeypatch: pytest.MonkeyPatch, scenes: tuple[str, ...], proposed: str
) -> None:
    dataset = SimpleNamespace(episodes=lambda split: [], spec=SimpleNamespace(scenes=scenes))
    monkeypatch.setattr(plan_navigation, "run_data", lambda run: Path("data"))
    monkeypatch.setattr(plan_navigation, "open_dataset", lambda path: dataset)
    with pytest.raises(UsageError, match=proposed) as raised:
        plan_navigation.dataset_defaults(Path("runs/mine"), needed=True)
    assert ("procedural" in str(raised.value)) == scenes[0].startswith("procedural")
