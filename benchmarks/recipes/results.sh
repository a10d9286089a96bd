#!/usr/bin/env bash
# Computes all published figures: `make results` (up to 2 hours on 2 cores; run it again to resume).
# Training and calibration use the training and validation houses only. The test houses are used once, here.
set -euo pipefail

DATA="${DATA:-data/results}"
RUN="${RUN:-runs/results}"
WORKERS="${WORKERS:-2}"

say() { printf '\n== %s\n' "$*" >&2; }

say "1/5 generate → $DATA"
avw generate "$DATA" --scenes procedural:1000-1119 --trajectories 720 --steps 160 --seed 0 --sources-per-scene 6 --workers "$WORKERS"

say "2/5 train → $RUN"
avw train "$DATA" --out "$RUN" --size nano

say "3/5 evaluate"
avw evaluate "$RUN" "$DATA" --split test --horizons 1,4,16 --count 1000

say "4/5 navigate: 100 episodes in the test houses, the same for every policy"
avw navigate --model "$RUN" --policy mpc --policy greedy-audio --policy mapping-audio --policy reward-only --policy random --policy forward --policy oracle \
  --episodes 100 --seed 0 --workers "$WORKERS"

say "5/5 report and tables"
python -m benchmarks.machine > "$RUN/machine.json"
avw report "$RUN" "$DATA"
python -m benchmarks.readme_strip "$RUN" "$DATA"
python -m benchmarks.results_table "$RUN" --write README.md docs/performance.md
