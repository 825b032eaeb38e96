#!/usr/bin/env bash
# train_signals.sh SUMI MAKE_TINY_DIGITS: a training that is asked to stop, in the ways that a system has, saves first
# and says so; however often it is asked within a moment.
set -euo pipefail
sumi=$1 make_digits=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/sumi-signals-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMP_WAIT_POLICY=passive
set -m # or children in the background would ignore SIGINT
"$make_digits" data 160 40
printf 'task: score\n' >score.yaml

fail() { echo "FAILED: $*" >&2; cat err >&2; exit 1; }

# stop FOLDER SIGNAL TIMES KEY=VALUE...: trains, sends it TIMES times as soon as there is a step, expects exit code 10.
stop() {
  local folder=$1 signal=$2 times=$3 code=0 i
  shift 3
  "$sumi" train score.yaml --threads 2 data.dir=data train.out="$folder" train.batch=8 train.epochs=1000 "$@" \
    >out 2>err & pid=$!
  for ((i = 0; i < 3000; i++)); do
    [ "$(wc -l 2>/dev/null <"$folder/log.csv" || echo 0)" -gt 1 ] && break
    kill -0 "$pid" 2>/dev/null || fail "$signal: it ended before its first step"
    sleep 0.02
  done
  for ((i = 0; i < times; i++)); do kill "-$signal" "$pid"; sleep 0.01; done
  wait "$pid" || code=$?
  [ "$code" = 10 ] || fail "$signal $times times: exit code $code, expected 10"
  grep -q 'again to quit at once' err || fail "$signal: it did not say what it does"
  ls "$folder"/checkpoints/step-*.safetensors >/dev/null || fail "$signal: nothing was saved"
  [ -e "$folder/model/unet/diffusion_pytorch_model.safetensors" ] || fail "$signal: no model was saved"
}

stop interrupted INT 1 preview.every_epochs=0
stop insisted INT 3 preview.every_epochs=0
stop terminated TERM 1 preview.every_epochs=0
stop hung-up HUP 1 preview.every_epochs=0
# In a preview that would take minutes; its epoch is one step.
stop previewing INT 1 data.limit=8 preview.every_epochs=1 preview.steps=10000 preview.count=100
