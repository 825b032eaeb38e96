#!/bin/sh
# The command's manners: exit codes, one line on stderr for a fault, help on stdout. Then one
# small model's whole life. Usage: cli_test.sh PATH/TO/sumi PATH/TO/make_tiny_digits CONFIGS
set -u
export OMP_WAIT_POLICY=passive
sumi=$1
make_tiny_digits=$2
configs=$3
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
expect 2 'expected FILE_OR_FOLDER...' inspect
expect 0 '320 14211 1674 539 550 22456' tokenize --ids 'a watercolor picture of an otter'
expect 0 '22456     1.3  otter</w>' tokenize 'an (otter:1.3)'
expect 0 'steps 11 to 20 of 20: "otter"' tokenize '[owl:otter:0.5]'
expect 0 'part 2 of 2, weight 0.5: " a fox"' tokenize 'an owl AND a fox :0.5'
expect 0 '"text":"\"owl\" AND"' tokenize --json --negative '"owl" AND'
expect 2 'a prompt with more than 256 brackets open at once' tokenize "$(printf '(%.0s' $(seq 300))"
expect 8 'nowhere/vocab.json' tokenize -m nowhere owl
expect 2 '--threads: expected an integer from 0 to 1024, found `many`' inspect --threads many file
expect 2 '--threads needs a value' inspect file --threads
for size in 0.5 12XB 3GG -5 nan 1e16 k ''; do
  expect 2 '--max-memory: expected a number of bytes, or with a unit' txt2img --max-memory "$size"
done
expect 2 '--stats takes no value' inspect --stats=yes file
expect 2 '--isa: expected one of: generic' inspect --isa mmx file
expect 8 'missing.safetensors: there is no such file or folder' inspect missing.safetensors
expect 8 '--help: there is no such file or folder' inspect -- --help

# A file that is not there has one code, whatever reads it: the one that --help has for that.
expect 0 '   8  no such file, or nothing of that name' --help
sd1=$configs/../tests/golden/sd/sd1
photo=$configs/../tests/golden/pictures/photo.jpg
for command in 'train nowhere' 'plot speed nowhere' 'plot growth nowhere' 'plot loss nowhere' 'eval score nowhere' \
  'eval digits -m nowhere' 'sample -m nowhere' 'convert nowhere x' 'txt2img -m nowhere' "img2img -m $sd1 -i nowhere" \
  "inpaint -m $sd1 -i $photo -k nowhere" "txt2img -m $sd1 --vae nowhere" "encode -m $sd1 -i nowhere" \
  "decode -m $sd1 -i nowhere" "noise -m $sd1 -i nowhere" "unet -m $sd1 -i nowhere" "encode -m $sd1 -i nowhere/x.png" \
  "unet -m $sd1 --latents nowhere --embedding nowhere" "train $configs/digits-add.yaml data.dir=nowhere"; do
  # shellcheck disable=SC2086
  expect 8 'nowhere' $command
done

printf 'not a header' >broken.safetensors
expect 7 'broken.safetensors' inspect broken.safetensors

# A tensor's name cannot draw lines of its own, nor steer the terminal.
header='{"a\u000afake: b\u009b[2J":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
{
  # shellcheck disable=SC2059
  printf "\\$(printf '%03o' ${#header})\0\0\0\0\0\0\0%s\0\0\0\0" "$header"
} >steers.safetensors
expect 0 '    fake: b?[2J' inspect steers.safetensors
if grep -q '^fake' out || grep -q "$(printf '\302\233')" out; then
  echo 'inspect: a name reached the terminal as it is'
  failures=$((failures + 1))
fi

# Each command, however many words it has, explains itself.
"$sumi" --help | sed -n 's/^  \([a-z]*\( [a-z-]*\)\{0,1\}\)  .*/\1/p' >commands
[ -s commands ] || failures=$((failures + 1))
while read -r command; do
  # shellcheck disable=SC2086
  expect 0 "usage: sumi $command" $command --help
done <commands

if [ -w /dev/full ]; then
  for words in 'inspect --help' --help --version 'bench --help'; do
    # shellcheck disable=SC2086
    "$sumi" $words >/dev/full 2>err
    [ $? = 6 ] && grep -q 'cannot write to standard output' err || {
      echo "sumi $words: a full disk behind stdout was not noticed"
      failures=$((failures + 1))
    }
  done
fi

expect 0 'text attention 2x77 by 77' bench ops --only 'text attention' --seconds 0.001 --record ops.csv --commit abc
expect 0 '12x12x64->128, weight gradient' bench ops --only '12x12x64->128, weight gradient' --seconds 0.001
expect 0 'layer_norm 2048x320, gradient' bench ops --only 'layer_norm 2048x320, grad' --seconds 0.001 --profile \
  --profile-layers 1
