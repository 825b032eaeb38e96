list(APPEND SUMI_SOURCES
  src/cpu/backend.c)
