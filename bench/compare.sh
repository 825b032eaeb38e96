#!/bin/sh
# sumi and PyTorch side by side on this machine: Stable Diffusion 1.5's networks with random weights, guidance on, and
# training steps of U-Nets. At the end a table: each measurement with sumi's figure, PyTorch's best, and the target.
#
#   [MODEL=FILE] [EXACT=FOLDER] bench/compare.sh [PART...]
#
# Parts: unet, vae, text; ldm and sd1, training steps of a small U-Net and of Stable Diffusion's (20 GB of memory); load,
# a checkpoint's load time and memory, if MODEL names an f16 file of Stable Diffusion 1.5's shape; exact, pictures against
# diffusers' in f32, if EXACT names a folder of tools/oracle/make_sd15.py. All of them that are possible by default;
# everything but sd1 fits into 9 GB.
#
# PYTHON names an interpreter that has torch, diffusers and transformers (default python3); RUNS is how many runs the
# medians are of (3). Each of PyTorch's ways (type, layout, compiled or not) is a process of its own, and is given up
# after LIMIT seconds (600), which its row then says: torch.compile takes longer than that for some. Results are kept in
# OUT (build/compare): sumi.csv, torch.csv, table.txt. sumi is build/sumi; with SUMI another. With everything it takes two
# hours on two cores, most of them PyTorch's; the machine should have nothing else to do.
set -eu
cd "$(dirname "$0")/.."
sumi=${SUMI:-build/sumi}
python=${PYTHON:-python3}
runs=${RUNS:-3}
limit=${LIMIT:-600}
out=${OUT:-build/compare}
[ $# -gt 0 ] || set -- unet vae text ${MODEL:+load} ldm sd1 ${EXACT:+exact}
mkdir -p "$out"
for file in sumi torch jobs; do : >"$out/$file.csv"; done

bench() { "$sumi" bench "$@" --record "$out/sumi.csv" --commit "$(git describe --always --dirty)"; }

# torch WHAT TYPE WAY COMMAND...: one of PyTorch's ways, whose last number of seconds counts.
torch() {
  what=$1,$2,$3
  shift 3
  code=0
  timeout -k 10 "$limit" "$python" "$@" >"$out/torch.log" 2>"$out/torch.err" || code=$?
  seconds=$(sed -n 's/.* \([0-9.]*\) s\(\/step,.*\)\{0,1\}$/\1/p' "$out/torch.log" | tail -n 1)
  if [ "$code" = 124 ]; then seconds="more than $limit s"; fi
  echo "$what,${seconds:-failed}" | tee -a "$out/torch.csv"
}

network() { # NAME WAY...
  name=$1
  shift
  for type in f32 bf16; do
    bench "$name" --modes $type --runs "$runs"
    for way in "$@"; do
      torch "$name" $type "$way" tools/oracle/bench_networks.py "$name" --dtype $type --ways "$way" --runs "$runs"
    done
  done
}

training() { # NETWORK
  for type in f32 bf16; do
    for again in off on; do
      bench train-unet --network "$1" --compute $type --recompute $again --steps "$runs"
    done
    for way in $type $type-last $type-compiled; do
      torch "train $1" $type "$way" tools/oracle/bench_train_unet.py --network "$1" --ways "$way" --steps "$runs"
    done
  done
}

# job NAME OPTION...: a picture of one step. Its account goes to jobs.csv: name, load, text, a step, decoding (seconds), GB.
job() {
  name=$1
  shift
  if "$sumi" txt2img -m "$MODEL" -p "a watercolor picture of an otter" -o "$out/otter.png" --steps 1 "$@" \
    2>"$out/job.err"; then
    number='\([0-9.]*\)'
    times="load $number s, text $number s, $number s a step, decode $number s, peak memory $number GB"
    sed -n "s/.*$times.*/$name,\1,\2,\3,\4,\5/p" "$out/job.err" | tee -a "$out/jobs.csv"
  else
    cat "$out/job.err"
  fi
}

# peak NAME COMMAND...: the most memory of a process, in GB, as the last cell of a row of jobs.csv.
peak() {
  name=$1
  shift
  "$python" -c 'import resource, subprocess, sys
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
print("%s,,,,,%.2f" % (sys.argv[1], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024e-9))' "$name" "$@" |
    tee -a "$out/jobs.csv"
}

load() {
  cat "$MODEL" >/dev/null # into the page cache
  i=0
  while [ $i -lt "$runs" ]; do
    job default -W 512 -H 512
    i=$((i + 1))
  done
  job limited -W 512 -H 512 --max-memory 1200M
  job large -W 1024 -H 1024 --latents "$out/large.safetensors"
  for tile in 0 512; do
    peak "decode $tile" "$sumi" decode -m "$MODEL" -i "$out/large.safetensors" -o "$out/large.png" --tile $tile
  done
}

for part in "$@"; do
  echo "== $part"
  case $part in
  unet) network unet usual last compiled ;;
  vae)
    network vae usual last compiled
    bench vae --modes bf16 --side 1024 --runs 1
    ;;
  text) network text usual compiled ;;
  ldm | sd1) training "$part" ;;
  load) load ;;
  exact)
    "$python" tools/oracle/compare_sd15.py "$EXACT" --sumi "$sumi" --whole --precision f32 bf16 --steps 20 |
      sed -n 's/^\([a-z0-9]*\) *picture,.* \([0-9.]*\) dB/exact \1,,,,,\2/p' | tee -a "$out/jobs.csv"
    ;;
  *)
    echo "there is no part \`$part\`" >&2
    exit 2
    ;;
  esac
done
awk -F, -f bench/compare.awk "$out/sumi.csv" "$out/torch.csv" "$out/jobs.csv" | tee "$out/table.txt"
