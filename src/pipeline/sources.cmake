list(APPEND SUMI_SOURCES
  src/pipeline/bench_networks.c
  src/pipeline/codec.c
  src/pipeline/conditions.c
  src/pipeline/convert.c
  src/pipeline/denoise.c
  src/pipeline/digits.c
  src/pipeline/draw.c
  src/pipeline/engine.c
  src/pipeline/generate.c
  src/pipeline/generation.c
  src/pipeline/inside.c
  src/pipeline/judge.c
  src/pipeline/noise.c
  src/pipeline/session.c
  src/pipeline/text_runner.c
  src/pipeline/unet_runner.c)
