# The table of bench/compare.sh: reads sumi.csv (rows of `sumi bench --record`), torch.csv (what, type, way, seconds) and
# jobs.csv (what, seconds of load, text, step and decoding, GB; or a number in the last cell alone).

function sumi(what, mode, column) { return value[what "," mode "," column] }

# The median of numbers that are separated by spaces.
function median(list, n, x, i, j, t) {
  n = split(list, x, " ")
  for (i = 1; i <= n; i++)
    for (j = i + 1; j <= n; j++)
      if (x[j] + 0 < x[i] + 0) { t = x[i]; x[i] = x[j]; x[j] = t }
  return n ? x[int((n + 1) / 2)] : ""
}

function row(point, what, ours, theirs, ratio, target, met) {
  printf "%-5s %-44s %14s %26s %8s  %-42s %s\n", point, what, ours, theirs, ratio, target, met
}

function verdict(known, good) { return !known ? "" : good ? "met" : "missed" }

# A time beside PyTorch's best of the types, which shall be `times` as fast.
function beside(point, what, ours, name, types, times, n, t, i, best, way, ratio) {
  if (ours == "") return
  n = split(types, t, " ")
  for (i = 1; i <= n; i++)
    if ((name "," t[i]) in torch_best && (best == "" || torch_best[name "," t[i]] < best)) {
      best = torch_best[name "," t[i]]
      way = torch_way[name "," t[i]]
    }
  ratio = best == "" ? "" : best / ours
  row(point, what, sprintf("%.3f s", ours), best == "" ? "not measured" : sprintf("%.3f s (%s)", best, way),
      ratio == "" ? "" : sprintf("%.2f", ratio), times ? sprintf("%s times as fast", times) : "",
      times ? verdict(ratio != "", ratio >= times) : "")
}

# A number that shall be at most `most`.
function limit(point, what, ours, unit, most, why) {
  if (ours == "") return
  row(point, what, sprintf("%.4g %s", ours, unit), "", "", sprintf("at most %.4g %s%s", most, unit, why),
      verdict(1, ours + 0 <= most + 0))
}

function least(point, what, ours, unit, low) {
  if (ours == "") return
  row(point, what, sprintf("%.4g %s", ours, unit), "", "", sprintf("at least %.4g %s", low, unit),
      verdict(1, ours + 0 >= low + 0))
}

function smaller(a, b) { return a == "" ? b : b == "" || a + 0 < b + 0 ? a : b }

function training(network, name, what, types, k, type, kept, again) {
  what = "train " network
  beside(6, name, smaller(sumi(what, "f32", "seconds"), sumi(what, "bf16", "seconds")), what, "f32 bf16", 1.3)
  split("f32 bf16", types, " ")
  for (k = 1; k <= 2; k++) {
    type = types[k]
    beside("", "  in " type, sumi(what, type, "seconds"), what, type, 0)
    kept = sumi(what, type, "activation_mb")
    again = sumi(what, type " recompute", "activation_mb")
    if (kept == "" || again == "") continue
    limit(6, "  checkpointing in " type ": seconds", sumi(what, type " recompute", "seconds") / sumi(what, type, "seconds"),
          "times", 1.35, "")
    limit(6, "  checkpointing in " type ": activations", again / kept, "times", 0.5, sprintf(" (%.0f and %.0f MB)", kept, again))
  }
}

FILENAME ~ /sumi\.csv$/ {
  if (FNR == 1) {
    for (i = 1; i <= NF; i++) name[i] = $i
    next
  }
  for (i = 1; i <= NF; i++) cell[name[i]] = $i
  machine = cell["cpu"] ", " cell["threads"] " threads, " cell["isa"]
  split(cell["mode"], word, " ") # type and, of networks, the choice of Winograd's algorithm
  what = cell["what"]
  if (what !~ /^train/) cell["mode"] = word[1]
  if (cell["side"] != 512 && what !~ /^train/) what = what " " cell["side"]
  if (what == "unet" && word[1] == "bf16") peak = cell["gflops"] / cell["share"]
  for (i in cell) value[what "," cell["mode"] "," i] = cell[i]
  next
}
FILENAME ~ /torch\.csv$/ {
  if ($4 !~ /^[0-9.]+$/) {
    without = without "\n  " $1 " " $3 ($1 ~ /^train/ ? "" : " " $2) ": " $4
    next
  }
  if (!(($1 "," $2) in torch_best) || $4 + 0 < torch_best[$1 "," $2]) {
    torch_best[$1 "," $2] = $4 + 0
    torch_way[$1 "," $2] = $1 ~ /^train/ ? $3 : $2 " " $3
  }
  next
}
{
  loads[$1] = loads[$1] " " $2
  steps[$1] = steps[$1] " " $4
  last[$1] = $6
}

END {
  print ""
  print machine
  row("point", "what", "sumi", "PyTorch's best", "ratio", "target", "")
  step = sumi("unet", "bf16", "seconds")
  beside(1, "guided step at 512x512, bf16", step, "unet", "f32 bf16", 1.4)
  if (step != "") {
    limit(1, "  against its operations at the bf16 peak", step, "s", sumi("unet", "bf16", "gflop") / peak,
          sprintf(" (%.0f GFLOP at %.0f)", sumi("unet", "bf16", "gflop"), peak))
    least(1, "  against stable-diffusion.cpp's 45 s", 45 / step, "times", 10)
  }
  beside(2, "decoding to 512x512, bf16", sumi("vae", "bf16", "seconds"), "vae", "f32 bf16", 0)
  limit(2, "  seconds", sumi("vae", "bf16", "seconds"), "s", 5, "")
  limit(2, "  activations", sumi("vae", "bf16", "activation_mb"), "MB", 700, "")
  limit(2, "decoding to 1024x1024: activations", sumi("vae 1024", "bf16", "activation_mb"), "MB", 2800, "")
  limit(2, "  memory of the process, checkpoint and all", last["decode 0"], "GB", 2.8, "")
  limit(2, "  the same in tiles of 512", last["decode 512"], "GB", last["decode 0"], ", as above")
  beside(3, "two prompts, bf16", sumi("text", "bf16", "seconds"), "text", "f32 bf16", 0)
  limit(3, "  seconds", sumi("text", "bf16", "seconds"), "s", 0.15, "")
  limit(3, "load of the checkpoint, in the page cache", median(loads["default"]), "s", 1.5, "")
  beside(4, "guided step in f32", sumi("unet", "f32", "seconds"), "unet", "f32", 1.6)
  beside(4, "decoding in f32", sumi("vae", "f32", "seconds"), "vae", "f32", 0)
  beside(4, "two prompts in f32", sumi("text", "f32", "seconds"), "text", "f32", 0)
  least(4, "picture after 20 steps against diffusers, f32", last["exact f32"], "dB", 45)
  least(4, "  bf16", last["exact bf16"], "dB", 35)
  training("ldm", "training step, small U-Net, 32 of 32x32")
  training("sd1", "training step, Stable Diffusion's, 2 of 32x32")
  limit("", "memory: a picture of 512x512", last["default"], "GB", 3.78, " (stable-diffusion.cpp's)")
  limit("", "  with --max-memory 1200M", last["limited"], "GB", 1.2, "")
  if (last["limited"] != "")
    row("", "  a step then", sprintf("%s s", median(steps["limited"])), "", "", sprintf("(%s s without)", median(steps["default"])))
  if (without != "") print "PyTorch's ways that are not counted:" without
}
