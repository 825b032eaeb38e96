#!/bin/sh
# How seconds and activations grow with the side of pictures (256 to 1024) and with their number (1 to 8): the guided
# step of Stable Diffusion 1.5's U-Net and the autoencoder's decoding, in the default mode.
#
#   bench/growth.sh [FILE.csv [FILE.png]]     (build/sumi, or with SUMI another; RUNS: how many runs medians are of, 3)
#
# Writes build/growth.csv and docs/growth.png unless told otherwise. Each measurement is a process of its own, so that
# resident_mb is its own peak. Takes some ten minutes on two cores, and 8 GB of memory.
set -eu
cd "$(dirname "$0")/.."
sumi=${SUMI:-build/sumi}
file=${1:-build/growth.csv}
rm -f "$file"
measure() { "$sumi" bench "$@" -n "${RUNS:-3}" --record "$file" --commit "$(git describe --always --dirty)"; }
for network in unet vae; do
  for side in 256 384 512 768 1024; do measure $network --side $side; done
  for batch in 2 4 8; do measure $network --batch $batch; done
done
"$sumi" plot growth "$file" -o "${2:-docs/growth.png}"
