"""The first sentences of the report: what the figures of the run show, and what they do not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from avw.model.navigation.outcomes import episodes_run
from avw.model.report.closed_loop import policy_name
from avw.sim_bridge.wording import plural

RIVALS = ("greedy-audio", "mapping-audio", "reward-only")


def lead(evaluation: Mapping[str, Any] | None, navigation: Mapping[str, Any] | None) -> str:
    """HTML: a sentence on navigation and one on predicted images, for those that the run has.

    A difference whose 95 % interval contains 0 is called uncertain.
    """
    sentences = []
    if navigation and "mpc" in navigation["policies"]:
        sentences.append(_found(navigation))
    if evaluation:
        sentences.append(_images(evaluation))
    text = " ".join(filter(None, sentences))
    return f'<p class="lead">{text}</p>' if text else ""


def _found(navigation: Mapping[str, Any]) -> str:
    mean, low, high = navigation["policies"]["mpc"]["sr"]
    text = (
        f"{escape(policy_name('mpc'))} found the source in {mean:.0%} [{low:.0%}, {high:.0%}] of "
        f"{plural(episodes_run(navigation)[0], 'episode')}"
    )
    parts = []
    for rival in RIVALS:
        gain = (navigation.get("paired") or {}).get(f"mpc - {rival}", {}).get("sr")
        if gain and None not in gain and rival in navigation["policies"]:
            share = navigation["policies"][rival]["sr"][0]
            parts.append(f"{escape(policy_name(rival))} in {share:.0%} (difference {_points(gain)})")
    return text + (f"; {', '.join(parts)}." if parts else ".")


def _points(gain: Sequence[float]) -> str:
    mean, low, high = (100.0 * value for value in gain)
    text = f"{mean:+.0f} points [{low:+.0f}, {high:+.0f}]".replace("-", "−")
    return f"{text}, uncertain" if low <= 0.0 <= high else text


def _images(evaluation: Mapping[str, Any]) -> str:
    paired = evaluation.get("paired") or {}
    horizons = [h for h in paired if paired[h].get("psnr")]
    if not horizons:
        return ""
    longest = max(horizons, key=int)
    rivals = paired[longest]["psnr"]
    rival = "reprojection" if "reprojection" in rivals else next(iter(rivals))
    if any(value is None for value in rivals[rival]):
        return ""
    mean, low, high = rivals[rival]
    verdict = "not clearly different from" if low <= 0.0 <= high else "better than" if mean > 0 else "worse than"
    than = "a reprojection of the frames seen before" if rival == "reprojection" else rival.replace("_", " ")
    gain = f"{mean:+.2f} dB [{low:+.2f}, {high:+.2f}] of PSNR"
    ahead = f"{longest} step{'' if longest == '1' else 's'} ahead"
    return f"Images predicted {ahead} are {verdict} {escape(than)}: {gain}."
