#!/bin/sh
# Measures this version and keeps it: rows for every benchmark are appended to bench/results.csv.
#
#   bench/record.sh [FILE.csv]     (build/sumi, or with SUMI another; RUNS: how many runs medians are of, 3)
#
# Each network in each type is a process of its own, so that resident_mb is its own peak. What the columns are is said by
# `sumi bench unet --help`. `sumi plot speed bench/results.csv --only unet` draws speed against commits. Takes some ten
# minutes on two cores, and 6 GB of memory; the machine should have nothing else to do.
set -eu
cd "$(dirname "$0")/.."
sumi=${SUMI:-build/sumi}
file=${1:-bench/results.csv}
keep="--record $file --commit $(git describe --always --dirty)"
runs="-n ${RUNS:-3}"
# shellcheck disable=SC2086
{
  for network in unet vae text; do
    for mode in f32 bf16; do "$sumi" bench $network --modes $mode $runs $keep; done
  done
  "$sumi" bench train-digits -b 128 $keep
  for compute in f32 bf16; do "$sumi" bench train-unet --compute $compute $runs $keep; done
  "$sumi" bench ops $keep
}
