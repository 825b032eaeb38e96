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
if command -v pkg-config >/dev/null; then # without CMake
  pc=$(find "$scratch/sumi" -name sumi.pc)
  # shellcheck disable=SC2046
  cc "$2/examples/hello.c" -o "$scratch/by-hand" $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs sumi)
fi
cd "$2"
[ -e models/digits/model_index.json ] || exit 0
cd "$scratch"
sumi/bin/sumi sample --class 3 --steps 2 -q -o three.png # with the model that was installed
ln -s "$2/models" models
[ "$(build/digit)" = seven.png ]
[ -s seven.png ]
! build/hello 2>said || exit 1
grep -q 'usage: hello MODEL' said
[ "$(build/hello "$2/tests/golden/sd/sd1")" = otter.png ]
sumi/bin/sumi inspect otter.png | grep -q 'Seed: 42, Size: 16x16, Model: sd1'
