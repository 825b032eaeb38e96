#!/bin/sh
# sumi and PyTorch side by side on this machine: training steps of latent diffusion's U-Nets with random weights.
#
#   bench/compare-training.sh [ldm] [sd1]      the small one by default
#
# PYTHON names an interpreter that has torch and diffusers (default python3); RUNS is how many steps the medians are of
# (3). sumi is build/sumi; with SUMI another. The small network needs 6 GB of memory and ten minutes, Stable Diffusion's
# 20 GB. Where others use the machine, processor times tell more than seconds; OMP_WAIT_POLICY=passive keeps threads that
# wait from counting as busy.
set -eu
cd "$(dirname "$0")/.."
sumi=${SUMI:-build/sumi}
runs=${RUNS:-3}
export OMP_WAIT_POLICY=passive
[ $# -gt 0 ] || set -- ldm
for network in "$@"; do
  echo "== sumi bench train-unet"
  "$sumi" bench train-unet --network "$network" --compute both --recompute both --steps "$runs"
  echo "== PyTorch"
  "${PYTHON:-python3}" tools/oracle/bench_train_unet.py --network "$network" --steps "$runs"
done
