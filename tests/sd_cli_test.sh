#!/bin/sh
# Whole jobs through the command with a tiny Stable Diffusion: sd_cli_test.sh SUMI MODEL_FOLDER
set -eu
sumi=$1
model=$2
scratch=$(mktemp -d ./sd-cli-XXXXXX)
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
small="-m $model -W 16 -H 16 --steps 4 --sampler euler -q"

# shellcheck disable=SC2086
{
run 0 '' "$sumi" txt2img $small -p 'an (otter:1.2), "quoted", 1:2' -n blurry --seed 7 -o a.png
run 0 '' "$sumi" txt2img $small -p 'an (otter:1.2), "quoted", 1:2' -n blurry --seed 7 -o again.png
cmp a.png again.png || fail 'one seed gave two pictures'
run 0 'vae decode: 1 runs' "$sumi" txt2img $small -p otter --profile -o profiled.png
run 0 '' "$sumi" inspect a.png
grep -q 'Steps: 4, Sampler: euler, .*Seed: 7, Size: 16x16' out.txt || fail "a.png's note is: $(cat out.txt)"
grep -q 'Negative prompt: blurry' out.txt || fail 'the negative prompt is not in the note'
run 0 '' "$sumi" txt2img $small -p otter --count 3 --batch 2 --sampler 'DPM++ 2M Karras' -o many.jpg --quality 95 \
  --save-steps steps --animation all.png --preview preview.png --latents latents.safetensors
for file in many-0000.jpg many-0002.jpg steps/0000-step-0004.png steps/0002-step-0001.safetensors all.png preview.png; do
  [ -s "$file" ] || fail "$file was not written"
done
run 0 '' "$sumi" inspect many-0001.jpg
grep -q 'Sampler: dpmpp-2m, Schedule type: karras' out.txt || fail "many-0001.jpg's note is: $(cat out.txt)"
run 0 '' "$sumi" txt2img $small -p "$(printf 'caf\351')" --noise batch --cfg-rescale 0.5 -o latin.png # no UTF-8
run 0 '' "$sumi" inspect latin.png
grep -q 'CFG Rescale phi: 0.5, .*Batch pos: 0' out.txt || fail "latin.png's note is: $(cat out.txt)"
run 0 '' "$sumi" img2img -m "$model" -q --steps 4 -i many-0001.jpg -W 24 -H 16 --strength 0.5 -p x -o b.webp
run 0 '' "$sumi" inspect b.webp
grep -q 'WebP, 24 x 16' out.txt || fail "b.webp is: $(cat out.txt)"
run 0 '' "$sumi" inpaint -m "$model" -q --steps 4 -i a.png --mask again.png --overlay -p x -o c.png
run 0 '' "$sumi" encode -m "$model" -q -i a.png -o encoded.safetensors --channels channels.png
run 0 '' "$sumi" decode -m "$model" -q -i encoded.safetensors -o decoded.png
run 0 '' "$sumi" decode -m "$model" -q -i steps/0000-step-0002.safetensors -o of-step.png
run 0 '' "$sumi" decode -m "$model" -q -i latents.safetensors -o of-latents.png
[ -s of-latents-0002.png ] || fail 'decode made no picture of the third latents'
run 0 '' "$sumi" embed -m "$model" -p 'an (owl:1.2) AND an otter' -o owl.safetensors
grep -q 'only the first of 2 parts' err.txt || fail "embed said nothing of what it left out: $(cat err.txt)"
run 0 '' "$sumi" unet -m "$model" -q --latents encoded.safetensors --embedding owl.safetensors -t 300 -o eps.safetensors
run 5 'the least that would do is' "$sumi" unet -m "$model" --latents encoded.safetensors --embedding owl.safetensors \
  --max-memory 10M -o x.safetensors
run 5 'the least that would do is' "$sumi" embed -m "$model" -p otter --max-memory 10M -o x.safetensors
run 0 'the VAE decoder beside it' "$sumi" txt2img -m "$model" -W 16 -H 16 --steps 2 -p otter --max-memory 200M \
  --animation shown.png -o limited.png
grep -Eq 'a step, saving steps [0-9.]+ s, decode [0-9.]+ s' err.txt || fail "no time of what was saved: $(cat err.txt)"
run 0 '' "$sumi" img2img -m "$model" --steps 2 -i a.png -p otter -o timed.png
grep -Eq 'encode [0-9.]+ s, [0-9.]+ s a step, decode' err.txt || fail "img2img's times are: $(cat err.txt)"
run 2 '--keep and --max-memory exclude each other' "$sumi" txt2img -m "$model" -p otter --keep --max-memory 200M -o x.png
run 0 '' "$sumi" img2img -m "$model" -q --steps 2 -i of-step-0001.png -W 24 -p x --seed -1 -o any.png # 24 x 24
run 0 '' "$sumi" inspect any.png
grep -q 'PNG, 24 x 24' out.txt || fail "any.png is: $(cat out.txt)"
run 0 '' "$sumi" inspect a.png
! grep -qE 'Winograd|Instruction set' out.txt || fail "a.png's note has what was not chosen: $(cat out.txt)"
run 0 '' "$sumi" txt2img $small -p otter --winograd off --isa generic -o chosen.png
run 0 '' "$sumi" inspect chosen.png
grep -q 'Winograd: off' out.txt || fail "chosen.png's note is: $(cat out.txt)"
if "$sumi" inspect --isa avx2 a.png >seen.txt 2>&1; then # the processor has more than it was allowed
  grep -q 'Instruction set: generic' out.txt || fail "chosen.png's note is: $(cat out.txt)"
fi
run 2 'are one file' "$sumi" txt2img $small -o one.png --animation ./one.png
run 6 'cannot be made' "$sumi" txt2img $small --save-steps a.png/steps
run 0 '' "$sumi" help txt2img
grep -q 'also: Euler a' out.txt || fail "help has no other names of samplers"
run 2 'is `txt2img` meant' "$sumi" txt2im
run 0 '' "$sumi" noise -m "$model" -q -i a.png -t 300 -o noised.png
run 0 '' "$sumi" embed -m "$model" -q -p otter -o embedded.safetensors

run 2 '-m FILE_OR_FOLDER is missing' "$sumi" txt2img -p x
run 8 'there is no such file or folder' "$sumi" txt2img -m nowhere
mkdir empty
run 8 "empty: not a checkpoint's folder" "$sumi" txt2img -m empty
run 2 'the width is 17' "$sumi" txt2img -m "$model" -W 17 -H 16
for size in '5=5 bytes' '1=1 byte of' '1kB=1000 bytes' '1KIB=1024 bytes' '1.5m=1.50 MB' '20MiB=21 MB' '0.02 gb=20 MB'; do
  run 5 "${size#*=}" "$sumi" txt2img $small --max-memory "${size%%=*}" -o x.png
done
run 8 'there is no sampler `eulr`; there are' "$sumi" txt2img $small --sampler eulr
run 6 'cannot be written into' "$sumi" txt2img $small -o nowhere/x.png
run 2 'expected one that ends in' "$sumi" txt2img $small -o x.gif
# Before anything is read: there is no such checkpoint.
run 2 'expected one that ends in' "$sumi" txt2img -m nowhere -o /dev/null
run 2 '--preview: /dev/null: the name tells the kind' "$sumi" txt2img -m nowhere --preview /dev/null
run 2 '--animation: /dev/null: is a device' "$sumi" txt2img -m nowhere --animation /dev/null
run 2 'expected one that ends in' "$sumi" decode -m nowhere -i latents.safetensors -o x.gif
run 6 'cannot be written into' "$sumi" encode -m nowhere -i a.png -o nowhere/x.safetensors
run 6 'cannot be written into' "$sumi" unet -m nowhere -i nowhere -o nowhere/x.safetensors
run 2 'the mask is 24 x 16' "$sumi" inpaint -m "$model" -q -i a.png --mask b.webp -o d.png
run 8 'no tensor `latents`' "$sumi" decode -m "$model" -i embedded.safetensors
head -c 300 a.png >cut.png
run 7 'cut.png' "$sumi" img2img -m "$model" -i cut.png -o e.png
echo 'not a model' >text.ckpt
run 7 'text.ckpt' "$sumi" txt2img -m text.ckpt
}

# Interrupted, it keeps the pictures that are complete, and says so with its exit code.
"$sumi" txt2img -m "$model" -W 64 -H 64 --steps 1000 --count 1000 -q -o kept.png >out.txt 2>err.txt &
job=$!
sleep 2
kill -TERM $job
code=0
wait $job || code=$?
[ "$code" = 10 ] || fail "an interrupted job gave $code, not 10: $(cat err.txt)"
grep -q interrupted err.txt || fail "an interrupted job said: $(cat err.txt)"
echo ok
