#!/bin/sh
# sumi and PyTorch side by side on this machine: Stable Diffusion 1.5's networks with random weights, f32 and bf16.
#
#   bench/compare.sh [unet] [vae] [text]      all of them by default
#
# PYTHON names an interpreter that has torch, diffusers and transformers (default python3); RUNS is how many runs the
# medians are of (3). Needs 9 GB of memory, a C++ compiler for torch.compile, and about ten minutes. sumi is build/sumi;
# with SUMI another.
set -eu
cd "$(dirname "$0")/.."
sumi=${SUMI:-build/sumi}
runs=${RUNS:-3}
[ $# -gt 0 ] || set -- unet vae text
for network in "$@"; do
  echo "== sumi bench $network"
  "$sumi" bench "$network" --modes both --runs "$runs"
  echo "== PyTorch"
  "${PYTHON:-python3}" tools/oracle/bench_networks.py "$network" --runs "$runs" --compile
done
