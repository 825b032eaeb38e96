#!/bin/sh
# Checks who includes whom. A room (a folder of src/) may include its own headers, those of the rooms before it, and
# include/sumi/; programs and examples see include/sumi/ and the headers beside them; a library from outside is included
# in the files that are named for it below and nowhere else. Prints each offending line; exit 1 if there is one.
set -eu
cd "$(dirname "$0")/.."

find src apps examples include -name '*.[ch]' 2>/dev/null | sort | xargs awk '
  BEGIN {
    count = split("base tensor ops cpu io nn models text diffusion data train pipeline", rooms, " ")
    for (i = 1; i <= count; i++) rank[rooms[i]] = i
    # The engine is one thing in two rooms: passes over graphs name operators, through their list alone.
    exception["tensor ops/ops.h"] = 1
    # HEADER -> the files that may include it.
    door["dnnl"] = "src/cpu/onednn.c"
    door["omp"] = "src/base/parallel.c"
    door["png"] = "src/io/png.c"
    door["jpeglib"] = door["jerror"] = "src/io/jpeg.c"
    door["webp/decode"] = door["webp/encode"] = door["webp/mux"] = "src/io/webp.c"
    door["zlib"] = "src/io/gzip.c"
    door["jansson"] = "src/io/json.c"
    door["yaml"] = "src/io/yaml.c"
  }
  function offend(reason) { printf "%s:%d: %s  (%s)\n", FILENAME, FNR, $0, reason; bad = 1 }
  /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    header = $0
    sub(/^[^<"]*[<"]/, "", header)
    sub(/[>"].*/, "", header)
    split(FILENAME, path, "/")

    library = header
    sub(/(_[a-z]+)?\.h$/, "", library)
    if (library in door && !index(" " door[library] " ", " " FILENAME " ")) offend("only in " door[library])

    if ($0 !~ /"/) next
    split(header, part, "/")
    if (part[1] == "sumi") next
    if (path[1] == "include") offend("public headers include sumi/ alone")
    if (path[1] == "apps" || path[1] == "examples")
      if (header ~ /\//) offend("programs include sumi/ and the headers beside them")
    if (path[1] == "src" && !(path[2] " " header in exception)) {
      if (!(part[1] in rank)) offend("the folder of a room comes first")
      else if (rank[part[1]] > rank[path[2]]) offend(path[2] " does not know " part[1])
    }
  }
  END { exit bad }'
