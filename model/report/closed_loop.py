"""The section on navigation: the success rate of each policy, and the paths that the policies took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.viewing.charts import Row, interval_chart, legend
from avw.avw4k.viewing.embedded import player
from avw.avw4k.viewing.plans import blank_plan, floor_plan
from avw.avw4k.viewing.played import clip_of, read_played, recordings
from avw.model.navigation.episode_run import EpisodeRecord
from avw.model.navigation.outcomes import episodes_run
from avw.model.report.maps import Route, trajectory_map
from avw.sim_bridge.wording import plural

POLICIES = {
    "mpc": ("MPC on AV-CDiT", "#0f766e", "plans with predicted futures and the reward that the model predicts"),
    "greedy-audio": ("greedy audio", "#d97706", "turns by the sign of the ILD and walks; not learned"),
    "mapping-audio": ("mapping audio", "#be123c", "localises the sound, maps obstacles from depth, plans; not learned"),
    "reward-only": (
        "reward only",
        "#65a30d",
        "the same planner and network without predicted images and sound: a control",
    ),
    "gated": ("gated MPC", "#0e7490", "imagines only where the ranking without imagination is uncertain"),
    "cem": ("CEM", "#9333ea", "the cross-entropy method over motions, with the same model"),
    "beam": ("beam search", "#b45309", "actions of the cloned policy, k-step look-ahead, predicted reward and value"),
    "inverse-dynamics": ("inverse dynamics", "#4d7c0f", "mpc that walks by learned inverse dynamics instead of a map"),
    "cloned": ("cloned", "#db2777", "a recurrent policy that imitates the oracle; it imagines nothing"),
    "acoustic-field": ("acoustic field", "#7c3aed", "walks to where the sound that the model predicts is loudest"),
    "random": ("random", "#94a3b8", "random motion, stops at a random step"),
    "forward": ("forward", "#a855f7", "walks straight on, turns away from obstacles, ignores sound"),
    "oracle-stop": ("oracle STOP", "#0891b2", "mpc that stops as soon as STOP succeeds: a bound"),
    "oracle-observation": ("oracle observation", "#2563eb", "mpc with true futures in place of imagined ones: a bound"),
    "oracle-reward": ("oracle reward", "#4338ca", "the planner of mpc with true distances and a true STOP: a bound"),
    "oracle": ("oracle", "#1e3a8a", "follows the shortest path: the upper bound"),
}
MEASURES = {
    "sr": ("SR ↑", 2),
    "spl": ("SPL ↑", 2),
    "softspl": ("SoftSPL ↑", 2),
    "sna": ("SNA ↑", 2),
    "dtg": ("DTG, m ↓", 2),
    "na": ("NA", 0),
}
ORDER = (
    "oracle",
    "oracle-reward",
    "oracle-observation",
    "oracle-stop",
    "random",
    "forward",
    "reward-only",
    "gated",
    "cem",
    "acoustic-field",
    "inverse-dynamics",
    "cloned",
    "beam",
    "mapping-audio",
    "greedy-audio",
    "mpc",
)  # the last is drawn on top
# They would hide the other paths.
NOT_DRAWN = (
    "random", "forward", "reward-only", "gated", "cem", "cloned", "beam", "inverse-dynamics", "acoustic-field",
    "oracle-stop", "oracle-observation", "oracle-reward",
)  # fmt: skip
MAPS = 6
PLAYED = 4  # recordings in the page, some megabytes each


def navigation_section(
    comparison: Mapping[str, Any], records: Mapping[str, Sequence[EpisodeRecord]], run: Path | None = None
) -> str:
    """comparison: the content of navigation.json · records: by policy, of the same episodes · run: its recordings are
    played in the page."""
    policies = [name for name in POLICIES if name in comparison["policies"]]
    policies += sorted(set(comparison["policies"]) - set(POLICIES))
    ran, skipped = episodes_run(comparison)
    started = "starts as the episode file says"
    if not comparison.get("episode_file"):
        started = f"starts at a geodesic distance of at least {comparison['min_distance']:g} m from the source"
    without = f" {plural(len(skipped), 'other episode')} cannot take place in these scenes." if skipped else ""
    scenes = plural(len(comparison["scenes"]), "scene")
    return (
        '<section id="navigation"><h2>Navigation</h2><p class="about">'
        f"{plural(ran, 'episode')} in {scenes}, the same for every policy.{without} Each {started}, "
        f"and succeeds if the agent chooses STOP within {comparison.get('success_distance', 1.0):g} m of it. Policies "
        "receive images, depth, sound and their own past actions; only the oracles know where the source is.</p>"
        f'<div class="card"><div class="two"><div>{_forest(comparison, policies)}</div>'
        f"<div>{_gains(comparison)}</div></div></div>"
        f'<div class="card">{_table(comparison, policies)}</div>'
        f"{_by_difficulty(comparison, policies)}{_maps(records)}{'' if run is None else _played(run)}</section>"
    )


def policy_name(policy: str) -> str:
    return POLICIES.get(policy, (policy, "", ""))[0]


def _forest(comparison: Mapping[str, Any], policies: Sequence[str]) -> str:
    rows = [
        Row(name=policy_name(p), mean=sr[0], low=sr[1], high=sr[2], colour=_colour(p))
        for p in policies
        if (sr := comparison["policies"][p]["sr"])
    ]
    return interval_chart(rows, title="Success rate, with 95 % intervals", low=0.0, high=1.0)


def _gains(comparison: Mapping[str, Any]) -> str:
    rows = []
    for pair, figures in comparison["paired"].items():
        leader, other = pair.split(" - ")
        mean, low, high = figures["sr"]
        rows.append(Row(name=f"vs {policy_name(other)}", mean=mean, low=low, high=high, colour=_colour(leader)))
    if not rows:
        return ""
    leader = policy_name(next(iter(comparison["paired"])).split(" - ")[0])
    low = min(-0.1, *(row.low for row in rows)) if len(rows) else -0.1
    return interval_chart(
        rows, title=f"Difference in success rate, {leader}, paired episodes", low=max(-1.0, low), high=1.0
    )


def _table(comparison: Mapping[str, Any], policies: Sequence[str]) -> str:
    head = "".join(f"<th>{title}</th>" for title, _ in MEASURES.values())
    rows = [f"<tr><th></th>{head}</tr>"]
    for policy in policies:
        cells = "".join(
            f"<td>{mean:.{digits}f}<small>{low:.{digits}f}–{high:.{digits}f}</small></td>"
            for (mean, low, high), digits in (
                (comparison["policies"][policy][name], digits) for name, (_, digits) in MEASURES.items()
            )
        )
        about = POLICIES.get(policy, ("", "", ""))[2]
        ours = ' class="ours"' if policy == "mpc" else ""
        rows.append(f"<tr{ours}><td>{escape(policy_name(policy))}<br><small>{escape(about)}</small></td>{cells}</tr>")
    return (
        f'<div class="scroll"><table>{"".join(rows)}</table></div>'
        '<p class="note" style="margin:12px 0 0">Mean and 95 % bootstrap interval over episodes. SR: success rate · '
        "SPL: success weighted by path length · SoftSPL: SPL with progress along the shortest path in place of success "
        "· SNA: success weighted by the number of actions · DTG: geodesic distance to the source at the end, metres · "
        "NA: number of actions.</p>"
    )


def _by_difficulty(comparison: Mapping[str, Any], policies: Sequence[str]) -> str:
    """SR and SPL over the easy, medium and hard episodes, if there are several kinds."""
    levels = comparison.get("difficulty", {})
    if len(levels) < 2:
        return ""
    head = "".join(f"<th>{escape(level)} ({part['episodes']}): SR, SPL</th>" for level, part in levels.items())
    rows = [f"<tr><th></th>{head}</tr>"]
    for policy in policies:
        cells = []
        for part in levels.values():
            found = part["policies"].get(policy)
            text = "" if found is None else f"{found['sr'][0]:.2f}, {found['spl'][0]:.2f}"
            cells.append(f"<td>{text}</td>")
        rows.append(f"<tr><td>{escape(policy_name(policy))}</td>{''.join(cells)}</tr>")
    return (
        f'<div class="card"><div class="scroll"><table>{"".join(rows)}</table></div><p class="note">Easy: the source '
        "is in sight at the start, and the shortest path is less than 1.1 times as long as the straight line. Hard: "
        "the source is occluded, and the path at least 1.4 times as long. Medium: all others.</p></div>"
    )


def _played(run: Path) -> str:
    """The first recordings of `avw navigate --record`, playable."""
    found = list(recordings(run).items())[:PLAYED]
    cards = []
    for name, path in found:
        played = read_played(path)
        note = played.note
        ending = "found" if note.success else f"{note.dtg:.1f} m away at the end"
        title = f"{policy_name(note.policy)}, episode {note.episode} in {note.scene}: {ending}"
        clip = clip_of(played, compact=True)
        cards.append(f'<div class="card"><h3>{escape(title)}</h3>{player(clip, name)}</div>')
    if not cards:
        return ""
    return (
        "<h3>Episodes</h3><p class='about'>What the agent saw and heard; what its model imagined at the place that it "
        "walked to and at the second best; and its map, with the expected distance from each place (dark is near). "
        f"<code>avw view</code> shows all recordings, decision by decision.</p>{''.join(cards)}"
    )


def _maps(records: Mapping[str, Sequence[EpisodeRecord]]) -> str:
    if not records:
        return ""
    names = [name for name in ORDER if name in records] + [name for name in records if name not in ORDER]
    chosen = _one_per_scene(records)
    cards = "".join(_map(index, {name: records[name] for name in names}) for index in chosen)
    drawn = [(policy_name(name), _colour(name)) for name in reversed(names) if name not in NOT_DRAWN]
    return (
        "<h3>Paths</h3><p class='about'>Seen from above. Open ring: start. Orange dot: source, with a dashed circle of "
        "1 m around it. A path ends in a dot if the episode succeeded, and in a cross if not.</p>"
        f"{legend(drawn)}<div class='maps'>{cards}</div>"
    )


def _one_per_scene(records: Mapping[str, Sequence[EpisodeRecord]]) -> list[int]:
    """Indices of the first episode of each scene, then of the other episodes: a choice that no result influences."""
    rows = next(iter(records.values()))
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        first.setdefault(row.scene, index)
    chosen = list(first.values())
    chosen += [index for index in range(len(rows)) if index not in chosen]
    return chosen[:MAPS]


def _map(index: int, records: Mapping[str, Sequence[EpisodeRecord]]) -> str:
    rows = {name: of_policy[index] for name, of_policy in records.items()}
    one = next(iter(rows.values()))
    paths_N3 = np.concatenate([row.path_T4[:, :3] for row in rows.values()])
    plan = floor_plan(one.scene) or blank_plan(np.vstack([paths_N3, np.array([one.source])]))
    routes = [
        Route(name=policy_name(name), colour=_colour(name), path_T4=row.path_T4, success=row.success)
        for name, row in rows.items()
        if name not in NOT_DRAWN
    ]
    picture = trajectory_map(plan, routes, one.source, f"episode {one.episode} in {one.scene}")
    outcomes = "".join(
        f'<span class="{"won" if row.success else ""}">{escape(policy_name(name))}: '
        f"{'success' if row.success else f'{row.dtg:.1f} m away'}, {row.actions} actions</span>"
        for name, row in reversed(rows.items())
    )
    return (
        f'<div class="card"><h3>{escape(one.scene)}</h3><span class="note">episode {one.episode}, shortest path '
        f'{one.shortest:.1f} m</span>{picture}<div class="outcome">{outcomes}</div></div>'
    )


def _colour(policy: str) -> str:
    return POLICIES.get(policy, ("", "#475569", ""))[1]
