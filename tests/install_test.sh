#!/bin/sh
# A stranger's program finds the installed library, links with it and runs. Usage: install_test.sh BUILD SOURCE
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$1" --prefix "$scratch/sumi" >"$scratch/log"
cmake -S "$2/examples" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/sumi" >>"$scratch/log"
cmake --build "$scratch/build" >>"$scratch/log" || {
  cat "$scratch/log"
  exit 1
}
"$scratch/sumi/bin/sumi" --version
cd "$2"
[ -e models/digits/model_index.json ] || exit 0
cd "$scratch"
ln -s "$2/models" models
build/hello
[ -s hello.png ]
