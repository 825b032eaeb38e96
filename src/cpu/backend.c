#include "cpu/cpu.h"
#include "ops/ops.h"
#include "tensor/load.h"

static const struct {
  const sumi__op *op;
  const sumi__kernel *kernels[4];
} table[] = {
#define SUMI_CPU_ROW_0(name)
#define SUMI_CPU_ROW_1(name) {&sumi__op_##name, {&sumi__cpu_##name, NULL, NULL, NULL}},
#define SUMI_CPU_ROW_2(name) {&sumi__op_##name, {&sumi__cpu_##name, &sumi__cpu_##name##_library, NULL, NULL}},
#define SUMI_CPU_ROW_3(name)                                                                                           \
  {&sumi__op_##name, {&sumi__cpu_##name, &sumi__cpu_##name##_winograd, &sumi__cpu_##name##_library, NULL}},
#define SUMI_CPU_ROW_4(name)                                                                                           \
  {&sumi__op_##name, {&sumi__cpu_##name##_winograd, &sumi__cpu_##name, &sumi__cpu_##name##_library, NULL}},
#define SUMI_OP(name, cpu) SUMI_CPU_ROW_##cpu(name)
#define SUMI_ELEMENTWISE(name)
#include "ops/ops.def"
    {&sumi__op_conv2d_upsampled, {&sumi__cpu_conv2d_upsampled, NULL, NULL, NULL}},
    {&sumi__op_load, {&sumi__cpu_load, NULL, NULL, NULL}},
    {&sumi__op_matmul_geglu, {&sumi__cpu_matmul_geglu, NULL, NULL, NULL}},
    {&sumi__op_fused, {&sumi__cpu_fused, NULL, NULL, NULL}},
    {NULL, {NULL, NULL, NULL, NULL}},
};

static const sumi__kernel *const *kernels(const sumi_backend *backend, const sumi__op *op) {
  static const sumi__kernel *const none[] = {NULL};
  (void)backend;
  for (size_t i = 0; table[i].op; i++)
    if (table[i].op == op) return table[i].kernels;
  return none;
}

sumi_status sumi_backend_cpu(sumi_context *ctx, sumi_backend **out) {
  *out = NULL;
  sumi_backend *backend = sumi__alloc_zero(ctx, sizeof *backend);
  if (!backend) return SUMI_NO_MEMORY;
  backend->ctx = ctx;
  backend->name = "cpu";
  backend->kernels = kernels;
  backend->fuses = true;
  *out = backend;
  return SUMI_OK;
}

void sumi_backend_free(sumi_backend *backend) {
  if (backend) sumi__free(backend->ctx, backend);
}
