# Networks of latent diffusion.
sumi_test(sd_clip_test SOURCES sd_clip_test.c LABEL quick)
sumi_test(sd_unet_test SOURCES sd_unet_test.c LABEL quick)
sumi_test(sd_vae_test SOURCES sd_vae_test.c LABEL quick)
sumi_test(families_test SOURCES families_test.c LABEL quick)
sumi_test(convert_test SOURCES convert_test.c LABEL quick)
sumi_test(pipeline_test SOURCES pipeline_test.c LABEL quick)
sumi_test(sessions_test SOURCES sessions_test.c LABEL quick)
