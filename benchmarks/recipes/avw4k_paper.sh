#!/usr/bin/env bash
# The paper's model on the paper's data: AVW-4k in Matterport3D, the tokenizers, AV-CDiT B in three stages, evaluation
# and navigation. Needs the Matterport3D scans (docs/scenes.md), GPUs for the training, and days. To resume after an
# interruption, run it again.
#   DRY_RUN=1 bash benchmarks/recipes/avw4k_paper.sh     forecasts: hours, memory and disk; nothing is written
#   GPUS=8 SIZE=L bash benchmarks/recipes/avw4k_paper.sh one node of eight GPUs
# A test of the whole recipe without scans and GPUs, in minutes (the figures mean nothing):
#   SCENES=procedural:6 TRAJECTORIES=6 GPUS=0 SIZE=S STEPS=4,2,2 LEARNED_STEPS=4 BATCH=4 DATA=/tmp/avw4k/data \
#     RUN=/tmp/avw4k/run bash benchmarks/recipes/avw4k_paper.sh
set -euo pipefail

DATA="${DATA:-data/avw-4k-mp3d}"
RUN="${RUN:-runs/avw-4k-paper}"
SCENES="${SCENES:-mp3d}"
TRAJECTORIES="${TRAJECTORIES:-4500}"
SIZE="${SIZE:-B}"
GPUS="${GPUS:-1}"
STEPS="${STEPS:-100000,50000,100000}"
BATCH="${BATCH:-64}"
IMAGE="${IMAGE:-kl}"
AUDIO="${AUDIO:-codec}"
LEARNED_STEPS="${LEARNED_STEPS:-20000}" # of each tokenizer that is trained
WORKERS="${WORKERS:-2}"

say() { printf '\n== %s\n' "$*" >&2; }

generate=("$DATA" --preset avw-4k --scenes "$SCENES" --trajectories "$TRAJECTORIES" --workers "$WORKERS")
training=("$DATA" --out "$RUN" --size "$SIZE" --steps "$STEPS" --batch "$BATCH" --image-tokenizer "$IMAGE"
  --audio-tokenizer "$AUDIO" --set "reward_contexts=$BATCH"
  --set "tokenizers.learned_steps=$LEARNED_STEPS")
if [ "$GPUS" -gt 0 ]; then
  training+=(--set precision=bf16 --set compiler=inductor --device cuda)
fi

say "1/5 forecast of the data"
avw generate "${generate[@]}" --dry-run
if [ -n "${DRY_RUN:-}" ]; then
  if [ ! -e "$DATA/info.json" ]; then
    say "the forecast of the training reads the spec of the data; here that of a small dataset"
    small="$(mktemp -d)"
    trap 'rm -rf "$small"' EXIT
    avw generate "$small/data" --preset avw-4k --scenes procedural:3 --trajectories 3 --steps 8 --workers 1
    training[0]="$small/data"
  fi
  say "forecast of the training, in bfloat16"
  avw train "${training[@]}" --set precision=bf16 --dry-run
  exit 0
fi

say "2/5 generate → $DATA"
avw generate "${generate[@]}"
avw verify "$DATA" --replay 3 --workers "$WORKERS"

say "3/5 tokenizers and three stages → $RUN"
avw train "${training[@]}" --dry-run
if [ "$GPUS" -gt 1 ]; then
  torchrun --standalone --nproc-per-node "$GPUS" -m avw.cli train "${training[@]}"
else
  avw train "${training[@]}"
fi

say "4/5 evaluate"
avw evaluate "$RUN" "$DATA"

say "5/5 navigate"
avw navigate --policy mpc --model "$RUN"
