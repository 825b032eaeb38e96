#!/usr/bin/env bash
# train_resume.sh SUMI MAKE_TINY_DIGITS: kills a training with SIGKILL at random moments, resumes it each time, and
# compares what comes out with an undisturbed training, byte for byte: weights, their average, the optimiser's moments,
# the saved model, and the log but for its times.
set -euo pipefail
sumi=$1 make_digits=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/sumi-resume-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMP_WAIT_POLICY=passive # other tests may run beside this one
"$make_digits" data 160 40

fail() { echo "FAILED: $*" >&2; exit 1; }
milliseconds() { date +%s%3N; }
newest() { ls "$1/checkpoints" 2>/dev/null | grep '^step-[0-9]*\.safetensors$' | tail -n 1 || true; }

# compare NAME LAST_CHECKPOINT MODEL_FILE: the folders NAME and NAME-killed.
compare() {
  cmp "$1/checkpoints/$2" "$1-killed/checkpoints/$2" || fail "$1: the final state differs"
  cmp "$1/model/$3" "$1-killed/model/$3" || fail "$1: the model differs"
  for folder in "$1" "$1-killed"; do cut -d, -f1-5 "$folder/log.csv" >"$folder/log.cut"; done
  cmp "$1/log.cut" "$1-killed/log.cut" || fail "$1: the log differs"
}

# kill_once FOLDER PERIOD COMMAND...: resumes, waits for a new checkpoint, then for a random part of two periods, so
# that the kill may come anywhere between two checkpoints and while one is being written; but no longer than until the
# next but one, since a machine's load may have made the period long.
kill_once() {
  local folder=$1 period=$2 before first until pid
  shift 2
  before=$(newest "$folder")
  "$@" train.out="$folder" --resume >/dev/null & pid=$!
  while [ "$(newest "$folder")" = "$before" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
  first=$(newest "$folder")
  until=$(($(milliseconds) + RANDOM % (2 * period + 1)))
  while [ "$(milliseconds)" -lt "$until" ] && [ "$(newest "$folder")" = "$first" ]; do sleep 0.01; done
  kill -9 "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# try NAME STEPS EVERY KILLS MODEL_FILE KEY=VALUE...: STEPS steps with a checkpoint after each EVERY.
try() {
  local name=$1 steps=$2 every=$3 wanted=$4 model=$5 kills=0 round=0 last begin took
  shift 5
  last=$(printf 'step-%08d.safetensors' "$steps")
  printf 'task: %s\n' "$name" >"$name.yaml"
  local run=("$sumi" train "$name.yaml" --threads 2 --quiet data.dir=data preview.every_epochs=0 train.epochs=100
    train.max_steps="$steps" checkpoint.every_steps="$every" "$@")
  begin=$(milliseconds)
  "${run[@]}" train.out="$name" >/dev/null || fail "$name: ended with $?"
  took=$(($(milliseconds) - begin))
  while [ "$kills" -lt "$wanted" ]; do
    [ $((round++)) -lt $((8 * wanted)) ] || fail "$name: only $kills of $wanted kills before the end"
    kill_once "$name-killed" $((took * every / steps)) "${run[@]}"
    if [ -e "$name-killed/checkpoints/$last" ]; then
      rm -rf "$name-killed" # it got to the end: from the beginning again
      kills=0
    else
      kills=$((kills + 1))
    fi
  done
  "${run[@]}" train.out="$name-killed" --resume >/dev/null || fail "$name: the last resumption ended with $?"
  compare "$name" "$last" "$model"
  echo "$name: $took ms undisturbed; killed $kills times: the same bytes"
}

try classifier 54 3 5 model.safetensors train.batch=20 train.micro_batch=12 data.shift=1 ema.decay=0.99 \
  optimizer.name=adamw schedule.name=cosine train.clip_norm=1
try score 24 2 3 unet/diffusion_pytorch_model.safetensors model.type=attention train.batch=8 data.drop_last=false \
  ema.decay=0.9 train.compute=bf16
