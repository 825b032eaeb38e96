list(APPEND SUMI_SOURCES
  src/diffusion/ve_sde.c)
