# Sourced by recipes that train several models on one dataset: `train NAME OPTIONS…` trains the run $RUNS/NAME on $DATA,
# for $SCALE times as many steps as usual.
# The tokenizers and the latents depend on the data only. They are made once and linked into the other runs.
train() { # NAME OPTIONS…
  local run="$RUNS/$1"
  shift
  if [ "$run" != "$RUNS/seed-0" ] && [ ! -e "$run/tokenizers.safetensors" ] && [[ "$*" != *tokenizers.* ]]; then
    mkdir -p "$run"
    cp "$RUNS/seed-0/tokenizers.safetensors" "$run/"
    cp -al "$RUNS/seed-0/latents" "$run/"
  fi
  avw train "$DATA" --out "$run" --size nano --scale "${SCALE:-1}" "$@"
}
