list(APPEND SUMI_SOURCES
  src/ops/add.c
  src/ops/affine.c
  src/ops/broadcast.c
  src/ops/cast.c
  src/ops/elementwise.c
  src/ops/mul.c
  src/ops/reshape.c
  src/ops/sigmoid.c
  src/ops/silu.c
  src/ops/sum.c)
