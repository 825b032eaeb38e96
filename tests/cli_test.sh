#!/bin/sh
# The command's manners: exit codes, one line on stderr for a fault, help on stdout. Usage: cli_test.sh PATH/TO/sumi
set -u
sumi=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0

# expect CODE TEXT ARGUMENT...: the command exits with CODE and says TEXT: on stdout after success, else on stderr,
# where it is the only line.
expect() {
  code=$1
  text=$2
  shift 2
  "$sumi" "$@" >out 2>err
  found=$?
  where=err
  [ "$code" != 0 ] || where=out
  if [ $found != "$code" ] || ! grep -qF -- "$text" $where; then
    printf 'sumi %s: exit %s (expected %s), expected "%s" in:\n' "$*" $found "$code" "$text"
    cat out err
    failures=$((failures + 1))
  elif [ "$code" != 0 ] && [ "$(wc -l <err)" != 1 ]; then
    printf 'sumi %s: more than one line on stderr:\n' "$*"
    cat err
    failures=$((failures + 1))
  fi
}

expect 0 'usage: sumi COMMAND' --help
expect 0 'sumi ' --version
expect 2 'unknown command `draw`' draw
expect 2 'unknown option `--stat`; see `sumi inspect --help`' inspect --stat file
expect 2 'expected FILE...' inspect
expect 2 '--threads: expected an integer from 0 to 1024, found `many`' inspect --threads many file
expect 2 '--threads needs a value' inspect file --threads
expect 2 '--stats takes no value' inspect --stats=yes file
expect 2 '--isa: expected one of: generic' inspect --isa mmx file
expect 6 'No such file' inspect missing.safetensors
expect 6 'No such file' inspect -- --help

printf 'not a header' >broken.safetensors
expect 7 'broken.safetensors' inspect broken.safetensors

# Each command, however many words it has, explains itself.
"$sumi" --help | sed -n 's/^  \([a-z]*\( [a-z-]*\)\{0,1\}\)  .*/\1/p' >commands
[ -s commands ] || failures=$((failures + 1))
while read -r command; do
  # shellcheck disable=SC2086
  expect 0 "usage: sumi $command" $command --help
done <commands

if [ -w /dev/full ]; then
  "$sumi" inspect --help >/dev/full 2>err
  [ $? = 6 ] || { echo 'a full disk behind stdout was not noticed'; failures=$((failures + 1)); }
fi

[ $failures = 0 ]
