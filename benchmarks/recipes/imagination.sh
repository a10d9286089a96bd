#!/usr/bin/env bash
# Figures of the imagination on rooms-v1: three seeds, models of one sense, ablations (about 3 hours on 2 cores; run it again to resume).
# Settings are chosen on the validation houses. The test houses are used once, here.
set -euo pipefail

DATA="${DATA:-data/rooms-v1}"
RUNS="${RUNS:-runs/rooms-v1}"
WORKERS="${WORKERS:-2}"
SEEDS="${SEEDS:-0 1 2}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

say() { printf '\n== %s\n' "$*" >&2; }
. "$(dirname "$0")/train.sh"

say "1/4 generate → $DATA"
avw generate "$DATA" --preset rooms-v1 --workers "$WORKERS"

say "2/4 train three seeds, and a model of each sense, which together see as many batches"
for seed in $SEEDS; do train "seed-$seed" --seed "$seed"; done
train vision --set net.modalities=vision
train audio --set net.modalities=audio

say "3/4 evaluate"
for seed in $SEEDS; do
  avw evaluate "$RUNS/seed-$seed" "$DATA" --horizons 1,4,16,32,64 --count 108 --against "$RUNS/vision,$RUNS/audio"
done
PAGES=()
if is_full_scale; then PAGES=(--write README.md --write docs/benchmark.md); fi # a trial is not published
python -m benchmarks.imagination $(for seed in $SEEDS; do echo "$RUNS/seed-$seed"; done) "${PAGES[@]}"

say "4/4 ablations: one change each, seed 0, on the validation houses"
ablate() { # NAME OPTIONS…
  train "$@"
  avw evaluate "$RUNS/$1" "$DATA" --split val --horizons 1,4,16 --count 108 --parts ranking,counterfactuals
}
# The parts for sound and reward, in models of sound alone that are trained for a few minutes.
sound() { # NAME OPTIONS…
  ablate "sound-$1" --steps 0,0,300 --set net.modalities=audio "${@:2}"
}
sound full
sound no-recall --set net.sound_recall=false
sound no-attention --set net.source_layers=0
sound no-delays --set net.interaural_delay=false
sound no-source-belief --set net.source_belief=false
sound no-memory --set net.sound_memory=0
sound no-futures --set futures=false
sound recorded-reward --set counterfactual_reward=false --set counterfactual_targets=0
# The parts for images, in models of vision alone.
vision() { # NAME OPTIONS…
  ablate "vision-$1" --steps 500,0,0 --set net.modalities=vision "${@:2}"
}
vision full
vision rotation-prior --set net.prior=rotation
vision no-prior --set net.prior=none --set net.residual=false
vision no-residual --set net.residual=false
vision noise --set diffusion.zero_noise=false
vision no-depth --set tokenizers.depth_channels=0
# Experts and stages, in full.
[ -e "$RUNS/full" ] || cp -al "$RUNS/seed-0" "$RUNS/full" # the evaluation of seed-0 stays
ablate full --seed 0
ablate one-expert --set net.experts=false
ablate no-stages --steps 0,0,1500

for part in sound vision; do
  python -m benchmarks.ablations "$RUNS/$part-full" $(ls -d "$RUNS/$part"-* | grep -v -- -full)
done
python -m benchmarks.ablations "$RUNS/full" "$RUNS/one-expert" "$RUNS/no-stages"
