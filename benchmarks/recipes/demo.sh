#!/usr/bin/env bash
# All steps at a small scale: generate, train, evaluate, navigate, report. Run it with `make demo`.
# Steps that were finished before are skipped, and interrupted steps are resumed.
set -euo pipefail

DATA="${DATA:-data/demo}"
RUN="${RUN:-runs/demo}"
WORKERS="${WORKERS:-2}"

say() { printf '\n== %s\n' "$*" >&2; }

say "1/5 generate: furnished houses, trajectories, RGB-D images and binaural sound → $DATA"
avw generate "$DATA" --preset demo --workers "$WORKERS"

say "2/5 train: tokenizers, then the diffusion world model in three stages → $RUN"
avw train "$DATA" --out "$RUN" --size nano --scale 0.3

say "3/5 evaluate: compare predictions with baselines, in houses that were not used for training"
avw evaluate "$RUN" "$DATA" --count 150 --parts ranking,sequences,counterfactuals

say "4/5 navigate: compare planning with predictions and other policies"
avw navigate --model "$RUN" --policy mpc --policy greedy-audio --policy mapping-audio --policy random --policy oracle \
  --episodes 12 --workers "$WORKERS"

say "5/5 report"
avw report "$RUN" "$DATA"
printf '\nOpen %s/report.html in a browser.\n' "$RUN"
