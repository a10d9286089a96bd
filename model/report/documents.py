"""The results of a run as the report shows them: read strictly, so that no value of a run from elsewhere is markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avw.model.run_folder import read_result_object
from avw.sim_bridge.errors import RunError
from avw.sim_bridge.paths import plain_name
from avw.sim_bridge.storage.typed_json import typed

MARKUP = set("<>&\"'")
TEXTS = ("unavailable", "skipped_horizons", "scenes", "episode_file", "skipped", "left_out", "against")
"""Values that are texts for people. The report escapes them."""
Interval = tuple[float, float, float]
NAVIGATION: dict[str, Any] = {
    "episodes": int,
    "seed": int,
    "scenes": tuple[str, ...],
    "min_distance": float,
    "policies": dict[str, dict[str, Interval]],
    "paired": dict[str, dict[str, Interval]],
}


def read_evaluation(path: Path) -> dict[str, Any] | None:
    """evaluation.json, or None if it does not exist. Raises RunError for a value that is not plain."""
    if not path.exists() and not path.is_symlink():
        return None
    document = read_result_object(path)
    try:
        _refuse_markup(document, "")
        for name in ("horizons", "scenes"):
            if name not in document:
                raise ValueError(f"it has no {name}")
        horizons = document["horizons"]
        typed(dict[str, dict[str, dict[str, Any]]], horizons, "horizons")
        if not horizons or not all(horizon.isdecimal() for horizon in horizons):
            raise ValueError("its horizons are not numbers of steps")
        typed(tuple[str, ...], document["scenes"], "scenes")
        typed(dict[str, int], document.get("windows", {}), "windows")
        typed(dict[str, str], document.get("unavailable", {}), "unavailable")
        typed(dict[str, str], document.get("skipped_horizons", {}), "skipped_horizons")
    except ValueError as error:
        raise altered(path, error) from error
    return document


def read_navigation(path: Path) -> dict[str, Any] | None:
    """navigation.json, or None if it does not exist. Raises RunError for a value of another type."""
    if not path.exists() and not path.is_symlink():
        return None
    document = read_result_object(path)
    try:
        _refuse_markup(document, "")
        for name, kind in NAVIGATION.items():
            typed(kind, document.get(name), name)
        typed(float, document.get("success_distance", 1.0), "success_distance")
        for name in ("skipped", "left_out"):
            typed(tuple[dict[str, Any], ...], document.get(name, ()), name)
        if not document["policies"]:
            raise ValueError("it has no policies")
        for name in document["policies"]:
            plain_name(name)
        for pair in document["paired"]:
            if pair.count(" - ") != 1:
                raise ValueError(f"{pair[:80]!r} is not a pair of policies")
    except ValueError as error:
        raise altered(path, error) from error
    return document


def altered(path: Path, error: Exception) -> RunError:
    reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
    return RunError(f"{path} is not as AVW writes it ({reason}); run the command that writes it again")


def _refuse_markup(value: Any, place: str) -> None:
    """Raises ValueError for a text or a key that a page could take for markup."""
    if isinstance(value, dict):
        for name, item in value.items():
            if MARKUP & set(name) or len(name) > 200:
                raise ValueError(f"{(place or 'it')[:80]} has the key {name[:40]!r}")
            if place or name not in TEXTS:
                _refuse_markup(item, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for item in value:
            _refuse_markup(item, place)
    elif isinstance(value, str) and MARKUP & set(value):
        raise ValueError(f"{place[:80]} is {value[:40]!r}")
