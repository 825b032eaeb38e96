list(APPEND SUMI_SOURCES
  src/nn/layers.c
  src/nn/param.c)
