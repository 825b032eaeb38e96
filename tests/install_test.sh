#!/bin/sh
# A stranger's program finds the installed library, links with it and runs. Usage: install_test.sh BUILD SOURCE
set -eu
export OMP_WAIT_POLICY=passive
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$1" --prefix "$scratch/sumi" >"$scratch/log"
# The generator that the project was built with: a bare machine has that one alone.
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$1/CMakeCache.txt")
cmake -G "$generator" -S "$2/examples" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/sumi" >>"$scratch/log"
cmake --build "$scratch/build" >>"$scratch/log" || {
  cat "$scratch/log"
  exit 1
}
"$scratch/sumi/bin/sumi" --version
cd "$2"
[ -e models/digits/model_index.json ] || exit 0
cd "$scratch"
sumi/bin/sumi sample --class 3 --steps 2 -q -o three.png # with the model that was installed
ln -s "$2/models" models
[ "$(build/digit)" = seven.png ]
[ -s seven.png ]
build/hello "$2/tests/golden/sd/sd1"
sumi/bin/sumi inspect otter.png | grep -q 'Seed: 42, Size: 16x16, Model: sd1'
