#!/usr/bin/env bash
# Which tokenizers nano is better with: the same steps on latents of each, on rooms-v1 (hours; run it again to resume).
# No model has the memory prior, which reads latents of pca only, and none predicts depth.
set -euo pipefail

DATA="${DATA:-data/rooms-v1}"
RUNS="${RUNS:-runs/tokenizers}"
MINUTES="${MINUTES:-30}" # CPU time of the training of kl and of codec, each
IMAGES="${IMAGES:-pca kl}"
AUDIOS="${AUDIOS:-cues codec}"
SCALE="${SCALE:-0.33}"   # of the steps of nano
WORKERS="${WORKERS:-2}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

say() { printf '\n== %s\n' "$*" >&2; }

say "1/2 tokenizers → $RUNS"
avw generate "$DATA" --preset rooms-v1 --workers "$WORKERS"
python -m benchmarks.tokenizers "$DATA" --minutes "$MINUTES" --keep "$RUNS" --only "$(tr " " , <<< "$IMAGES $AUDIOS")"

say "2/2 train and evaluate"
for image in $IMAGES; do
  for audio in $AUDIOS; do
    run="$RUNS/$image-$audio"
    avw train "$DATA" --out "$run" --scale "$SCALE" --set net.prior=none --set tokenizers.depth_channels=0 \
      --image-tokenizer "$image:$RUNS/$image.safetensors" --audio-tokenizer "$audio:$RUNS/$audio.safetensors"
    avw evaluate "$run" "$DATA" --count 54 --horizons 1,4 --parts ranking
  done
done
