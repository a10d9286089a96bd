#!/usr/bin/env bash
# The whole path, small enough for a coffee: simulate, generate, learn, evaluate, navigate, report.
# Run it as `make demo`. Any step that was finished before is recognised and skipped or resumed.
set -euo pipefail

DATA="${DATA:-data/demo}"
RUN="${RUN:-runs/demo}"
WORKERS="${WORKERS:-2}"

say() { printf '\n== %s\n' "$*" >&2; }

say "1/5 generate: furnished houses, trajectories, RGB-D and binaural sound → $DATA"
avw generate "$DATA" --preset demo --workers "$WORKERS"

say "2/5 train: tokenizers, then the diffusion world model in three stages → $RUN"
avw train "$DATA" --out "$RUN" --size nano --scale 0.3

say "3/5 evaluate: imagined futures beside what needs no learning, in houses never trained on"
avw evaluate "$RUN" "$DATA" --count 300

say "4/5 navigate: planning in imagined futures beside the baselines"
avw navigate --model "$RUN" --policy mpc --policy greedy-audio --policy mapping-audio --policy random --policy oracle \
  --episodes 12 --workers "$WORKERS"

say "5/5 report"
avw report "$RUN" "$DATA"
printf '\nOpen %s/report.html in a browser.\n' "$RUN"
