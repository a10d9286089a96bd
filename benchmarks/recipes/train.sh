# Sourced by recipes that train several models on one dataset: `train NAME OPTIONS…` trains the run $RUNS/NAME on $DATA,
# for $SCALE times as many steps as usual. Tokenizers and latents are those of seed-0, if it was trained before.
is_full_scale() { awk "BEGIN { exit !(${SCALE:-1} == 1) }"; }
train() { # NAME OPTIONS…
  local run="$RUNS/$1"
  shift
  if [ -e "$RUNS/seed-0/latents" ] && [ ! -e "$run/tokenizers.safetensors" ] && [[ "$*" != *tokenizers.* ]]; then
    mkdir -p "$run"
    cp "$RUNS/seed-0/tokenizers.safetensors" "$run/"
    cp -al "$RUNS/seed-0/latents" "$run/"
  fi
  avw train "$DATA" --out "$run" --size nano --scale "${SCALE:-1}" "$@"
}
