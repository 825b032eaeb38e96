list(APPEND SUMI_SOURCES
  src/diffusion/demo_1d.c
  src/diffusion/denoiser.c
  src/diffusion/process.c
  src/diffusion/sample.c
  src/diffusion/samplers/dpmpp_2m.c
  src/diffusion/samplers/euler_maruyama.c
  src/diffusion/samplers/ode_rk45.c
  src/diffusion/samplers/predictor_corrector.c
  src/diffusion/ve_sde.c)
