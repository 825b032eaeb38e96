list(APPEND SUMI_SOURCES
  src/tensor/addends.c
  src/tensor/autodiff.c
  src/tensor/clone.c
  src/tensor/compile.c
  src/tensor/dtype.c
  src/tensor/fixed.c
  src/tensor/fuse.c
  src/tensor/graph.c
  src/tensor/load.c
  src/tensor/plan.c
  src/tensor/program.c
  src/tensor/reference.c
  src/tensor/shape.c
  src/tensor/steps.c
  src/tensor/weights.c)
