list(APPEND SUMI_SOURCES
  src/models/autoencoder_kl_config.c
  src/models/clip_text_config.c
  src/models/digit_classifier.c
  src/models/model_folder.c
  src/models/score_unet.c
  src/models/unet2d_config.c
  src/models/weights_file.c)