grep -q '(the others)' err || { echo 'a profile of one layer has more'; failures=$((failures + 1)); }
expect 8 'there are: unet conv, unet upsample + conv, vae conv,' bench ops --only nosuch
# Whoever calls it learns that it was interrupted.
"$sumi" bench ops --only 'text linear 154x768->768' --seconds 60 >out 2>err &
job=$!
waited=0
until [ -s out ] || [ $waited = 300 ]; do
  sleep 0.1
  waited=$((waited + 1))
done
kill -TERM $job
wait $job
{ [ $? = 10 ] && grep -q 'sumi bench ops: stopped after [01] measurements' err; } || {
  echo 'an interrupted bench ops did not say so:'
  cat out err
  failures=$((failures + 1))
}
for network in 'unet --side 64' 'vae --side 64' text; do
  # shellcheck disable=SC2086
  expect 0 'bf16  fast' bench $network --shrink 8 -n 1 --modes all --record ops.csv --commit abd
done
expect 2 'unknown option `--side`' bench text --side 64
expect 2 'leave one of the two out' bench vae --modes all --winograd off
[ "$(head -n 1 ops.csv | cut -d, -f 1-6)" = commit,date,cpu,isa,threads,what ] &&
  [ "$(grep -c '^abc,.*,text attention 2x77 by 77 in 12 heads of 64,,,.* careful,' ops.csv)" = 2 ] &&
  [ "$(grep -c '^abd,.*,unet shrunk,64,1,[bf0-9]* [acefloru]*st,' ops.csv)" = 1 ] && [ "$(wc -l <ops.csv)" = 18 ] || {
  echo 'bench --record: not a row for each measurement:'
  cat ops.csv
  failures=$((failures + 1))
}
# The memory of the process is this benchmark's own, or untold: not that of measuring the machine, some 140 MB.
expect 0 'bf16  careful' bench text --shrink 8 -n 1 --record small.csv
awk -F, 'NR == 2 && ($NF == "" || $NF > 150)' small.csv | grep -q . || {
  echo 'a small benchmark has the memory of another as its own:'
  cat small.csv
  failures=$((failures + 1))
}
expect 0 'activation_mb  10^6 bytes: the most intermediate values' bench unet --help
expect 0 '1 abd' plot speed ops.csv --only unet --mode 'bf16 off' -o speed.png
expect 0 'PNG, ' inspect speed.png
# Rows that differ in where they were measured alone are curves of their own, and 17 of them are too many.
{
  head -n 1 ops.csv
  for threads in 1 2 3 4 5 6 7 8; do
    echo "a,,one,avx2,$threads,unet,512,1,bf16 careful,1,1,1,,0.5,1,1000"
    echo "a,,one,avx512,$threads,unet,512,1,bf16 careful,1,1,1,,0.5,1,1000"
  done
} >where.csv
expect 0 '1 a' plot speed where.csv -o where.png
echo 'a,,another,avx512,8,unet,512,1,bf16 careful,1,1,1,,0.5,1,1000' >>where.csv
expect 2 'more than 16 curves' plot speed where.csv -o where.png
expect 2 'more than 16 curves' plot speed ops.csv -o speed.png
expect 2 'nothing of that kind in ops.csv' plot speed ops.csv --only nothing
expect 8 'nosuch.csv' plot speed nosuch.csv
{
  head -n 1 ops.csv
  for side in 256 512; do
    echo "a,,,,2,unet,$side,1,bf16 careful,$side,$side,1,,0.5,$side,1000"
    echo "a,,,,2,vae,$side,1,bf16 careful,$side,$side,1,,0.5,$side,1000"
  done
  echo "a,,,,2,unet,512,2,bf16 careful,1000,1000,1,,0.5,1000,1000"
} >growth.csv
expect 0 'growth.png' plot growth growth.csv -o growth.png
expect 0 'PNG, 1280 x 840' inspect growth.png
expect 2 'growth.csv: expected unet, vae or text in the mode `f32 off`, found unet in bf16 careful, vae in bf16' \
  plot growth growth.csv --mode 'f32 off'
