#!/usr/bin/env bash
# Computes all published figures: `make results` (up to 2 hours on 2 cores; run it again to resume).
# Training and calibration use the training and validation houses only. Nothing is chosen in the test houses.
set -euo pipefail

DATA="${DATA:-data/rooms-v1}"
RUN="${RUN:-runs/rooms-v1/seed-0}"
SEEDS="${SEEDS:-}" # further seeds of the training, e.g. "1 2"; an hour more for each
WORKERS="${WORKERS:-2}"
EPISODES="${EPISODES:-216}"
SCALE="${SCALE:-1}" # of the trainings; RUN=runs/trial/seed-0 SCALE=0.02 EPISODES=2 tries the recipe in minutes

RUNS="$(dirname "$RUN")"
. "$(dirname "$0")/train.sh"
say() { printf '\n== %s\n' "$*" >&2; }

say "1/5 generate → $DATA"
avw generate "$DATA" --preset rooms-v1 --workers "$WORKERS"

say "2/5 train → $RUN"
train "$(basename "$RUN")"

say "3/5 evaluate"
avw evaluate "$RUN" "$DATA" --split test --horizons 1,4,16 --count 108

say "4/5 navigate: $EPISODES episodes in the 18 test houses, the same for every policy"
avw navigate --model "$RUN" --policy mpc --policy reward-only --policy mapping-audio --policy greedy-audio --policy oracle-reward --policy oracle \
  --episodes "$EPISODES" --seed 0 --workers "$WORKERS"
BESIDE=()
for seed in $SEEDS; do
  other="$RUNS/seed-$seed"
  train "seed-$seed" --seed "$seed"
  avw navigate --model "$other" --policy mpc --policy reward-only --episodes "$EPISODES" --seed 0 --workers "$WORKERS"
  BESIDE+=(--beside "$other")
done

say "5/5 report, tables, and the model that ships with AVW"
python -m benchmarks.machine > "$RUN/machine.json"
avw report "$RUN" "$DATA"
if is_full_scale; then
  avw export "$RUN" --to checkpoint --out model/pretrained/model.safetensors
  python -m benchmarks.readme_strip "$RUN" "$DATA" --count 150
  python -m benchmarks.results_table "$RUN" "${BESIDE[@]}" --write README.md docs/performance.md
else # a trial: nothing is published
  avw export "$RUN" --to checkpoint --out "$RUNS/shipped.safetensors"
  python -m benchmarks.results_table "$RUN" "${BESIDE[@]}"
fi
