#!/usr/bin/env bash
# train_resume.sh SUMI MAKE_TINY_DIGITS: kills a training with SIGKILL at random moments, resumes it each time, and
# compares what comes out with an undisturbed training, byte for byte: weights, their average, the optimiser's moments,
# the saved model, and the log but for its times.
set -euo pipefail
sumi=$1 make_digits=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/sumi-resume-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
"$make_digits" data 160 40

fail() { echo "FAILED: $*" >&2; exit 1; }
milliseconds() { date +%s%3N; }

# compare NAME STEP MODEL_FILE: the folders NAME and NAME-killed.
compare() {
  cmp "$1/checkpoints/$2" "$1-killed/checkpoints/$2" || fail "$1: the final state differs"
  cmp "$1/model/$3" "$1-killed/model/$3" || fail "$1: the model differs"
  for folder in "$1" "$1-killed"; do cut -d, -f1-5 "$folder/log.csv" >"$folder/log.cut"; done
  cmp "$1/log.cut" "$1-killed/log.cut" || fail "$1: the log differs"
}

# try NAME KILLS LAST_CHECKPOINT MODEL_FILE KEY=VALUE...
try() {
  local name=$1 wanted=$2 last=$3 model=$4 kills=0 round begin took pid delay
  shift 4
  printf 'task: %s\n' "${task}" >config.yaml
  local run=("$sumi" train config.yaml --threads 2 --quiet data.dir=data preview.every_epochs=0 "$@")
  begin=$(milliseconds)
  "${run[@]}" train.out="$name" >/dev/null
  took=$(($(milliseconds) - begin))
  # Counted are kills between two checkpoints: after the first, before the last.
  for ((round = 0; round < 20 * wanted && kills < wanted; round++)); do
    "${run[@]}" train.out="$name-killed" --resume >/dev/null & pid=$!
    delay=$((RANDOM % (took + 50)))
    sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    if [ -e "$name-killed/checkpoints/$last" ]; then
      rm -rf "$name-killed" # it got to the end: from the beginning again
    elif ls "$name-killed"/checkpoints/step-*.safetensors >/dev/null 2>&1; then
      kills=$((kills + 1))
    fi
  done
  [ "$kills" -ge "$wanted" ] || fail "$name: only $kills of $wanted kills in $round rounds"
  "${run[@]}" train.out="$name-killed" --resume >/dev/null || fail "$name: the last resumption ended with $?"
  compare "$name" "$last" "$model"
  echo "$name: $took ms undisturbed; killed $kills times between checkpoints: the same bytes"
}

task=classifier
try classifier 6 step-00000048.safetensors model.safetensors train.batch=20 train.micro_batch=12 train.epochs=6 \
  data.shift=1 ema.decay=0.99 checkpoint.every_steps=3 optimizer.name=adamw schedule.name=cosine train.clip_norm=1 \
  train.max_steps=48
task=score
try score 3 step-00000025.safetensors unet/diffusion_pytorch_model.safetensors model.type=attention train.batch=16 \
  train.epochs=3 train.max_steps=25 ema.decay=0.9 checkpoint.every_steps=4 train.compute=bf16 data.drop_last=false
