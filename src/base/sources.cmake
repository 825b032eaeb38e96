list(APPEND SUMI_SOURCES
  src/base/context.c
  src/base/isa.c
  src/base/memory.c
  src/base/parallel.c
  src/base/random.c
  src/base/status.c)
