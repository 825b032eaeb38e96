list(APPEND SUMI_SOURCES
  src/models/digit_classifier.c
  src/models/score_unet.c)
