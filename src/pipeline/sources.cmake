list(APPEND SUMI_SOURCES
  src/pipeline/digits.c
  src/pipeline/judge.c)
