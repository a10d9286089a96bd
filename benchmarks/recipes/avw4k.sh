#!/usr/bin/env bash
# A dataset like AVW-4k on generated houses: 76 scenes split 51/8/17, three motion modes, one fixed source per scene
# that loops the ring, 160 steps per trajectory. The default is 4 trajectories per scene: 304 trajectories, 48,640 steps,
# 2 hours of experience. TRAJECTORIES=4500 gives the full size. To resume after an interruption, run it again.
# Small: TRAJECTORIES=6 SCENES=procedural:3 DATA=/tmp/avw4k bash benchmarks/recipes/avw4k.sh
set -euo pipefail

DATA="${DATA:-data/avw-4k}"
TRAJECTORIES="${TRAJECTORIES:-304}"
SCENES="${SCENES:-procedural}"
WORKERS="${WORKERS:-2}"

say() { printf '\n== %s\n' "$*" >&2; }

say "1/4 dry run: estimate time and size"
avw generate "$DATA" --preset avw-4k --scenes "$SCENES" --trajectories "$TRAJECTORIES" --workers "$WORKERS" --dry-run

say "2/4 generate → $DATA"
time avw generate "$DATA" --preset avw-4k --scenes "$SCENES" --trajectories "$TRAJECTORIES" --workers "$WORKERS"

say "3/4 verify: check every byte, and simulate three episodes again"
avw verify "$DATA" --replay 3 --workers "$WORKERS"

say "4/4 statistics"
du -sh "$DATA" >&2
avw info "$DATA"
