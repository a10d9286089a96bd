#!/usr/bin/env bash
# What each part adds to navigation, on the validation houses of rooms-v1 (hours; run it again to resume).
# EPISODES limits the episodes of each set (54 are shipped), and SCALE the trainings. The test houses are not used.
set -euo pipefail

DATA="${DATA:-data/rooms-v1}"
RUNS="${RUNS:-runs/rooms-v1}"
OUT="${OUT:-$RUNS/ablation}"
WORKERS="${WORKERS:-2}"
EPISODES="${EPISODES:-54}"
SCALE="${SCALE:-1}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

say() { printf '\n== %s\n' "$*" >&2; }
. "$(dirname "$0")/train.sh"

navigate() { # NAME RUN SET OPTIONS…
  avw navigate --model "$RUNS/$2" --out "$OUT/$1" --episode-file "$3" --episodes "$EPISODES" --workers "$WORKERS" "${@:4}"
}

say "1/4 train: the full model and its policy, and models without one part"
avw generate "$DATA" --preset rooms-v1 --workers "$WORKERS"
train seed-0
avw train "$DATA" --policy --out "$RUNS/seed-0" --scale "$SCALE" --workers "$WORKERS"
train vision --set net.modalities=vision
train audio --set net.modalities=audio
train no-futures --set futures=false
train no-memory --set net.prior=none --set net.residual=false --set net.sound_memory=0
train recorded-reward --set counterfactual_reward=false --set counterfactual_targets=0

say "2/4 imagined, reward only, gated; other planners; bounds; baselines"
navigate full seed-0 rooms-v1-val --policy mpc --policy reward-only --policy gated --policy cem --policy beam --policy cloned \
  --policy inverse-dynamics --policy acoustic-field --policy mapping-audio --policy greedy-audio \
  --policy oracle-stop --policy oracle-reward --policy oracle

say "3/4 models without one part"
for run in vision audio no-futures no-memory recorded-reward; do
  navigate "$run" "$run" rooms-v1-val --policy mpc --policy reward-only
done
navigate vision vision rooms-v1-val --policy oracle-stop # it cannot know where to stop

say "4/4 under shift: other sounds, silence, a distractor, a source that moves, houses of other sizes"
for task in unheard silent distractor moving; do
  navigate "$task" seed-0 "rooms-v1-val-$task" --policy mpc --policy reward-only --policy gated --policy mapping-audio
done
for task in small-houses large-houses; do
  navigate "$task" seed-0 "$task" --policy mpc --policy reward-only --policy gated --policy mapping-audio
done

results() { # FOLDER POLICY…
  for policy in "${@:2}"; do echo "$1/$policy=$OUT/$1:$policy"; done
}
python -m benchmarks.navigation_parts $(results full mpc reward-only gated cem beam cloned inverse-dynamics acoustic-field mapping-audio greedy-audio \
  oracle-stop oracle-reward oracle) \
  $(for run in vision audio no-futures no-memory recorded-reward; do results "$run" mpc reward-only; done)
for task in unheard silent distractor moving small-houses large-houses; do
  python -m benchmarks.navigation_parts $(results "$task" mpc reward-only gated mapping-audio)
done
