# Networks of latent diffusion.
sumi_test(sd_models_test SOURCES sd_models_test.c LABEL quick)