expect 2 'ops.csv: expected unet' plot growth ops.csv
sed 2q growth.csv >alone.csv
expect 2 'alone.csv: nothing grows in it' plot growth alone.csv
expect 8 'nosuch.csv' plot growth nosuch.csv
expect 7 'no file of results' bench text --shrink 8 --record growth.png
expect 7 'no column `commit`' plot speed speed.png
# What is wrong with a command line is said before anything is measured.
for wrong in 'unet --side 100' 'vae --side 60' 'train-unet -s 12' 'train-unet --shrink 3'; do
  # shellcheck disable=SC2086
  expect 2 "sumi bench ${wrong%% *}: " bench $wrong
  [ ! -s out ] || { echo "bench $wrong measured something"; failures=$((failures + 1)); }
done
expect 8 'nosuch.yaml' bench train-digits --config nosuch.yaml
[ ! -s out ] || { echo 'bench train-digits measured something'; failures=$((failures + 1)); }
expect 0 'bf16  off' bench vae --shrink 8 --side 64 -n 1 --winograd off
expect 2 '--commit' bench ops --commit 'a,b'

# A judge and a network after two steps each: what they draw is noise, but every command must work with them.
"$make_tiny_digits" data 64 32
for task in classifier attention; do
  expect 0 '2 steps' train "$configs/digits-$task.yaml" data.dir=data train.out=$task train.batch=8 train.micro_batch=4 \
    train.max_steps=2 preview.every_epochs=0 --quiet
done
expect 2 'a training is there already' train "$configs/digits-attention.yaml" data.dir=data train.out=attention \
  train.batch=8 train.max_steps=2 -q
