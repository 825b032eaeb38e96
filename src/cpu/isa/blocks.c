/* A loop for each elementwise operator; the contract is in cpu/blocks.h, the meaning in src/ops. */
#include "cpu/blocks.h"

#include "cpu/isa/vmath.h"

/* `expression` of the vectors a, b and the attributes p. The last run of fewer than V elements is loaded and stored
 * with a mask, since inputs and results may lie in the tensors themselves. */
#define BLOCK(name, has_b, expression)                                                                                 \
  static void name(float *y, const float *const *x, const float *p, int64_t n) {                                       \
    const float *x0 = x[0], *x1 = (has_b) ? x[1] : x[0];                                                               \
    int64_t i = 0;                                                                                                     \
    (void)p;                                                                                                           \
    for (; i + V <= n; i += V) {                                                                                       \
      const vf a = vload(x0 + i), b = (has_b) ? vload(x1 + i) : a;                                                     \
      (void)b;                                                                                                         \
      vstore(y + i, (expression));                                                                                     \
    }                                                                                                                  \
    if (i < n) {                                                                                                       \
      const vf a = vload_n(x0 + i, n - i), b = (has_b) ? vload_n(x1 + i, n - i) : a;                                   \
      (void)b;                                                                                                         \
      vstore_n(y + i, (expression), n - i);                                                                            \
    }                                                                                                                  \
  }

BLOCK(block_abs, 0, vabs(a))
BLOCK(block_add, 1, a + b)
BLOCK(block_affine, 0, p[0] * a + p[1])
BLOCK(block_clamp, 0, vmin(vset(p[1]), vmax(vset(p[0]), a)))
BLOCK(block_cos, 0, vcos(a))
BLOCK(block_div, 1, a / b)
BLOCK(block_erf, 0, verf(a))
BLOCK(block_exp, 0, vexp(a))
BLOCK(block_gelu, 0, vgelu(a))
BLOCK(block_leaky_relu, 0, vselect(vlt(vzero(), a), a, p[0] * a))
BLOCK(block_log, 0, vlog(a))
BLOCK(block_maximum, 1, vselect(vnan(a), a, vmax(a, b)))
BLOCK(block_mul, 1, a *b)
BLOCK(block_quick_gelu, 0, a / (1.0f + vexp(-1.702f * a)))
BLOCK(block_relu, 0, vmax(vzero(), a))
BLOCK(block_sigmoid, 0, vsigmoid(a))
BLOCK(block_silu, 0, vsilu(a))
BLOCK(block_sin, 0, vsin(a))
BLOCK(block_sqrt, 0, vsqrt(a))
BLOCK(block_square, 0, a *a)
BLOCK(block_step, 0, vselect(vle(vset(p[0]), a), vset(1.0f), vzero()))
BLOCK(block_sub, 1, a - b)
BLOCK(block_tanh, 0, vtanh(a))

sumi__block_table SUMI__ISA_NAME(sumi__cpu_blocks) = {
    {"abs", block_abs},
    {"add", block_add},
    {"affine", block_affine},
    {"clamp", block_clamp},
    {"cos", block_cos},
    {"div", block_div},
    {"erf", block_erf},
    {"exp", block_exp},
    {"gelu", block_gelu},
    {"log", block_log},
    {"leaky_relu", block_leaky_relu},
    {"maximum", block_maximum},
    {"mul", block_mul},
    {"relu", block_relu},
    {"quick_gelu", block_quick_gelu},
    {"sigmoid", block_sigmoid},
    {"silu", block_silu},
    {"sin", block_sin},
    {"sqrt", block_sqrt},
    {"square", block_square},
    {"step", block_step},
    {"sub", block_sub},
    {"tanh", block_tanh},
    {NULL, NULL},
};
