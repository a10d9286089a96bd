"""What the evaluation found besides the metrics: differences, ranking, counterfactuals, roll-outs, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Names = Mapping[str, Sequence[Any]]
PAIRED = ("psnr", "psnr_unseen", "ssim", "depth_absrel_unseen", "lsd", "ild_error", "pan_error")
BEST = ' class="best"'
CUES = {"ild": "ILD", "itd": "ITD", "pan": "pan score"}


def findings(evaluation: Mapping[str, Any], methods: Names, metrics: Names) -> str:
    """Cards for the parts that the evaluation has. methods, metrics: name → (title, …)"""
    cards = [
        ("Paired differences", _differences(evaluation, methods, metrics)),
        ("Ranking of poses", _ranking(evaluation.get("ranking"))),
        ("Counterfactual actions", _counterfactuals(evaluation.get("counterfactuals"))),
        ("Autoregressive roll-outs", _rollouts(evaluation.get("rollouts"))),
        ("Reliability of the audio metrics", _reliability(evaluation.get("reliability"))),
        ("Perceptual metrics", _perceptual(evaluation)),
    ]
    return "".join(f'<div class="card"><h3>{title}</h3>{body}</div>' for title, body in cards if body)


def _differences(evaluation: Mapping[str, Any], methods: Names, metrics: Names) -> str:
    paired = evaluation.get("paired") or {}
    horizons = sorted(paired, key=int)
    rows = []
    for metric in PAIRED:
        rivals = dict.fromkeys(rival for h in horizons for rival in paired[h].get(metric, {}))
        for rival in rivals:
            cells = [_interval(paired[h].get(metric, {}).get(rival), int(metrics[metric][1])) for h in horizons]
            name = escape(str(methods.get(rival, (rival,))[0]))
            rows.append([f"{escape(str(metrics[metric][0]))}: model − {name}", *cells])
    if not rows:
        return ""
    head = ["", *(f"{int(h)} step{'s' if int(h) > 1 else ''}" for h in horizons)]
    clusters = evaluation.get("clusters", {}).get(horizons[-1], {})
    return _table(head, rows) + _note(
        "Differences on the same windows with their 95 % intervals. Whole episodes are resampled, because windows of "
        f"one episode are not independent ({clusters.get('episodes', '?')} episodes of {clusters.get('scenes', '?')} "
        "scenes). Green: better, and the interval does not contain 0."
    )


def _ranking(ranking: Mapping[str, Any] | None) -> str:
    if not ranking:
        return ""
    rows = [
        ["Spearman correlation of predicted and true distance", _with(ranking, "rank_correlation")],
        ["gain at the best predicted pose, m", _with(ranking, "argmax_gain")],
        ["gain at the best pose, m", _with(ranking, "possible_gain")],
        ["distance error below 4 m, m", _with(ranking, "distance_error")],
    ]
    low, high = ranking["metres"]
    return _table(["", "value [95 % interval]"], rows) + _note(
        f"Random reachable poses, {low:g} to {high:g} m away, from each of {ranking['states']} states. "
        "The correlation is computed within each state and averaged."
    )


def _counterfactuals(swaps: Mapping[str, Any] | None) -> str:
    if not swaps:
        return ""
    rows = []
    for cue, title in CUES.items():
        row = swaps["action"][cue]
        chance = "–" if row["p_by_chance"] is None else f"{row['p_by_chance']:.1e}"
        bound = swaps.get("action_oracle_tokenizer", {}).get(cue, {}).get("score")
        rows.append([title, f"{row['right']} of {row['cases']}", _number(row["score"]), chance, _number(bound)])
    sound = swaps["sound"]
    text = (
        f"From the same state the agent turns {swaps['turn_degrees']:g}° to the left, or to the right. The predicted "
        "sound of the two futures must differ in the same direction as the simulated sound, where both are audible and "
        f"clearly different ({swaps['states']} states)."
    )
    if sound.get("states"):
        text += (
            " With the sound of another episode in the context, the predicted sound changes by "
            f"{_number(sound['sound_lsd'])} dB (LSD) and the image by {_number(sound['image_difference'])} grey levels."
        )
    return _table(["", "right direction", "accuracy", "p", "accuracy of the tokenizer"], rows) + _note(text)


def _rollouts(rollouts: Mapping[str, Any] | None) -> str:
    if not rollouts:
        return ""
    rows = [
        [f"{step} step{'s' if int(step) > 1 else ''}", *(_number(row[name], 2) for name in row)]
        for step, row in rollouts["psnr_seen"].items()
    ]
    level = rollouts["level_drift_db"]
    return _table(["", "direct, dB", "autoregressive, dB", "difference, dB"], rows) + _note(
        f"PSNR of pixels that were seen before, over {rollouts['rollouts']} roll-outs of {rollouts['steps']} steps. "
        "Autoregressively, the model reads its own predictions. At the end the sound is "
        f"{_number(level['mean'], 2)} dB louder than predicted directly; the largest difference is "
        f"{_number(level['largest'], 2)} dB."
    )


def _reliability(cards: Mapping[str, Any] | None) -> str:
    if not cards:
        return ""
    kinds = list(dict.fromkeys(kind for card in cards.values() for kind in card))
    rows = [
        [escape(metric.replace("_", " ")), *(_response(card.get(kind)) for kind in kinds)]
        for metric, card in cards.items()
    ]
    return _table(["", *kinds], rows) + _note(
        "True clips were damaged with increasing strength. First number: rank correlation of strength and error (1: "
        "the error always grows). Second: coefficient of variation over clips. Third: probability that a single clip "
        "puts two strengths in the wrong order (0.5: a coin)."
    )


def _perceptual(evaluation: Mapping[str, Any]) -> str:
    values = evaluation.get("perceptual") or {}
    if not values:
        return ""
    missing = evaluation.get("unavailable") or {}
    rows = [[escape(name), _number(value), escape(str(missing.get(name, "")))] for name, value in values.items()]
    return _table(["", "value", "why it is missing"], rows)


def _response(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    return f"{row['monotone']:+.1f} / {_number(row['variation'], 2)} / {row['flip']:.2f}"


def _with(values: Mapping[str, Any], name: str) -> str:
    interval = values.get(f"{name}_interval")
    span = f" [{_number(interval[0])}, {_number(interval[1])}]" if interval else ""
    return f"{_number(values.get(name))}{span}"


def _interval(values: Sequence[float | None] | None, better: int) -> str:
    if values is None or any(value is None for value in values):
        return "–"
    mean, low, high = (float(value) for value in values if value is not None)
    text = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
    return f"<b>{text}</b>" if min(better * low, better * high) > 0 else text


def _number(value: Any, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "–"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"]
    for row in rows:
        cells = "".join(f"<td{BEST if cell.startswith('<b>') else ''}>{cell}</td>" for cell in row[1:])
        lines.append(f'<tr><td class="name">{row[0]}</td>{cells}</tr>')
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _note(text: str) -> str:
    return f'<p class="note" style="margin:12px 0 0">{text}</p>'
