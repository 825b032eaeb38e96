list(APPEND SUMI_SOURCES
  src/models/autoencoder_kl.c
  src/models/autoencoder_kl_config.c
  src/models/blocks.c
  src/models/clip_text.c
  src/models/clip_text_config.c
  src/models/clip_text_lookup.c
  src/models/digit_classifier.c
  src/models/model_folder.c
  src/models/score_unet.c
  src/models/transformer2d.c
  src/models/unet2d_condition.c
  src/models/unet2d_config.c
  src/models/unet2d_context.c
  src/models/vae_tiling.c
  src/models/weights_file.c)
