list(APPEND SUMI_SOURCES
  src/pipeline/bench_networks.c
  src/pipeline/digits.c
  src/pipeline/judge.c)
