#!/usr/bin/env bash
# AVW-4k in its own proportions on generated houses: 76 scenes split 51/8/17, three motion modes, one fixed source a
# scene looping the ring, 160 steps a trajectory. As it stands, 4 trajectories a scene: 304, 48,640 steps, 2 hours of
# experience. TRAJECTORIES=4500 makes the whole of it. Stop it whenever you like; the same command goes on.
# Small: TRAJECTORIES=6 SCENES=procedural:3 DATA=/tmp/avw4k bash benchmarks/recipes/avw4k.sh
set -euo pipefail

DATA="${DATA:-data/avw-4k}"
TRAJECTORIES="${TRAJECTORIES:-304}"
SCENES="${SCENES:-procedural}"
WORKERS="${WORKERS:-2}"

say() { printf '\n== %s\n' "$*" >&2; }

say "1/4 forecast"
avw generate "$DATA" --preset avw-4k --scenes "$SCENES" --trajectories "$TRAJECTORIES" --workers "$WORKERS" --dry-run

say "2/4 generate → $DATA"
time avw generate "$DATA" --preset avw-4k --scenes "$SCENES" --trajectories "$TRAJECTORIES" --workers "$WORKERS"

say "3/4 verify every byte, and simulate three episodes again"
avw verify "$DATA" --replay 3 --workers "$WORKERS"

say "4/4 statistics"
du -sh "$DATA" >&2
avw info "$DATA"
