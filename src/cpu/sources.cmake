list(APPEND SUMI_SOURCES
  src/cpu/attention.c
  src/cpu/backend.c
  src/cpu/conv2d.c
  src/cpu/embedding.c
  src/cpu/fused.c
  src/cpu/geglu.c
  src/cpu/group_norm.c
  src/cpu/layer_norm.c
  src/cpu/lent.c
  src/cpu/load.c
  src/cpu/machine.c
  src/cpu/matmul.c
  src/cpu/matmul_geglu.c
  src/cpu/movement.c
  src/cpu/onednn.c
  src/cpu/pictures.c
  src/cpu/product.c
  src/cpu/random.c
  src/cpu/reduce.c
  src/cpu/rows.c
  src/cpu/taps.c
  src/cpu/thin_conv.c
  src/cpu/weight_grad.c
  src/cpu/winograd.c
  src/cpu/winograd_grad.c)

# These are compiled once for each instruction set; src/cpu/isa/dispatch.h has the rules.
set(SUMI_ISA_SOURCES
  src/cpu/isa/attention.c
  src/cpu/isa/attention_grad.c
  src/cpu/isa/blocks.c
  src/cpu/isa/convert.c
  src/cpu/isa/geglu.c
  src/cpu/isa/group_norm.c
  src/cpu/isa/group_norm_large.c
  src/cpu/isa/layer_norm.c
  src/cpu/isa/lent.c
  src/cpu/isa/machine.c
  src/cpu/isa/optimizer.c
  src/cpu/isa/pool.c
  src/cpu/isa/random.c
  src/cpu/isa/reduce.c
  src/cpu/isa/resize.c
  src/cpu/isa/rows.c
  src/cpu/isa/taps.c
  src/cpu/isa/thin_conv.c
  src/cpu/isa/weight_grad.c
  src/cpu/isa/winograd.c
  src/cpu/isa/winograd_grad.c)

function(sumi_isa name)
  set(objects sumi_isa_${name})
  add_library(${objects} OBJECT ${SUMI_ISA_SOURCES})
  target_include_directories(${objects} PRIVATE include src)
  target_compile_definitions(${objects} PRIVATE SUMI_ISA=${name} _POSIX_C_SOURCE=200809L)
  target_compile_options(${objects} PRIVATE -fno-math-errno -fno-trapping-math -ffp-contract=fast ${ARGN})
  set(SUMI_SOURCES ${SUMI_SOURCES} $<TARGET_OBJECTS:${objects}> PARENT_SCOPE)
endfunction()

sumi_isa(generic)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  sumi_isa(avx2 -mavx2 -mfma -mf16c)
  sumi_isa(avx512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
  sumi_isa(avx512_bf16 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16
           -mprefer-vector-width=512)
endif()
