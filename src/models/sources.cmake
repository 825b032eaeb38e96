list(APPEND SUMI_SOURCES
  src/models/score_unet.c)
