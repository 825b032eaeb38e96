#!/bin/sh
# Measures this version and keeps it: rows for every benchmark are appended to bench/results.csv.
#
#   bench/record.sh [FILE.csv]     (build/sumi, or with SUMI another; RUNS: how many runs medians are of, 3)
#
# `sumi plot speed bench/results.csv --only unet` draws speed against commits. Takes some five minutes on two cores, and
# 5 GB of memory; the machine should have nothing else to do.
set -eu
cd "$(dirname "$0")/.."
sumi=${SUMI:-build/sumi}
file=${1:-bench/results.csv}
keep="--record $file --commit $(git describe --always --dirty)"
runs="-n ${RUNS:-3}"
# shellcheck disable=SC2086
{
  for network in unet vae text; do "$sumi" bench $network --modes both $runs $keep; done
  "$sumi" bench train-digits -b 128 $keep
  "$sumi" bench train-unet --compute both $runs $keep
  "$sumi" bench ops $keep
}
