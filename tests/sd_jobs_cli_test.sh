#!/bin/sh
# What the options of txt2img, img2img and inpaint do, with tiny models: sd_jobs_cli_test.sh SUMI MAKE_TINY_SD GOLDEN
set -eu
sumi=$1
make_tiny_sd=$2
golden=$3
model=$golden/sd1
scratch=$(mktemp -d ./sd-jobs-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() { echo "FAILED: $*" >&2; exit 1; }
# run STATUS WORDS COMMAND...: the exit code, and words that its complaint has.
run() {
  expected=$1
  words=$2
  shift 2
  code=0
  "$@" >out.txt 2>err.txt || code=$?
  [ "$code" = "$expected" ] || fail "$* gave $code, not $expected: $(cat err.txt)"
  [ -z "$words" ] || grep -qF -- "$words" err.txt || fail "$*: expected '$words', found: $(cat err.txt)"
}
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ: $3"; }
differ() { ! cmp -s "$1" "$2" || fail "$1 and $2 are the same: $3"; }
# until SECONDS COMMAND...: waits until it succeeds.
until_true() {
  tries=$(($1 * 10))
  shift
  while ! "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.1
  done
}
each="-m $model --steps 4 --precision f32 -q"

# shellcheck disable=SC2086
{
run 0 '' "$sumi" txt2img $each -W 128 -H 128 -p otter --seed 1 -o whole.png
run 0 '' "$sumi" txt2img $each -W 128 -H 128 -p otter --seed 1 --tile 128 -o one.png
run 0 '' "$sumi" txt2img $each -W 128 -H 128 -p otter --seed 1 --tile 64 -o tiled.png
differ whole.png tiled.png 'tiles of 64 pixels'
run 2 'tile is 65, expected 0 or a multiple of 2 from 64' "$sumi" txt2img $each -W 128 -H 128 --tile 65 -o x.png

# Strength: 0 is none, and not the default.
run 0 '' "$sumi" txt2img $each -W 16 -H 16 -p otter --seed 2 -o a.png
run 0 '' "$sumi" txt2img $each -W 16 -H 16 -p water --seed 3 -o m.png
run 0 '' "$sumi" img2img $each -i a.png -p otter --seed 5 --strength 0 -o none.png
run 0 '' "$sumi" img2img $each -i a.png -p water --seed 5 --strength 0 -o none2.png
run 0 '' "$sumi" img2img $each -i a.png -p water --seed 5 -o some.png
"$sumi" inspect none.png | grep -q 'Denoising strength: 0,' || fail 'the note does not say that the strength is 0'
"$sumi" inspect some.png | grep -q 'Denoising strength: 0.75' || fail 'the note does not say that the strength is 0.75'
run 2 '--strength: expected a number from 0 to 1' "$sumi" img2img $each -i a.png --strength 1.5
run 2 '--cfg: expected a number from 1 to 1000' "$sumi" img2img $each -i a.png --cfg 0
"$sumi" img2img --help | grep -qF -- '[7.5; 1 to 1000]' || fail '--help does not say what --cfg may be'

# Inpainting: what is kept, and by which rule.
run 0 '' "$sumi" inpaint $each -i a.png -k m.png -p water --seed 6 -o i.png
run 0 '' "$sumi" inpaint $each -i a.png -k m.png -p water --seed 6 --blend-denoised -o blended.png
run 0 '' "$sumi" inpaint $each -i a.png -k m.png -p water --seed 6 --overlay -o overlaid.png
run 0 '' "$sumi" inpaint $each -i a.png -k m.png -p water --seed 6 --strength 0.5 -o part.png
differ i.png blended.png '--blend-denoised'
differ i.png overlaid.png '--overlay'
differ i.png part.png '--strength 0.5'
run 2 '--mask FILE is missing' "$sumi" inpaint $each -i a.png -o x.png
run 2 '--init FILE is missing' "$sumi" inpaint $each -k m.png -o x.png

# Transparency: ink and paint of one opacity are one mask, whatever is hidden where there is none; behind a picture is
# white.
pictures=$golden/../pictures
for mask in ink paint paint-on-black; do
  run 0 '' "$sumi" inpaint $each -i a.png -k "$pictures/$mask.png" -p water --seed 6 -o mask-$mask.png
done
same mask-paint-on-black.png mask-paint.png 'white on nothing'
same mask-paint-on-black.png mask-ink.png 'black on nothing'
run 0 'what is opaque is made anew' "$sumi" inpaint -m "$model" --steps 1 -i a.png -k "$pictures/ink.png" -o x.png
run 0 'counts as black, so it stays' "$sumi" inpaint -m "$model" --steps 1 -i a.png -k "$pictures/paint.png" -o x.png
run 0 '' "$sumi" inpaint -m "$model" --steps 1 -i a.png -k "$pictures/ink-on-white.png" -o x.png
! grep -qF 'opaque' err.txt || fail 'something is said of a mask without transparency'
run 0 'becomes white' "$sumi" encode -m "$model" -i "$pictures/ink.png" -o ink.safetensors
run 0 '' "$sumi" encode -m "$model" -q -i "$pictures/ink-on-white.png" -o on-white.safetensors
same ink.safetensors on-white.safetensors 'ink on nothing, and on white'

# Models that edit, of 8 channels, and that see depth, of 5.
"$make_tiny_sd" "$golden" 8 eight
"$make_tiny_sd" "$golden" 5 five
run 0 '' "$sumi" img2img -m eight --steps 4 -q -i a.png -p water -o edited.png
run 0 '' "$sumi" img2img -m eight --steps 4 -q -i a.png -p water --image-cfg 0 -o edited2.png
"$sumi" inspect edited.png >seen.txt
grep -q 'Image CFG scale: 1.5' seen.txt || fail "the note lacks the picture's scale: $(cat seen.txt)"
grep -q 'Denoising strength: 1,' seen.txt || fail "editing does not begin with noise alone: $(cat seen.txt)"
"$sumi" inspect edited2.png | grep -q 'Image CFG scale: 0,' || fail '--image-cfg 0 is not 0'
run 2 'a model that edits pictures: it needs one' "$sumi" txt2img -m eight --steps 4 -q -W 16 -H 16 -o x.png
run 0 '' "$sumi" img2img -m five --steps 4 -q -i a.png --depth m.png -p water -o deep.png
run 0 '' "$sumi" img2img -m five --steps 4 -q -i a.png --depth a.png -p water -o deeper.png
differ deep.png deeper.png 'another --depth'
run 2 'it needs a picture and its depth' "$sumi" img2img -m five --steps 4 -q -i a.png -o x.png
run 2 'whole.png: the depth is 128 x 128' "$sumi" img2img -m five --steps 4 -q -i a.png --depth whole.png -o x.png
run 2 'the model does not see depth' "$sumi" img2img $each -i a.png --depth m.png -o x.png

# The same out of a single file.
run 0 '' "$sumi" convert -q eight eight.safetensors
for m in eight eight.safetensors; do
  run 0 '' "$sumi" img2img -m $m --config eight --steps 4 --sampler euler --precision f32 -q -i a.png -p water -o edited.png \
    --latents $m.latents.safetensors
done
same eight.latents.safetensors eight.safetensors.latents.safetensors 'a folder and a single file'

# A model for inpainting, of 9 channels.
"$make_tiny_sd" "$golden" 9 nine
run 0 '' "$sumi" inpaint -m nine --steps 4 -q -i a.png -k m.png -p water --seed 6 -o nine.png
differ i.png nine.png 'a model of 9 channels'
run 2 'this is an inpainting model' "$sumi" txt2img -m nine --steps 4 -q -W 16 -H 16 -o x.png
run 2 'this is an inpainting model' "$sumi" img2img -m nine --steps 4 -q -i a.png -o x.png
}

# Pictures are saved as they are made: not even SIGKILL takes them.
"$sumi" txt2img -m "$model" -W 16 -H 16 --steps 4 --count 60000 -q -o killed.png >out.txt 2>err.txt &
job=$!
until_true 60 test -s killed-0002.png || { kill -KILL $job; fail 'a batch that is complete was not saved'; }
kill -KILL $job
wait $job || true
grep -q 'killed-0001.png' out.txt || fail 'the names of what was saved are not told at once'
"$sumi" inspect killed-0001.png >seen.txt || fail 'a picture of a job that was killed is damaged'

# Interrupted, a job keeps the latents of its pictures as well.
"$sumi" txt2img -m "$model" -W 16 -H 16 --steps 4 --count 60000 -q -o kept.png --latents kept.safetensors >out.txt 2>err.txt &
job=$!
until_true 60 test -s kept-0002.png || { kill -KILL $job; fail 'a batch that is complete was not saved'; }
kill -TERM $job
code=0
wait $job || code=$?
[ $code = 10 ] || fail "an interrupted job gave $code, not 10: $(cat err.txt)"
pictures=$(ls kept-*.png | wc -l)
"$sumi" inspect kept.safetensors | grep -qF "($pictures, 4, 8, 8)" || fail "not the latents of $pictures pictures: $("$sumi" inspect kept.safetensors)"
echo ok
