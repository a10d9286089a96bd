"""The results of `avw imagine`: imagination.json, pictures, sounds, and a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avw.model.imagine.drawing import Shown, animation, joined, strip_picture
from avw.model.imagine.numbers import change, imagined_numbers, mean, names, pooled_psnr, true_numbers
from avw.model.imagine.subject import Subject
from avw.model.pictures.animation import common_scale, write_animation, write_wave
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.task.task import TaskConfig


def numbers(futures: Sequence[Shown], *, full_scale: float) -> list[dict[str, Any]]:
    """What imagination.json says about each future."""
    task, first = TaskConfig(), futures[0]
    rows = []
    for shown in futures:
        row: dict[str, Any] = {"name": shown.name, "actions": names(shown.actions)}
        row |= imagined_numbers(shown.imagined, shown.truth, full_scale=full_scale)
        row["truth"] = None
        if shown.truth is not None:
            row["truth"] = true_numbers(shown.truth, success_distance=task.success_distance, full_scale=full_scale)
        if shown.why:
            row["truth_missing"] = shown.why
        if shown is not first:
            row["change"] = change(first.imagined, shown.imagined, full_scale=full_scale)
        rows.append(row)
    return rows


def write(
    folder: Path,
    subject: Subject,
    t: int,
    futures: Sequence[Shown],
    note: dict[str, Any],
    *,
    full_scale: float,
    obstacles_N2: np.ndarray | None = None,
) -> dict[str, Any]:
    """Write strip.png, the animation, the sounds and imagination.json. Returns the content of the last."""
    folder.mkdir(parents=True, exist_ok=True)
    way = "step by step" if note["autoregressive"] else "each in one jump"
    files = ["strip.png"]
    strip_picture(subject, t, futures, title=note["title"], way=way, obstacles_N2=obstacles_N2).save(
        folder / "strip.png"
    )
    sounds = {"truth": joined(first.audio_NES)} if (first := futures[0].truth) is not None else {}
    for shown in futures:
        sounds[shown.name] = joined(shown.imagined.audio)
        if shown.truth is not None and shown is not futures[0]:
            sounds[f"{shown.name}-truth"] = joined(shown.truth.audio_NES)
    scale = common_scale(*sounds.values(), *(shown.heard_ES for shown in futures))
    for name, sound_ES in sounds.items():
        write_wave(folder / f"{name}.wav", sound_ES * scale)
        files.append(f"{name}.wav")
    for shown in futures:
        stem = "animation" if shown is futures[0] else f"animation-{shown.name}"
        frames, sound_ES = animation(subject, t, shown)
        files += [path.name for path in write_animation(folder / stem, frames, sound_ES * scale)]
    result = {**note, "sound_gain": scale, "futures": numbers(futures, full_scale=full_scale), "files": files}
    atomic_write(folder / "imagination.json", json.dumps(result, indent=2))
    return result


def table(result: dict[str, Any]) -> str:
    """The numbers after the last action, and the distances to the truth over all steps."""
    heads = ("reward", "progress, m", "distance, m", "P(success)", "PSNR, dB", "unseen, dB", "LSD, dB", "ILD, dB")
    lines = [f"{'':22}" + "".join(f"{head:>13}" for head in heads)]
    for row in result["futures"]:
        lines.append(_line(row["name"].replace("-", " "), row, compared=True))
        if row["truth"] is not None:
            lines.append(_line("  truth", row["truth"], compared=False))
    return "\n".join(lines)


def _line(label: str, row: dict[str, Any], *, compared: bool) -> str:
    success = row["success"][-1]
    values = [
        *(row[name][-1] for name in ("reward", "progress", "distance")),
        success if compared else ("yes" if success else "no"),
        pooled_psnr(row.get("psnr", [])),
        pooled_psnr(row.get("psnr_unseen", [])),
        mean(row.get("lsd", [])),
        row["ild"][-1],
    ]
    cells = ("-" if value is None else value if isinstance(value, str) else f"{value:.2f}" for value in values)
    return f"{label:22}" + "".join(f"{cell:>13}" for cell in cells)