expect 2 'did you mean `train.lr`' train "$configs/digits-attention.yaml" train.rl=1
expect 2 'train.lr: expected a number' train "$configs/digits-attention.yaml" train.lr=fast
expect 2 'the configuration comes first' train train.lr=1 "$configs/digits-attention.yaml"
for config in "$configs"/*.yaml; do expect 0 'train.batch: ' train "$config" --keys; done
cp -r classifier/model attention/model/classifier
expect 0 'loss ' eval score "$configs/digits-attention.yaml" data.dir=data train.out=attention train.micro_batch=0 \
  train.batch=16 data.limit=16
expect 0 'drawn.png' sample -m attention/model -c 3,1,7-9 --steps 2 -o drawn.png --trajectory way.png -q
expect 0 'Steps: 2, Sampler: euler-maruyama, Seed: 0' inspect drawn.png
expect 0 'PNG, ' inspect way.png
expect 0 'JPEG, 24 x 40, RGB' inspect "$configs/../tests/golden/pictures/photo.jpg"
expect 0 'Negative prompt: blurry' inspect "$configs/../tests/golden/pictures/photo.webp"
expect 0 'one-0001.png' sample -m attention/model -c 4 --count 2 --steps 2 --separate --seed 5 -o one.png -q
expect 0 'digit 4' inspect one-0001.png
expect 0 'Seed: 6' inspect one-0001.png
expect 2 '--class: expected numbers from 0 to 9' sample -m attention/model -c 8-12
expect 2 '--class: expected numbers from 0 to 9' sample -m attention/model -c 1,
expect 8 'there is no sampler `no-such`; expected one of: euler-maruyama,' sample -m attention/model --sampler no-such -q
expect 8 'its model is in attention/model' sample -m attention
expect 0 'digit model, attention, 28 x 28, 10 classes' inspect attention/model
# What is wrong with a file to write is said before the work, which would take seconds here.
slow="sample -m attention/model -c 1 --steps 1000 -q"
mkdir folder.png
# shellcheck disable=SC2086
{
  expect 2 '--out: the name of a file is expected' $slow -o ''
  expect 2 '`-` is not a file' $slow -o -
  expect 2 'expected one that ends in: png' $slow -o one.jpg
  expect 6 'nowhere: the folder cannot be written into: No such file' $slow -o nowhere/one.png
  expect 6 'is a folder' $slow -o folder.png
  expect 2 'are the same file' $slow -o one.png --trajectory ./one.png
  expect 2 'pixels, at most 65535' $slow --count 100000 --columns 1 -o one.png
  expect 2 'the same file' plot reverse --count 100000 --steps 1000 -o ends.png --histogram ends.png
}
# An animation has no more frames than were asked for, whatever the sampler and however pictures fall into batches.
frames() {
  od -An -v -tx1 "$1" | tr -d ' \n' | grep -o '6663544c' | wc -l
}
for sampler in euler-maruyama ode-rk45; do
  expect 0 'few.png' sample -m attention/model -c 0-9 --batch 8 --steps 40 --sampler $sampler --trajectory few.png \
    --frames 5 -q
  [ "$(frames few.png)" -le 5 ] && [ "$(frames few.png)" -ge 3 ] || {
    echo "sample --frames 5 --sampler $sampler: $(frames few.png) frames"
    failures=$((failures + 1))
  }
done
expect 8 'nowhere' sample -m nowhere
expect 0 'loss.png' plot loss classifier attention/log.csv -o loss.png --log-scale
expect 0 'PNG, 900 x 540, RGB' inspect loss.png
expect 7 'no column `lost`' plot loss attention --column lost
expect 8 'nowhere/log.csv' plot loss nowhere
expect 0 'schedules.png' plot schedules
expect 0 'karras: sigma 14.61' plot schedules --sampler 'DPM++ 2M' --steps 12 --timesteps -o levels.png
expect 0 'normal: sigma' plot schedules --sampler pndm --spacing trailing --convention k-diffusion -o levels.png
expect 8 'magic' plot schedules --sampler magic
for plot in schedules forward reverse 'loss attention' 'speed ops.csv' 'growth growth.csv'; do
  # shellcheck disable=SC2086
  expect 2 'levels.jpg: the name tells the kind of file; expected one that ends in: png' plot $plot -o levels.jpg
done
expect 2 '' plot schedules --sampler ode-rk45
expect 0 'forward.png' plot forward --count 20 --steps 100
expect 0 'ends.png' plot reverse --count 500 --steps 100 --histogram ends.png
expect 0 'conv1.weight' inspect attention/model/unet/diffusion_pytorch_model.safetensors --stats
mv attention/model/classifier elsewhere
expect 8 '--judge DIR' eval digits -m attention/model --samples 10 --steps 2
mv elsewhere attention/model/classifier
expect 0 'on 32 real test pictures: accuracy' eval digits -m attention/model --samples 10 --steps 2 --data data \
  --config "$configs/digits-classifier.yaml" -q
tail -n 1 out | grep -qE '^prompt accuracy [01]\.[0-9]{3}$' || {
  echo 'eval digits: the last line is not the accuracy:'
  cat out
  failures=$((failures + 1))
}

# Files of tensors that are no checkpoint.
for file in zip2.ckpt zip4.ckpt legacy.ckpt legacy5.ckpt; do
  cp "$configs/../tests/golden/torch/$file" plain.bin
  expect 0 'PyTorch file of tensors' inspect plain.bin
  expect 0 'global_step' inspect plain.bin
  expect 0 ' mean ' inspect plain.bin --stats
done
head -c 1000 plain.bin >cut.pt
expect 7 'cut.pt: ' inspect cut.pt
echo 'seventeen letters or more' >text.bin
expect 7 'text.bin: this is neither a safetensors file nor one that torch.save wrote' inspect text.bin
: >empty.pt
expect 7 'empty.pt: ' inspect empty.pt

# A tiny checkpoint there and back.
sd="$configs/../tests/golden/sd"
expect 0 'Stable Diffusion 1.x, diffusers layout: text to image' inspect "$sd/sd1"
expect 0 'predicts v; 4 input channels' inspect "$sd/sd2"
expect 0 'sd2.safetensors written' convert "$sd/sd2" sd2.safetensors
expect 0 'complete' inspect sd2.safetensors --config "$sd/sd2"
expect 0 'unet/conv_in.weight  f16 (8, 4, 3, 3)' inspect sd2.safetensors --config "$sd/sd2" --tensors
expect 0 'predicts v; 4' inspect "$sd/sd1" --prediction v --family sd2
expect 0 'Stable Diffusion 2.x' inspect "$sd/sd1" --family sd2
expect 0 'complete' inspect "$sd/sd1" --vae sd2.safetensors
expect 0 'complete' inspect "$sd/sd1" --vae "$sd/sd2/vae"
expect 7 'sd/sd1/vae/config.json: ' inspect "$sd/sd2" --vae "$sd/sd1/vae/config.json"
expect 8 'nowhere: there is no such autoencoder' inspect "$sd/sd1" --vae nowhere
expect 8 'nowhere: there is no such autoencoder' inspect sd2.safetensors --config "$sd/sd2" --vae nowhere
expect 8 'nowhere/unet/config.json' inspect sd2.safetensors --config nowhere
expect 0 'block_out_channels[0] is 8' inspect sd2.safetensors
expect 0 'an autoencoder in place' txt2img --help
expect 0 'sd2-folder written' convert sd2.safetensors sd2-folder --config "$sd/sd2" --dtype f32
expect 0 'f32' inspect sd2-folder
expect 2 'sd2-folder: this is a folder, the CompVis layout is one file' convert "$sd/sd2" sd2-folder --layout compvis
expect 2 'sd2.safetensors: this is a file' convert "$sd/sd2" sd2.safetensors --layout diffusers
expect 8 'nowhere: there is no such file or folder' convert nowhere other

[ $failures = 0 ]
