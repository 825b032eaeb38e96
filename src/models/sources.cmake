list(APPEND SUMI_SOURCES
  src/models/digit_classifier.c
  src/models/model_folder.c
  src/models/score_unet.c
  src/models/weights_file.c)
