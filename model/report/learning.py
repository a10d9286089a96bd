"""The sections on the model: training losses, and the quality of its predictions compared with baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.viewing.charts import Line, legend, line_chart
from avw.avw4k.viewing.clip import PEAK, compact_clip
from avw.avw4k.viewing.embedded import player
from avw.avw4k.viewing.media import data_uri, read_frames, read_sound, sheet
from avw.avw4k.viewing.samples import read_samples
from avw.model.report.findings import findings
from avw.model.run_folder import NOT_LOSSES
from avw.sim_bridge.types import STEP_SECONDS

# metric → (title, +1 if higher is better or -1 if lower is better, digits, what it measures)
METRICS: dict[str, tuple[str, int, int, str]] = {
    "psnr": ("PSNR, dB", 1, 2, "image, per pixel"),
    "psnr_seen": ("PSNR, seen, dB", 1, 2, "pixels that were seen before"),
    "psnr_unseen": ("PSNR, unseen, dB", 1, 2, "pixels that were never seen"),
    "ssim": ("SSIM", 1, 3, "structure of the image"),
    "ssim_unseen": ("SSIM, unseen", 1, 3, "where nothing was seen"),
    "depth_absrel_seen": ("Depth AbsRel, seen", -1, 3, "of pixels that were seen before"),
    "depth_absrel_unseen": ("Depth AbsRel, unseen", -1, 3, "of pixels that were never seen"),
    "lsd": ("Log-spectral distance, dB", -1, 2, "spectrum of the sound"),
    "spectral_ssim": ("Spectral SSIM", 1, 3, "spectrogram of the sound, compared as an image"),
    "mr_stft": ("Multi-resolution STFT", -1, 3, "spectra of 8, 32 and 128 ms"),
    "ild_error": ("ILD error, dB", -1, 2, "interaural level difference"),
    "itd_error": ("ITD error, µs", -1, 0, "interaural time difference"),
    "pan_error": ("Pan score error", -1, 3, "(E_R − E_L) / (E_R + E_L)"),
    "coherence_error": ("IACC error", -1, 3, "interaural cross-correlation coefficient"),
    "reward_error": ("Reward error, m", -1, 3, "progress towards the source"),
    "distance_error": ("Distance error, m", -1, 3, "to the source, where it is nearer than 4 m"),
}
METHODS: dict[str, tuple[str, str, str]] = {
    "model": ("AV-CDiT", "#0f766e", ""),
    "persistence": ("persistence", "#94a3b8", ""),
    "rotation_warp": ("rotation warp", "#d97706", ""),
    "reprojection_commanded": ("reprojection, commanded", "#c084fc", ""),
    "reprojection": ("reprojection", "#7c3aed", ""),
    "reprojection_realised": ("reprojection, true motion", "#7c3aed", "4 4"),
    "recall": ("recall", "#0284c7", ""),
    "stitched": ("stitched models", "#be185d", ""),
    "oracle_tokenizer": ("oracle tokenizer", "#475569", "4 4"),
}
BOUNDS = ("oracle_tokenizer", "reprojection_realised")  # they use the true future
CHARTED = ("psnr", "psnr_unseen", "lsd", "reward_error")
STAGES = {
    "tokenizers": "Tokenizers",
    "image": "Image tokenizer",
    "audio": "Audio tokenizer",
    "1": "Stage 1: vision",
    "2": "Stage 2: sound",
    "3": "Stage 3: joint, with reward",
    "pixels": "Blending of pixels",
}
COLOURS = ("#0f766e", "#d97706", "#1e3a8a", "#be185d", "#64748b", "#65a30d")
VALIDATION = "val_"  # how the names of losses on the validation split begin
VALIDATION_DASH = "5 4"


def training_section(rows: Sequence[Mapping[str, Any]]) -> str:
    """Loss curves of every stage, from the lines of log.jsonl."""
    stages: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        stages.setdefault(str(row["stage"]), []).append(row)
    order = [name for name in STAGES if name in stages] + sorted(set(stages) - set(STAGES))
    charts = "".join(_curves(STAGES.get(name, name), stages[name]) for name in order)
    seconds = sum(float(row.get("seconds", 0.0)) for row in rows)
    return (
        '<section id="training"><h2>Training</h2><p class="about">AV-CDiT is trained in three stages: vision; sound, '
        "with all other weights frozen; and both jointly with the reward. Each point is the mean loss since the point "
        "before it; dashed: validation houses"
        f"{f'. Training took {_duration(seconds)} of wall-clock time' if seconds else ''}.</p>"
        f'<div class="card"><div class="charts">{charts}</div></div></section>'
    )


def imagination_section(evaluation: Mapping[str, Any], samples: Path) -> str:
    """Metrics and charts from evaluation.json, and the predicted futures that `avw evaluate` wrote into samples/."""
    horizons = sorted(evaluation["horizons"], key=int)
    return (
        '<section id="imagination"><h2>Predictions</h2><p class="about">Given past images, past sound and the actions '
        f"to come, the model predicts image, sound and reward a number of steps later. One step is {STEP_SECONDS:g} s. "
        f"Test scenes, which were not used for training: {len(evaluation['scenes'])}.</p>"
        f'<div class="card">{_horizon_charts(evaluation["horizons"], horizons)}</div>'
        f'<div class="card">{_table(evaluation, horizons)}</div>'
        f"{findings(evaluation, METHODS, METRICS)}"
        f"{_samples(samples)}</section>"
    )


def _curves(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row if name not in NOT_LOSSES))
    if not names:
        names = ["loss"]
    losses = list(dict.fromkeys(name.removeprefix(VALIDATION) for name in names))
    colours = {loss: COLOURS[number % len(COLOURS)] for number, loss in enumerate(losses)}
    lines = []
    for name in names:
        loss = name.removeprefix(VALIDATION)
        pairs = [(float(row["step"]), float(row[name])) for row in rows if name in row]
        steps, values = [s for s, _ in pairs], [v for _, v in pairs]
        lines.append(
            Line(
                name=name.replace("_", " "),
                x=steps,
                y=_smoothed(values),
                colour=colours[loss],
                dash="" if loss == name else VALIDATION_DASH,
                series=loss.replace("_", " "),
            )
        )
    finite = [v for line in lines for v in line.y if math.isfinite(v)]
    # A log axis suits a large decrease, a linear axis a small one.
    wide = bool(finite) and min(finite) > 0 and max(finite) > 4 * min(finite)
    chart = line_chart(lines, title=title, x_label="step", log_y=wide)
    return f"<div>{chart}{legend([(loss.replace('_', ' '), colour) for loss, colour in colours.items()])}</div>"


def _smoothed(values: Sequence[float]) -> list[float]:
    """Moving average over 2 % of the curve, so that the trend is visible."""
    width = max(1, len(values) // 50)
    kernel = np.ones(width) / width
    padded = np.pad(np.asarray(values, float), (width // 2, width - 1 - width // 2), mode="edge")
    return list(np.convolve(padded, kernel, mode="valid"))


def _horizon_charts(by_horizon: Mapping[str, Any], horizons: Sequence[str]) -> str:
    charts = []
    for metric in CHARTED:
        title, sign, _, _ = METRICS[metric]
        lines = []
        for method, (name, colour, dash) in METHODS.items():
            pairs = [(float(h), v) for h in horizons if (v := _value(by_horizon[h], metric, method)) is not None]
            if pairs:
                x, y = [h for h, _ in pairs], [v for _, v in pairs]
                lines.append(Line(name=name, x=x, y=y, colour=colour, dash=dash, points=True))
        if lines:
            ticks = [float(h) for h in horizons]
            charts.append(
                line_chart(
                    lines, title=f"{title} {'↑' if sign > 0 else '↓'}", x_label="steps ahead", x_ticks=ticks, log_x=True
                )
            )
    rows = [row.get(metric) or {} for row in by_horizon.values() for metric in CHARTED]
    shown = [METHODS[method] for method in METHODS if any(method in row for row in rows)]
    dashed = {name for name, _, dash in shown if dash}
    chips = legend([(name, colour) for name, colour, _ in shown], dashed=dashed)
    return f'{chips}<div class="charts">{"".join(f"<div>{chart}</div>" for chart in charts)}</div>'


def _table(evaluation: Mapping[str, Any], horizons: Sequence[str]) -> str:
    by_horizon = evaluation["horizons"]
    head = "".join(f"<th>{int(h)} step{'s' if int(h) > 1 else ''}</th>" for h in horizons)
    rows = [f"<tr><th></th><th></th>{head}</tr>"]
    for metric, (title, sign, digits, about) in METRICS.items():
        methods = [m for m in METHODS if any(_value(by_horizon[h], metric, m) is not None for h in horizons)]
        for number, method in enumerate(methods):
            first = f"{title}<br><small>{about}</small>" if number == 0 else ""
            name = METHODS[method][0]
            cells = []
            for h in horizons:
                value = _value(by_horizon[h], metric, method)
                rivals = [v for m in methods if m not in BOUNDS and (v := _value(by_horizon[h], metric, m)) is not None]
                best = method not in BOUNDS and value is not None and value == max(rivals, key=lambda v: sign * v)
                kind = "best" if best else "bound" if method in BOUNDS else ""
                cells.append(f'<td class="{kind}">{"–" if value is None else f"{value:.{digits}f}"}</td>')
            group = ' class="group"' if number == 0 else ""
            span = f'<td rowspan="{len(methods)}">{first}</td>' if number == 0 else ""
            rows.append(f'<tr{group}>{span}<td class="name">{escape(name)}</td>{"".join(cells)}</tr>')
    windows = ", ".join(f"{count:,}" for count in evaluation.get("windows", {}).values())
    return (
        f'<div class="scroll"><table>{"".join(rows)}</table></div>'
        '<p class="note" style="margin:12px 0 0">Green: best of model and baselines. Persistence: the last frame and '
        "its sound, unchanged. Rotation warp: the last frame, turned by the commanded angle. Reprojection: the frames "
        "seen before, drawn from where the actions lead, without learning. Grey: bounds that use the true future. "
        "Oracle tokenizer: the true future, encoded and decoded; the bound of decoded images. Windows per "
        f"horizon: {windows or 'not recorded'}; denoising steps: {evaluation.get('denoising_steps', '?')}."
        f"{_skipped(evaluation)}</p>{_sequences(evaluation)}"
    )


def _sequences(evaluation: Mapping[str, Any]) -> str:
    rows = evaluation.get("sequences") or {}
    names = {method: METHODS[method][0] if method in METHODS else method.replace("_", " ") for method in rows}
    parts = [
        f"{escape(names[method])}: lag error {row['av_lag_error_seconds']:.3f} s, correlation "
        f"error {row['av_corr_error']:.3f}"
        for method, row in rows.items()
        if None not in row.values()
    ]
    if not parts:
        return ""
    return f'<p class="note" style="margin:6px 0 0">Synchrony of image and sound: {"; ".join(parts)}.</p>'


def _skipped(evaluation: Mapping[str, Any]) -> str:
    """Horizons without a result, and why."""
    return "".join(
        f" No result for {int(horizon)} steps: {escape(str(reason))}."
        for horizon, reason in (evaluation.get("skipped_horizons") or {}).items()
    )


def _samples(folder: Path) -> str:
    notes = list(read_samples(folder).values())
    if not notes:
        return ""
    cards = "".join(_sample(folder, note) for note in notes)
    return (
        "<h3>Predicted and true futures</h3><p class='about'>Predictions under the true actions. Each step is "
        f"predicted directly from the same context, and decoded to image and sound.{_rule(notes)}</p>{cards}"
    )


def _rule(notes: Sequence[Mapping[str, Any]]) -> str:
    """How the samples were chosen."""
    rules = {str(note["rule"]) for note in notes if note.get("rule")}
    return f" Chosen by a rule: {escape('; '.join(sorted(rules)))}." if rules else ""


def _sample(folder: Path, note: Mapping[str, Any]) -> str:
    name = str(note["name"])
    strip = folder / f"{name}.png"
    parts = [
        f'<div class="card"><h3>{escape(str(note["scene"]))}, {escape(str(note["mode"]))}</h3>'
        f'<p class="note" style="margin:0">Episode {note["episode"]}, from step {note["step"]}.</p>'
    ]
    if strip.exists():
        parts.append(
            f'<img class="filmstrip" src="{data_uri(strip.read_bytes(), "image/png")}" '
            'alt="the last observed frame, then the future: truth, prediction, and what was never seen">'
            '<p class="note">Left: the last observed frame. Then the future: truth, prediction, and the prediction '
            "with the pixels tinted that were never seen before.</p>"
        )
    sides = []
    for label, title in (("truth", "Truth"), ("model", "Prediction")):
        animation, wave = folder / f"{name}-{label}.gif", folder / f"{name}-{label}.wav"
        if animation.exists() and wave.exists():
            frames_THWC, audio_ES = read_frames(animation), read_sound(wave)
            views = [{"caption": title, "about": "", "sheet": sheet(frames_THWC)}]
            # Both are played as the evaluation scaled them, so that a wrong level is audible.
            clip = compact_clip(views, len(frames_THWC), frames_THWC.shape[1], audio_ES, peak=PEAK)
            sides.append(player(clip, f"{name}, {title}"))
    chart = _progress_chart(note)
    blocks = "".join(f"<div>{side}</div>" for side in [*sides, chart] if side)
    parts.append(f'<div class="charts">{blocks}</div></div>')
    return "".join(parts)


def _progress_chart(note: Mapping[str, Any]) -> str:
    true, imagined = note.get("true_progress"), note.get("imagined_progress")
    if not true or not imagined:
        return ""
    steps = list(range(1, len(true) + 1))
    lines = [
        Line(name="truth", x=steps, y=true, colour="#475569", dash="4 4"),
        Line(name="prediction", x=steps, y=imagined, colour="#0f766e"),
    ]
    chart = line_chart(lines, title="Progress towards the source, m", x_label="steps ahead", height=250)
    return chart + legend([(line.name, line.colour) for line in lines])


def _value(row: Mapping[str, Any], metric: str, method: str) -> float | None:
    value = (row.get(metric) or {}).get(method)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
